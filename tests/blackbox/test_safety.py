"""Who may talk to the server, and how much anyone may say."""

import socket
import time

import pytest
from program import CHAT, Server, run

BODY = {"model": CHAT, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1}


def test_another_address_without_a_key_is_refused(program, tmp_path):
    done = run("serve", "--host", "0.0.0.0", "--port", "0", data=tmp_path / "data", timeout=30)
    assert done.returncode != 0 and "--api-key" in done.stderr


@pytest.fixture(scope="module")
def locked(program, tmp_path_factory):
    with Server(tmp_path_factory.mktemp("locked") / "data", "--api-key", "secret-1") as server:
        yield server


@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer wrong"},
                                    {"Authorization": "Bearer "}, {"Authorization": "secret-1"},
                                    {"Authorization": "Basic secret-1"}])
def test_without_the_key_everything_is_401(locked, header):
    for path in ("/v1/models", "/v1/stats", "/metrics", "/v1/prompts", "/v1/nothing"):
        reply = locked.get(path, headers=header)
        assert reply.status == 401, path
        assert reply.error["code"] == "invalid_api_key"


def test_with_the_key_it_works(locked):
    reply = locked.get("/v1/models", headers={"Authorization": "Bearer secret-1"})
    assert reply.status == 200


def test_a_key_file_holds_keys(program, tmp_path):
    keys = tmp_path / "keys"
    keys.write_text("# two keys\nfirst-key\n\nsecond-key\n")
    with Server(tmp_path / "data", "--api-key-file", keys) as server:
        for key, status in (("first-key", 200), ("second-key", 200), ("# two keys", 401)):
            got = server.get("/v1/models", headers={"Authorization": f"Bearer {key}"})
            assert got.status == status, key


def test_the_key_is_in_no_file(locked):
    for path in locked.data.rglob("*"):
        if path.is_file():
            assert b"secret-1" not in path.read_bytes(), path
    assert "secret-1" not in locked.output


@pytest.mark.parametrize("host, status", [
    ("127.0.0.1", 200), ("localhost", 200), ("LOCALHOST:8080", 200), ("[::1]", 200),
    ("evil.example", 421), ("127.0.0.1.evil.example", 421), ("localhost.evil.example", 421),
    ("2130706433", 421), ("0x7f000001", 421), ("", 400),
])
def test_only_our_own_host_names(server, host, status):
    reply = server.raw(f"GET /v1/models HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    assert reply.status == status
    if status != 200:
        assert reply.error["message"]


@pytest.mark.parametrize("request_head", [
    "GET /v1/models HTTP/1.1\r\n\r\n",
    "GET /v1/models HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
    "POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n"
    "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\nContent-Length: -2\r\n\r\n",
    "POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n"
    "Content-Length: 3\r\n\r\nabc",
    "GET /v1/models HTTP/1.1\r\nHost: localhost\r\nBad Header: x\r\n\r\n",
    "GET /v1/../../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "GET /v1/files/%00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "GET /v1/files/%zz HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "BREW /coffee HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "GET /v1/models HTTP/9.9\r\nHost: localhost\r\n\r\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
])
def test_odd_requests_are_answered_with_4xx(server, request_head):
    data = request_head.encode("latin-1")
    if not data.endswith(b"\n"):
        data += b"\r\n\r\n"
    reply = server.raw(data)
    assert 400 <= reply.status < 500 or reply.status == 505
    assert server.is_well()


def test_an_absolute_uri_must_name_us(server):
    reply = server.raw(b"GET http://evil.example/v1/models HTTP/1.1\r\nHost: localhost\r\n"
                       b"Connection: close\r\n\r\n")
    assert reply.status in (400, 421)


def test_a_page_of_another_origin_gets_no_permission(server):
    reply = server.get("/v1/models", headers={"Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in reply.headers


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_only_json_is_taken(server, kind):
    import json

    reply = server.post("/v1/chat/completions", json.dumps(BODY).encode(),
                        headers={"Content-Type": kind})
    assert reply.status == 415 and reply.error["message"]


def test_a_packed_body_is_refused(server):
    reply = server.post("/v1/chat/completions", b"{}", headers={
        "Content-Type": "application/json", "Content-Encoding": "gzip"})
    assert reply.status == 415 and reply.error["message"]


def test_a_body_over_16_mb_is_413(server):
    reply = server.post("/v1/chat/completions", b'{"x":"' + b"a" * (17 << 20) + b'"}',
                        headers={"Content-Type": "application/json"})
    assert reply.status == 413 and reply.error["message"]


def test_a_promised_body_over_the_limit_is_413_at_once(server):
    reply = server.raw(b"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"
                       b"Content-Type: application/json\r\nContent-Length: 99999999999\r\n\r\n")
    assert reply.status == 413 and reply.error["message"]


def test_a_header_over_32_kb_is_431(server):
    reply = server.raw(b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nX-Long: "
                       + b"a" * 40_000 + b"\r\n\r\n")
    assert reply.status == 431 and reply.error["message"]


def test_a_hundred_headers_do_no_harm(server):
    lines = b"".join(b"X-%d: y\r\n" % n for n in range(3000))
    reply = server.raw(b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\n" + lines + b"\r\n")
    assert reply.status in (400, 431)


def test_a_slow_head_is_cut_off(server):
    with socket.create_connection(server.address, timeout=30) as connection:
        connection.sendall(b"GET /v1/models HTTP/1.1\r\n")
        began = time.monotonic()
        connection.settimeout(25)
        data = connection.recv(4096)
        assert data == b"" or b" 408 " in data.split(b"\r\n")[0]
        assert time.monotonic() - began < 25


def test_idle_connections_do_not_stop_others(server):
    idle = [socket.create_connection(server.address) for _ in range(100)]
    try:
        assert server.get("/v1/models").status == 200
    finally:
        for one in idle:
            one.close()


def test_unknown_paths_and_methods(server):
    unknown = server.get("/v1/nothing")
    assert unknown.status == 404 and unknown.error["message"]
    wrong = server.ask("DELETE", "/v1/chat/completions")
    assert wrong.status == 405 and wrong.error["message"] and "POST" in wrong.headers["allow"]
    out = server.post("/v1/audio/speech", {})
    assert out.status == 404 and out.error["code"] == "unsupported_endpoint"


def test_the_console_has_a_content_policy(server):
    page = server.get("/")
    assert page.status == 200 and "default-src" in page.headers["content-security-policy"]


def test_bare_paths_work_too(server):
    assert server.get("/models").status == 200
