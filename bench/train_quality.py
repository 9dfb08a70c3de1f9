"""The rows of `./dev bench train` that are not of speed: the same numbers as others, and learning."""

import json
import math
import re
import shutil

from program import CHAT, JIKJI, MODELS, ROOT
from train_runs import BENCH, BINARIES, Runs, json_of, output_of

CRANFIELD = ROOT.parent / "shared/data/cranfield/cran.all.1400"
WORDS_OF_ABSTRACT = 60
PARITY_STEPS = 20
HELD_OUT = 25  # samples whose loss is compared at the end of a long run
TOKENS = 2000  # of the text on which precision is measured
PLACES = 100  # of it, at which best guesses are compared
F32_MODEL = BENCH / "models/smollm2-f32.gguf"


def smoothed(losses, width=20):
    return [statistics.fmean(losses[max(0, i - width + 1):i + 1]) for i in range(len(losses))]


def papers():
    """Title and abstract of each."""
    for paper in CRANFIELD.read_text().split("\n.I "):
        found = re.search(r"\n\.T\n(.*?)\n\.A\n.*?\n\.W\n(.*)", paper, re.DOTALL)
        if found:
            title, abstract = (" ".join(part.split()) for part in found.groups())
            yield title, abstract.removeprefix(title).strip()


def titles(count):
    """A task that the base does not do well: name a paper from how its abstract begins."""
    records = [{"instruction": "Write a title for this abstract.",
                "input": " ".join(abstract.split()[:WORDS_OF_ABSTRACT]),
                "output": title.rstrip(" .")} for title, abstract in papers()]
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


class Quality(Runs):
    """Rows 2, 3, 5, 7 and 8 of training.md, on the real model."""

    def losses(self, theirs, exact, finals):
        """Row 5, the first steps: the losses, and what A and B are after them."""
        apart = max(abs(a - b) for a, b in zip(theirs["losses"], exact["losses"], strict=True))
        self.report.add(f"first {PARITY_STEPS} losses, float32, greatest difference",
                        f"{apart:.1e}", "", "≤ 1e-4", apart <= 1e-4)
        print(f"    losses {theirs['losses'][0]:.4f} … {theirs['losses'][-1]:.4f}")
        theirs, ours = (list(matrices(json.loads(final.read_text()))) for final in finals)
        theirs = [gguf_rows(x) if kind == "q.B" else x for kind, x in theirs]
        least = min(cosine(a, b) for a, (_, b) in zip(theirs, ours, strict=True))
        self.report.add(f"A and B after {PARITY_STEPS} steps, least cosine", f"{least:.6f}", "",
                        "≥ 0.9999", least >= 0.9999)

    def long_run(self):
        """Row 5, many steps: bfloat16 here against PyTorch in float32, from the same A."""
        steps, lines = self.options.long_steps, self.samples.read_text().splitlines(True)
        learnt, held, initial = (self.folder / f"long_{x}" for x in ("learnt", "held", "initial"))
        learnt.write_text("".join(lines[HELD_OUT:]))
        held.write_text("".join(lines[:HELD_OUT]))
        theirs = self.peft("float32", steps, "--initial", initial, "--held", held, samples=learnt)
        ours = self.jikji("bf16", steps, "--initial", initial, "--held", held, samples=learnt)
        apart = max(abs(a / b - 1) for a, b in zip(smoothed(ours["losses"]),
                                                   smoothed(theirs["losses"]), strict=True))
        self.report.add(f"{steps} losses, bf16 against PyTorch's float32, smoothed",
                        f"{apart:.2%}", "", "≤ 1 %", apart <= 0.01)
        self.report.add(f"held-out loss after {steps} steps, nats a token",
                        f"{ours['held_out']:.4f}", f"{theirs['held_out']:.4f}",
                        "within 0.02", abs(ours["held_out"] - theirs["held_out"]) <= 0.02)

    def precision_of(self, model, *more):
        text = self.folder / "text.txt"
        text.write_text("\n".join(abstract for _, abstract in papers()))
        return json_of([BINARIES / "jikji_train_precision_bench", model, text, "--tokens", TOKENS,
                        "--threads", self.options.threads, *more])

    def precision(self):
        """Rows 2 and 3. llama.cpp rounds the inputs of quantised weights to 8 bits, which is not
        ours to follow: it is asked about the same weights in float32."""
        if not F32_MODEL.exists():
            F32_MODEL.parent.mkdir(parents=True, exist_ok=True)
            output_of([ROOT / "build/release/bin/llama-quantize", "--allow-requantize", self.model,
                       F32_MODEL, "F32"])
        for name, targets in (("q and v", []), ("all seven modules", ["--targets", "all", "--places", PLACES])):
            got = self.precision_of(F32_MODEL, *targets)
            found = got["gradients"]
            met = found["cosine"] >= 0.999 and found["shortest"] >= 0.98 and found["longest"] <= 1.02
            self.report.add(f"gradients of {name}, bf16 against float32, {TOKENS} tokens: least "
                            "cosine; lengths", f"{found['cosine']:.5f}; {found['shortest']:.3f} to "
                            f"{found['longest']:.3f}", "", "≥ 0.999; 0.98 to 1.02", met)
        base = got["base"]
        for name, most in (("f32", 0.002), ("bf16", 0.01)):
            apart, same = abs(base[name] - base["llama"]), base[f"{name}_agreement"]
            self.report.add(f"{name} against llama.cpp on float32 weights: nats a token; same best "
                            "guess", f"{apart:.4f}; {same:.0%}", "", f"≤ {most}; ≥ 99 %",
                            apart <= most and same >= 0.99)

    def learns(self):
        """Row 8, and row 7 with what was learnt."""
        falls, data, models = [], self.folder / "titles.jsonl", self.folder / "models"
        records = titles(self.options.learn_samples)
        data.write_text("".join(json.dumps(record) + "\n" for record in records))
        models.mkdir()
        for file in MODELS.glob(f"{CHAT}.*"):
            shutil.copy(file, models)
        for seed in (1, 2, 3):
            with self.train("--seed", seed, data=data, models=models) as child:
                job = json.loads(child.stdout.read())
            more = job["x_jikji"]
            falls.append(1 - more["held_out_loss"] / more["base_loss"])
        self.report.add(f"held-out loss, {len(records)} samples, defaults, 3 seeds",
                        ", ".join(f"-{fall:.1%}" for fall in falls), "", "≥ 10 % lower in each",
                        min(falls) >= 0.1)
        self.in_llama(job["fine_tuned_model"], models)

    def in_llama(self, name, models):
        adapter = self.folder / "adapter.gguf"
        output_of([JIKJI, "models", "export-adapter", name, "--format", "gguf", "--to", adapter,
                   "--models", models, "--data", self.folder / "data"])
        got = self.precision_of(self.model, "--adapter", adapter)["adapted"]
        ours, theirs = math.exp(got["f32"]), math.exp(got["llama"])
        apart = abs(ours / theirs - 1)
        self.report.add("perplexity with the adapter: here, and in stock llama.cpp",
                        f"{ours:.3f}, {theirs:.3f} ({apart:.2%})", "", "within 0.5 %", apart <= 0.005)
