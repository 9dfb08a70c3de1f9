"""Schemas, grammars, tools and sizes that must not get in: each a 400 that names the field, at once,
and the server still answers."""

import json

import pytest
from program import CHAT

PATH = "/v1/chat/completions"
ASK = [{"role": "user", "content": "Hi"}]
SCHEMA = "response_format.json_schema.schema"
PARAMETERS = "tools[0].function.parameters"


def chat(**changes):
    return {"model": CHAT, "messages": ASK, "max_tokens": 1, **changes}


def by_schema(schema):
    return chat(response_format={"type": "json_schema",
                                 "json_schema": {"name": "bad", "schema": schema}})


def by_tool(parameters, strict=True, **changes):
    function = {"name": "f", "parameters": parameters, "strict": strict}
    return chat(tools=[{"type": "function", "function": function}], **changes)


def deep(levels):
    schema = {"type": "string"}
    for _ in range(levels):
        schema = {"type": "object", "properties": {"a": schema}, "required": ["a"],
                  "additionalProperties": False}
    return schema


def doubling(levels):
    """2^levels when every reference is written out."""
    defs = {f"d{n}": {"type": "object", "properties": {
        side: {"$ref": f"#/$defs/d{n + 1}"} for side in ("l", "r")}} for n in range(levels)}
    defs[f"d{levels}"] = {"type": "boolean"}
    return {"type": "object", "properties": {"a": {"$ref": "#/$defs/d0"}}, "$defs": defs}


BAD_SCHEMAS = {
    "a hundred levels": deep(100),
    "a list of 2^31": {"type": "object", "properties": {
        "a": {"type": "array", "items": {"type": "string"}, "minItems": 2**31}}},
    "a string of 2^31": {"type": "object", "properties": {
        "a": {"type": "string", "minLength": 2**31}}},
    "too many properties": {"type": "object", "properties": {
        f"p{n}": {"type": "string"} for n in range(100_000)}},
    "too many values": {"type": "object", "properties": {
        "a": {"enum": [f"value {n}" for n in range(200_000)]}}},
    "an unknown reference": {"type": "object", "properties": {"a": {"$ref": "#/$defs/none"}}},
    "a reference to elsewhere": {"type": "object", "properties": {
        "a": {"$ref": "http://127.0.0.1/schema.json"}}},
    "a reference to itself": {"type": "object", "properties": {"a": {"$ref": "#/$defs/a"}},
                              "required": ["a"], "$defs": {"a": {"$ref": "#/$defs/a"}}},
    "a value that never ends": {"type": "object", "properties": {"a": {"$ref": "#"}},
                                "required": ["a"]},
    "an unknown type": {"type": "object", "properties": {"a": {"type": "date"}}},
    "an empty enum": {"type": "object", "properties": {"a": {"enum": []}}},
    "properties a list": {"type": "object", "properties": []},
    "a pattern that is none": {"type": "object", "properties": {
        "a": {"type": "string", "pattern": "^(a$"}}},
    "a pattern that looks back": {"type": "object", "properties": {
        "a": {"type": "string", "pattern": r"^(a)\1$"}}},
    "more at least than at most": {"type": "object", "properties": {
        "a": {"type": "array", "items": {"type": "null"}, "minItems": 3, "maxItems": 2}}},
}


@pytest.mark.parametrize("name", BAD_SCHEMAS)
def test_a_bad_schema(server, name):
    reply = server.post(PATH, by_schema(BAD_SCHEMAS[name]), timeout=30)
    assert reply.status == 400, reply
    if name != "a hundred levels":  # no body may be so deep
        assert reply.error["param"].startswith(SCHEMA)


@pytest.mark.parametrize("name", [name for name in BAD_SCHEMAS if name != "a hundred levels"])
@pytest.mark.parametrize("choice", ["auto", "required"])
def test_a_tool_with_a_bad_schema(server, name, choice):
    reply = server.post(PATH, by_tool(BAD_SCHEMAS[name], tool_choice=choice), timeout=30)
    assert reply.status == 400, reply
    assert reply.error["param"].startswith(PARAMETERS)


