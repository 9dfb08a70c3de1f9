"""Sixty malformed requests: each a 4xx with a whole error object, and the server still answers."""

import json

import pytest
from program import CHAT, E5

CHAT_PATH, TEXT_PATH, VECTOR_PATH = "/v1/chat/completions", "/v1/completions", "/v1/embeddings"
USER = [{"role": "user", "content": "Hi"}]


def chat(**changes):
    return {"model": CHAT, "messages": USER, "max_tokens": 1, **changes}


def deep(levels):
    return b'{"model": ' + b"[" * levels + b"]" * levels + b"}"


CASES = [
    ("nothing", CHAT_PATH, b""),
    ("not json", CHAT_PATH, b"hello"),
    ("a number", CHAT_PATH, b"5"),
    ("a list", CHAT_PATH, b"[]"),
    ("null", CHAT_PATH, b"null"),
    ("a string", CHAT_PATH, b'"text"'),
    ("cut off", CHAT_PATH, b'{"model": "x", "messages": ['),
    ("trailing comma", CHAT_PATH, b'{"model": "x",}'),
    ("two objects", CHAT_PATH, b"{}{}"),
    ("a comment", CHAT_PATH, b"{} // note"),
    ("NaN", CHAT_PATH, b'{"temperature": NaN}'),
    ("infinite", CHAT_PATH, json.dumps(chat()).encode()[:-1] + b', "temperature": 1e999}'),
    ("bad UTF-8", CHAT_PATH, b'{"model": "\xff\xfe"}'),
    ("half a surrogate", CHAT_PATH, b'{"model": "\\ud800"}'),
    ("a hundred levels", CHAT_PATH, deep(100)),
    ("a million levels", CHAT_PATH, deep(1_000_000)),
    ("the same field twice", CHAT_PATH, b'{"model": "a", "model": "b", "messages": []}'),
    ("no messages", CHAT_PATH, {"model": CHAT}),
    ("messages null", CHAT_PATH, chat(messages=None)),
    ("messages empty", CHAT_PATH, chat(messages=[])),
    ("messages a string", CHAT_PATH, chat(messages="Hi")),
    ("messages of numbers", CHAT_PATH, chat(messages=[1])),
    ("no role", CHAT_PATH, chat(messages=[{"content": "Hi"}])),
    ("a wrong role", CHAT_PATH, chat(messages=[{"role": "king", "content": "Hi"}])),
    ("no content", CHAT_PATH, chat(messages=[{"role": "user"}])),
    ("content a number", CHAT_PATH, chat(messages=[{"role": "user", "content": 1}])),
    ("an image", CHAT_PATH, chat(messages=[{"role": "user", "content": [
        {"type": "image_url", "image_url": {"url": "http://127.0.0.1/x.png"}}]}])),
    ("an unknown part", CHAT_PATH, chat(messages=[{"role": "user", "content": [{"type": "x"}]}])),
    ("too many messages", CHAT_PATH, chat(messages=USER * 3000)),
    ("model a number", CHAT_PATH, chat(model=1)),
    ("model a path", CHAT_PATH, chat(model="../../etc/passwd")),
    ("an embedding model", CHAT_PATH, chat(model=E5)),
    ("temperature a string", CHAT_PATH, chat(temperature="hot")),
    ("temperature true", CHAT_PATH, chat(temperature=True)),
    ("max_tokens a fraction", CHAT_PATH, chat(max_tokens=1.5)),
    ("max_tokens huge", CHAT_PATH, chat(max_tokens=10**30)),
    ("n negative", CHAT_PATH, chat(n=-1)),
    ("top_k negative", CHAT_PATH, chat(top_k=-5)),
    ("min_p too big", CHAT_PATH, chat(min_p=1.01)),
    ("repeat_penalty zero", CHAT_PATH, chat(repeat_penalty=0)),
    ("seed a string", CHAT_PATH, chat(seed="x")),
    ("stream a string", CHAT_PATH, chat(stream="yes")),
    ("stop of numbers", CHAT_PATH, chat(stop=[1])),
    ("stop an empty string", CHAT_PATH, chat(stop="")),
    ("a million stops", CHAT_PATH, chat(stop=["a"] * 1_000_000)),
    ("a long stop", CHAT_PATH, chat(stop="a" * 5000)),
    ("logit_bias a list", CHAT_PATH, chat(logit_bias=[1])),
    ("logit_bias of an unknown token", CHAT_PATH, chat(logit_bias={"99999999": 1})),
    ("tools without a name", CHAT_PATH, chat(tools=[{"type": "function", "function": {}}])),
    ("response_format", CHAT_PATH, chat(response_format={"type": "json_schema"})),
    ("an unknown field", CHAT_PATH, chat(temprature=1)),
    ("stream_options without stream", CHAT_PATH, chat(stream_options={"include_usage": True})),
    ("prompt a string", CHAT_PATH, chat(prompt="teacher")),
    ("a completion without prompt", TEXT_PATH, {"model": CHAT}),
    ("a completion of mixed prompts", TEXT_PATH, {"model": CHAT, "prompt": ["a", 1]}),
    ("a completion of negative tokens", TEXT_PATH, {"model": CHAT, "prompt": [-1]}),
    ("a completion of objects", TEXT_PATH, {"model": CHAT, "prompt": {}}),
    ("an embedding without input", VECTOR_PATH, {"model": E5}),
    ("an embedding of null", VECTOR_PATH, {"model": E5, "input": None}),
    ("an embedding of objects", VECTOR_PATH, {"model": E5, "input": [{}]}),
    ("a vector store named by a number", "/v1/vector_stores", {"name": 5}),
    ("metadata of lists", "/v1/vector_stores", {"name": "x", "metadata": {"a": []}}),
    ("17 metadata", "/v1/vector_stores", {"metadata": {str(n): "x" for n in range(17)}}),
    ("evaluate nothing", "/v1/evaluate", {}),
    ("an answer without question", "/v1/answers", {"vector_store_id": "vs_x"}),
    ("an upload as json", "/v1/files", {"purpose": "assistants"}),
]


