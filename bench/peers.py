"""llama.cpp's own server, built from the same source, on the same files with the same threads."""

import subprocess
import time
from pathlib import Path

from program import ROOT, Server

LLAMA_SERVER = ROOT / "build/release/bin/llama-server"
LLAMA_BENCH = ROOT / "build/release/bin/llama-bench"
PREFILL_BENCH = ROOT / "build/release/bench/jikji_prefill_bench"


class LlamaServer(Server):
    def __init__(self, folder, port, threads, model, *flags):
        super().__init__(Path(folder) / f"llama-server-{port}")
        self.command = [str(LLAMA_SERVER), "-m", str(model), "--host", "127.0.0.1", "--port",
                        str(port), "-t", str(threads), "-tb", str(threads), "-ngl", "0",
                        *map(str, flags)]
        self.port = port

    def start(self):
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, env=self.env)
        self.url = f"http://127.0.0.1:{self.port}"
        end = time.monotonic() + 120
        while time.monotonic() < end and self.process.poll() is None:
            try:
                if self.get("/health").status == 200:
                    return self
            except OSError:
                pass
            time.sleep(0.05)
        raise AssertionError(self.output[-2000:])

    __enter__ = start