@pytest.mark.parametrize("name", [name for name in BAD_SCHEMAS if name != "a hundred levels"])
def test_a_hint_with_a_bad_schema_does_no_harm(server, name):
    """Without strict a schema is a hint: what cannot be kept is left out, a bomb is not let in."""
    reply = server.post(PATH, by_tool(BAD_SCHEMAS[name], strict=False), timeout=30)
    assert reply.status in (200, 400), reply
    if reply.status == 400:
        assert reply.error["param"].startswith(PARAMETERS)


@pytest.mark.parametrize("keyword, value", [
    ("not", {"type": "string"}), ("if", {"type": "string"}), ("contains", {"type": "string"}),
    ("uniqueItems", True), ("dependentRequired", {"a": ["b"]}), ("propertyNames", {"maxLength": 3}),
    ("unevaluatedProperties", False), ("multipleOf", 3), ("colour", "red"),
])
def test_an_unknown_keyword_is_named_with_its_path(server, keyword, value):
    inner = {"type": "integer" if keyword == "multipleOf" else "object", keyword: value}
    if keyword in ("uniqueItems", "contains"):
        inner = {"type": "array", "items": {"type": "boolean"}, keyword: value}
    schema = {"type": "object", "properties": {"a": inner}, "required": ["a"]}
    for body, field in ((by_schema(schema), SCHEMA), (by_tool(schema), PARAMETERS)):
        reply = server.post(PATH, body)
        assert reply.status == 400, reply
        assert reply.error["param"].startswith(field)
        said = reply.error["param"] + reply.error["message"]
        assert keyword in said and ("properties.a" in said or "properties/a" in said)


BAD_GRAMMARS = {
    "no root": 'start ::= "a"',
    "not closed": 'root ::= "a',
    "an unknown rule": "root ::= other",
    "left recursion": 'root ::= root "a"',
    "hidden left recursion": 'root ::= a\na ::= b? root "x"\nb ::= "y"',
    "no grammar": "Write JSON, please.",
    "no end": 'root ::= "a" root',
    "a bomb of rules": "root ::= r0\n" + "\n".join(
        f"r{n} ::= r{n + 1} r{n + 1}" for n in range(64)) + '\nr64 ::= ""',
    "huge repetition": 'root ::= "a"{2000000000}',
    "deep brackets": "root ::= " + "(" * 50_000 + '"a"' + ")" * 50_000,
    "too long": 'root ::= "' + "a" * 2_000_000 + '"',
}


@pytest.mark.parametrize("path", [PATH, "/v1/completions"])
@pytest.mark.parametrize("name", BAD_GRAMMARS)
def test_a_bad_grammar(server, name, path):
    body = {"model": CHAT, "max_tokens": 1, "grammar": BAD_GRAMMARS[name]}
    body |= {"messages": ASK} if path == PATH else {"prompt": "Hi"}
    reply = server.post(path, body, timeout=30)
    assert reply.status == 400, reply
    assert reply.error["param"] == "grammar"


@pytest.mark.parametrize("body", [
    by_schema({"type": "object", "required": ["a"], "additionalProperties": False, "properties": {
        "a": {"type": "string", "pattern": "^((((a{1,999}){1,999}){1,999}){1,999})$"}}}),
    by_schema(doubling(20)),
    by_tool(doubling(20), strict=False),
    chat(grammar='root ::= ((((("a"{1,999}){1,999}){1,999}){1,999}){1,999})'),
], ids=["a pattern", "references", "references of a tool", "a grammar"])
def test_a_bomb_does_not_go_off(server, body):
    """Written out, each has more than 10^6 parts: refused, or held without writing it out."""
    memory = server.resident_mb()
    reply = server.post(PATH, body, timeout=30)
    assert reply.status in (200, 400), reply
    assert server.resident_mb() < memory + 200


# ---- sizes and numbers -----------------------------------------------------------------------

