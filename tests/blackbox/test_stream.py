"""Streams: the official client's helpers, and every event's exact shape on the wire."""

import json

import pytest
from program import CHAT

MESSAGES = [{"role": "user", "content": "Count from one to ten in words."}]
BODY = {"model": CHAT, "messages": MESSAGES, "max_tokens": 20, "temperature": 0, "stream": True}


def chunks_of(server, **changes):
    data, others = server.events("/v1/chat/completions", {**BODY, **changes})
    assert others == [], "only data: lines and comments are allowed"
    assert data[-1] == "[DONE]"
    return [json.loads(one) for one in data[:-1]]


def text_of(chunks, index=0):
    return "".join(choice["delta"].get("content") or "" for chunk in chunks
                   for choice in chunk["choices"] if choice["index"] == index)


def test_the_client_reads_the_same_text_as_without_a_stream(client):
    options = dict(model=CHAT, messages=MESSAGES, max_tokens=20, temperature=0)
    whole = client.chat.completions.create(**options).choices[0].message.content
    pieces = [chunk.choices[0].delta.content or "" for chunk in
              client.chat.completions.create(stream=True, **options) if chunk.choices]
    assert "".join(pieces) == whole and len([p for p in pieces if p]) > 5


def test_the_clients_own_helper_gets_a_final_answer(client):
    question = [{"role": "user", "content": "What is the capital of France? One sentence."}]
    with client.chat.completions.stream(model=CHAT, messages=question, temperature=0) as stream:
        final = stream.get_final_completion()  # raises if the text was cut at max_tokens
    assert final.choices[0].message.content and final.choices[0].finish_reason == "stop"


def test_each_event_has_its_shape(server):
    chunks = chunks_of(server)
    first, middle, last = chunks[0], chunks[1:-1], chunks[-1]
    assert first["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert all(set(chunk["choices"][0]["delta"]) == {"content"} for chunk in middle)
    assert last["choices"][0]["delta"] == {}
    assert last["choices"][0]["finish_reason"] in ("stop", "length")
    assert all(chunk["choices"][0]["finish_reason"] is None for chunk in chunks[:-1])
    assert len({(c["id"], c["created"], c["model"], c["object"]) for c in chunks}) == 1
    assert first["object"] == "chat.completion.chunk"
    assert all(isinstance(c["system_fingerprint"], str) for c in chunks)


def test_usage_comes_in_a_last_chunk_without_choices(server):
    chunks = chunks_of(server, stream_options={"include_usage": True})
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"]["completion_tokens"] == 20
    assert all(chunk["usage"] is None for chunk in chunks[:-1])


def test_a_stop_string_never_shows_in_pieces(server):
    whole = text_of(chunks_of(server))
    stop = whole[9:19]
    chunks = chunks_of(server, stop=[stop])
    assert text_of(chunks) == whole[:whole.index(stop)]
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"


def test_choices_are_streams_of_their_own(server):
    chunks = chunks_of(server, n=2, temperature=1.2, seed=5)
    ends = [c["choices"][0]["index"] for c in chunks if c["choices"][0]["finish_reason"]]
    assert sorted(ends) == [0, 1]
    assert text_of(chunks, 0) and text_of(chunks, 1)
    starts = [c["choices"][0]["index"] for c in chunks if "role" in c["choices"][0]["delta"]]
    assert sorted(starts) == [0, 1]


def test_logprobs_in_a_stream_name_every_token(server):
    chunks = chunks_of(server, logprobs=True, top_logprobs=1)
    tokens = [token["token"] for c in chunks for choice in c["choices"]
              for token in (choice.get("logprobs") or {}).get("content") or []]
    assert "".join(tokens) == text_of(chunks) and len(tokens) == 20


def test_a_wrong_request_is_a_plain_error_not_a_stream(server):
    reply = server.post("/v1/chat/completions", {**BODY, "temperature": 9})
    assert reply.status == 400 and reply.error["param"] == "temperature"


def test_pieces_are_whole_characters(server):
    messages = [{"role": "user", "content": "Write: 안녕하세요 세계 🙂"}]
    for chunk in chunks_of(server, messages=messages, max_tokens=40):
        assert "\ufffd" not in json.dumps(chunk, ensure_ascii=False)


@pytest.mark.parametrize("read", [0, 3])
def test_a_client_that_leaves_stops_the_work(server, read):
    import http.client
    import time

    def running():
        return [line for line in server.get("/metrics").text.splitlines()
                if line.startswith("jikji_") and "running" in line and not line.endswith(" 0")]

    connection = http.client.HTTPConnection(*server.address, timeout=30)
    body = {**BODY, "max_tokens": 1500, "temperature": 1.0, "seed": 1, "ignore_eos": True}
    connection.request("POST", "/v1/chat/completions", json.dumps(body),
                       {"Content-Type": "application/json"})
    reply = connection.getresponse()
    for _ in range(read):
        reply.readline()
    reply.close()
    connection.close()
    end = time.monotonic() + 20
    while running() and time.monotonic() < end:
        time.sleep(0.05)
    assert not running(), running()


def test_a_completion_streams_too(client, lenient):
    pieces = [chunk.choices[0].text for chunk in
              lenient.completions.create(model=CHAT, prompt="One, two, three,", max_tokens=12,
                                        temperature=0, stream=True) if chunk.choices]
    whole = client.completions.create(model=CHAT, prompt="One, two, three,", max_tokens=12,
                                      temperature=0).choices[0].text
    assert "".join(pieces) == whole
