"""What models there are: over the API and on the command line."""

import openai
import pytest
from gguf import metadata
from program import CHAT, E5, MINILM, MODELS, run


def test_the_list_has_the_installed_models(client):
    models = list(client.models.list())
    assert {CHAT, E5, MINILM} <= {model.id for model in models}
    assert all(model.object == "model" and model.owned_by and model.created for model in models)


def test_one_model_by_its_name(client):
    assert client.models.retrieve(CHAT).id == CHAT


def test_an_unknown_one_is_404(client):
    with pytest.raises(openai.NotFoundError) as caught:
        client.models.retrieve("org/no such:model")
    assert caught.value.code == "model_not_found" and caught.value.param == "model"


def test_list_on_the_command_line():
    done = run("models", "list", "--models", MODELS)
    assert done.returncode == 0 and CHAT in done.stdout and "mistral-7b-instruct-v0.2" in done.stdout


def test_show_says_what_a_person_must_know():
    done = run("models", "show", CHAT, "--models", MODELS)
    assert done.returncode == 0, done.stderr
    context = metadata(MODELS / f"{CHAT}.gguf")["llama.context_length"]
    for word in ("134", "Q4_1", str(context), "llama", "template", "fits"):
        assert word in done.stdout, word


def test_show_in_korean():
    done = run("models", "show", CHAT, "--models", MODELS, env={"LANG": "ko_KR.UTF-8"})
    assert any("가" <= letter <= "힣" for letter in done.stdout)


def test_a_wrong_name_gets_a_suggestion():
    done = run("models", "show", "smollm2-135m-instrukt", "--models", MODELS)
    assert done.returncode != 0 and CHAT in done.stderr


def test_pull_leaves_what_is_there():
    done = run("models", "pull", CHAT, "--models", MODELS, timeout=60)
    assert done.returncode == 0, done.stderr


def test_a_text_renamed_gguf_is_refused(tmp_path):
    fake = tmp_path / "fake.gguf"
    fake.write_text("this is no model\n" * 100)
    done = run("models", "add", fake, "--models", tmp_path / "models")
    assert done.returncode != 0 and "GGUF" in done.stderr
    assert not list((tmp_path / "models").glob("*.gguf"))


@pytest.mark.parametrize("keep", [3, 8, 20, 200, 5000, 1_000_000, -4096])
def test_a_truncated_gguf_is_refused(tmp_path, keep):
    whole = (MODELS / f"{CHAT}.gguf").read_bytes()
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(whole[:keep])
    done = run("models", "add", cut, "--models", tmp_path / "models")
    assert done.returncode == 1 and done.stderr.strip(), done
    assert not list((tmp_path / "models").glob("*.gguf"))


def test_a_whole_gguf_is_taken_in_shown_and_removed(tmp_path):
    models = tmp_path / "models"
    assert run("models", "add", MODELS / f"{CHAT}.gguf", "--name", "mine", "--models",
               models).returncode == 0
    assert "mine" in run("models", "list", "--models", models).stdout
    assert run("models", "rm", "mine", "--models", models).returncode == 0
    assert not list(models.glob("mine*"))
