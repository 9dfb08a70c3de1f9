"""Tools through the official client: a call that is forced is a whole one even from a model that
knows nothing of tools, and its arguments fit their schema."""

import json
import re

import jsonschema
import openai
import pytest
from program import CHAT
from pydantic import BaseModel, ConfigDict

ASK = [{"role": "user", "content": "What is the weather in Seoul?"}]
WEATHER_SCHEMA = {"type": "object", "additionalProperties": False, "required": ["city", "unit"],
                  "properties": {"city": {"enum": ["Seoul", "Busan", "Paris"]},
                                 "unit": {"enum": ["celsius", "kelvin"]}}}
CLOCK_SCHEMA = {"type": "object", "additionalProperties": False, "required": ["zone"],
                "properties": {"zone": {"enum": ["KST", "UTC"]}}}


def tool(name, parameters, description="A tool."):
    return {"type": "function", "function": {"name": name, "description": description,
                                             "parameters": parameters}}


WEATHER = tool("get_weather", WEATHER_SCHEMA, "The weather of a city.")
CLOCK = tool("get_time", CLOCK_SCHEMA, "The time of a zone.")
SCHEMAS = {"get_weather": WEATHER_SCHEMA, "get_time": CLOCK_SCHEMA}
NAMED = {"type": "function", "function": {"name": "get_time"}}


def ask(client, messages=ASK, tools=(WEATHER, CLOCK), **options):
    """One call at most unless told otherwise: so small a model calls again and again."""
    options = {"model": CHAT, "max_tokens": 300, "temperature": 0, "parallel_tool_calls": False,
               **options}
    return client.chat.completions.create(messages=messages, tools=list(tools), **options)


def check_calls(calls):
    for call in calls:
        assert call.type == "function" and re.fullmatch(r"call_\w+", call.id)
        jsonschema.validate(json.loads(call.function.arguments), SCHEMAS[call.function.name])
    assert len({call.id for call in calls}) == len(calls)


def calls_of(reply, index=0):
    choice = reply.choices[index]
    assert choice.finish_reason == "tool_calls", choice
    assert choice.message.tool_calls
    check_calls(choice.message.tool_calls)
    return choice.message.tool_calls


def test_required_makes_a_whole_call(client):
    reply = ask(client, tool_choice="required")
    assert len(calls_of(reply)) == 1
    message = reply.choices[0].message
    assert message.content is None and message.refusal is None


def test_a_named_tool_is_the_one_that_is_called(client):
    assert {call.function.name for call in calls_of(ask(client, tool_choice=NAMED))} == {"get_time"}


def test_allowed_tools_leave_the_others_out(client):
    choice = {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [NAMED]}}
    reply = ask(client, tool_choice=choice)
    assert {call.function.name for call in calls_of(reply)} == {"get_time"}


def test_none_calls_nothing(client):
    choice = ask(client, tool_choice="none", max_tokens=30).choices[0]
    assert choice.message.tool_calls is None and choice.message.content
    assert choice.finish_reason in ("stop", "length")


def test_auto_is_text_or_whole_calls(client):
    choice = ask(client).choices[0]
    if choice.finish_reason == "tool_calls":
        check_calls(choice.message.tool_calls)
    else:
        assert choice.message.content and not choice.message.tool_calls


def test_no_parallel_calls_means_one_at_most(client):
    for seed in range(5):
        reply = ask(client, tool_choice="required", temperature=2,
                    seed=seed)
        assert len(calls_of(reply)) == 1


def test_a_tool_without_arguments(client):
    bare = {"type": "function", "function": {"name": "ping"}}
    reply = ask(client, tools=[bare], tool_choice="required")
    call, = reply.choices[0].message.tool_calls
    assert call.function.name == "ping" and json.loads(call.function.arguments) == {}


def test_every_choice_has_calls_of_its_own(client):
    reply = ask(client, tool_choice="required", n=3, temperature=1.5,
                seed=1)
    ids = {call.id for index in range(3) for call in calls_of(reply, index)}
    assert len(ids) == 3


