"""Adapters beside their base: each with its own answers, on one copy of the weights."""

import threading
import time

import openai
import pytest
from adapters import write_random_adapter
from program import CHAT, MODELS, Server

ONE, TWO = "one-of-smollm2", "two-of-smollm2"
LANES = (CHAT, ONE, TWO)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("adapters") / "models"
    out.mkdir()
    for file in MODELS.glob(f"{CHAT}.*"):
        (out / file.name).symlink_to(file)
    base = out / f"{CHAT}.gguf"
    write_random_adapter(out / f"{ONE}.gguf", CHAT, base, seed=1)
    write_random_adapter(out / f"{TWO}.gguf", CHAT, base, seed=2)
    return out


@pytest.fixture(scope="module")
def server(folder):
    with Server(folder.parent / "data", "--weights", "as-published", models=folder) as server:
        yield server


@pytest.fixture(scope="module")
def client(server):
    return openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0)


def say(client, model, text="Name three colours of the sea.", **options):
    options = {"temperature": 0, "max_tokens": 24, **options}
    reply = client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": text}], **options)
    assert reply.model == model
    return reply.choices[0].message.content


def streamed(client, model, text="Name three colours of the sea."):
    parts = client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": text}], temperature=0, max_tokens=24,
        stream=True, extra_body={"use_cache": False})
    return "".join(part.choices[0].delta.content or "" for part in parts if part.choices)


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """What the base says where there are no adapters."""
    data = tmp_path_factory.mktemp("alone") / "data"
    with Server(data, "--weights", "as-published") as server:
        return say(openai.OpenAI(base_url=f"{server.url}/v1", api_key="none"), CHAT)


def wait_until(holds, seconds=30):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.1)


def extras(client):
    return {model.id: model.jikji for model in client.models.list()}


def test_the_list_names_adapters_with_their_base(client):
    known = extras(client)
    assert known[ONE]["base"] == known[TWO]["base"] == CHAT
    assert known[CHAT]["base"] is None
    assert client.models.retrieve(ONE).id == ONE


def test_each_says_its_own_and_the_base_what_it_says_alone(client, alone):
    said = {model: say(client, model) for model in LANES}
    assert said[CHAT] == alone
    assert len(set(said.values())) == 3, said
    for model in reversed(LANES):  # per request, and neither a cache nor kept state mixes them
        assert say(client, model, extra_body={"use_cache": False}) == said[model]
        assert streamed(client, model) == said[model]


def first_token(client, model):
    """The likeliest first tokens and how likely they are."""
    reply = client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": "Name three colours of the sea."}],
        temperature=0, max_tokens=1, logprobs=True, top_logprobs=20, extra_body={"use_cache": False})
    return {tuple(one.bytes): one.logprob for one in reply.choices[0].logprobs.content[0].top_logprobs}


def distance(a, b):
    """Mean difference of logprobs; a token that one of the two lacks is less likely than its last."""
    tokens = set(a) | set(b)
    return sum(abs(a.get(t, min(a.values())) - b.get(t, min(b.values()))) for t in tokens) / len(tokens)


# Prompts that are read in one pass round otherwise than alone (a few hundredths), so texts with near
# ties may differ; whose likelihoods they are is beyond doubt.
def test_all_at_once_each_answer_is_of_its_own_model(client):
    alone = {model: first_token(client, model) for model in LANES}
    got, texts = [], []

    def read(model):
        got.append((model, first_token(client, model)))
        texts.append(streamed(client, model))

    threads = [threading.Thread(target=read, args=(model,)) for model in LANES for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(texts) == len(threads) and all(texts)
    for model, seen in got:
        away = {other: distance(seen, alone[other]) for other in LANES}
        assert min(away, key=away.get) == model, away
        assert 3 * away[model] < min(d for other, d in away.items() if other != model), away


def test_weights_are_in_memory_once(client):
    for model in LANES:
        say(client, model)
    known = extras(client)
    assert all(known[model]["loaded"] for model in LANES)
    weights = (MODELS / f"{CHAT}.gguf").stat().st_size
    assert known[CHAT]["bytes"] > weights
    # Cells and results of a step, a good deal of it, but no second copy of the weights.
    without = known[CHAT]["bytes"] - weights * 0.95
    assert known[ONE]["bytes"] <= without and known[TWO]["bytes"] <= without


def test_a_grammar_holds_with_an_adapter(client):
    answer = say(client, ONE, max_tokens=30, extra_body={"grammar": 'root ::= "yes" | "no"'})
    assert answer in ("yes", "no")


def test_it_comes_and_goes_while_the_server_runs(client, folder):
    name = "late-one"
    with pytest.raises(openai.NotFoundError):
        say(client, name)
    write_random_adapter(folder / "part", CHAT, folder / f"{CHAT}.gguf", seed=3)
    (folder / "part").rename(folder / f"{name}.gguf")
    wait_until(lambda: name in extras(client))
    assert say(client, name) != say(client, CHAT)
    (folder / f"{name}.gguf").unlink()
    wait_until(lambda: name not in extras(client))
    with pytest.raises(openai.NotFoundError):
        say(client, name)


def test_one_of_another_base_is_not_offered_and_all_else_goes_on(client, folder, server):
    before = say(client, CHAT)
    write_random_adapter(folder / "part", CHAT, folder / f"{CHAT}.gguf", seed=3, width=288)
    (folder / "part").rename(folder / "wrong-base.gguf")
    write_random_adapter(folder / "part", "no-such-base", folder / f"{CHAT}.gguf", seed=3)
    (folder / "part").rename(folder / "no-base.gguf")
    (folder / "cut-off.gguf").write_bytes((folder / f"{ONE}.gguf").read_bytes()[:100_000])
    wait_until(lambda: "wrong-base is not offered" in server.output
               and "no-base is not offered" in server.output)
    assert not {"wrong-base", "no-base", "cut-off"} & set(extras(client))
    with pytest.raises(openai.NotFoundError):
        say(client, "wrong-base")
    assert say(client, CHAT, extra_body={"use_cache": False}) == before
    assert say(client, ONE)


def test_a_name_with_colons_reads_the_same_raw_and_escaped(server):
    for path in ("/v1/models/ft:smollm2:local:x:1", "/v1/models/ft%3Asmollm2%3Alocal%3Ax%3A1"):
        for method in ("GET", "DELETE"):
            reply = server.ask(method, path)
            assert reply.status == 404, reply
            assert "ft:smollm2:local:x:1" in reply.error["message"]


def test_an_adapter_may_be_the_default(folder):
    with Server(folder.parent / "other", "--chat-model", ONE, models=folder) as server:
        reply = server.post("/v1/chat/completions", {
            "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 4})
        assert reply.status == 200 and reply.json()["model"] == ONE
