"""Chat through the official client: what a newcomer's program does, and what it may ask for."""

import re

import openai
import pytest
from gguf import vocabulary
from program import CHAT, MODELS

CAPITAL = [{"role": "user", "content": "What is the capital of France? Answer in one sentence."}]
COUNT = [{"role": "user", "content": "Count from one to ten in words."}]


def chat(client, messages=CAPITAL, **options):
    options = {"model": CHAT, "max_tokens": 24, "temperature": 0, **options}
    return client.chat.completions.create(messages=messages, **options)


def test_a_question_gets_an_answer(client):
    reply = chat(client)
    assert "Paris" in reply.choices[0].message.content
    assert reply.id.startswith("chatcmpl-") and reply.object == "chat.completion"
    assert reply.model == CHAT and reply.system_fingerprint
    assert reply.choices[0].finish_reason == "stop"
    assert reply.choices[0].message.role == "assistant"
    assert reply.choices[0].message.refusal is None and reply.choices[0].logprobs is None


def test_usage_adds_up(client):
    usage = chat(client).usage
    assert usage.prompt_tokens > 10 and usage.completion_tokens > 1
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens


def test_required_keys_are_there_even_if_null(server):
    body = {"model": CHAT, "messages": CAPITAL, "max_tokens": 2, "temperature": 0}
    reply = server.post("/v1/chat/completions", body).json()
    choice = reply["choices"][0]
    assert {"index", "finish_reason", "message", "logprobs"} <= set(choice)
    assert {"role", "content", "refusal"} <= set(choice["message"])
    assert isinstance(reply["created"], int)


def test_headers_name_the_request(server):
    reply = server.post("/v1/chat/completions", {"model": CHAT, "messages": CAPITAL, "max_tokens": 2})
    assert reply.headers["x-request-id"]
    assert int(float(reply.headers["openai-processing-ms"])) >= 0
    assert reply.headers["content-type"].endswith("json")


def test_korean_in_and_out_is_whole(client):
    reply = chat(client, [{"role": "user", "content": "안녕하세요? 한국어로 인사해 주세요."}])
    assert "\ufffd" not in reply.choices[0].message.content


def test_max_tokens_ends_with_length(client):
    reply = chat(client, COUNT, max_tokens=4)
    assert reply.choices[0].finish_reason == "length" and reply.usage.completion_tokens == 4


def test_max_completion_tokens_is_the_same(client):
    reply = chat(client, COUNT, max_tokens=openai.omit, max_completion_tokens=4)
    assert reply.choices[0].finish_reason == "length" and reply.usage.completion_tokens == 4


def test_two_different_limits_are_refused(client):
    with pytest.raises(openai.BadRequestError) as caught:
        chat(client, max_tokens=4, max_completion_tokens=5)
    assert caught.value.param in ("max_tokens", "max_completion_tokens")


def test_a_stop_string_over_token_borders(client):
    whole = chat(client, COUNT, max_tokens=40).choices[0].message.content
    cut = whole[7:19]  # begins and ends inside words, so inside tokens
    assert len(cut) == 12
    reply = chat(client, COUNT, max_tokens=40, stop=cut)
    assert reply.choices[0].message.content == whole[:whole.index(cut)]
    assert reply.choices[0].finish_reason == "stop"


def test_several_stop_strings_the_first_wins(client):
    whole = chat(client, COUNT, max_tokens=40).choices[0].message.content
    early, late = whole[10:14], whole[25:30]
    reply = chat(client, COUNT, max_tokens=40, stop=[late, early])
    assert reply.choices[0].message.content == whole[:whole.index(early)]


def test_five_stop_strings_are_refused(client):
    with pytest.raises(openai.BadRequestError) as caught:
        chat(client, stop=["a", "b", "c", "d", "e"])
    assert caught.value.param == "stop"


def test_a_seed_repeats_and_another_differs(client):
    def say(seed):
        reply = chat(client, COUNT, temperature=1.2, seed=seed, max_tokens=24,
                     extra_body={"use_cache": False})
        return reply.choices[0].message.content

    assert say(7) == say(7)
    assert len({say(seed) for seed in range(4)}) > 1


@pytest.mark.parametrize("seed", [-1, -(2**53), 2**53, 0])
def test_any_seed_is_taken(client, seed):
    assert chat(client, seed=seed, max_tokens=2).choices


def test_three_choices(client):
    reply = chat(client, COUNT, n=3, temperature=1.3, seed=3, max_tokens=16)
    assert [choice.index for choice in reply.choices] == [0, 1, 2]
    assert len({choice.message.content for choice in reply.choices}) > 1
    assert reply.usage.completion_tokens > 16


