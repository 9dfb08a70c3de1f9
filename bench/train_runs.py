"""What the rows of `./dev bench train` run: PyTorch, Jikji's pass alone, and whole jobs."""

import json
import subprocess
import sys
from pathlib import Path

from program import CHAT, JIKJI, MODELS, ROOT
from report import Report

BENCH = ROOT / "build/bench"
BINARIES = ROOT / "build/release/bench"
TRAIN_BENCH = BINARIES / "jikji_train_bench"
SEED_TASKS = ROOT.parent / "shared/data/alpaca/seed_tasks.jsonl"
PEFT = BENCH / "peft"
PACKAGES = ["torch==2.13.0", "peft==0.21.0", "transformers==5.24.0", "gguf==0.19.0"]


def install_peft():
    """A virtual environment with PyTorch: about 1 GB, once."""
    python = PEFT / "bin/python"
    if not python.exists():
        print("installing PyTorch and PEFT for the comparison…", flush=True)
        subprocess.run([sys.executable, "-m", "venv", PEFT], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *PACKAGES], check=True)
    return python


def output_of(command):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def json_of(command):
    return json.loads(output_of(command).splitlines()[-1])


class Runs:
    def __init__(self, options, folder):
        self.options, self.folder = options, Path(folder)
        self.report = Report("./dev bench train", "train.md", peer="PyTorch + PEFT")
        self.model = MODELS / f"{CHAT}.gguf"
        self.samples = self.folder / "samples.jsonl"

    def prepare(self):
        lines = output_of([TRAIN_BENCH, "samples", self.model, self.options.data])
        self.samples.write_text(lines)
        lengths = [len(json.loads(line)["tokens"]) for line in lines.splitlines()]
        print(f"{len(lengths)} samples, {sum(lengths)} tokens", flush=True)

    def peft(self, dtype, steps, *more, samples=None):
        return json_of([install_peft(), ROOT / "bench/train_peft.py", "--model", self.model,
                        "--samples", samples or self.samples, "--dtype", dtype, "--steps", steps,
                        "--threads", self.options.threads, *more])

    def jikji(self, precision, steps, *more, model=None, samples=None):
        return json_of([TRAIN_BENCH, "steps", model or self.model, samples or self.samples,
                        "--precision", precision, "--steps", steps, "--threads",
                        self.options.threads, *more])

    def train(self, *more, data=None, folder="data", models=MODELS):
        """`jikji train` as a process whose output is the job as JSON."""
        command = [JIKJI, "train", "--json", "--data", data or self.options.data, "--model", CHAT,
                   "--models", models, "--data-folder", self.folder / folder, *more]
        return subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE,
                                stderr=subprocess.DEVNULL, text=True)