def test_a_repeat_from_the_cache_is_a_whole_call_again(client):
    first, second = (ask(client, tool_choice=NAMED) for _ in range(2))
    assert calls_of(first)[0].function == calls_of(second)[0].function


def test_logprobs_beside_tools(client):
    reply = ask(client, tool_choice=NAMED, logprobs=True, top_logprobs=1)
    calls_of(reply)
    assert len(reply.choices[0].logprobs.content) >= reply.usage.completion_tokens - 1


def test_a_round_trip(client):
    call, = calls_of(ask(client, tool_choice="required"))
    history = ASK + [
        {"role": "assistant", "content": None, "tool_calls": [call.model_dump()]},
        {"role": "tool", "tool_call_id": call.id, "content": [
            {"type": "text", "text": '{"sky": "sunny", "degrees": 21}'}]},
    ]
    reply = ask(client, history, tool_choice="none", max_tokens=40)
    assert reply.choices[0].message.content
    empty = ask(client, ASK, tool_choice="none", max_tokens=40)
    assert reply.usage.prompt_tokens > empty.usage.prompt_tokens + 20, "the answer is in the prompt"


def test_the_message_of_a_call_can_be_sent_back_as_it_is(client):
    reply = ask(client, tool_choice="required")
    message = reply.choices[0].message
    result = {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "sunny"}
    again = ask(client, [*ASK, message, result], tool_choice="none", max_tokens=10)
    assert again.choices[0].message.content


# ---- streams ---------------------------------------------------------------------------------

def events_of(server, **changes):
    body = {"model": CHAT, "messages": ASK, "tools": [WEATHER, CLOCK], "max_tokens": 300,
            "temperature": 0, "stream": True, "use_cache": False, "parallel_tool_calls": False,
            **changes}
    data, others = server.events("/v1/chat/completions", body)
    assert others == [] and data[-1] == "[DONE]"
    return [json.loads(one) for one in data[:-1]]


def check_deltas(deltas):
    """The order that clients rely on; the calls that it makes."""
    calls = []
    for delta in deltas:
        for part in delta.get("tool_calls", []):
            assert part["index"] in (len(calls) - 1, len(calls)), "one call after the other"
            if part["index"] == len(calls):
                assert set(part) == {"index", "id", "type", "function"}
                assert part["type"] == "function" and part["function"]["name"]
                calls.append({"id": part["id"], "name": part["function"]["name"], "arguments": ""})
            else:
                assert set(part) == {"index", "function"}
                assert set(part["function"]) == {"arguments"}
            assert isinstance(part["function"]["arguments"], str)
            calls[-1]["arguments"] += part["function"]["arguments"]
    return calls


def test_a_streamed_call_has_its_shape(server):
    chunks = events_of(server, tool_choice="required", stream_options={"include_usage": True})
    *parts, usage = chunks
    assert usage["choices"] == [] and usage["usage"]["completion_tokens"] > 0
    choices = [chunk["choices"][0] for chunk in parts]
    assert choices[0]["delta"] == {"role": "assistant", "content": None}
    assert choices[-1]["delta"] == {} and choices[-1]["finish_reason"] == "tool_calls"
    assert all(choice["finish_reason"] is None for choice in choices[:-1])
    call, = check_deltas([choice["delta"] for choice in choices])
    jsonschema.validate(json.loads(call["arguments"]), SCHEMAS[call["name"]])
    assert sum(bool(choice["delta"].get("tool_calls")) for choice in choices) > 2, "in pieces"


def test_a_streamed_call_is_the_same_as_a_whole_one(server, client):
    whole = calls_of(ask(client, tool_choice="required"))
    deltas = [chunk["choices"][0]["delta"] for chunk in events_of(server, tool_choice="required")]
    streamed = check_deltas(deltas)
    assert [(call.function.name, json.loads(call.function.arguments)) for call in whole] == [
        (call["name"], json.loads(call["arguments"])) for call in streamed]


