"""Fine-tuning: Jikji against PyTorch with PEFT, on the same weights, samples and order.

PyTorch, PEFT and what reads a GGUF for them are installed for this bench alone, into
build/bench/peft. Loss and speed are of real tokens: what PyTorch pads counts for nobody.
"""

import argparse
import json
import os
import random
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent),
                str(Path(__file__).resolve().parents[1] / "tests/support")]

import limits  # noqa: E402
from program import CHAT, JIKJI, MODELS, ROOT  # noqa: E402
from report import Report, machine  # noqa: E402
from shape_7b import VOCABULARY, write_7b  # noqa: E402

BENCH = ROOT / "build/bench"
TRAIN_BENCH = ROOT / "build/release/bench/jikji_train_bench"
SHAPE_7B = BENCH / "models/7b-shape-q4_k_m.gguf"
SEED_TASKS = ROOT.parent / "shared/data/alpaca/seed_tasks.jsonl"
CRANFIELD = ROOT.parent / "shared/data/cranfield/cran.all.1400"
WORDS_OF_ABSTRACT = 60
PEFT = BENCH / "peft"
PACKAGES = ["torch==2.13.0", "peft==0.21.0", "transformers==5.24.0", "gguf==0.19.0"]
PARITY_STEPS = 20


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


def json_at(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)


def json_of(command):
    return json.loads(output_of(command).splitlines()[-1])


def smoothed(losses, width=20):
    return [statistics.fmean(losses[max(0, i - width + 1):i + 1]) for i in range(len(losses))]


def titles(count):
    """A task that the base does not do well: name a paper from how its abstract begins."""
    records = []
    for paper in CRANFIELD.read_text().split("\n.I "):
        found = re.search(r"\n\.T\n(.*?)\n\.A\n.*?\n\.W\n(.*)", paper, re.DOTALL)
        if not found:
            continue
        title, abstract = (" ".join(part.split()) for part in found.groups())
        text = abstract.removeprefix(title).split()[:WORDS_OF_ABSTRACT]
        records.append({"instruction": "Write a title for this abstract.",
                        "input": " ".join(text), "output": title.rstrip(" .")})
    return records[:count]


# Of SmolLM2-135M, rank 8: what one layer's adapters hold, in the order in which they lie.
RANK, WIDTH, HEAD, HEADS, KV_HEADS = 8, 576, 64, 9, 3
MATRICES = {"q.A": RANK * WIDTH, "q.B": HEADS * HEAD * RANK, "v.A": RANK * WIDTH,
            "v.B": KV_HEADS * HEAD * RANK}


def matrices(values):
    at = 0
    while at < len(values):
        for kind, size in MATRICES.items():
            yield kind, values[at:at + size]
            at += size


def gguf_rows(b):
    """Rows of q's B from halves, as Hugging Face turns them, to pairs, as a GGUF has them."""
    rows = [b[i:i + RANK] for i in range(0, len(b), RANK)]
    half = HEAD // 2
    order = [head + part * half + i for head in range(0, len(rows), HEAD) for i in range(half)
             for part in range(2)]
    return [x for row in order for x in rows[row]]


def cosine(a, b):
    dot = sum(x * y for x, y in zip(a, b, strict=True))
    return dot / (sum(x * x for x in a) * sum(y * y for y in b)) ** 0.5


