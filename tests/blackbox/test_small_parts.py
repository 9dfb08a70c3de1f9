"""Settings, response cache, figures, evaluation."""

import difflib

import pytest
from program import CHAT, E5, Server

BODY = {"model": CHAT, "messages": [{"role": "user", "content": "Name a colour."}],
        "temperature": 0, "max_tokens": 8}


def say(server, body=None, **headers):
    reply = server.post("/v1/chat/completions", body or BODY, headers=headers)
    assert reply.status == 200, reply
    return reply


def test_settings_begin_as_the_original_had_them(fresh):
    with fresh:
        settings = fresh.get("/v1/settings/generation").json()
    assert settings["max_tokens"] == 512 and settings["top_k"] == 40
    assert settings["temperature"] == pytest.approx(0.7)
    assert settings["top_p"] == pytest.approx(0.95)
    assert settings["repeat_penalty"] == pytest.approx(1.1)
    assert settings["stop"] == ["</s>", "\n\n"]


def test_settings_change_and_stay_over_a_restart(fresh):
    with fresh:
        changed = fresh.ask("PATCH", "/v1/settings/generation", {"temperature": 0.2, "top_k": 5})
        assert changed.status == 200 and changed.json()["temperature"] == pytest.approx(0.2)
        assert changed.json()["max_tokens"] == 512
    with fresh:
        assert fresh.get("/v1/settings/generation").json()["top_k"] == 5


@pytest.mark.parametrize("body, field", [
    ({"temperature": 3}, "temperature"), ({"top_k": -1}, "top_k"), ({"max_tokens": 0}, "max_tokens"),
    ({"stop": "x" * 2000}, "stop"), ({"temprature": 1}, "temprature"),
])
def test_wrong_settings_are_refused_by_name(server, body, field):
    reply = server.ask("PATCH", "/v1/settings/generation", body)
    assert reply.status == 400 and reply.error["param"].startswith(field)


def test_openai_routes_keep_openai_defaults(fresh):
    long = {**BODY, "messages": [{"role": "user", "content": "Write a long story."}]}
    del long["max_tokens"]
    with fresh:
        fresh.ask("PATCH", "/v1/settings/generation", {"max_tokens": 3})
        assert say(fresh, {**long, "max_tokens": 20}).json()["usage"]["completion_tokens"] == 20
        fresh.ask("PATCH", "/v1/settings/generation", {"openai_routes": True})
        assert say(fresh, long).json()["usage"]["completion_tokens"] == 3


def test_the_cache_hits_misses_and_is_switched_off(fresh):
    with fresh:
        first, second = say(fresh), say(fresh)
        assert first.headers["x-jikji-cache"] == "miss"
        assert second.headers["x-jikji-cache"] == "hit"
        assert first.json()["choices"] == second.json()["choices"]
        assert first.json()["usage"]["completion_tokens"] == second.json()["usage"][
            "completion_tokens"]
        assert say(fresh, **{"Cache-Control": "no-cache"}).headers["x-jikji-cache"] == "off"
        assert say(fresh, {**BODY, "use_cache": False}).headers["x-jikji-cache"] == "off"
        assert say(fresh, {**BODY, "max_tokens": 9}).headers["x-jikji-cache"] == "miss"
        assert say(fresh, {**BODY, "temperature": 1}).headers["x-jikji-cache"] == "off"


def test_a_hit_streams_the_same_text(fresh):
    import json

    with fresh:
        whole = say(fresh).json()["choices"][0]["message"]["content"]
        data, _ = fresh.events("/v1/chat/completions", {**BODY, "stream": True})
    pieces = [json.loads(one)["choices"][0]["delta"].get("content", "") for one in data[:-1]]
    assert "".join(pieces) == whole


def test_figures_are_kept_over_a_restart(fresh):
    with fresh:
        empty = fresh.get("/v1/stats").json()
        assert empty["requests"] == 0 and empty["average_response_seconds"] == 0
        say(fresh)
        before = fresh.get("/v1/stats").json()
        assert before["requests"] == 1 and before["completion_tokens"] >= 1
        assert before["average_response_seconds"] > 0 and before["tokens_per_second"] > 0
    with fresh:
        after = fresh.get("/v1/stats").json()
        assert after["requests"] == 1
        assert after["completion_tokens"] == before["completion_tokens"]


def test_metrics_are_prometheus_text(server):
    say(server)
    reply = server.get("/metrics")
    assert reply.headers["content-type"].startswith("text/plain")
    assert "# TYPE jikji_" in reply.text and "jikji_http_requests_total" in reply.text
    for line in reply.text.splitlines():
        if line and not line.startswith("#"):
            float(line.rsplit(" ", 1)[1])


