"""The command line, as a person types it: with and without a running server."""

import json
import re

import pytest
from documents import ENGLISH, KOREAN
from program import CHAT, MODELS, run


@pytest.fixture(scope="module")
def data(program, tmp_path_factory):
    """A data folder that holds two documents, put there by the command line alone."""
    place = tmp_path_factory.mktemp("cli")
    papers = place / "문서 폴더"
    papers.mkdir()
    (papers / "도서관 안내.md").write_text(KOREAN)
    (papers / "observatory.md").write_text(ENGLISH)
    done = jikji("ingest", papers, data=place / "data")
    assert done.returncode == 0, done.stderr
    assert "도서관 안내.md" in done.stdout + done.stderr
    return place / "data"


def jikji(*arguments, data, **options):
    return run(*arguments, "--models", MODELS, data=data, **options)


def has_korean(text):
    return any("가" <= letter <= "힣" for letter in text)


def test_ask_in_korean(data):
    done = jikji("ask", "책은 며칠 동안 빌릴 수 있나요?", data=data)
    assert done.returncode == 0, done.stderr
    assert "도서관 안내.md" in done.stdout and "14일" in done.stdout


def test_ask_in_english_as_json(data):
    done = jikji("ask", "--json", "When does the dome open to visitors?", data=data)
    answer = json.loads(done.stdout)
    assert answer["found"] and answer["citations"][0]["filename"] == "observatory.md"


@pytest.mark.parametrize("question, words", [
    ("양자컴퓨터의 큐비트 오류율은 얼마인가요?", "모른다|모릅니다"),
    ("What is the GDP of Brazil in 2019?", "not in the documents"),
])
def test_ask_what_is_not_there(data, question, words):
    assert re.search(words, jikji("ask", question, data=data).stdout)


def test_commands_use_the_running_server(server, tmp_path):
    done = jikji("chat", "What is the capital of France? Answer in one sentence.", "--temperature", "0",
                 "--max-tokens", "20", data=server.data)
    assert done.returncode == 0 and "Paris" in done.stdout, done


def test_chat_without_a_server(data):
    done = jikji("chat", "What is the capital of France? Answer in one sentence.", "--temperature", "0",
                 "--max-tokens", "20", data=data)
    assert done.returncode == 0 and "Paris" in done.stdout, done.stderr


def test_a_conversation_on_standard_input(server):
    done = jikji("chat", "--temperature", "0", "--max-tokens", "12", data=server.data,
                 input="What is the capital of France? Answer in one sentence.\nAnd of Italy?\n")
    assert done.returncode == 0 and "Paris" in done.stdout, done


def test_chat_with_a_role(server):
    done = jikji("chat", "비가 왜 오나요?", "--template", "teacher", "--max-tokens", "8",
                 data=server.data)
    assert done.returncode == 0 and done.stdout.strip(), done.stderr


def test_prompts_on_the_command_line(server):
    assert "teacher" in jikji("prompts", "list", data=server.data).stdout
    assert "친절한 선생님" in jikji("prompts", "show", "teacher", data=server.data).stdout
    wrong = jikji("prompts", "show", "techer", data=server.data)
    assert wrong.returncode != 0 and "teacher" in wrong.stderr


def test_batch_answers_each_line_once_in_order(server, tmp_path):
    lines = [json.dumps({"prompt": f"Say the number {n}.", "max_tokens": 4}) for n in range(6)]
    lines.insert(2, "this is no json")
    lines.insert(4, json.dumps({"prompt": "x", "temperature": 9}))
    file = tmp_path / "질문.jsonl"
    file.write_text("\n".join(lines) + "\n")
    done = jikji("batch", file, data=server.data)
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(results) == 8
    failed = [n for n, result in enumerate(results) if result.get("error")]
    assert failed == [2, 4]
    assert done.returncode != 0  # part of it failed, and that was said


def test_eval_answer(data):
    done = jikji("eval", "answer", "--response", "감사합니다. abcd", "--expected", "bcde", data=data)
    assert done.returncode == 0 and "relevance" in done.stdout


def test_korean_readers_get_korean(data):
    english = run("help")
    korean = run("help", env={"LANG": "ko_KR.UTF-8"})
    assert english.returncode == korean.returncode == 0
    assert has_korean(korean.stdout) and not has_korean(english.stdout)
    wrong = run("models", "show", "none", "--models", MODELS, env={"LANG": "ko_KR.UTF-8"})
    assert wrong.returncode != 0 and has_korean(wrong.stderr)


@pytest.mark.parametrize("arguments, words", [
    (["sreve"], "serve"),
    (["serve", "--prot", "1"], "--port"),
    (["serve", "--port", "99999"], "65535"),
    (["serve", "--port", "http"], "port"),
    (["models", "lits"], "list"),
    (["ask"], "question"),
    (["models", "show"], "model"),
])
def test_wrong_words_and_flags_are_named_with_a_way_on(arguments, words):
    done = run(*arguments)
    assert done.returncode != 0 and words in done.stderr, done
    assert "terminate" not in done.stderr


@pytest.mark.parametrize("arguments", [
    ["ingest", "/no/such/folder"],
    ["batch", "/no/such/file.jsonl"],
    ["models", "add", "/no/such/model.gguf"],
    ["models", "import", "/no/such/folder"],
    ["serve", "--port", "0", "--api-key-file", "/no/such/keys"],
    ["serve", "--port", "0", "--chat-model", "no-such-model"],
])
def test_wrong_paths_are_named(program, tmp_path, arguments):
    done = jikji(*arguments, data=tmp_path / "data", timeout=60)
    assert done.returncode not in (0, 134, 139)
    assert arguments[-1] in done.stdout + done.stderr, done


def test_an_empty_folder_is_said(program, tmp_path):
    (tmp_path / "empty").mkdir()
    done = jikji("ingest", tmp_path / "empty", data=tmp_path / "data")
    assert done.returncode != 0 and str(tmp_path / "empty") in done.stderr + done.stdout


def test_a_data_folder_that_cannot_be_made(program, tmp_path):
    (tmp_path / "file").write_text("x")
    done = jikji("serve", "--port", "0", data=tmp_path / "file" / "data", timeout=30)
    assert done.returncode not in (0, 134, 139) and done.stderr.strip()


def test_one_bad_file_does_not_stop_the_rest(program, tmp_path):
    papers = tmp_path / "papers"
    papers.mkdir()
    (papers / "good.md").write_text(ENGLISH)
    (papers / "bad.pdf").write_bytes(b"%PDF-1.7\nnothing")
    done = jikji("ingest", papers, data=tmp_path / "data")
    assert done.returncode != 0 and "bad.pdf" in done.stdout + done.stderr
    asked = jikji("ask", "When does the dome open to visitors?", data=tmp_path / "data")
    assert "19:30" in asked.stdout


def test_version():
    assert run("--version").stdout.strip()


def test_doctor(data):
    done = jikji("doctor", data=data)
    assert done.returncode == 0 and CHAT in done.stdout, done
