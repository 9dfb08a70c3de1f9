"""Load on any OpenAI-compatible server, as people make it: streams of server-sent events, each
timed from the moment it was due. The client's own CPU time is counted, for it shares the cores."""

import asyncio
import json
import math
import random
import time
from dataclasses import dataclass, field

WORDS = ("river stone market teacher window garden letter winter engine harbour music bread cloud "
         "village doctor paper silver morning bridge forest question answer number colour "
         "story reason weather machine island summer memory country language village the a of "
         "and to in that it was for on with as by at from this which but not are").split()


def words(count, seed):
    """The same words for the same seed; no two seeds begin alike."""
    generator = random.Random(seed)
    return " ".join(generator.choice(WORDS) for _ in range(count))


@dataclass
class Result:
    """One answer. Times in seconds; `first` and `whole` from the moment it was due."""
    status: int = 0
    first: float = math.inf
    whole: float = 0
    prompt: int = 0
    cached: int = 0
    made: int = 0
    gaps: list = field(default_factory=list)
    text: str = ""
    error: str = ""


async def exchange(address, path, body, key=None):
    """Opens a connection, sends the request, reads the head: (reader, writer, status)."""
    reader, writer = await asyncio.open_connection(*address)
    data = json.dumps(body).encode()
    bearer = f"Authorization: Bearer {key}\r\n" if key else ""
    writer.write((f"POST {path} HTTP/1.1\r\nHost: {address[0]}:{address[1]}\r\n"
                  f"{bearer}Content-Type: application/json\r\nConnection: close\r\n"
                  f"Content-Length: {len(data)}\r\n\r\n").encode() + data)
    await writer.drain()
    head = await reader.readuntil(b"\r\n\r\n")
    return reader, writer, int(head.split(b" ", 2)[1])


async def events(reader):
    """The JSON of each event, until [DONE] or the end."""
    async for line in reader:
        if line.startswith(b"data: {"):
            yield json.loads(line[6:])


async def post(server, path, body):
    """A request whose answer is read and not looked at: its status."""
    reader, writer, status = await exchange(server.address, path, body)
    await reader.read()
    writer.close()
    return status


def take(result, event, times):
    usage = event.get("usage")
    if usage:
        result.prompt = usage["prompt_tokens"]
        result.cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
        result.made = usage["completion_tokens"]
    for choice in event.get("choices") or []:
        piece = choice.get("text") or (choice.get("delta") or {}).get("content")
        if piece:
            times.append(time.perf_counter())
            result.text += piece


async def ask(server, path, body, key=None):
    """One streamed answer."""
    due, times, result = time.perf_counter(), [], Result()
    body = {"temperature": 0, "stream": True, "stream_options": {"include_usage": True},
            **server.extra, **body}
    reader, writer, result.status = await exchange(server.address, path, body, key)
    if result.status == 200:
        async for event in events(reader):
            take(result, event, times)
            if "error" in event:
                result.status, result.error = 0, str(event["error"])
    else:
        result.error = (await reader.read()).decode(errors="replace")
    writer.close()
    result.whole = time.perf_counter() - due
    if times:
        result.first = times[0] - due
    result.gaps = [after - before for before, after in zip(times, times[1:], strict=False)]
    return result


def chat(server, messages, max_tokens, key=None, **more):
    if isinstance(messages, str):
        messages = [{"role": "user", "content": messages}]
    return ask(server, "/v1/chat/completions",
               {"model": server.model, "messages": messages, "max_tokens": max_tokens, **more}, key)


def percentile(values, percent):
    """The nearest rank; infinity if there is none."""
    ordered = sorted(values)
    if not ordered:
        return math.inf
    return ordered[min(len(ordered) - 1, max(0, math.ceil(percent / 100 * len(ordered)) - 1))]


@dataclass
class Outcome:
    """What a scenario gave: the answers, and the seconds that all of it took."""
    results: list
    wall: float
    client: float  # CPU seconds of this process meanwhile

    @property
    def failed(self):
        return [r for r in self.results if r.status != 200]

    @property
    def rate(self):
        return sum(r.made for r in self.results) / self.wall

    def first(self, percent):
        return percentile([r.first for r in self.results], percent)

    def gap(self, percent):
        return percentile([gap for r in self.results for gap in r.gaps], percent)

    @property
    def decode_rate(self):
        """Tokens per second between first and last piece: the median of the answers."""
        return percentile([(len(r.gaps)) / sum(r.gaps) for r in self.results if r.gaps], 50)


def play(scenario, server, salt):
    """Runs a scenario of `scenarios` to its end."""
    began, cpu = time.perf_counter(), time.process_time()
    results = asyncio.run(scenario(server, salt))
    return Outcome(results, time.perf_counter() - began, time.process_time() - cpu)