@pytest.mark.parametrize("path, body", [case[1:] for case in CASES],
                         ids=[case[0] for case in CASES])
def test_malformed(server, path, body):
    reply = server.ask("POST", path, body, headers={"Content-Type": "application/json"})
    assert 400 <= reply.status < 500, reply
    assert reply.error["type"] == "invalid_request_error" or reply.status in (413, 415)
    assert reply.headers["x-request-id"]


def test_there_are_sixty_of_them_and_the_server_still_answers(server):
    assert len(CASES) >= 60
    assert server.post(CHAT_PATH, chat()).status == 200


MULTIPART = {
    "no boundary": ("multipart/form-data", b"x"),
    "an empty boundary": ("multipart/form-data; boundary=", b"x"),
    "not closed": ("multipart/form-data; boundary=b",
                   b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nx'),
    "no file": ("multipart/form-data; boundary=b",
                b'--b\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nassistants\r\n'
                b"--b--\r\n"),
    "a wrong purpose": ("multipart/form-data; boundary=b",
                        b'--b\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nwar\r\n--b'
                        b'\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nx'
                        b"\r\n--b--\r\n"),
    "a head without end": ("multipart/form-data; boundary=b", b"--b\r\n" + b"X: y\r\n" * 9000),
}


@pytest.mark.parametrize("kind, body", MULTIPART.values(), ids=MULTIPART.keys())
def test_malformed_uploads(server, kind, body):
    reply = server.post("/v1/files", body, headers={"Content-Type": kind})
    assert 400 <= reply.status < 500 and reply.error["message"], reply
    assert server.is_well()


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/b.txt", "..", "C:\\x.txt", "x" * 300])
def test_hostile_file_names_leave_no_trace_outside(server, name):
    reply = server.upload(name, b"content")
    if reply.status == 200:
        assert "/" not in reply.json()["filename"]
    else:
        assert reply.status == 400 and reply.error["message"]
    assert not (server.data.parent / "passwd").exists()
    assert all(name not in path.name for path in server.data.rglob("*"))
