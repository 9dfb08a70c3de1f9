"""What the machine could do at best, from its bandwidth and arithmetic as measured in this run, and
which share of it was reached. W = bytes of weights read per step, P = parameters that multiply
every prompt token (without the embeddings and the output), L = layers, d_kv = bytes of keys and
values per token and layer, d = width of the attention."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

PROBE = Path(__file__).resolve().parents[1] / "build/release/bench/jikji_machine_probe"


@dataclass
class Shape:
    name: str
    weight_bytes: float
    parameters: float
    layers: int
    kv_bytes: int  # per token and layer
    width: int


# The token embeddings of SmolLM2 are its output matrix, too: read once per step.
SMOLLM2 = Shape("SmolLM2-135M", 96.6e6, 106.2e6, 30, 2 * 192 * 2, 576)
SHAPE_7B = Shape("7B shape", 4.29e9, 6.98e9, 32, 2 * 1024 * 2, 4096)


class Machine:
    def __init__(self, threads):
        done = subprocess.run([PROBE, str(threads)], capture_output=True, text=True, check=True)
        self.figures = json.loads(done.stdout)

    def lines(self):
        f = self.figures
        return [f"reads {f['read_small_gbs']:.1f} GB/s over 96 MB, {f['read_large_gbs']:.1f} GB/s "
                "over 1 GB",
                f"multiplies at {f['gflops']:.0f} GFLOP/s in {f['precision']}, "
                f"{f['gflops_f32']:.0f} in f32 (4096 x 4096 x 512)"]

    def decode(self, shape, rate, context):
        """t_min = (W + c L d_kv) / B for one stream."""
        small = shape.weight_bytes < 5e8
        bandwidth = self.figures["read_small_gbs" if small else "read_large_gbs"] * 1e9
        least = (shape.weight_bytes + context * shape.layers * shape.kv_bytes) / bandwidth
        return f"{shape.name}, decode of one stream: {rate * least:.0%} of the bandwidth's limit"

    def prefill(self, shape, tokens, seconds):
        """2 P N + 4 L d N²/2 operations, at the rate of the large product."""
        work = 2 * shape.parameters * tokens + 2 * shape.layers * shape.width * tokens**2
        share = work / (seconds * self.figures["gflops"] * 1e9)
        return (f"{shape.name}, prefill of {tokens} tokens: {share:.0%} of the arithmetic's limit "
                f"({work / seconds / 1e9:.0f} GFLOP/s)")
