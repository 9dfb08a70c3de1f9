"""jikji train, as a person types it: a file of samples to a model that can be talked with."""

import json
import re
import signal
import subprocess
import time

import pytest

from program import CHAT, JIKJI, MODELS, environment

SECONDS_MAX = 60  # of one command; a guard, not a measure

COLOURS = ["red", "blue", "green", "white", "black", "brown", "pink", "grey", "gold", "lime", "navy"]


def samples(folder, count=11, name="samples.jsonl"):
    lines = [{"instruction": f"Which colour has number {i}?", "output": f"{COLOURS[i]}."}
             for i in range(count)]
    path = folder / name
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def command(*arguments):
    return [str(JIKJI), "train", *map(str, arguments)]


def jikji_train(*arguments, **changes):
    return subprocess.run(command(*arguments), capture_output=True, text=True, timeout=SECONDS_MAX,
                          stdin=subprocess.DEVNULL,
                          env=environment(JIKJI_MODELS=str(MODELS), **changes))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A finished job: its data folder, and what the command said."""
    folder = tmp_path_factory.mktemp("train")
    file = samples(folder)
    with file.open("a") as more:  # of no use: an equal sample and one without an answer
        more.write(file.read_text().splitlines()[0] + "\n")
        more.write('{"instruction": "and 12?", "output": " "}\n')
    done = jikji_train("--data", file, "--model", CHAT, "--epochs", 1, "--suffix", "colours",
                       "--data-folder", folder / "data")
    assert done.returncode == 0, done.stderr
    return folder / "data", done


def test_what_was_found_and_the_time_come_first_and_the_name_last(trained):
    _, done = trained
    assert re.fullmatch(rf"ft:{CHAT}:local:colours:[a-z0-9]+\n", done.stdout)
    line = next(x for x in done.stderr.splitlines() if "Training data ready" in x)
    assert "10 samples (1 held out)" in line
    assert "1 duplicates, 1 empty, 0 too long" in line
    assert re.search(r"about \d+ (s|min)", line)
    assert done.stderr.index(line) < done.stderr.index("held-out loss")
    assert re.search(r"held-out loss \d+\.\d+; the base alone: \d+\.\d+", done.stderr)
    assert f"jikji chat --data {trained[0]} --model {done.stdout.strip()}" in done.stderr


def test_the_new_model_answers(trained):
    data, done = trained
    said = subprocess.run(
        [str(JIKJI), "chat", "--data", str(data), "--model", done.stdout.strip(),
         "--max-tokens", "8", "Which colour has number 1?"],
        capture_output=True, text=True, timeout=SECONDS_MAX, stdin=subprocess.DEVNULL,
        env=environment(JIKJI_MODELS=str(MODELS)))
    assert said.returncode == 0, said.stderr
    assert said.stdout.strip()


def test_list_and_show(trained):
    data, done = trained
    jobs = json.loads(jikji_train("list", "--data", data, "--json").stdout)
    mine = [job for job in jobs if job["fine_tuned_model"] == done.stdout.strip()]
    assert len(mine) == 1
    assert mine[0]["status"] == "succeeded"
    shown = jikji_train("show", mine[0]["id"], "--data", data)
    assert shown.returncode == 0
    assert "succeeded" in shown.stdout and "training loss=" in shown.stdout
    listed = jikji_train("list", "--data-folder", data).stdout
    assert mine[0]["id"] in listed
    again = jikji_train("pause", mine[0]["id"], "--data", data)
    assert again.returncode == 1
    assert "cannot be paused" in again.stderr


def test_ctrl_c_pauses_and_resume_goes_on_to_the_end(tmp_path):
    file, data = samples(tmp_path), tmp_path / "data"
    log = tmp_path / "log"
    with log.open("w") as output:
        running = subprocess.Popen(
            command("--data", file, "--model", CHAT, "--epochs", 3, "--data-folder", data),
            stdout=output, stderr=output, stdin=subprocess.DEVNULL,
            env=environment(JIKJI_MODELS=str(MODELS)))
        end = time.monotonic() + SECONDS_MAX
        while "Training data ready" not in log.read_text() and time.monotonic() < end:
            time.sleep(0.05)
        running.send_signal(signal.SIGINT)
        assert running.wait(SECONDS_MAX) == 1
    said = log.read_text()
    assert re.search(r"paused after step \d+ of 9", said), said
    resume = re.search(rf"go on: +jikji train resume --data {data} (ftjob-\S+)", said)
    assert resume, said
    job = resume.group(1)
    assert "paused" in jikji_train("list", "--data", data).stdout
    done = jikji_train("resume", job, "--data", data, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["status"] == "succeeded"


BAD = [
    (["--rank", "0"], "rank is 0; give an integer from 1 to 256"),
    (["--target", "q_prj"], "did you mean q_proj"),
    (["--model", "no-such-model"], "no-such-model"),
    (["--template", "jinja"], "template"),
]


@pytest.mark.parametrize("flags, said", BAD)
def test_what_cannot_be_done_is_said_at_once(tmp_path, flags, said):
    model = [] if "--model" in flags else ["--model", CHAT]
    done = jikji_train("--data", samples(tmp_path), *model, *flags, "--data-folder",
                       tmp_path / "data")
    assert done.returncode == 1
    assert said in done.stderr
    assert "ftjob-" not in done.stdout


def test_bad_data_is_named_by_line_in_both_languages(tmp_path):
    file = samples(tmp_path, 6)
    with file.open("a") as more:
        more.write('{"instruction": "7", "output": x}\n')
    flags = ["--data", file, "--model", CHAT, "--data-folder", tmp_path / "data"]
    english = jikji_train(*flags)
    assert english.returncode == 1
    assert "samples.jsonl line 7: the JSON is broken at column 32" in english.stderr
    korean = jikji_train(*flags, LANG="ko_KR.UTF-8")
    assert "samples.jsonl 7번째 줄: JSON이 32번째 글자에서 깨져 있습니다" in korean.stderr
    assert json.loads(jikji_train("list", "--data", tmp_path / "data", "--json").stdout) == []


def test_a_job_that_fails_is_printed_as_json_too(tmp_path):
    done = jikji_train("--data", samples(tmp_path), "--model", CHAT, "--max-length", 8, "--json",
                       "--data-folder", tmp_path / "data")
    assert done.returncode == 1
    job = json.loads(done.stdout)
    assert job["status"] == "failed"
    assert job["error"]["message"] in done.stderr and "max_length" in job["error"]["message"]


def test_data_may_be_a_folder_with_one_file_and_nothing_else(tmp_path):
    (tmp_path / "two").mkdir()
    samples(tmp_path / "two", name="a.jsonl")
    samples(tmp_path / "two", name="b.jsonl")
    flags = ["--model", CHAT, "--data-folder", tmp_path / "data"]
    assert "2 files (a.jsonl, b.jsonl)" in jikji_train("--data", tmp_path / "two", *flags).stderr
    assert "there is no file" in jikji_train("--data", tmp_path / "none", *flags).stderr
    jikji_train("list", "--data", tmp_path / "data")
    mistaken = jikji_train("--data", tmp_path / "data", *flags)
    assert "--data-folder" in mistaken.stderr


def test_without_samples_or_model_it_says_how():
    done = jikji_train("--model", CHAT)
    assert done.returncode == 2
    assert "jikji train --data FILE --model NAME" in done.stderr