def test_parallel_calls_come_one_after_the_other(server, client):
    """The model calls until it is cut off; every call but the last is a whole one."""
    options = {"tool_choice": "required", "parallel_tool_calls": True, "max_tokens": 150}
    chunks = events_of(server, **options)
    streamed = check_deltas([chunk["choices"][0]["delta"] for chunk in chunks])
    assert len(streamed) >= 2 and len({call["id"] for call in streamed}) == len(streamed)
    for call in streamed[:-1]:
        jsonschema.validate(json.loads(call["arguments"]), SCHEMAS[call["name"]])
    whole = ask(client, **options).choices[0].message.tool_calls
    assert [(call.function.name, call.function.arguments) for call in whole] == [
        (call["name"], call["arguments"]) for call in streamed]


def test_arguments_obey_more_than_their_types(client):
    schema = {"type": "object", "additionalProperties": False, "required": ["code", "count"],
              "properties": {"code": {"type": "string", "pattern": "^[A-Z]{3}-[0-9]{2}$"},
                             "count": {"type": "integer", "minimum": 7, "maximum": 12}}}
    strict = {"type": "function", "function": {"name": "order-it", "parameters": schema,
                                               "strict": True}}
    for seed in range(3):
        reply = ask(client, tools=[strict], tool_choice="required", temperature=2, seed=seed)
        call, = reply.choices[0].message.tool_calls
        jsonschema.validate(json.loads(call.function.arguments), schema)


class GetTime(BaseModel):
    """The time of a zone."""
    model_config = ConfigDict(title="get_time")
    at: bool


def test_the_stream_helper_parses_calls(client):
    tools = [openai.pydantic_function_tool(GetTime, name="get_time")]
    kinds = set()
    with client.chat.completions.stream(model=CHAT, messages=ASK, tools=tools, temperature=0,
                                        max_tokens=300, parallel_tool_calls=False,
                                        tool_choice="required") as stream:
        for event in stream:
            kinds.add(event.type)
        final = stream.get_final_completion()
    call, = final.choices[0].message.tool_calls
    assert isinstance(call.function.parsed_arguments, GetTime)
    assert final.choices[0].finish_reason == "tool_calls"
    assert {"tool_calls.function.arguments.delta", "tool_calls.function.arguments.done"} <= kinds


def test_parse_gives_typed_arguments(client):
    tools = [openai.pydantic_function_tool(GetTime, name="get_time")]
    reply = client.chat.completions.parse(model=CHAT, messages=ASK, tools=tools, temperature=0,
                                          max_tokens=300, tool_choice="required",
                                          parallel_tool_calls=False)
    assert isinstance(reply.choices[0].message.tool_calls[0].function.parsed_arguments, GetTime)


# ---- calls that are cut ----------------------------------------------------------------------

def test_a_call_cut_by_max_tokens_says_so(client, server):
    needed = ask(client, tool_choice=NAMED).usage.completion_tokens
    choice = ask(client, tool_choice=NAMED, max_tokens=needed - 4).choices[0]
    assert choice.finish_reason == "length"
    chunks = events_of(server, tool_choice=NAMED, max_tokens=needed - 4)
    assert chunks[-1]["choices"][0]["finish_reason"] == "length"
    with pytest.raises(openai.LengthFinishReasonError):
        client.chat.completions.parse(
            model=CHAT, messages=ASK, temperature=0, max_tokens=3, tool_choice="required",
            tools=[openai.pydantic_function_tool(GetTime, name="get_time")])


@pytest.mark.parametrize("stream", [False, True])
def test_the_text_of_a_cut_call_holds_no_markup(client, stream):
    """What was cut before a name stands there is no call, and nobody reads its marks as text."""
    for limit in range(1, 12, 3):
        reply = ask(client, tool_choice="required", max_tokens=limit, stream=stream)
        text = (reply.choices[0].message.content if not stream else
                "".join(chunk.choices[0].delta.content or "" for chunk in reply))
        assert not text or "<" not in text
