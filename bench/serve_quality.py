"""The rows of `./dev bench serve` that are not of speed."""

import os
import re
import subprocess
from pathlib import Path

from bench import compare_greedy
from peers import PREFILL_BENCH
from program import CHAT, JIKJI, MODELS, ROOT

GGML_ALONE = {"JIKJI_GEMM": "off", "JIKJI_ATTENTION": "off", "JIKJI_INTERLEAVED": "off"}


def perplexity(command, own):
    env = os.environ | ({} if own else GGML_ALONE)
    out = subprocess.run(command, capture_output=True, text=True, check=True, env=env).stdout
    return float(re.search(r"perplexity ([\d.]+)", out).group(1))


def write_prose(folder):
    """Some 15,000 tokens of English: what the decisions say."""
    path = Path(folder) / "prose.txt"
    decisions = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    path.write_text("\n".join(d.read_text() for d in decisions))
    return path


class Quality:
    """For a bench with a `report`."""

    def quality(self, folder):
        """Perplexity by our products and attention, and by ggml's, of the same file."""
        model = MODELS / f"{CHAT}.gguf"
        passes = {"as decoding computes": [JIKJI, "models", "perplexity", model],
                  "as prompts are read": [PREFILL_BENCH, model, "--only", "loss", "--text",
                                          write_prose(folder)]}
        for how, command in passes.items():
            ours, theirs = (perplexity(command, own) for own in (True, False))
            worse = ours / theirs - 1
            self.report.add(f"perplexity, {how}", f"{ours:.3f}", f"ggml's products {theirs:.3f}",
                            f"≤ +0.2 % (is {worse:+.2%})", worse <= 0.002)

    def greedy(self, jikji, peers):
        """The same text as llama-server's, but where rounding decides between two likeliest."""
        same, notes, ties = compare_greedy(jikji, peers[0])
        self.report.add("greedy text, 64 tokens on 20 prompts, equal to the peer's",
                        f"{same} of {same + len(notes)}", "", "all but ties", ties)
        self.report.section("Greedy texts that differ", notes)

    def weights(self, folder):
        """Which weights this machine chose, what else was measured, and how much worse it was."""
        for word in ("optimise", "show"):
            out = subprocess.run([JIKJI, "models", word, CHAT, "--models", MODELS, "--data",
                                  Path(folder) / "data"], capture_output=True, text=True,
                                 check=True).stdout
        lines = out.splitlines()
        first = next(i for i, line in enumerate(lines) if line.startswith("weights"))
        self.report.section("Weights in use, and why", [line.strip() for line in lines[first:]])
