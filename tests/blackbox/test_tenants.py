"""Two keys are two tenants: nothing that one made ever serves the other, neither a whole answer nor
the beginning of a prompt. Equal requests of one tenant at the same moment are computed once."""

import random
import re
import threading

import pytest
from program import CHAT, E5, Server, eventually

ONE, TWO = "sk-one-0123456789", "sk-two-0123456789"
WORDS = "amber basil cedar delta ember fjord grove haven inlet jade karst lagoon".split()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tenants")
    with Server(folder / "data", "--api-key", ONE, "--api-key", TWO) as running:
        yield running


def say(server, key, text, **more):
    body = {"model": CHAT, "messages": [{"role": "user", "content": text}], "max_tokens": 1,
            "temperature": 0, **more}
    reply = server.post("/v1/chat/completions", body, headers={"Authorization": f"Bearer {key}"})
    assert reply.status == 200, reply
    usage = reply.json()["usage"]
    return (usage["prompt_tokens_details"]["cached_tokens"], reply.headers["x-jikji-cache"],
            reply.json()["choices"][0]["message"]["content"])


def prompts(count):
    """Longer than what is shared at all, each with a canary of its own in front."""
    generator = random.Random(11)
    return [f"canary {generator.randrange(10**9)} "
            + " ".join(generator.choice(WORDS) for _ in range(60)) for _ in range(count)]


def test_what_one_tenant_asked_is_new_to_the_other(server):
    for text in prompts(25):
        assert say(server, ONE, text)[1] == "miss"
        cached, cache, answer = say(server, TWO, text)
        # The template's own first tokens are too few to be shared.
        assert cached < 64 and cache == "miss", text
        cached, cache, again = say(server, TWO, text)
        assert cache == "hit" and again == answer
        cached, cache, again = say(server, ONE, text, use_cache=False)
        assert cached >= 64 and cache == "off", "its own prefix is known to it"


def streamed(server, key, text, out):
    body = {"model": CHAT, "messages": [{"role": "user", "content": text}], "max_tokens": 48,
            "temperature": 0, "stream": True}
    reply = server.post("/v1/chat/completions", body, headers={"Authorization": f"Bearer {key}"})
    assert reply.status == 200, reply
    out.append((reply.headers["x-jikji-cache"], reply.text.count("data: {")))


def test_equal_requests_at_the_same_moment_are_computed_once(server):
    [text] = prompts(26)[25:]
    out, steps = [], []
    readers = [threading.Thread(target=streamed, args=(server, ONE, text, out)) for _ in range(6)]
    stranger = threading.Thread(target=streamed, args=(server, TWO, text, steps))
    for thread in [*readers, stranger]:
        thread.start()
    for thread in [*readers, stranger]:
        thread.join()
    assert sorted(cache for cache, _ in out) == ["hit"] * 5 + ["miss"]
    assert len({events for _, events in out}) == 1, "all read the same pieces"
    assert [cache for cache, _ in steps] == ["miss"], "another key computes for itself"


def test_a_deadline_ends_only_the_request_that_has_it(server):
    """Two equal requests, the first with a deadline that it cannot keep: the second is not ended
    with it."""
    body = {"model": CHAT, "messages": [{"role": "user", "content": "Count to a thousand."}],
            "max_tokens": 1500, "temperature": 0, "ignore_eos": True}
    key, out = {"Authorization": f"Bearer {ONE}"}, {}

    def ask(name, headers):
        out[name] = server.post("/v1/chat/completions", body, headers={**key, **headers},
                                timeout=200)

    hurried = threading.Thread(target=ask, args=("hurried", {"x-jikji-timeout-ms": "2000"}))
    hurried.start()
    eventually(lambda: server.get("/v1/stats", headers=key).json()["running"] == 1 or out)
    ask("patient", {})
    hurried.join()
    assert out["hurried"].status == 408, out["hurried"]
    assert out["patient"].status == 200, out["patient"]
    assert out["patient"].headers["x-jikji-cache"] == "miss"
    assert out["patient"].json()["usage"]["completion_tokens"] == 1500


def vectors(server):
    """Texts that were computed, and that were there already: told at the end of an engine's step,
    which may be after the answer."""
    text = server.get("/metrics").text
    return tuple(int(float(re.search(rf"^jikji_embedded_texts{kind} (\S+)", text, re.M).group(1)))
                 for kind in ("", "_cached"))


def computed_by(server, work):
    """How many vectors `work`, which needs one, had computed: 1, or 0 where it was there."""
    before = vectors(server)
    work()
    eventually(lambda: sum(vectors(server)) == sum(before) + 1)
    return vectors(server)[0] - before[0]


def test_what_one_tenant_searched_is_new_to_the_other(server):
    """Neither a question nor a document's own words are in another's cache of vectors."""
    one, two = server.speaking_as(ONE), server.speaking_as(TWO)
    store = one.new_store("tenants")
    fact = "The lighthouse of Homigot was built in 1908."
    before = sum(vectors(one))
    one.upload("fact.txt", fact.encode(), store=store)
    eventually(lambda: sum(vectors(one)) == before + 1)

    def search(who):
        reply = who.post(f"/v1/vector_stores/{store}/search", {"query": "When was it built?"})
        assert reply.status == 200 and reply.json()["data"], reply

    def answer(who):
        reply = who.post("/v1/answers", {"question": "Who built the lighthouse?",
                                         "vector_store_id": store, "max_tokens": 1})
        assert reply.status == 200, reply

    for work in (search, answer):
        counts = [computed_by(who, lambda: work(who)) for who in (one, two, one, two)]
        assert counts == [1, 1, 0, 0], work


def test_the_header_says_how_the_cache_was_used_on_streams(server):
    out = []
    streamed(server, ONE, "Say it once.", out)
    streamed(server, ONE, "Say it once.", out)
    assert [cache for cache, _ in out] == ["miss", "hit"]


def test_what_is_kept_can_be_thrown_away(server):
    [text] = prompts(27)[26:]
    say(server, ONE, text)
    reply = server.ask("DELETE", "/v1/cache", headers={"Authorization": f"Bearer {ONE}"})
    assert reply.status == 200 and reply.json() == {"object": "cache.deleted", "deleted": True}
    cached, cache, _ = say(server, ONE, text)
    assert cached < 64 and cache == "miss"
    assert server.ask("DELETE", "/v1/cache").status == 401


def test_a_key_throws_away_only_its_own(server):
    one, two = server.speaking_as(ONE), server.speaking_as(TWO)
    [text] = prompts(28)[27:]

    def embedded(who):
        body = {"model": E5, "input": text}
        return computed_by(who, lambda: who.post("/v1/embeddings", body))

    for who, key in ((one, ONE), (two, TWO)):
        assert say(server, key, text)[1] == "miss" and embedded(who) == 1
    assert one.ask("DELETE", "/v1/cache").status == 200
    assert say(server, TWO, text)[1] == "hit" and embedded(two) == 0
    assert say(server, TWO, text, use_cache=False)[0] >= 64
    cached, cache, _ = say(server, ONE, text)
    assert cached < 64 and cache == "miss" and embedded(one) == 1
