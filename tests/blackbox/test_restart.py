"""What was computed is kept over a restart, and is nobody's if the disk is not to be used."""

from program import CHAT, Server

CLEAR_LEAD = 0.5  # of a logarithm; ten times what the rounding of long passes can move
KEPT = 0.95       # of the prompt
PROMPT = ", ".join(str(number) for number in range(1, 230)) + ","  # about 1,000 tokens


def ask(server):
    """Text and usage; no token of the text is a near tie, so rounding cannot change it."""
    body = {"model": CHAT, "prompt": PROMPT, "max_tokens": 24, "temperature": 0,
            "use_cache": False, "logprobs": 2}
    reply = server.post("/v1/completions", body)
    assert reply.status == 200, reply
    choice = reply.json()["choices"][0]
    for top in choice["logprobs"]["top_logprobs"]:
        best, second = sorted(top.values(), reverse=True)[:2]
        assert best - second > CLEAR_LEAD, f"choose another prompt: {top}"
    usage = reply.json()["usage"]
    assert 800 < usage["prompt_tokens"] < 1500
    return choice["text"], usage["prompt_tokens_details"]["cached_tokens"], usage["prompt_tokens"]


def test_a_prompt_is_known_after_a_restart(fresh):
    with fresh:
        text, cached, _ = ask(fresh)
        assert cached == 0
    with fresh:
        again, cached, tokens = ask(fresh)
        assert again == text
        assert KEPT * tokens <= cached < tokens


def test_a_crash_leaves_nothing_that_is_wrong(fresh):
    fresh.start()
    text, _, _ = ask(fresh)
    fresh.process.kill()
    fresh.process.wait()
    with fresh:
        again, cached, tokens = ask(fresh)
        assert again == text and cached < tokens
        again, cached, tokens = ask(fresh)
        assert again == text and KEPT * tokens <= cached < tokens


def test_without_room_on_disk_nothing_is_kept(program, tmp_path):
    server = Server(tmp_path / "data", "--cache-disk-mb", 0)
    with server:
        text, cached, _ = ask(server)
        assert cached == 0
        again, cached, tokens = ask(server)
        assert again == text and KEPT * tokens <= cached, "in memory it is"
    with server:
        again, cached, _ = ask(server)
        assert again == text and cached == 0