class Bench:
    def __init__(self, options, folder):
        self.options, self.folder = options, Path(folder)
        self.report = Report("./dev bench train", "train.md", peer="PyTorch + PEFT")
        self.model = MODELS / f"{CHAT}.gguf"
        self.samples = self.folder / "samples.jsonl"

    def peft(self, dtype, steps, *more):
        return json_of([install_peft(), ROOT / "bench/train_peft.py", "--model", self.model,
                        "--samples", self.samples, "--dtype", dtype, "--steps", steps,
                        "--threads", self.options.threads, *more])

    def jikji(self, precision, steps, *more, model=None, samples=None):
        return json_of([TRAIN_BENCH, "steps", model or self.model, samples or self.samples,
                        "--precision", precision, "--steps", steps, "--threads",
                        self.options.threads, *more])

    def prepare(self):
        lines = output_of([TRAIN_BENCH, "samples", self.model, self.options.data])
        self.samples.write_text(lines)
        lengths = [len(json.loads(line)["tokens"]) for line in lines.splitlines()]
        print(f"{len(lengths)} samples, {sum(lengths)} tokens", flush=True)

    # ---- one row of the table each ----------------------------------------------------

    def against_peft(self):
        initial, finals = self.folder / "initial.json", [self.folder / f"{x}.json" for x in "ab"]
        theirs = self.peft("float32", PARITY_STEPS, "--initial", initial, "--final", finals[0])
        exact = self.jikji("f32", PARITY_STEPS, "--initial", initial, "--final", finals[1])
        ours = self.jikji("bf16", self.options.long_steps, "--initial", initial)
        theirs_bf16 = self.peft("bfloat16", self.options.bf16_steps)
        again = self.jikji("bf16", PARITY_STEPS, "--initial", initial)
        self.speed(max(theirs, theirs_bf16, key=lambda r: r["tokens_per_second"]), ours, again)
        self.memory(min(theirs, theirs_bf16, key=lambda r: r["peak_gb"]), ours)
        self.losses(theirs, exact, finals)
        self.smoothed_losses(initial, ours)
        self.peft_first = min(theirs["first_step_seconds"], theirs_bf16["first_step_seconds"])

    def speed(self, theirs, ours, again):
        rate = statistics.median([ours["tokens_per_second"], again["tokens_per_second"]])
        share = rate / theirs["tokens_per_second"]
        self.report.add("tokens/s, the better of float32 and bfloat16", f"{rate:.0f}",
                        f"{theirs['tokens_per_second']:.0f}", f"≥ 3 × (is {share:.2f})", share >= 3)

    def memory(self, theirs, ours):
        self.report.add("peak memory", f"{ours['peak_gb']:.2f} GB", f"{theirs['peak_gb']:.2f} GB",
                        "≤ 1.2 GB", ours["peak_gb"] <= 1.2)

    def losses(self, theirs, exact, finals):
        apart = max(abs(a - b) for a, b in zip(theirs["losses"], exact["losses"], strict=True))
        self.report.add(f"first {PARITY_STEPS} losses, float32, greatest difference",
                        f"{apart:.1e}", "", "≤ 1e-4", apart <= 1e-4)
        print(f"    losses {theirs['losses'][0]:.4f} … {theirs['losses'][-1]:.4f}")
        theirs, ours = (list(matrices(json.loads(final.read_text()))) for final in finals)
        theirs = [gguf_rows(x) if kind == "q.B" else x for kind, x in theirs]
        least = min(cosine(a, b) for a, (_, b) in zip(theirs, ours, strict=True))
        self.report.add(f"A and B after {PARITY_STEPS} steps, least cosine", f"{least:.6f}", "",
                        "≥ 0.9999", least >= 0.9999)

    def smoothed_losses(self, initial, ours):
        exact = self.jikji("f32", self.options.long_steps, "--initial", initial)
        apart = max(abs(a / b - 1) for a, b in zip(smoothed(ours["losses"]),
                                                   smoothed(exact["losses"]), strict=True))
        self.report.add(f"{self.options.long_steps} losses, bf16 against float32, smoothed", f"{apart:.2%}", "",
                        "≤ 1 %", apart <= 0.01)

    def shape_7b(self):
        write_7b(SHAPE_7B)
        draw = random.Random(7)
        samples = self.folder / "samples_7b.jsonl"
        with samples.open("w") as out:
            for _ in range(4):
                tokens = [draw.randrange(VOCABULARY) for _ in range(256)]
                out.write(json.dumps({"tokens": tokens, "learnt": [0] * 128 + [1] * 128}) + "\n")
        done = self.jikji("bf16", 3, model=SHAPE_7B, samples=samples)
        self.report.add("7B shape Q4_K_M, 3 steps of 4 × 256 tokens",
                        f"{done['tokens_per_second']:.1f} tokens/s", "does not fit",
                        "≥ 9 tokens/s", done["tokens_per_second"] >= 9)
        self.report.add("7B shape Q4_K_M, peak memory", f"{done['peak_gb']:.1f} GB", "does not fit",
                        "≤ 12 GB", done["peak_gb"] <= 12)

    def shares(self):
        """Of what the arithmetic of this CPU could do, measured in this run."""
        lines = limits.Machine(self.options.threads).lines()
        gflops = json_of([limits.PROBE, self.options.threads])
        for precision, peak in (("bf16", gflops["gflops"]), ("f32", gflops["gflops_f32"])):
            parts = json_of([TRAIN_BENCH, "parts", self.model, "--precision", precision,
                             "--threads", self.options.threads])
            for part in ("forward", "backward"):
                rate = parts[f"{part}_flops"] / parts[f"{part}_seconds"] / 1e9
                lines.append(f"{part} in {precision}, {parts['tokens']} tokens: {rate:.0f} GFLOP/s, "
                             f"{rate / peak:.0%} of the peak, {parts[f'{part}_seconds']:.3f} s")
        self.report.section("Share of what the machine can do", lines)

    def train(self, *more, data=None, folder="data"):
        """`jikji train` as a process whose output is the job as JSON."""
        command = [JIKJI, "train", "--json", "--data", data or self.options.data, "--model", CHAT,
                   "--models", MODELS, "--data-folder", self.folder / folder, *more]
        return subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE,
                                stderr=subprocess.DEVNULL, text=True)

    def wait_for_step(self, folder):
        """Asks the server that `jikji train` started for its job's events, every 20 ms."""
        while True:
            time.sleep(0.02)
            try:
                url = re.search(r"http://[\w.:]+", (folder / "lock").read_text()).group(0)
                jobs = json_at(f"{url}/v1/fine_tuning/jobs")["data"]
                events = json_at(f"{url}/v1/fine_tuning/jobs/{jobs[0]['id']}/events")["data"]
            except (OSError, AttributeError, IndexError):
                continue
            if any(event["data"].get("step") for event in events):
                return

    def first_step(self):
        took = []
        for turn in range(3):
            folder = f"first-{turn}"
            began = time.monotonic()
            with self.train("--epochs", 1, folder=folder) as child:
                self.wait_for_step(self.folder / folder)
                took.append(time.monotonic() - began)
                child.send_signal(signal.SIGINT)
        first = statistics.median(took)
        theirs = getattr(self, "peft_first", None)
        self.report.add("from `jikji train` to the first step", f"{first:.2f} s",
                        f"{theirs:.1f} s" if theirs else "", "≤ 2 s", first <= 2)

    def learns(self):
        falls, data = [], self.folder / "titles.jsonl"
        records = titles(self.options.learn_samples)
        data.write_text("".join(json.dumps(record) + "\n" for record in records))
        for seed in (1, 2, 3):
            with self.train("--seed", seed, data=data) as child:
                job = json.loads(child.stdout.read())
            more = job["x_jikji"]
            falls.append(1 - more["held_out_loss"] / more["base_loss"])
        self.report.add(f"held-out loss, {len(records)} samples, defaults, 3 seeds",
                        ", ".join(f"-{fall:.1%}" for fall in falls), "", "≥ 10 % lower in each",
                        min(falls) >= 0.1)

    def run(self, wanted):
        self.prepare()
        for row in (self.against_peft, self.first_step, self.shape_7b, self.learns, self.shares):
            if wanted(row.__name__):
                row()


def main():
    parser = argparse.ArgumentParser(prog="./dev bench train", description=__doc__.split("\n")[0])
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--data", type=Path, default=SEED_TASKS, help="training data, JSON lines")
    parser.add_argument("--bf16-steps", type=int, default=6, help="of PyTorch in bfloat16")
    parser.add_argument("--long-steps", type=int, default=200,
                        help="of bf16 against float32, whose losses are compared smoothed")
    parser.add_argument("--learn-samples", type=int, default=1000, help="of the row that learns")
    parser.add_argument("--only", default="", help="rows, by a part of their name: peft,7b")
    options = parser.parse_args()
    header = [*machine(), f"{options.threads} threads each; {', '.join(PACKAGES)}"]
    print("\n".join(header), flush=True)
    parts = [part for part in options.only.split(",") if part]
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(options, folder)
        bench.run(lambda row: not parts or any(part in row for part in parts))
    bench.report.write(header)
    return 1 if bench.report.missed else 0


if __name__ == "__main__":
    sys.exit(main())
