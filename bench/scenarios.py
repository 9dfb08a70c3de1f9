"""What many people do at once. Each takes a server and a salt: another salt is other text, so that
no cache knows it from the turn before. All at temperature 0."""

import asyncio

from load import Result, ask, chat, post, words

SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 20},
        "age": {"type": "integer"},
        "tags": {"type": "array", "items": {"enum": ["red", "green", "blue"]},
                 "minItems": 1, "maxItems": 4},
    },
    "required": ["name", "age", "tags"],
    "additionalProperties": False,
}


async def one_stream(server, salt):
    """About 80 tokens in, 256 tokens out, three after each other."""
    return [await chat(server, f"Write a long story about a river. {words(40, f'{salt} one {i}')}",
                       256) for i in range(3)]


async def long_prompt(server, salt):
    """About 1,700 tokens in, a few out, twice."""
    return [await chat(server, words(1640, f"{salt} long {i}"), 4) for i in range(2)]


async def chats(server, salt):
    """16 people, 150 words in, 128 tokens out."""
    return await asyncio.gather(*[
        chat(server, f"Tell me about {words(150, f'{salt} chats {i}')}", 128) for i in range(16)])


async def shared_system_prompt(server, salt):
    """16 people behind one system prompt of about 1,275 tokens, 64 tokens out."""
    system = {"role": "system", "content": words(1235, f"{salt} system")}
    questions = [f"Question {i}: {words(20, f'{salt} shared {i}')}" for i in range(16)]
    return await asyncio.gather(*[
        chat(server, [system, {"role": "user", "content": q}], 64) for q in questions])


async def long_among_streams(server, salt):
    """Four streams, and one second later a prompt of about 3,430 tokens: the last result."""
    async def late():
        await asyncio.sleep(1)
        return await chat(server, words(3320, f"{salt} late"), 8)

    return await asyncio.gather(*[
        chat(server, f"Tell me about {words(60, f'{salt} stream {i}')}", 256) for i in range(4)],
        late())


async def turns(server, salt):
    """8 people, 6 turns each, 300 words of instructions of their own."""
    async def person(p):
        messages = [{"role": "system", "content": words(300, f"{salt} person {p}")}]
        results = []
        for turn in range(6):
            messages.append({"role": "user", "content": words(40, f"{salt} turn {p} {turn}")})
            results.append(await chat(server, messages, 32))
            messages.append({"role": "assistant", "content": results[-1].text})
        return results

    return [r for one in await asyncio.gather(*[person(p) for p in range(8)]) for r in one]


async def schema_answers(server, salt):
    """8 answers that have to obey a JSON schema."""
    form = {"type": "json_schema",
            "json_schema": {"name": "person", "schema": SCHEMA, "strict": True}}
    return await asyncio.gather(*[
        chat(server, f"Describe person {salt} {i} as JSON with name, age and tags.", 96,
             response_format=form) for i in range(8)])


def embeddings(batch, texts):
    """100-word texts, `batch` in a request, one request after the other."""
    async def scenario(server, salt):
        results = []
        for k in range(0, texts, batch):
            inputs = [words(100, f"{salt} embed {k + j}") for j in range(batch)]
            status = await post(server, "/v1/embeddings", {"model": server.model, "input": inputs})
            results.append(Result(status=status, made=batch))
        return results

    return scenario


async def embeddings_at_once(server, salt):
    """64 requests of one text at the same moment, then again, …: 256 texts."""
    statuses = []
    for k in range(0, 256, 64):
        statuses += await asyncio.gather(*[
            post(server, "/v1/embeddings",
                 {"model": server.model, "input": words(100, f"{salt} once {k + j}")})
            for j in range(64)])
    return [Result(status=status, made=1) for status in statuses]


def beside_a_flood(width, keys):
    """20 short chats of one key, one after the other, while another key has `width` at a time."""
    quiet, loud = keys

    async def flood(server, salt, i):
        turn = 0
        while True:
            turn += 1
            await chat(server, f"Tell me about {words(60, f'{salt} loud {i} {turn}')}", 128, loud)

    async def scenario(server, salt):
        crowd = [asyncio.ensure_future(flood(server, salt, i)) for i in range(width)]
        await asyncio.sleep(3 if width else 0)  # until all have arrived
        results = [await chat(server, f"Tell me about {words(60, f'{salt} quiet {width} {i}')}", 32,
                              quiet) for i in range(20)]
        for one in crowd:
            one.cancel()
        await asyncio.gather(*crowd, return_exceptions=True)
        return results

    return scenario


def tokens_in(count, vocabulary):
    """A prompt of tokens, not of text: for models whose words mean nothing. One token out."""
    async def scenario(server, salt):
        first = 300 + sum(salt.encode()) % 1000
        prompt = [first + i * 7 % (vocabulary - first - 1) for i in range(count)]
        return [await ask(server, "/v1/completions",
                          {"model": server.model, "prompt": prompt, "max_tokens": 2,
                           "ignore_eos": True})]

    return scenario
