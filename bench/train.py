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
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent),
                str(Path(__file__).resolve().parents[1] / "tests/support")]

import limits  # noqa: E402
from report import machine  # noqa: E402
from shape_7b import VOCABULARY, write_7b  # noqa: E402
from train_quality import PARITY_STEPS, Quality  # noqa: E402
from train_runs import BENCH, PACKAGES, SEED_TASKS, TRAIN_BENCH, json_of  # noqa: E402

SHAPE_7B = BENCH / "models/7b-shape-q4_k_m.gguf"
ROUNDS = 3  # of each side, in turn


def json_at(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return json.load(answer)


def tokens_per_step(data):
    """A batch that makes steps of about 2,048 tokens, as row 12 wants them."""
    samples = data.read_text().splitlines()
    tokens = sum(len(json.loads(line)["tokens"]) for line in samples)
    return max(1, round(2048 * len(samples) / tokens))


def peak_of_child(parent, word):
    """The most memory that a child with `word` in its command ever took, in GB; None: not there."""
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            facts = dict(re.findall(r"^(\w+):\s+(\d+)", status.read_text(), re.M))
            command = (status.parent / "cmdline").read_text()
        except OSError:
            continue
        if facts.get("PPid") == str(parent) and word in command and "VmHWM" in facts:
            return int(facts["VmHWM"]) / 1e6
    return None


class Bench(Quality):
    # ---- one row of the table each ----------------------------------------------------

    def against_peft(self):
        initial, finals = self.folder / "initial.json", [self.folder / f"{x}.json" for x in "ab"]
        theirs, ours = [], []
        for turn in range(ROUNDS):
            theirs.append(self.peft("float32", PARITY_STEPS, "--initial", initial, "--final",
                                    finals[0]))
            ours.append(self.jikji("bf16", PARITY_STEPS, "--initial", initial))
            theirs.append(self.peft("bfloat16", self.options.bf16_steps))
        exact = self.jikji("f32", PARITY_STEPS, "--initial", initial, "--final", finals[1])
        self.speed(theirs, ours)
        peak, least = max(run["peak_gb"] for run in ours), min(run["peak_gb"] for run in theirs)
        self.report.add("peak memory, the same steps; PyTorch: its best run", f"{peak:.2f} GB",
                        f"{least:.2f} GB", "≤ 1.2 GB", peak <= 1.2)
        self.losses(theirs[-2], exact, finals)
        self.peft_first = min(run["first_step_seconds"] for run in theirs)

    def speed(self, theirs, ours):
        def median(runs):
            return statistics.median(run["tokens_per_second"] for run in runs)
        best, rate = max(median(theirs[::2]), median(theirs[1::2])), median(ours)
        used = self.share_of_peak(rate)
        self.report.add(f"tokens/s, median of {ROUNDS}; PyTorch: the better of float32 and bfloat16",
                        f"{rate:.0f}", f"{best:.0f}", f"≥ 3 × (is {rate / best:.2f})",
                        rate / best >= 3,
                        f"it uses {used:.0%} of this CPU's bf16 peak, measured in this run; three "
                        f"times PyTorch would be {used * 3 * best / rate:.0%}")

    def share_of_peak(self, rate):
        parts = json_of([TRAIN_BENCH, "parts", self.model, "--threads", self.options.threads])
        flops = (parts["forward_flops"] + parts["backward_flops"]) / parts["tokens"]
        return rate * flops / 1e9 / json_of([limits.PROBE, self.options.threads])["gflops"]

    def job_memory(self):
        """Of the process that a job trains in, in steps of 2,048 tokens: tokeniser, data, hash of
        the base and checkpoints included."""
        batch, peak = tokens_per_step(self.samples), 0
        with self.train("--batch-size", batch, "--epochs", 1, folder="memory") as child:
            while child.poll() is None:
                peak = max(peak, peak_of_child(child.pid, "train-job") or 0)
                time.sleep(0.02)
        self.report.add(f"peak memory of a job, {batch} samples (2,048 tokens) a step",
                        f"{peak:.2f} GB", "", "≤ 1.2 GB", 0 < peak <= 1.2)

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

    def run(self, wanted):
        self.prepare()
        for row in (self.against_peft, self.job_memory, self.first_step, self.shape_7b,
                    self.precision, self.long_run, self.learns, self.shares):
            if wanted(row.__name__):
                row()


def main():
    parser = argparse.ArgumentParser(prog="./dev bench train", description=__doc__.split("\n")[0])
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--data", type=Path, default=SEED_TASKS, help="training data, JSON lines")
    parser.add_argument("--bf16-steps", type=int, default=6, help="of PyTorch in bfloat16")
    parser.add_argument("--long-steps", type=int, default=200,
                        help="of bf16 against PyTorch's float32, whose losses are compared smoothed")
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
