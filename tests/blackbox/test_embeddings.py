"""Embeddings: every form of input and output, and equality with the models' own code."""

import base64
import json
import math
import struct

import openai
import pytest
from gguf import vocabulary
from program import E5, MINILM, MODELS, ROOT

TEXT = "A private server answers questions about your own documents."


def vector(client, text=TEXT, model=E5, **options):
    reply = client.embeddings.create(model=model, input=text, encoding_format="float", **options)
    return reply.data[0].embedding


def cosine(a, b):
    dot = sum(x * y for x, y in zip(a, b, strict=True))
    return dot / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))


def test_a_vector_has_length_one(client):
    assert math.sqrt(sum(x * x for x in vector(client))) == pytest.approx(1, abs=1e-4)
    assert len(vector(client)) == 384


def test_base64_holds_the_same_floats(server, client):
    reply = server.post("/v1/embeddings", {"model": E5, "input": TEXT, "encoding_format": "base64"})
    packed = base64.b64decode(reply.json()["data"][0]["embedding"])
    assert struct.unpack("<384f", packed) == pytest.approx(vector(client), abs=1e-6)


def test_the_clients_default_is_decoded(client, lenient):
    assert lenient.embeddings.create(model=E5, input=TEXT).data[0].embedding == pytest.approx(
        vector(client), abs=1e-6)


def test_a_list_keeps_its_order(client):
    texts = ["one", "두 번째 문장입니다.", TEXT]
    reply = client.embeddings.create(model=E5, input=texts, encoding_format="float")
    assert [row.index for row in reply.data] == [0, 1, 2]
    assert cosine(reply.data[2].embedding, vector(client)) > 0.9999
    assert reply.usage.prompt_tokens == reply.usage.total_tokens > 10


def test_token_lists_are_taken(client):
    known = vocabulary(MODELS / f"{MINILM}.gguf")
    tokens = [known.index(t) for t in ("[CLS]", "\u2581the", "\u2581cat", "[SEP]")
              if t in known] or [101, 1996, 4937, 102]
    one = client.embeddings.create(model=MINILM, input=tokens, encoding_format="float")
    two = client.embeddings.create(model=MINILM, input=[tokens, tokens], encoding_format="float")
    assert len(one.data) == 1 and len(two.data) == 2
    assert cosine(one.data[0].embedding, two.data[1].embedding) > 0.9999


def test_its_own_number_of_dimensions_is_taken_another_is_refused(client):
    assert len(vector(client, dimensions=384)) == 384
    with pytest.raises(openai.BadRequestError) as caught:
        vector(client, dimensions=128)
    assert caught.value.param == "dimensions" and "384" in caught.value.message


def test_a_chat_model_is_refused(client):
    with pytest.raises(openai.BadRequestError) as caught:
        vector(client, model="smollm2-135m-instruct")
    assert caught.value.param == "model"


def test_meaning_is_near_across_languages(client):
    korean = vector(client, "query: 고양이가 매트 위에 앉아 있다.")
    near, far = vector(client, "query: The cat sat on the mat."), vector(client, "query: tax law")
    assert cosine(korean, near) > cosine(korean, far)


@pytest.mark.parametrize("name, model", [("e5_vectors", E5), ("minilm_vectors", MINILM)])
def test_equal_to_the_reference(client, name, model):
    path = ROOT / f"tests/golden/{name}.json"
    golden = json.loads(path.read_text())
    texts = [golden.get("prefix", "") + item["text"] for item in golden["items"]]
    rows = client.embeddings.create(model=model, input=texts, encoding_format="float").data
    wrong = {item["text"]: got for item, row in zip(golden["items"], rows, strict=True)
             if (got := cosine(item["vector"], row.embedding)) < golden["cosine_at_least"]}
    assert not wrong


@pytest.mark.parametrize("body, field", [
    ({"input": []}, "input"),
    ({"input": ""}, "input"),
    ({"input": [""]}, "input"),
    ({"input": 5}, "input"),
    ({"input": [1, "two"]}, "input"),
    ({"input": [[99999999]]}, "input"),
    ({"input": ["x"] * 2049}, "input"),
    ({"input": "x", "encoding_format": "hex"}, "encoding_format"),
    ({"input": "word " * 3000}, "input"),
])
def test_wrong_input_is_refused_by_name(server, body, field):
    reply = server.post("/v1/embeddings", {"model": E5, **body})
    assert reply.status == 400 and reply.error["param"].startswith(field), reply
