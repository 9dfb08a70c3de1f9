"""The real program, started, asked and stopped the way a person would."""

import copy
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
JIKJI = Path(os.environ.get("JIKJI_PROGRAM", ROOT / "build/release/jikji"))
MODELS = Path(os.environ.get("JIKJI_MODELS", ROOT / "build/models"))
CHAT = "smollm2-135m-instruct"
E5 = "multilingual-e5-small"
MINILM = "all-minilm-l6-v2"
START_SECONDS_MAX = 60
STOP_SECONDS_MAX = 30
PATIENCE_SECONDS = 120  # to give up after, on any machine; nothing is measured by the clock


def environment(**changes):
    env = {k: v for k, v in os.environ.items() if not k.startswith(("JIKJI_", "LC_", "LANG"))}
    env.update({"LANG": "C.UTF-8", **changes})
    return env


def eventually(what):
    end = time.monotonic() + PATIENCE_SECONDS
    while not what():
        assert time.monotonic() < end, f"not within {PATIENCE_SECONDS} s"
        time.sleep(0.02)


class Answer:
    """An HTTP answer: status, headers (names in lower case), body."""

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = {name.lower(): value for name, value in headers}
        self.body = body

    @property
    def text(self):
        return self.body.decode()

    def json(self):
        return json.loads(self.body)

    @property
    def error(self):
        """The error object, after checking that it is a whole one."""
        assert self.headers.get("content-type", "").endswith("json"), self.headers
        error = self.json()["error"]
        assert set(error) == {"message", "type", "param", "code"}, error
        assert isinstance(error["message"], str) and error["message"]
        assert isinstance(error["type"], str) and error["type"]
        assert error["param"] is None or isinstance(error["param"], str)
        assert error["code"] is None or isinstance(error["code"], str)
        return error

    def __repr__(self):
        return f"{self.status} {self.body[:300]!r}"


class Server:
    """One `jikji serve`. Use with `with`, or start() and stop(). One compute thread: two that share
    a core with something else wait for each other, and a test's speed must not hang on that."""

    def __init__(self, data, *flags, models=MODELS, port=0, threads=1, env=None):
        self.data = Path(data)
        self.command = [str(JIKJI), "serve", "--data", str(data), "--models", str(models),
                        "--port", str(port), "--threads", str(threads), *map(str, flags)]
        self.env = environment(**(env or {}))
        self.log = self.data.parent / f"{self.data.name}.log"
        self.process = None
        self.url = None
        self.headers = {}  # of every request

    def speaking_as(self, key):
        """The same server, asked with that API key."""
        other = copy.copy(self)
        other.headers = {"Authorization": f"Bearer {key}"}
        return other

    def start(self):
        self.data.parent.mkdir(parents=True, exist_ok=True)
        self.url = None
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, env=self.env)
        end = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < end:
            found = re.search(r"(?:listens on|주소:) (http://\S+)", self.output)
            if found:
                self.url = found.group(1).rstrip("/")
                return self
            assert self.process.poll() is None, f"the server ended at once:\n{self.output}"
            time.sleep(0.02)
        raise AssertionError(f"the server did not start to listen:\n{self.output}")

    def stop(self, how=signal.SIGTERM):
        """The exit code."""
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            return self.process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"the server did not stop:\n{self.output}") from None

    __enter__ = start

    def __exit__(self, *_):
        if self.process and self.process.poll() is None:
            self.stop()

    @property
    def output(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    @property
    def address(self):
        host, port = self.url.removeprefix("http://").rsplit(":", 1)
        return host.strip("[]"), int(port)

    def ask(self, method, path, body=None, headers=None, timeout=60):
        """One request. A dict or list is sent as JSON; bytes as they are."""
        headers = {**self.headers, **(headers or {})}
        if isinstance(body, (dict, list)):
            body = json.dumps(body).encode()
            headers.setdefault("Content-Type", "application/json")
        connection = http.client.HTTPConnection(*self.address, timeout=timeout)
        try:
            connection.request(method, path, body, headers)
            reply = connection.getresponse()
            return Answer(reply.status, reply.getheaders(), reply.read())
        finally:
            connection.close()

    def get(self, path, **options):
        return self.ask("GET", path, **options)

    def post(self, path, body, **options):
        return self.ask("POST", path, body, **options)

    def raw(self, request, timeout=30):
        """Sends bytes as they are; returns everything that comes back until the server closes or
        has sent one whole answer."""
        with socket.create_connection(self.address, timeout=timeout) as connection:
            try:
                connection.sendall(request)
            except (BrokenPipeError, ConnectionResetError):
                pass  # the answer may already be there
            reply = http.client.HTTPResponse(connection)
            reply.begin()
            return Answer(reply.status, reply.getheaders(), reply.read())

    def upload(self, name, data, purpose="assistants", store=None):
        """Uploads a file and, with `store`, attaches it and waits for the end. The file's object."""
        edge = "----jikji-test-edge"
        head = (f'--{edge}\r\nContent-Disposition: form-data; name="purpose"\r\n\r\n{purpose}\r\n'
                f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
                "Content-Type: application/octet-stream\r\n\r\n").encode()
        body = head + data + f"\r\n--{edge}--\r\n".encode()
        reply = self.post("/v1/files", body,
                          headers={"Content-Type": f"multipart/form-data; boundary={edge}"})
        if store is None or reply.status != 200:
            return reply
        file_id = reply.json()["id"]
        attached = self.post(f"/v1/vector_stores/{store}/files", {"file_id": file_id})
        assert attached.status == 200, attached
        return self.wait_for_file(store, file_id)

    def wait_for_file(self, store, file_id, seconds=120):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            reply = self.get(f"/v1/vector_stores/{store}/files/{file_id}")
            assert reply.status == 200, reply
            if reply.json()["status"] != "in_progress":
                return reply.json()
            time.sleep(0.1)
        raise AssertionError(f"{file_id} is still in progress after {seconds} s")

    def new_store(self, name="store"):
        reply = self.post("/v1/vector_stores", {"name": name})
        assert reply.status == 200, reply
        return reply.json()["id"]

    def events(self, path, body, headers=None):
        """The data of each server-sent event, as text, and the raw bytes."""
        reply = self.post(path, body, headers=headers)
        assert reply.status == 200, reply
        assert reply.headers["content-type"].startswith("text/event-stream")
        blocks = reply.text.split("\n\n")
        assert blocks[-1] == "", "the last event lacks its blank line"
        data = [block.removeprefix("data: ") for block in blocks[:-1] if block.startswith("data: ")]
        others = [b for b in blocks[:-1] if not b.startswith("data: ") and not b.startswith(":")]
        return data, others

    def is_well(self):
        return self.get("/health").status == 200 and self.process.poll() is None

    def resident_mb(self):
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status).group(1)) / 1024


def run(*arguments, data=None, env=None, input=None, timeout=300, cwd=None):
    """`jikji ARGUMENT…`, with --data where given: a CompletedProcess with text."""
    command = [str(JIKJI), *map(str, arguments)]
    if data is not None:
        command += ["--data", str(data)]
    return subprocess.run(command, capture_output=True, text=True, env=environment(**(env or {})),
                          input=input, timeout=timeout, cwd=cwd,
                          stdin=subprocess.DEVNULL if input is None else None)