def test_health(server):
    assert server.get("/health").status == 200


PAIRS = [("직지는 금속활자로 찍었다", "직지는 금속 활자로 찍은 책이다"), ("abcd", "bcde"), ("", ""),
         ("a", ""), ("🙂🚀 good", "good 🚀🙂"), ("x" * 300, "x" * 250 + "y" * 50)]


@pytest.mark.parametrize("response, expected", PAIRS)
def test_relevance_is_pythons_ratio(server, response, expected):
    reply = server.post("/v1/evaluate", {"response": response, "expected": expected})
    assert reply.status == 200, reply
    want = difflib.SequenceMatcher(None, response, expected).ratio()
    assert reply.json()["relevance"] == pytest.approx(want, abs=1e-12)


def test_the_other_marks(server):
    mark = server.post("/v1/evaluate", {"response": "감사합니다.\n```py\nx=1\n```"}).json()
    assert mark["has_code"] is True and mark["politeness"]
    assert mark["length"] == len("감사합니다.\n```py\nx=1\n```")
    plain = server.post("/v1/evaluate", {"response": "no"}).json()
    assert plain["has_code"] is False and not plain["politeness"]


def test_eight_at_once_are_all_answered(server):
    from concurrent.futures import ThreadPoolExecutor

    bodies = [{**BODY, "messages": [{"role": "user", "content": f"Say the number {n}."}]}
              for n in range(12)]
    alone = [say(server, body).json()["choices"][0]["message"]["content"] for body in bodies[:2]]
    fresh_bodies = [{**body, "use_cache": False} for body in bodies]
    with ThreadPoolExecutor(12) as pool:
        together = list(pool.map(lambda body: say(server, body).json(), fresh_bodies))
    assert all(reply["choices"][0]["message"]["content"] for reply in together)
    assert [r["choices"][0]["message"]["content"] for r in together[:2]] == alone


def test_a_server_without_models_says_how_to_get_one(program, tmp_path):
    (tmp_path / "none").mkdir()
    with Server(tmp_path / "data", models=tmp_path / "none") as bare:
        reply = bare.post("/v1/chat/completions", {"messages": BODY["messages"], "model": CHAT})
        assert reply.status == 404 and "models pull" in reply.error["message"]
        korean = bare.post("/v1/chat/completions", {"messages": BODY["messages"], "model": CHAT},
                           headers={"Accept-Language": "ko"})
        assert any("가" <= letter <= "힣" for letter in korean.error["message"])
        assert bare.get("/v1/models").json()["data"] == [] and bare.is_well()


def test_a_caller_gives_a_request_so_long_and_no_longer(fresh):
    long = {**BODY, "messages": [{"role": "user", "content": "Write a long story."}],
            "max_tokens": 3000, "use_cache": False}
    del long["temperature"]
    with fresh:
        say(fresh)  # the model is there
        late = fresh.post("/v1/chat/completions", {**long, "ignore_eos": True},
                          headers={"X-Jikji-Timeout-Ms": "200"})
        assert late.status == 408 and late.error["code"] == "timeout", late
        assert late.headers["x-should-retry"] == "false"
        assert say(fresh, **{"X-Jikji-Timeout-Ms": "60000"}).status == 200
        assert say(fresh, {**BODY, "service_tier": "flex", "max_tokens": 3}).status == 200
        for wrong in ("soon", "0", "-5", "1e3", "99999999999"):
            reply = fresh.post("/v1/chat/completions", BODY, headers={"X-Jikji-Timeout-Ms": wrong})
            assert reply.status == 400 and reply.error["param"] == "x-jikji-timeout-ms", wrong


def test_the_time_of_a_request_counts_for_vectors_and_searches(server):
    texts = {"model": E5, "input": [f"Sentence {n} of many. " * 20 for n in range(400)]}
    late = server.post("/v1/embeddings", texts, headers={"X-Jikji-Timeout-Ms": "1"})
    assert late.status == 408 and late.error["code"] == "timeout", late
    store = server.new_store("timed")
    for path, body in [("/v1/embeddings", {"model": E5, "input": "x"}),
                       (f"/v1/vector_stores/{store}/search", {"query": "x"})]:
        assert server.post(path, body, headers={"X-Jikji-Timeout-Ms": "60000"}).status == 200
        wrong = server.post(path, body, headers={"X-Jikji-Timeout-Ms": "soon"})
        assert wrong.status == 400 and wrong.error["param"] == "x-jikji-timeout-ms", wrong
