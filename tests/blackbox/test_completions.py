"""Plain completions: text, lists, tokens, echo, log probabilities."""

import re

import openai
import pytest
from program import CHAT, MODELS
from gguf import vocabulary

PROMPT = "The capital of France is"


def complete(client, prompt=PROMPT, **options):
    return client.completions.create(model=CHAT, prompt=prompt,
                                     **{"max_tokens": 8, "temperature": 0, **options})


def tokens_of(words):
    known = vocabulary(MODELS / f"{CHAT}.gguf")
    return [known.index(word) for word in words]


def test_a_prompt_is_continued(client):
    reply = complete(client)
    assert "Paris" in reply.choices[0].text
    assert reply.object == "text_completion" and reply.id.startswith("cmpl-")
    assert reply.usage.completion_tokens == 8


def test_max_tokens_is_16_where_nothing_is_said(client):
    reply = client.completions.create(model=CHAT, prompt="Once upon a time", temperature=0)
    assert reply.usage.completion_tokens == 16 and reply.choices[0].finish_reason == "length"


def test_a_list_is_answered_in_order(client):
    alone = [complete(client, p).choices[0].text for p in (PROMPT, "Two plus two is")]
    both = complete(client, [PROMPT, "Two plus two is"])
    assert [c.index for c in both.choices] == [0, 1]
    assert [c.text for c in both.choices] == alone


def test_tokens_are_taken_as_they_are(client):
    tokens = tokens_of(["The", "Ġcapital", "Ġof", "ĠFrance", "Ġis"])
    assert complete(client, tokens).choices[0].text == complete(client).choices[0].text
    assert complete(client, [tokens, tokens]).choices[1].text == complete(client).choices[0].text


@pytest.mark.parametrize("prompt", ["word " * 20_000, [1000] * 20_000], ids=["text", "tokens"])
def test_a_prompt_longer_than_the_context_names_its_field_and_both_numbers(client, prompt):
    with pytest.raises(openai.BadRequestError) as caught:
        complete(client, prompt)
    assert caught.value.code == "context_length_exceeded" and caught.value.param == "prompt"
    numbers = [int(part) for part in re.findall(r"\d+", caught.value.message.split("'param'")[0])]
    assert any(n <= 8192 for n in numbers) and any(20_000 <= n <= 21_000 for n in numbers), numbers


def test_echo_gives_the_prompt_back(client):
    assert complete(client, echo=True).choices[0].text.startswith(PROMPT)


def test_several_choices_of_several_prompts(client):
    reply = complete(client, [PROMPT, "Blue is"], n=2, temperature=1.0, seed=1)
    assert [c.index for c in reply.choices] == [0, 1, 2, 3]


def test_logprobs_are_parallel_lists(client):
    logprobs = complete(client, logprobs=2, max_tokens=4).choices[0].logprobs
    assert len(logprobs.tokens) == len(logprobs.token_logprobs) == 4
    assert len(logprobs.top_logprobs) == len(logprobs.text_offset) == 4
    assert logprobs.text_offset[0] <= logprobs.text_offset[1]
    assert all(len(top) >= 2 for top in logprobs.top_logprobs)


@pytest.mark.parametrize("options, field", [
    ({"suffix": "the end"}, "suffix"),
    ({"best_of": 3}, "best_of"),
    ({"logprobs": 25}, "logprobs"),
    ({"prompt": [99999999]}, "prompt"),
    ({"prompt": []}, "prompt"),
])
def test_refused_by_name(client, options, field):
    with pytest.raises(openai.BadRequestError) as caught:
        complete(client, **options)
    assert caught.value.param.startswith(field)
