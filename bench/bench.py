"""./dev bench: Jikji beside llama-server of the same source, in one run, on this machine.

What is measured, and how:
  embeddings   cosine with the models' own code (tests/golden), the least of 50 texts
  greedy text  64 tokens on 20 prompts, same file, same template; a difference is shown with the
               two likeliest tokens at that place: a gap near 0 is a tie that rounding decides
  decode       tokens per second of one stream, and of 8 streams at once; the two servers take
               turns (A B A B), after a warm-up; medians
  start        from exec to the line that says the address
  memory       resident, at rest, both default models loaded
Prints a table and writes it to build/bench/report.md. Exits 1 if a goal is missed.
"""

import argparse
import json
import math
import os
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/support"))

from peers import LlamaServer  # noqa: E402
from program import CHAT, E5, MINILM, MODELS, Server  # noqa: E402
from report import Report, machine  # noqa: E402

GREEDY_TOKENS = 64
DECODE_TOKENS = 192
STREAMS = 8
CONTEXT = 2048

PROMPTS = [
    "What is the capital of France?",
    "Explain photosynthesis in two sentences.",
    "Write a haiku about rain.",
    "List three uses of copper.",
    "Why is the sky blue?",
    "Give me a recipe for pancakes.",
    "What is 17 plus 25?",
    "Translate 'good morning' into Spanish.",
    "Who wrote Hamlet?",
    "Name the planets of the solar system.",
    "Write a Python function that reverses a list.",
    "What does a database index do?",
    "Tell me a short story about a fox.",
    "How do vaccines work?",
    "What is the difference between a cat and a dog?",
    "안녕하세요? 자기소개를 해 주세요.",
    "대한민국의 수도는 어디인가요?",
    "직지는 무엇인가요?",
    "Summarise the plot of Romeo and Juliet.",
    "Give two tips for learning to swim.",
]


# How llama-server may share its KV memory among 8 streams. Jikji shares cells, as -kvu does; a
# share of one's own for each (the last) costs 8 times a whole context of memory and saves attention
# the look at the others' cells.
KV_SHARING = {
    "as it starts": [],
    "-np 8 -kvu": ["-c", str(CONTEXT * 2), "-np", str(STREAMS), "-kvu"],
    "-np 8, 8 x the memory": ["-c", str(CONTEXT * STREAMS), "-np", str(STREAMS)],
}


def cosine(a, b):
    dot = sum(x * y for x, y in zip(a, b, strict=True))
    return dot / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))


def least_cosine(server, model, golden_name):
    golden = json.loads((ROOT / f"tests/golden/{golden_name}.json").read_text())
    texts = [golden.get("prefix", "") + item["text"] for item in golden["items"]]
    reply = server.post("/v1/embeddings",
                        {"model": model, "input": texts, "encoding_format": "float"})
    assert reply.status == 200, reply
    rows = reply.json()["data"]
    return min(cosine(item["vector"], row["embedding"])
               for item, row in zip(golden["items"], rows, strict=True))


def greedy(server, prompt, extra):
    body = {"model": CHAT, "messages": [{"role": "user", "content": prompt}], "temperature": 0,
            "max_tokens": GREEDY_TOKENS, "logprobs": True, "top_logprobs": 2, **extra}
    reply = server.post("/v1/chat/completions", body)
    assert reply.status == 200, reply
    choice = reply.json()["choices"][0]
    return choice["message"]["content"], choice["logprobs"]["content"]


def spelling(token):
    return bytes(token["bytes"]) if token.get("bytes") else token["token"].encode()


def first_difference(ours, theirs):
    """Nothing if the texts are equal, else (a sentence about the first token that differs, the gap
    between our two likeliest there). llama-server also lists the end's token, and joins tokens
    that are parts of one character, so tokens are looked at only where the texts differ."""
    if ours[0] == theirs[0]:
        return None
    for place, (a, b) in enumerate(zip(ours[1], theirs[1], strict=False)):
        if spelling(a) != spelling(b):
            top = a["top_logprobs"]
            gap = top[0]["logprob"] - top[1]["logprob"]
            return f"token {place}: {a['token']!r} / {b['token']!r}, top-2 gap {gap:.4f}", gap
    return f"{ours[0]!r} / {theirs[0]!r}", math.inf


def compare_greedy(jikji, llama):
    """(prompts with equal text, notes on the others, are all others ties)."""
    same, notes, ties = 0, [], True
    for prompt in PROMPTS:
        difference = first_difference(greedy(jikji, prompt, {"use_cache": False}),
                                      greedy(llama, prompt, {"cache_prompt": False}))
        if difference is None:
            same += 1
        else:
            notes.append(f"{prompt} {difference[0]}")
            ties = ties and difference[1] < 0.05
    return same, notes, ties


