"""Many people at once: those that leave, flood, or do not read cost the others nothing."""

import http.client
import json
import random
import re
import socket
import threading

import pytest
from program import CHAT, E5, PATIENCE_SECONDS, Server, eventually

ONE, TWO = "sk-flood-0123456789", "sk-quiet-0123456789"
PLACES_OF_ONE = 128     # in the queue, of one key (limits::kQueueLength / 2)

COUNTING = "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,"
CLEAR_LEAD = 0.5  # of a logarithm; ten times what the rounding of long passes can move


def completion(prompt, max_tokens, **more):
    return {"model": CHAT, "prompt": prompt, "max_tokens": max_tokens, "temperature": 0,
            "ignore_eos": True, "use_cache": False, **more}


def key(name):
    return {"Authorization": f"Bearer {name}"}


def stats(server, **options):
    reply = server.get("/v1/stats", **options)
    assert reply.status == 200, reply
    return reply.json()


def at_rest(server, **options):
    now = stats(server, **options)
    return now["running"] == 0 and now["waiting"] == 0


def in_threads(count, work):
    """Starts work(0), work(1), …; a list of threads whose failures `join` raises again."""
    failures = []

    def guarded(number):
        try:
            work(number)
        except BaseException as failure:  # noqa: BLE001: raised again below
            failures.append(failure)

    threads = [threading.Thread(target=guarded, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()

    def join():
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]

    return threads, join


@pytest.fixture(scope="module", autouse=True)
def deaf(program, tmp_path_factory):
    """A server whose only client never reads: from the start on, as it takes half a minute."""
    asked = 16 * 4000
    with Server(tmp_path_factory.mktemp("deaf") / "data", "--parallel", 16) as server:
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # hides less
            client.connect(server.address)
            body = json.dumps(completion("Endless:", 4000, n=16, stream=True, temperature=1))
            client.sendall((f"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\n"
                            f"Content-Type: application/json\r\nContent-Length: {len(body)}"
                            f"\r\n\r\n{body}").encode())
            eventually(lambda: stats(server)["running"] > 0)
            yield server, client, asked


@pytest.fixture(scope="module")
def busy(program, tmp_path_factory):
    with Server(tmp_path_factory.mktemp("crowd") / "data", "--parallel", 4) as running:
        yield running
        assert running.is_well(), running.output[-4000:]


def clear_text(server, tokens):
    """A text of which no token was a near tie: rounding cannot change it, whoever else is there."""
    reply = server.post("/v1/completions", completion(COUNTING, tokens, logprobs=2))
    choice = reply.json()["choices"][0]
    for top in choice["logprobs"]["top_logprobs"]:
        best, second = sorted(top.values(), reverse=True)[:2]
        assert best - second > CLEAR_LEAD, f"choose another prompt: {top}"
    return choice["text"]


def leave_after(server, body, events):
    """Opens a stream and cuts it after `events` of its events; 0: before its head."""
    connection = http.client.HTTPConnection(*server.address, timeout=PATIENCE_SECONDS)
    connection.request("POST", "/v1/completions", json.dumps({**body, "stream": True}),
                       {"Content-Type": "application/json"})
    if events > 0:
        reply = connection.getresponse()
        assert reply.status == 200
        read = 0
        while read < events:
            line = reply.readline()
            assert line, "the stream ended by itself"
            read += line.startswith(b"data: ")
        reply.close()
    connection.close()


def test_150_that_leave_do_not_change_the_text_beside_them(busy):
    alone = clear_text(busy, 60)
    before = stats(busy)

    def leaver(number):
        choose = random.Random(number)
        for _ in range(25):
            start = "once upon a time " * choose.randrange(9)
            prompt = f"{start}story {choose.randrange(10**6)}:"
            leave_after(busy, completion(prompt, 300), choose.randrange(7))

    threads, join = in_threads(6, leaver)
    texts = []
    while not texts or any(thread.is_alive() for thread in threads):
        data, _ = busy.events("/v1/completions",
                              completion(COUNTING, 60, stream=True, seed=7))
        assert data[-1] == "[DONE]"
        texts.append("".join(choice["text"] for event in data[:-1]
                             for choice in json.loads(event)["choices"]))
    join()
    assert set(texts) == {alone}
    eventually(lambda: at_rest(busy))
    assert stats(busy)["failed"] == before["failed"]


def test_where_cells_run_out_nobody_fails(program, tmp_path):
    """4 chats share 360 + 4 x 128 cells. Three of at most 33 tokens come in, with 256 reserved for
    each answer, whose length nobody has said; but each grows to 360."""
    with Server(tmp_path / "data", "--context", 360, "--parallel", 4) as server:
        answers = [None] * 4

        def ask(number):
            body = {"model": CHAT, "ignore_eos": True, "temperature": 1, "seed": number,
                    "messages": [{"role": "system", "content": f"{number}."},
                                 {"role": "user", "content": "Tell me a long story."}]}
            answers[number] = server.post("/v1/chat/completions", body, timeout=PATIENCE_SECONDS)

        in_threads(4, ask)[1]()
        for reply in answers:
            assert reply.status == 200, reply
            usage = reply.json()["usage"]
            assert usage["prompt_tokens"] <= 33, "else they do not overflow"
            assert usage["total_tokens"] == 360
            assert reply.json()["choices"][0]["finish_reason"] == "length"
        eventually(lambda: at_rest(server))
        assert server.is_well()


@pytest.fixture(scope="module")
def shared(program, tmp_path_factory):
    """Two keys in front of few places."""
    folder = tmp_path_factory.mktemp("shared")
    with Server(folder / "data", "--parallel", 2, "--api-key", ONE, "--api-key", TWO) as running:
        yield running
        assert running.is_well(), running.output[-4000:]


def test_a_key_that_floods_does_not_hold_up_another(shared):
    """50 of one key are there when the other's come, one at a time."""
    done = []

    def flood(number):
        reply = shared.post("/v1/completions", completion(f"Report {number} says", 24),
                            headers=key(ONE), timeout=PATIENCE_SECONDS)
        assert reply.status == 200, reply
        done.append(number)

    _, join = in_threads(50, flood)
    eventually(lambda: stats(shared, headers=key(TWO))["waiting"] + len(done) >= 48)
    for number in range(3):
        waiting = stats(shared, headers=key(TWO))["waiting"]
        assert waiting >= 15, "the flood was over before the test began"
        before = len(done)
        reply = shared.post("/v1/completions", completion(f"Question {number}:", 24),
                            headers=key(TWO), timeout=PATIENCE_SECONDS)
        assert reply.status == 200
        assert len(done) - before <= waiting / 3, "it had to wait for the other key's"
    join()
    assert len(done) == 50


def test_a_flood_of_embeddings_holds_up_nobody_else(shared):
    """40 large requests of one key are under way; the other lists models, chats and embeds."""
    def counted(pattern):
        text = shared.get("/metrics", headers=key(TWO)).text
        found = re.search(pattern + r" (\d+)", text, re.M)
        return int(found.group(1)) if found else 0

    def answered():
        return counted(r'^jikji_http_requests_total\{.*"/v1/embeddings".*"200".*\}')

    def large(number):
        texts = [f"Paragraph {number}.{n} " + "word " * 100 for n in range(32)]
        return {"model": E5, "input": texts}

    before, computed = answered(), counted("^jikji_embedded_texts")
    flood = [OpenStream(shared, large(n), key(ONE), "/v1/embeddings") for n in range(40)]
    try:
        eventually(lambda: counted("^jikji_embedded_texts") > computed)
        for number in range(3):
            assert shared.get("/v1/models", headers=key(TWO)).status == 200
            reply = shared.post("/v1/completions", completion(f"Guest {number}:", 4),
                                headers=key(TWO), timeout=PATIENCE_SECONDS)
            assert reply.status == 200, reply
        reply = shared.post("/v1/embeddings", {"model": E5, "input": "Hello"}, headers=key(TWO),
                            timeout=PATIENCE_SECONDS)
        assert reply.status == 200, reply
        assert answered() - before < 10, "it had to wait for the other key's"
    finally:
        for one in flood:
            one.close()


class OpenStream:
    """A request whose answer is left on the wire until somebody asks for it."""

    def __init__(self, server, body, headers, path="/v1/completions"):
        self.connection = http.client.HTTPConnection(*server.address, timeout=PATIENCE_SECONDS)
        if path == "/v1/completions":
            body = {**body, "stream": True}
        self.connection.request("POST", path, json.dumps(body),
                                {"Content-Type": "application/json", **headers})

    def rest(self):
        reply = self.connection.getresponse()
        out = reply.read()
        self.close()
        return reply.status, out

    def close(self):
        self.connection.close()


def test_a_full_queue_is_429_with_a_time_to_come_back(shared):
    def waiting():
        return stats(shared, headers=key(TWO))["waiting"]

    blockers = [OpenStream(shared, completion(f"Book {n}:", 3500), key(ONE)) for n in range(2)]
    eventually(lambda: stats(shared, headers=key(TWO))["running"] == 2)
    queued = [OpenStream(shared, completion(f"{number} is", 1), key(ONE))
              for number in range(PLACES_OF_ONE)]
    try:
        eventually(lambda: waiting() == PLACES_OF_ONE)
        refused = shared.post("/v1/completions", completion("One more:", 1), headers=key(ONE))
        assert refused.status == 429, refused
        assert str(PLACES_OF_ONE) in refused.error["message"]
        wait_ms = int(refused.headers["retry-after-ms"])
        assert 500 <= wait_ms <= 60_000
        assert int(refused.headers["retry-after"]) == -(-wait_ms // 1000)
        assert waiting() == PLACES_OF_ONE, "the other key has places of its own"
        other = shared.post("/v1/completions", completion("Hello", 1), headers=key(TWO))
        assert other.status == 200, other
    finally:
        for one in blockers:
            one.close()
    for one in queued:
        status, text = one.rest()
        assert status == 200 and text.endswith(b"data: [DONE]\n\n"), text[-300:]
    eventually(lambda: at_rest(shared, headers=key(TWO)))
    again = shared.post("/v1/completions", completion("One more:", 1), headers=key(ONE))
    assert again.status == 200


def test_many_choices_and_lists_of_prompts_finish_in_a_crowd(busy):
    prompts = [f"{thing} are" for thing in ("Trees", "Rivers", "Birds", "Stones", "Bees", "Ships")]
    lists, chats = [], []

    def ask(number):
        if number % 3 == 0:
            body = completion(prompts, 8, n=2, echo=True, temperature=1, seed=number)
            lists.append(busy.post("/v1/completions", body, timeout=PATIENCE_SECONDS))
        else:
            body = {"model": CHAT, "n": 4, "max_tokens": 8, "temperature": 1, "seed": number,
                    "ignore_eos": True,
                    "messages": [{"role": "user", "content": f"Tell me about {number}."}]}
            chats.append(busy.post("/v1/chat/completions", body, timeout=PATIENCE_SECONDS))

    in_threads(9, ask)[1]()
    for reply in lists:
        assert reply.status == 200, reply
        choices = reply.json()["choices"]
        assert [choice["index"] for choice in choices] == list(range(12))
        for choice in choices:
            prompt = prompts[choice["index"] // 2]
            assert choice["text"].startswith(prompt) and len(choice["text"]) > len(prompt)
        assert reply.json()["usage"]["completion_tokens"] == 12 * 8
    for reply in chats:
        assert reply.status == 200, reply
        assert [choice["index"] for choice in reply.json()["choices"]] == list(range(4))
        assert {c["finish_reason"] for c in reply.json()["choices"]} == {"length"}
        assert reply.json()["usage"]["completion_tokens"] == 4 * 8
    assert (len(lists), len(chats)) == (3, 6)
    eventually(lambda: at_rest(busy))


def everything(client):
    """What is left on the wire, up to its end or a reset."""
    out = b""
    client.settimeout(PATIENCE_SECONDS)
    try:
        while piece := client.recv(65536):
            out += piece
    except ConnectionResetError:
        pass
    return out


def test_a_client_that_never_reads_is_cut_off(deaf):
    """After kWriteTime without a byte taken. What it asked for takes much longer to make."""
    server, client, asked = deaf
    eventually(lambda: at_rest(server))
    assert b"[DONE]" not in everything(client)
    now = stats(server)
    assert now["cancelled"] == 16, now
    assert now["completion_tokens"] < asked / 2, now
    reply = server.post("/v1/completions", completion("And now", 4))
    assert reply.status == 200 and server.is_well()