def test_logprobs_name_each_token(client):
    reply = chat(client, max_tokens=5, logprobs=True, top_logprobs=3)
    content = reply.choices[0].logprobs.content
    assert len(content) == 5
    assert "".join(t.token for t in content) == reply.choices[0].message.content
    for token in content:
        assert token.logprob <= 0 and len(token.top_logprobs) == 3
        assert token.top_logprobs[0].logprob == pytest.approx(token.logprob)  # greedy
        assert bytes(token.bytes).decode() == token.token


def test_logit_bias_bans_a_token(client):
    first = chat(client, max_tokens=1, logprobs=True).choices[0].logprobs.content[0].token
    token = vocabulary(MODELS / f"{CHAT}.gguf").index(first.replace(" ", "Ġ"))
    banned = chat(client, max_tokens=1, logit_bias={str(token): -100})
    assert banned.choices[0].message.content != first


def test_logit_bias_forces_a_token(client):
    token = vocabulary(MODELS / f"{CHAT}.gguf").index("Ġbanana")
    forced = chat(client, max_tokens=3, logit_bias={str(token): 100})
    assert forced.choices[0].message.content.strip() == "banana banana banana"


def test_frequency_penalty_changes_a_loop(client):
    loop = [{"role": "user", "content": "Repeat the word hello twenty times."}]
    plain = chat(client, loop, max_tokens=40).choices[0].message.content
    penalised = chat(client, loop, max_tokens=40, frequency_penalty=2, presence_penalty=2)
    assert penalised.choices[0].message.content != plain


def test_repeat_penalty_and_top_k_as_extensions(client):
    reply = chat(client, COUNT, extra_body={"repeat_penalty": 1.3, "top_k": 20, "min_p": 0.05})
    assert reply.choices[0].message.content


def test_content_parts_are_joined(client):
    parts = [{"role": "user", "content": [{"type": "text", "text": CAPITAL[0]["content"]}]}]
    whole = chat(client).choices[0].message.content
    assert chat(client, parts).choices[0].message.content == whole


def test_developer_is_system(client):
    system = [{"role": "system", "content": "Answer in French."}, *CAPITAL]
    developer = [{"role": "developer", "content": "Answer in French."}, *CAPITAL]
    first, second = (chat(client, m).choices[0].message.content for m in (system, developer))
    assert first == second


def test_too_long_a_prompt_says_both_numbers(client):
    with pytest.raises(openai.BadRequestError) as caught:
        chat(client, [{"role": "user", "content": "word " * 9000}])
    assert caught.value.code == "context_length_exceeded" and caught.value.param == "messages"
    limit, got = re.search(r"maximum context length is (\d+) tokens.*resulted in (\d+) tokens",
                           caught.value.message).groups()
    assert int(got) > int(limit) >= 1024


def test_an_unknown_model_is_404(client):
    with pytest.raises(openai.NotFoundError) as caught:
        chat(client, model="smollm2-135m-instrukt")
    assert caught.value.code == "model_not_found"
    assert CHAT in caught.value.message  # did you mean


@pytest.mark.parametrize("options, field", [
    ({"temperature": 3.5}, "temperature"),
    ({"temperature": -0.1}, "temperature"),
    ({"top_p": 1.5}, "top_p"),
    ({"presence_penalty": 2.5}, "presence_penalty"),
    ({"frequency_penalty": -3}, "frequency_penalty"),
    ({"n": 0}, "n"),
    ({"n": 1000}, "n"),
    ({"max_tokens": -1}, "max_tokens"),
    ({"logprobs": True, "top_logprobs": 21}, "top_logprobs"),
    ({"top_logprobs": 2}, "top_logprobs"),
    ({"logit_bias": {"5": 101}}, "logit_bias"),
    ({"logit_bias": {"abc": 1}}, "logit_bias"),
    ({"extra_body": {"audio": {"voice": "a", "format": "wav"}}}, "audio"),
    ({"extra_body": {"modalities": ["text", "audio"]}}, "modalities"),
])
def test_what_cannot_be_honoured_is_refused_by_name(client, options, field):
    with pytest.raises(openai.BadRequestError) as caught:
        chat(client, **options)
    assert caught.value.param == field or caught.value.param.startswith(field)
    assert field in caught.value.message


def test_what_cannot_change_the_text_is_ignored(client):
    reply = chat(client, user="someone", extra_body={
        "service_tier": "auto", "safety_identifier": "x", "prompt_cache_key": "k",
        "verbosity": "medium"})
    assert "Paris" in reply.choices[0].message.content