def stream_seconds(server, prompt, extra, gate):
    """(time of the first piece, time of the last) of one stream of DECODE_TOKENS tokens."""
    import http.client

    body = {"model": CHAT, "prompt": prompt, "max_tokens": DECODE_TOKENS, "temperature": 0,
            "stream": True, "ignore_eos": True, **extra}
    connection = http.client.HTTPConnection(*server.address, timeout=300)
    gate.wait()
    connection.request("POST", "/v1/completions", json.dumps(body),
                       {"Content-Type": "application/json"})
    reply = connection.getresponse()
    assert reply.status == 200, reply.read()
    first = last = None
    for line in reply:
        if line.startswith(b"data: {"):
            last = time.perf_counter()
            first = first or last
    connection.close()
    return first, last


def decode_speed(server, streams, extra):
    """Tokens per second: of one stream, after its first token; of many, all in all."""
    gate = threading.Barrier(streams + 1)
    spans = []
    threads = [threading.Thread(target=lambda p=p: spans.append(
        stream_seconds(server, p, extra, gate))) for p in PROMPTS[:streams]]
    for thread in threads:
        thread.start()
    gate.wait()
    began = time.perf_counter()
    for thread in threads:
        thread.join()
    assert len(spans) == streams, "a stream failed"
    if streams == 1:
        return (DECODE_TOKENS - 1) / (spans[0][1] - spans[0][0])
    return streams * DECODE_TOKENS / (max(last for _, last in spans) - began)


def take_turns(jikji, llama, streams, rounds):
    """Medians of both, A B A B, after one warm-up each."""
    ours, theirs = [], []
    for turn in range(rounds + 1):
        a = decode_speed(jikji, streams, {"use_cache": False})
        b = decode_speed(llama, streams, {"cache_prompt": False})
        if turn > 0:
            ours.append(a)
            theirs.append(b)
    return statistics.median(ours), statistics.median(theirs)


def start_seconds(folder, threads):
    times = []
    for turn in range(5):
        server = Server(Path(folder) / f"start-{turn}", threads=threads)
        began = time.perf_counter()
        with server:
            times.append(time.perf_counter() - began)
    return statistics.median(times)


def measure_alone(report, jikji, folder, threads):
    for model, golden in ((MINILM, "minilm_vectors"), (E5, "e5_vectors")):
        least = least_cosine(jikji, model, golden)
        report.add(f"{model}: least cosine with its own code, 50 texts", f"{least:.5f}", "",
                   "≥ 0.999", least >= 0.999)
    seconds = start_seconds(folder, threads)
    report.add("start to listening", f"{seconds:.2f} s", "", "< 1 s", seconds < 1)
    with Server(Path(folder) / "rest", threads=threads) as rest:
        rest.post("/v1/chat/completions", {"model": CHAT, "max_tokens": 8, "messages": [
            {"role": "user", "content": "Hi"}]})
        rest.post("/v1/embeddings", {"model": E5, "input": "Hi"})
        time.sleep(1)
        memory = rest.resident_mb()
    report.add("memory at rest, both default models", f"{memory:.0f} MB", "", "< 600 MB",
               memory < 600)


def compare_decode(report, jikji, llama, streams, least, options, sharing):
    ours, theirs = take_turns(jikji, llama, streams, options.rounds)
    report.add(f"decode, {streams} stream{'s' * (streams > 1)}; llama-server {sharing}",
               f"{ours:.1f} tokens/s", f"{theirs:.1f} tokens/s",
               f"≥ {least} of llama-server's (is {ours / theirs:.3f})", ours >= least * theirs)


def measure_beside(report, jikji, folder, options):
    for index, sharing in enumerate(KV_SHARING):
        with LlamaServer(folder, options.port + index, options.threads, MODELS / f"{CHAT}.gguf",
                         "--jinja", "--cache-ram", 0, *KV_SHARING[sharing]) as llama:
            if index == 0:
                measure_greedy(report, jikji, llama)
                compare_decode(report, jikji, llama, 1, 0.98, options, sharing)
            compare_decode(report, jikji, llama, STREAMS, 0.95, options, sharing)


def measure_greedy(report, jikji, llama):
    same, notes, ties = compare_greedy(jikji, llama)
    report.add(f"greedy, {GREEDY_TOKENS} tokens, {len(PROMPTS)} prompts",
               f"{same} equal" + ("" if same == len(PROMPTS) else ", the others below"), "",
               "equal, or a tie at the first difference", ties)
    report.section("Greedy texts that differ, at their first different token", notes)


def main():
    parser = argparse.ArgumentParser(description="Jikji beside llama-server")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each server")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--port", type=int, default=18999, help="for llama-server")
    options = parser.parse_args()
    header = [*machine(), f"{options.threads} threads each, {options.rounds} rounds, medians"]
    print("\n".join(header), flush=True)
    report = Report("./dev bench", "report.md")
    with tempfile.TemporaryDirectory() as folder:
        with Server(Path(folder) / "data", "--context", CONTEXT, "--parallel", STREAMS,
                    threads=options.threads) as jikji:
            measure_alone(report, jikji, folder, options.threads)
            measure_beside(report, jikji, folder, options)
    report.write(header)
    return 1 if report.missed else 0


if __name__ == "__main__":
    sys.exit(main())
