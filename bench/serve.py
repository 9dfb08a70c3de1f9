"""./dev bench serve: many people at once, Jikji beside llama-server of the same source.

Each row is a scenario of scenarios.py. Jikji runs as it starts; llama-server once as it starts and
once with `-np 16 -kvu -b 256 -ub 256 --cache-reuse 256`, and the better of the two counts, figure
by figure; one that fails a request of a scenario does not count in it, and a line says so. The servers take turns, round by round, with new text in each round; medians. The model
is the default one, as published for llama-server.
Prints a table, the share of the machine's limit, the quality beside the speed, and writes all to
build/bench/serve.md. Exits 1 if a goal is missed.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/support"))

import limits  # noqa: E402
import scenarios  # noqa: E402
from load import chat, percentile, play, words  # noqa: E402
from peers import LLAMA_BENCH, LlamaServer  # noqa: E402
from program import CHAT, E5, MINILM, MODELS, ROOT, Server  # noqa: E402
from report import Report, machine  # noqa: E402
from serve_quality import Quality  # noqa: E402
from shape_7b import VOCABULARY, write_7b  # noqa: E402

# 16 sequences of 2,048 tokens need the room: with the default context some of 16 requests fail.
TUNED = ["-np", 16, "-kvu", "-b", 256, "-ub", 256, "--cache-reuse", 256, "-c", 32768]
SHAPE_7B = ROOT / "build/bench/models/7b-shape-q4_k_m.gguf"
LONG_TOKENS = 1700


class Measured:
    """Outcomes of one scenario: of Jikji, and of each way in which llama-server was started."""

    def __init__(self, ours, peers):
        self.ours, self.peers = ours, peers

    def both(self, figure, best=min):
        """(ours, the better peer's): medians of a figure of the outcomes."""
        return (statistics.median(map(figure, self.ours)),
                best(statistics.median(map(figure, peer)) for peer in self.peers))

    @property
    def client_share(self):
        return max(o.client / o.wall for o in self.ours)


def take_turns(scenario, jikji, peers, rounds):
    """Every server plays the scenario once a round; the first round of two or more warms up."""
    warm_up = 1 if rounds > 1 else 0
    outcomes = {server: [] for server in (jikji, *peers)}
    for turn in range(rounds + warm_up):
        for server, kept in outcomes.items():
            outcome = play(scenario, server, f"{os.getpid()} {turn}")
            assert server is not jikji or not outcome.failed, outcome.failed[0].error[:300]
            if outcome.failed:
                print(f"  ({scenario.__name__}: {' '.join(server.command[-12:])} failed "
                      f"{len(outcome.failed)} requests: {outcome.failed[0].error[:120]})")
            if turn >= warm_up:
                kept.append(outcome)
    whole = [outcomes[p] for p in peers if not any(o.failed for o in outcomes[p])]
    assert whole, f"no llama-server answered every request of {scenario.__name__}"
    return Measured(outcomes[jikji], whole)


class Bench(Quality):
    def __init__(self, options):
        self.options = options
        self.report = Report("./dev bench serve", "serve.md")
        self.shares = []

    def compare(self, what, pair, unit, least=None, most=None):
        """A row: ours must be at least, or at most, that share of theirs."""
        ours, theirs = pair
        share = ours / theirs if theirs else float("inf")
        goal = f"≥ {least} ×" if least else f"≤ {most} ×"
        met = share >= least if least else share <= most
        self.report.add(what, f"{ours:.4g} {unit}", f"{theirs:.4g} {unit}",
                        f"{goal} (is {share:.3g})", met)

    def play(self, scenario, jikji, peers):
        measured = take_turns(scenario, jikji, peers, self.options.rounds)
        print(f"  ({scenario.__name__}: the client took up to {measured.client_share:.0%} of a core)")
        return measured

    # ---- one row of the table each ----------------------------------------------------

    def one_stream(self, jikji, peers):
        m = self.play(scenarios.one_stream, jikji, peers)
        rates = m.both(lambda o: o.decode_rate, max)
        self.compare("one stream, decode", rates, "tokens/s", least=1.2)
        self.shares.append(self.machine.decode(limits.SMOLLM2, rates[0], context=200))

    def long_prompt(self, jikji, peers):
        m = self.play(scenarios.long_prompt, jikji, peers)
        first = m.both(lambda o: o.first(50))
        self.compare("1,700-token prompt, first token", first, "s", most=0.4)
        self.shares.append(self.machine.prefill(limits.SMOLLM2, LONG_TOKENS, first[0]))

    def chats(self, jikji, peers):
        m = self.play(scenarios.chats, jikji, peers)
        self.compare("16 chats, 128 tokens each", m.both(lambda o: o.rate, max), "tokens/s",
                     least=1.4)
        self.compare("16 chats, first token p99", m.both(lambda o: o.first(99)), "s", most=0.5)

    def shared_system_prompt(self, jikji, peers):
        m = self.play(scenarios.shared_system_prompt, jikji, peers)
        self.compare("16 behind one system prompt, in all", m.both(lambda o: o.wall), "s", most=0.3)
        self.compare("16 behind one system prompt, first token p99", m.both(lambda o: o.first(99)),
                     "s", most=0.25)

    def long_among_streams(self, jikji, peers):
        m = self.play(scenarios.long_among_streams, jikji, peers)
        ours, theirs = m.both(lambda o: max_gap_99(o.results[:4]))
        self.report.add("4 streams beside a 3,430-token prompt, gap p99", f"{ours:.3f} s",
                        f"{theirs:.3f} s", "≤ 0.15 s", ours <= 0.15)
        self.compare("the 3,430-token prompt's first token", m.both(lambda o: o.results[-1].first),
                     "s", most=0.6)

    def turns(self, jikji, peers):
        m = self.play(scenarios.turns, jikji, peers)
        self.compare("8 people × 6 turns, in all", m.both(lambda o: o.wall), "s", most=0.6)
        self.compare("8 people × 6 turns, first token p99", m.both(lambda o: o.first(99)), "s",
                     most=0.4)

    def schema_answers(self, jikji, peers):
        m = self.play(scenarios.schema_answers, jikji, peers)
        self.compare("8 JSON-schema answers, in all", m.both(lambda o: o.wall), "s", most=0.8)
        valid = min(sum(obeys_schema(r.text) for r in o.results) for o in m.ours)
        theirs = min(sum(obeys_schema(r.text) for r in o.results) for p in m.peers for o in p)
        self.report.add("8 JSON-schema answers, valid", f"{valid} of 8", f"{theirs} of 8",
                        "8 of 8", valid == 8)

    def embeddings(self, folder, jikji):
        for model in (MINILM, E5):
            flags = ["--embeddings", "-np", 16, "-b", 2048, "-ub", 2048]
            with LlamaServer(folder, self.options.port + 2, self.options.threads,
                             MODELS / f"{model}.gguf", *flags) as peer:
                name(peer, "x")
                name(jikji, model)
                pairs = [self.play(scenarios.embeddings(1, 64), jikji, [peer]),
                         self.play(scenarios.embeddings(32, 128), jikji, [peer]),
                         self.play(scenarios.embeddings_at_once, jikji, [peer])]
                rates = [m.both(lambda o: o.rate, max) for m in pairs]
                for way, pair in zip(("one at a time", "32 in a request", "64 requests at once"),
                                     rates, strict=True):
                    self.compare(f"{model}, 100-word texts, {way}", pair, "texts/s", least=2)
        name(jikji, CHAT)

    def restart(self, folder):
        """A server of its own: asked, stopped, started again, asked the same."""
        server = Server(Path(folder) / "restarted", threads=self.options.threads)
        prompt = [{"role": "user", "content": words(1640, f"restart {os.getpid()}")}]
        first = []
        for _ in range(2):
            with server:
                name(server, CHAT)
                play(one_of("warm up", 4), server, "")
                first.append(play(one_of(prompt, 4), server, "").results[0])
        self.report.add("restart, then the same 1,700-token prompt", f"{first[1].first:.3f} s",
                        f"(cold: {first[0].first:.2f} s)",
                        f"≤ 0.3 s (cached {first[1].cached} of {first[1].prompt})",
                        first[1].first <= 0.3)

    def starvation(self, folder):
        """llama-server knows no keys: this row is Jikji's alone."""
        keys = ("sk-quiet-0123456789abcdef", "sk-loud-0123456789abcdef")
        with Server(Path(folder) / "starvation", "--api-key", keys[0], "--api-key", keys[1],
                    threads=self.options.threads) as server:
            name(server, CHAT, use_cache=False)
            whole = {width: [] for width in (0, 50)}
            for turn in range(self.options.rounds):
                for width, times in whole.items():
                    outcome = play(scenarios.beside_a_flood(width, keys), server, f"flood {turn}")
                    assert not outcome.failed, outcome.failed[0].error[:300]
                    times += [result.whole for result in outcome.results]
        alone, beside = (percentile(times, 95) for times in whole.values())
        self.report.add("a key's 20 short chats beside 50 at a time of another, p95",
                        f"{beside:.3f} s", f"(alone: {alone:.3f} s)",
                        f"≤ 2 × alone (is {beside / alone:.3g})", beside <= 2 * alone,
                        "keys share places and tokens fairly, but each step that has the quiet "
                        "one's row has rows of the other as well, and takes longer for them")

    def shape_7b(self, folder):
        write_7b(SHAPE_7B)
        with Server(Path(folder) / "7b", "--chat-model", SHAPE_7B.stem, "--context", 1024,
                    "--parallel", 1, models=SHAPE_7B.parent,
                    threads=self.options.threads) as server:
            name(server, SHAPE_7B.stem)
            play(scenarios.tokens_in(512, VOCABULARY), server, "warm up")
            ours = max(512 / play(scenarios.tokens_in(512, VOCABULARY), server, salt).first(50)
                       for salt in ("a", "b"))
        theirs = llama_bench(SHAPE_7B, self.options.threads, 512)
        self.compare("7B shape Q4_K_M, 512-token prompt (peer: llama-bench pp512)",
                     (ours, theirs), "tokens/s", least=2)
        self.shares.append(self.machine.prefill(limits.SHAPE_7B, 512, 512 / ours))

    def run(self, folder, wanted):
        self.machine = limits.Machine(self.options.threads)
        rows = [self.one_stream, self.long_prompt, self.chats, self.shared_system_prompt,
                self.long_among_streams, self.turns, self.schema_answers, self.greedy]
        rows = [row for row in rows if wanted(row.__name__)]
        with ExitStack() as stack:
            # What was embedded before is kept; each text of the bench is to be computed.
            jikji = stack.enter_context(Server(Path(folder) / "data", "--embedding-cache", 0,
                                               threads=self.options.threads))
            name(jikji, CHAT, use_cache=False)  # the response cache would answer for the engine
            if rows:
                peers = [stack.enter_context(LlamaServer(
                    folder, self.options.port + i, self.options.threads, MODELS / f"{CHAT}.gguf",
                    "--jinja", *flags)) for i, flags in enumerate(([], TUNED))]
                for peer in peers:
                    name(peer, "x")
                for row in rows:
                    row(jikji, peers)
            if wanted("embeddings"):
                self.embeddings(folder, jikji)
        if wanted("restart"):
            self.restart(folder)
        if wanted("starvation"):
            self.starvation(folder)
        if wanted("shape_7b"):
            self.shape_7b(folder)
        self.report.section("Share of what the machine can do, measured in this run",
                            [*self.machine.lines(), *self.shares])
        if wanted("quality"):
            self.quality(folder)
            self.weights(folder)


def name(server, model, **extra):
    server.model, server.extra = model, extra


def one_of(messages, tokens):
    async def scenario(server, _):
        return [await chat(server, messages, tokens)]

    return scenario


def max_gap_99(results):
    """The 99th percentile of the gaps of all streams together."""
    return percentile([gap for r in results for gap in r.gaps], 99)


def obeys_schema(text):
    try:
        person = json.loads(text)
    except ValueError:
        return False
    return (set(person) == {"name", "age", "tags"} and isinstance(person["name"], str)
            and len(person["name"]) <= 20 and isinstance(person["age"], int)
            and 1 <= len(person["tags"]) <= 4
            and set(person["tags"]) <= {"red", "green", "blue"})


def llama_bench(model, threads, tokens):
    out = subprocess.run([LLAMA_BENCH, "-m", model, "-t", str(threads), "-p", str(tokens), "-n",
                          "0", "-r", "2", "-o", "json"], capture_output=True, text=True, check=True)
    return json.loads(out.stdout)[0]["avg_ts"]


def main():
    parser = argparse.ArgumentParser(prog="./dev bench serve", description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=2, help="turns of each server, and a warm-up")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--port", type=int, default=18990, help="the first of three")
    parser.add_argument("--only", default="", help="rows, by a part of their name: chats,restart")
    options = parser.parse_args()
    header = [*machine(), f"{options.threads} threads each, {options.rounds} rounds, medians"]
    print("\n".join(header), flush=True)
    bench = Bench(options)
    parts = [part for part in options.only.split(",") if part]
    with tempfile.TemporaryDirectory() as folder:
        bench.run(folder, lambda row: not parts or any(part in row for part in parts))
    bench.report.write(header)
    return 1 if bench.report.missed else 0


if __name__ == "__main__":
    sys.exit(main())