def test_a_million_stop_strings(server):
    reply = server.post(PATH, chat(stop=[f"s{n}" for n in range(1_000_000)]))
    assert reply.status == 400 and reply.error["param"] == "stop"
    assert "4" in reply.error["message"]


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_a_temperature_that_is_no_number(server, text):
    body = json.dumps(chat()).encode()[:-1] + f', "temperature": {text}}}'.encode()
    reply = server.post(PATH, body, headers={"Content-Type": "application/json"})
    assert reply.status == 400, reply
    assert reply.error["param"] == "temperature", reply


@pytest.mark.parametrize("field, value", [
    ("n", -1), ("n", -2**63), ("temperature", -0.1), ("temperature", 2.5), ("max_tokens", -1),
    ("max_completion_tokens", -1), ("top_logprobs", -1), ("top_p", -1),
])
def test_a_number_out_of_range_is_named(server, field, value):
    more = {"logprobs": True} if field == "top_logprobs" else {}
    body = chat(**more)
    if field == "max_completion_tokens":
        del body["max_tokens"]
    body[field] = value
    reply = server.post(PATH, body)
    assert reply.status == 400, reply
    assert reply.error["param"] in (field, "max_tokens")


def test_a_prompt_longer_than_the_context_says_both_numbers(server):
    words = "word " * 50_000
    reply = server.post(PATH, chat(messages=[{"role": "user", "content": words}]), timeout=120)
    assert reply.status == 400 and reply.error["code"] == "context_length_exceeded"
    message = reply.error["message"]
    numbers = [int(part) for part in message.replace(".", "").split() if part.isdigit()]
    assert len(numbers) >= 2 and max(numbers) >= 50_000 and min(numbers) <= 8192
    assert "maximum context length is" in message and "resulted in" in message


def test_tools_count_into_the_context(server):
    tools = [{"type": "function", "function": {
        "name": f"f{n}", "description": "word " * 500,
        "parameters": {"type": "object", "properties": {}}}} for n in range(60)]
    reply = server.post(PATH, chat(tools=tools), timeout=120)
    assert reply.status == 400 and reply.error["code"] == "context_length_exceeded"


def test_a_prompt_of_nearly_16_megabytes(server):
    reply = server.post(PATH, chat(messages=[{"role": "user", "content": "a b " * 3_900_000}]),
                        timeout=300)
    assert reply.status == 400 and reply.error["code"] == "context_length_exceeded"


def test_a_body_beyond_16_megabytes(server):
    body = json.dumps(chat(messages=[{"role": "user", "content": "a" * 17_000_000}])).encode()
    reply = server.raw(b"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: "
                       b"application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    assert reply.status == 413 and reply.error["message"]


# ---- contradictions --------------------------------------------------------------------------

TOOLS = [{"type": "function", "function": {"name": "get_weather"}}]
CONTRADICTIONS = [
    ("tool_choice", chat(tool_choice="required")),
    ("tool_choice", chat(tool_choice="auto", tools=[])),
    ("tool_choice.function.name",
     chat(tools=TOOLS, tool_choice={"type": "function", "function": {"name": "get_whether"}})),
    ("grammar", chat(grammar='root ::= "a"', response_format={"type": "json_object"})),
    ("grammar", chat(grammar='root ::= "a"', tools=TOOLS)),
    ("functions", chat(functions=[{"name": "f"}])),
    ("function_call", chat(function_call="auto")),
    ("messages[0].tool_call_id",
     chat(messages=[{"role": "tool", "tool_call_id": "call_1", "content": "x"}])),
    ("tools[1].function.name", chat(tools=TOOLS * 2)),
    ("tools", chat(tools=[{"type": "function", "function": {"name": f"f{n}"}}
                          for n in range(129)])),
]


@pytest.mark.parametrize("field, body", CONTRADICTIONS,
                         ids=[f"{n} {field}" for n, (field, _) in enumerate(CONTRADICTIONS)])
def test_a_contradiction_is_named(server, field, body):
    reply = server.post(PATH, body)
    assert reply.status == 400, reply
    assert reply.error["param"] == field
    if "whether" in json.dumps(body):
        assert "did you mean 'get_weather'" in reply.error["message"]


def test_the_server_still_answers(server):
    assert server.post(PATH, chat()).status == 200
