"""The form of a model's weights that is fastest on this machine: chosen, shown, turned off."""

import json

import tiny_gguf
from program import CHAT, MODELS, Server, eventually, run


def models(*words, data):
    return run("models", *words, "--data", data, "--models", MODELS)


def test_the_choice_is_made_shown_and_forgotten_with_the_data(tmp_path):
    before = models("show", CHAT, data=tmp_path)
    assert "not measured here yet" in before.stdout
    done = models("optimise", CHAT, "--json", "--quiet", data=tmp_path)
    assert done.returncode == 0, done.stderr
    choice = json.loads(done.stdout)
    assert choice["layout"] in ("as-published", "q8_0") and choice["reason"]
    shown = models("show", CHAT, data=tmp_path)
    assert choice["layout"] in shown.stdout and choice["reason"] in shown.stdout
    assert json.loads(models("show", CHAT, "--json", data=tmp_path).stdout)["weights"] == choice
    assert not list(tmp_path.rglob("*.part"))


def test_any_chat_model_that_is_used_is_measured(tmp_path):
    """The default one is known from the start; a second one when a request first names it."""
    folder = tmp_path / "models"
    folder.mkdir()
    for seed, name in enumerate(("first", "second")):
        tiny_gguf.write_tiny_gguf(folder / f"{name}.gguf", seed)

    with Server(tmp_path / "data", models=folder) as server:
        def considered(name):
            return f"measuring in the background which weights of {name} " in server.output

        eventually(lambda: considered("first"))
        assert not considered("second")
        reply = server.post("/v1/completions", {"model": "second", "prompt": "a", "max_tokens": 1})
        assert reply.status == 200, reply
        eventually(lambda: considered("second"))


def test_perplexity_of_our_text_and_of_a_file(tmp_path):
    ours = models("perplexity", CHAT, "--json", data=tmp_path)
    assert ours.returncode == 0, ours.stderr
    told = json.loads(ours.stdout)
    assert told["tokens"] >= 1000 and 8 < told["perplexity"] < 16
    # A text that repeats itself is easier; llama.cpp's own program says 3.76 of it.
    (tmp_path / "ones.txt").write_text("one two three four " * 400)
    easy = models("perplexity", CHAT, "--json", "--text", tmp_path / "ones.txt", data=tmp_path)
    assert 3.5 < json.loads(easy.stdout)["perplexity"] < 4


def test_what_cannot_be_scored_is_refused_in_words(tmp_path):
    (tmp_path / "short.txt").write_text("too short")
    short = models("perplexity", CHAT, "--text", tmp_path / "short.txt", data=tmp_path)
    assert short.returncode == 1 and "give one of at least 256" in short.stderr
    vectors = models("perplexity", "all-minilm-l6-v2", data=tmp_path)
    assert vectors.returncode == 1 and "predicts no text" in vectors.stderr
    missing = models("optimise", "no-such-model", data=tmp_path)
    assert missing.returncode == 1 and "not installed" in missing.stderr


def test_serve_knows_only_its_two_ways():
    wrong = run("serve", "--weights", "fastest")
    assert wrong.returncode == 2 and "as-published" in wrong.stderr
