"""Answers that have to fit: JSON schemas through the official client and its helpers, JSON objects,
grammars. The model is far too small to write JSON by itself, so what fits comes from the engine."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from enum import Enum
from typing import Literal, Optional, Union

import jsonschema
import openai
import pytest
from program import CHAT
from pydantic import BaseModel, Field

ASK = [{"role": "user", "content": "Tell me about a fruit."}]


def schema_format(schema, name="answer", **more):
    return {"type": "json_schema", "json_schema": {"name": name, "schema": schema, **more}}


def ask(client, response_format=openai.omit, messages=ASK, **options):
    options = {"model": CHAT, "max_tokens": 300, "temperature": 0, **options}
    return client.chat.completions.create(messages=messages, response_format=response_format,
                                          **options)


def checked(reply, schema, index=0):
    """The value of an answer that ended by itself, checked against its schema by a third party."""
    choice = reply.choices[index]
    assert choice.finish_reason == "stop", choice
    value = json.loads(choice.message.content)
    jsonschema.Draft202012Validator(schema).validate(value)
    return value


def closed(properties, **more):
    return {"type": "object", "properties": properties, "required": list(properties),
            "additionalProperties": False, **more}


SHORT = {"type": "string", "maxLength": 12}
SCHEMAS = {
    "flat": closed({"name": SHORT, "ripe": {"type": "boolean"}}),
    "nested": closed({"fruit": closed({"colour": closed({"red": {"type": "boolean"},
                                                         "name": SHORT})})}),
    "enum": closed({"size": {"enum": ["small", "large", 3, None]}, "kind": {"const": "fruit"}}),
    "anyOf": closed({"value": {"anyOf": [{"type": "boolean"}, {"type": "null"},
                                         closed({"inner": SHORT})]}}),
    "$defs": {**closed({"left": {"$ref": "#/$defs/leaf"}, "right": {"$ref": "#/$defs/leaf"}}),
              "$defs": {"leaf": closed({"on": {"type": "boolean"}})}},
    "list": closed({"items": {"type": "array", "items": {"enum": ["a", "b"]}, "minItems": 2,
                              "maxItems": 3}}),
    "numbers": closed({"count": {"type": "integer", "minimum": 1, "maximum": 20},
                       "maybe": {"type": ["boolean", "null"]}}),
    "pattern": closed({"code": {"type": "string", "pattern": "^[A-Z]{2}-[0-9]{3}$"}}),
    "korean": closed({"이름": {"enum": ["사과", "배"]}, "익음": {"type": "boolean"}}),
}


@pytest.mark.parametrize("name", SCHEMAS)
def test_an_answer_fits_its_schema(client, name):
    checked(ask(client, schema_format(SCHEMAS[name], strict=True)), SCHEMAS[name])


def test_keys_come_in_the_order_of_the_schema(client):
    schema = closed({"zebra": {"type": "boolean"}, "apple": {"type": "boolean"},
                     "mango": {"type": "boolean"}})
    assert list(checked(ask(client, schema_format(schema)), schema)) == list(schema["properties"])


@pytest.mark.parametrize("strict", [True, False, None])
def test_strict_or_not_the_schema_holds(client, strict):
    schema = SCHEMAS["enum"]
    checked(ask(client, schema_format(schema, strict=strict)), schema)


def test_it_holds_at_any_temperature_and_for_every_choice(client):
    schema = SCHEMAS["anyOf"]
    reply = ask(client, schema_format(schema), n=3, temperature=2, seed=5)
    assert len(reply.choices) == 3
    for index in range(3):
        checked(reply, schema, index)


def test_eight_schemas_at_once(client):
    def one(number):
        schema = closed({f"key_{number}": {"enum": [f"a{number}", f"b{number}"]},
                         "text": SHORT, "flag": {"type": "boolean"}})
        return checked(ask(client, schema_format(schema, name=f"s{number}"), temperature=1,
                           seed=number), schema)

    with ThreadPoolExecutor(8) as pool:
        values = list(pool.map(one, range(8)))
    assert [list(value)[0] for value in values] == [f"key_{n}" for n in range(8)]


def test_a_json_object(client):
    asked = [{"role": "user", "content": 'Reply with {"ok": true} and nothing else.'}]
    reply = ask(client, {"type": "json_object"}, messages=asked)
    text = reply.choices[0].message.content
    assert text.lstrip().startswith("{")
    if reply.choices[0].finish_reason == "stop":
        assert isinstance(json.loads(text), dict)
    else:
        assert reply.choices[0].finish_reason == "length" and reply.usage.completion_tokens == 300


def test_text_is_what_it_was_without_a_format(client):
    plain = ask(client, max_tokens=20).choices[0].message.content
    assert ask(client, {"type": "text"}, max_tokens=20).choices[0].message.content == plain


def test_a_streamed_answer_is_the_same_and_never_taken_back(client):
    schema = SCHEMAS["nested"]
    whole = ask(client, schema_format(schema)).choices[0].message.content
    so_far = ""
    for chunk in ask(client, schema_format(schema), stream=True,
                     extra_body={"use_cache": False}):
        so_far += chunk.choices[0].delta.content or ""
        assert whole.startswith(so_far)
    assert so_far == whole
    jsonschema.validate(json.loads(so_far), schema)


def test_a_repeat_comes_from_the_cache_and_another_schema_does_not(client):
    def answer(schema):
        reply = client.chat.completions.with_raw_response.create(
            model=CHAT, messages=[{"role": "user", "content": "A fruit of the cache."}],
            temperature=0, max_tokens=60, response_format=schema_format(schema))
        return reply.headers["x-jikji-cache"], checked(reply.parse(), schema)

    first, value = answer(SCHEMAS["enum"])
    assert first == "miss"
    assert answer(SCHEMAS["enum"]) == ("hit", value)
    assert answer(SCHEMAS["korean"])[0] == "miss"


# ---- the client's own helpers ----------------------------------------------------------------

class Colour(str, Enum):
    red = "red"
    green = "green"


class Seed(BaseModel):
    count: Literal[1, 2, 3]


class Fruit(BaseModel):
    name: str = Field(max_length=12)
    colour: Colour
    seeds: list[Seed] = Field(max_length=2)
    origin: Optional[Literal["Korea", "France"]]
    other: Union[bool, Seed]


def test_parse_gives_a_pydantic_object(client):
    reply = client.chat.completions.parse(model=CHAT, messages=ASK, response_format=Fruit,
                                          temperature=0, max_tokens=300)
    message = reply.choices[0].message
    assert isinstance(message.parsed, Fruit) and message.refusal is None
    assert Fruit.model_validate_json(message.content) == message.parsed


def test_the_stream_helper_parses(client):
    kinds = set()
    with client.chat.completions.stream(model=CHAT, messages=ASK, response_format=Fruit,
                                        temperature=0, max_tokens=300) as stream:
        for event in stream:
            kinds.add(event.type)
        final = stream.get_final_completion()
    assert isinstance(final.choices[0].message.parsed, Fruit)
    assert {"chunk", "content.delta", "content.done"} <= kinds


def test_an_answer_that_is_cut_raises_in_the_helper(client):
    with pytest.raises(openai.LengthFinishReasonError) as caught:
        client.chat.completions.parse(model=CHAT, messages=ASK, response_format=Fruit,
                                      temperature=0, max_tokens=3)
    assert caught.value.completion.choices[0].finish_reason == "length"


# ---- grammars, as llama-server calls them ----------------------------------------------------

LIST = 'root ::= item (", " item){2}\nitem ::= "red" | "green" | "blue"'
THREE = re.compile(r"(red|green|blue)(, (red|green|blue)){2}")


def test_a_grammar_in_chat(client):
    reply = ask(client, extra_body={"grammar": LIST})
    assert THREE.fullmatch(reply.choices[0].message.content)
    assert reply.choices[0].finish_reason == "stop"


def test_a_grammar_in_a_completion(client):
    reply = client.completions.create(model=CHAT, prompt="The colours are", max_tokens=40,
                                      temperature=0, extra_body={"grammar": LIST})
    assert THREE.fullmatch(reply.choices[0].text) and reply.choices[0].finish_reason == "stop"


def test_a_grammar_in_korean(client):
    reply = ask(client, extra_body={"grammar": 'root ::= "예" | "아니요" "."?'})
    assert reply.choices[0].message.content in ("예", "아니요", "아니요.")


def test_stop_strings_still_cut(client):
    reply = ask(client, stop=", ", extra_body={"grammar": LIST})
    assert reply.choices[0].message.content in ("red", "green", "blue")
    assert reply.choices[0].finish_reason == "stop"


def test_logprobs_beside_a_grammar(client):
    reply = ask(client, logprobs=True, top_logprobs=2, extra_body={"grammar": 'root ::= "red"'})
    tokens = reply.choices[0].logprobs.content
    assert "".join(token.token for token in tokens).startswith("red")
    assert all(token.logprob <= 0 and len(token.top_logprobs) == 2 for token in tokens)
