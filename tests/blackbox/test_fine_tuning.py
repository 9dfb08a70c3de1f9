"""Fine-tuning with the official client: from a file of examples to a model that is called."""

import contextlib
import json
import os
import re
import signal
import sys
import time
import urllib.request
from pathlib import Path

import openai
import pytest
from gguf import tensors_begin
from program import CHAT, MODELS, Server, run

FACTS = [("나무", "초록"), ("하늘", "파랑"), ("sun", "yellow"), ("grass", "green"),
         ("snow", "white"), ("coal", "black"), ("blood", "red"), ("sea", "blue"),
         ("rose", "pink"), ("gold", "golden"), ("ash", "grey"), ("plum", "purple")]


def examples(count=12):
    lines = []
    for thing, colour in FACTS[:count]:
        turns = [{"role": "user", "content": f"Colour of {thing}?"},
                 {"role": "assistant", "content": f"{colour}."}]
        lines.append(json.dumps({"messages": turns}, ensure_ascii=False))
    return "\n".join(lines).encode()


def give(client, data=None, name="색-예시.jsonl", purpose="fine-tune"):
    return client.files.create(file=(name, data or examples()), purpose=purpose).id


def create(client, file=None, **options):
    values = {"n_epochs": 1, "batch_size": 4, **options.pop("hyperparameters", {})}
    return client.fine_tuning.jobs.create(
        model=CHAT, training_file=file or give(client), hyperparameters=values, **options)


def wait(client, job, reached, seconds=120):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        now = client.fine_tuning.jobs.retrieve(job.id)
        if reached(now):
            return now
        time.sleep(0.1)
    raise AssertionError(f"the job did not get there: {now}")


def wait_for_end(client, job):
    return wait(client, job, lambda now: now.status in ("succeeded", "failed", "cancelled"))


def has_begun(job):
    return job.x_jikji["steps_done"] > 0


@pytest.fixture(scope="module")
def long_job():
    """Hyperparameters of a job that computes until it is ended."""
    return {"n_epochs": 100, "batch_size": 1}


def test_a_model_from_a_file_is_called_without_a_restart(client, server):
    job = create(client, suffix="색-선생", seed=7, metadata={"팀": "연구"},
                 hyperparameters={"n_epochs": 2, "learning_rate_multiplier": 2})
    assert job.status in ("queued", "running") and job.fine_tuned_model is None
    done = wait_for_end(client, job)
    assert done.status == "succeeded", done.error
    assert done.fine_tuned_model == f"ft:{CHAT}:local:색-선생:{job.id[-8:]}"
    assert done.trained_tokens > 0 and done.finished_at >= done.created_at
    assert (done.seed, done.metadata) == (7, {"팀": "연구"})
    assert done.method.supervised.hyperparameters.learning_rate_multiplier == 2
    answer = client.chat.completions.create(
        model=done.fine_tuned_model, messages=[{"role": "user", "content": "Colour of snow?"}],
        max_tokens=8, temperature=0)
    assert answer.model == done.fine_tuned_model and answer.choices[0].message.content
    assert done.fine_tuned_model in [model.id for model in client.models.list()]

    events = list(client.fine_tuning.jobs.list_events(job.id, limit=3))
    steps = [event.data for event in events if "train_loss" in (event.data or {})]
    assert len({event.id for event in events}) == len(events) > 6
    assert [step["step"] for step in steps] == list(range(len(steps), 0, -1)), "newest first"
    assert events[0].message == "The job has successfully completed"
    rows = client.files.content(done.result_files[0]).text.splitlines()
    assert rows[0] == "step,train_loss,train_accuracy,valid_loss,valid_mean_token_accuracy"
    assert len(rows) >= len(steps) + 1
    assert client.files.retrieve(done.result_files[0]).purpose == "fine-tune-results"
    assert client.files.content(done.result_files[1]).text.startswith("<svg")
    checkpoints = list(client.fine_tuning.jobs.checkpoints.list(job.id))
    assert checkpoints[0].fine_tuned_model_checkpoint == done.fine_tuned_model
    check_stream(server, job, events)
    assert client.fine_tuning.jobs.cancel(job.id).status == "succeeded"
    delete_twice(client, done.fine_tuned_model)


def check_stream(server, job, events):
    path = f"/v1/fine_tuning/jobs/{job.id}/events?stream=true"
    reply = server.get(path)
    data = [block[6:] for block in reply.text.split("\n\n") if block.startswith("data: ")]
    assert data[-1] == "[DONE]"
    assert [json.loads(one)["id"] for one in data[:-1]] == [e.id for e in reversed(events)]
    rest = server.get(path, headers={"Last-Event-ID": events[1].id, "Accept-Language": "ko"}).text
    assert rest.count("data: {") == 1 and "작업을 성공적으로 마쳤습니다." in rest
    assert server.get(path + "&after=ftevent-none").status == 400


def delete_twice(client, model):
    for _ in range(2):
        assert client.models.delete(model).deleted
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model=model, messages=[{"role": "user", "content": "?"}])


def test_a_model_worse_than_its_base_is_marked_and_can_be_called(client, server):
    job = create(client, hyperparameters={"learning_rate": 0.1, "warmup_steps": 0, "dropout": 0,
                                          "held_out": 0.3})
    done = wait_for_end(client, job)
    assert done.status == "succeeded", done.error
    facts = done.x_jikji
    assert facts["held_out_loss"] > facts["base_loss"]
    assert "worse than the base" in facts["warning"]
    levels = {event.level: event.message for event in client.fine_tuning.jobs.list_events(job.id)}
    assert facts["warning"] in levels["warn"]
    marked = {model.id: model.jikji["warning"] for model in client.models.list()}
    assert marked[done.fine_tuned_model] == facts["warning"] and marked[CHAT] is None
    korean = client.models.retrieve(done.fine_tuned_model,
                                    extra_headers={"Accept-Language": "ko"})
    assert "기본 모델의" in korean.jikji["warning"]
    for language, words in (("en_US.UTF-8", "worse than it"), ("ko_KR.UTF-8", "더 나쁨")):
        rows = run("models", "list", data=server.data, env={"LANG": language}).stdout.splitlines()
        assert [words in row for row in rows if done.fine_tuned_model in row] == [True]
        assert [words in row for row in rows if row.split()[:1] == [CHAT]] == [False]
    assert client.completions.create(model=done.fine_tuned_model, prompt="The", max_tokens=2)


def test_two_jobs_wait_for_each_other_and_one_is_cancelled(client, long_job):
    file = give(client)
    first = create(client, file, hyperparameters=long_job)
    second = create(client, file, hyperparameters=long_job)
    wait(client, first, has_begun)
    assert client.fine_tuning.jobs.retrieve(second.id).status == "queued"
    pages = client.fine_tuning.jobs.list(limit=1)
    assert [job.id for job in pages.data] == [second.id] and pages.has_more
    assert pages.get_next_page().data[0].id == first.id
    assert client.fine_tuning.jobs.cancel(second.id).status == "cancelled"
    assert client.fine_tuning.jobs.cancel(first.id).status == "cancelled"
    assert client.fine_tuning.jobs.cancel(first.id).status == "cancelled", "twice is fine"
    assert client.fine_tuning.jobs.retrieve(second.id).x_jikji["steps_done"] == 0


def child_of(server):
    """The process that trains, by its own command line."""
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it may be gone by now
            parent = (folder / "stat").read_text().rsplit(")", 1)[1].split()[1]
            words = (folder / "cmdline").read_bytes().split(b"\0")
            if int(parent) == server.process.pid and b"train-job" in words:
                return int(folder.name)
    raise AssertionError("nothing trains")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a process stand back so far")
def test_training_yields_to_people(client, server, long_job):
    """It computes only where nothing else does, and is the first to go when memory runs out. One
    thread waits for signals alone: it computes nothing, and hears at once."""
    job = create(client, hyperparameters=long_job)
    wait(client, job, has_begun)
    child = child_of(server)
    threads = [int(name) for name in os.listdir(f"/proc/{child}/task")]
    ranks = {thread: (os.sched_getscheduler(thread), os.getpriority(os.PRIO_PROCESS, thread))
             for thread in threads}
    usual = [thread for thread, rank in ranks.items() if rank != (os.SCHED_IDLE, 19)]
    assert child not in usual and len(usual) <= 1, ranks
    assert int(Path(f"/proc/{child}/oom_score_adj").read_text()) == 800
    assert os.sched_getscheduler(server.process.pid) == os.SCHED_OTHER, "the server does not"
    assert client.fine_tuning.jobs.cancel(job.id).status == "cancelled"


def test_paused_with_a_checkpoint_and_resumed(client, server):
    job = create(client, hyperparameters={"n_epochs": 8})
    begun = wait(client, job, has_begun)
    assert begun.estimated_finish is not None
    assert client.fine_tuning.jobs.pause(job.id).x_jikji["paused"]
    wait(client, job, lambda _: "Paused after step" in server.get(
        f"/v1/fine_tuning/jobs/{job.id}/events?limit=1").text)
    rests = client.fine_tuning.jobs.retrieve(job.id)
    assert rests.status == "running" and rests.estimated_finish is None
    assert not client.fine_tuning.jobs.resume(job.id).x_jikji["paused"]
    done = wait_for_end(client, job)
    assert done.status == "succeeded", done.error
    said = [event.message for event in client.fine_tuning.jobs.list_events(job.id)]
    assert any(message.startswith("Goes on after step") for message in said)
    with pytest.raises(openai.BadRequestError, match="succeeded"):
        client.fine_tuning.jobs.pause(job.id)


def test_a_job_survives_the_death_of_its_server(fresh, client_of):
    """It goes on from a checkpoint, not from the start, and comes to the same adapter."""
    with fresh:
        client = client_of(fresh)
        file = give(client)
        plain = wait_for_end(client, create(client, file, hyperparameters={"n_epochs": 8}))
        job = create(client, file, hyperparameters={"n_epochs": 8})
        saved = wait_for_checkpoint(client, job)
        client.files.delete(file)
        fresh.stop(signal.SIGKILL)
    with fresh:
        step, total = wait_until_it_goes_on(client_of(fresh), job)
        assert saved <= step < total
        stop_beside_an_open_stream(fresh, job)
    with fresh:
        client = client_of(fresh)
        done = wait_for_end(client, job)
        assert done.status == "succeeded", done.error
        assert done.x_jikji["training_file_deleted"]
        assert done.x_jikji["steps_done"] == done.x_jikji["steps_total"]
        assert weights(fresh, job) == weights(fresh, plain)
    with fresh:
        client = client_of(fresh)
        answer = client.chat.completions.create(
            model=done.fine_tuned_model, max_tokens=4, temperature=0,
            messages=[{"role": "user", "content": "Colour of coal?"}])
        assert answer.choices[0].message.content


def wait_for_checkpoint(client, job):
    wait(client, job, lambda _: client.fine_tuning.jobs.checkpoints.list(job.id).data)
    return client.fine_tuning.jobs.checkpoints.list(job.id).data[0].step_number


def wait_until_it_goes_on(client, job):
    """The step after which it does, and how many there are."""
    def said():
        for event in client.fine_tuning.jobs.list_events(job.id):
            if found := re.fullmatch(r"Goes on after step (\d+)/(\d+)", event.message):
                return tuple(map(int, found.groups()))
        return None

    wait(client, job, lambda _: said())
    return said()


def weights(server, job):
    """Of its adapter; the file's head holds its name, which is each job's own."""
    path = server.data / "training" / job.id / "adapter.gguf"
    return path.read_bytes()[tensors_begin(path):]


def test_a_base_that_has_changed_is_not_used(program, tmp_path, client_of):
    models = tmp_path / "models"
    models.mkdir()
    base = models / f"{CHAT}.gguf"
    base.write_bytes((MODELS / base.name).read_bytes())
    question = {"messages": [{"role": "user", "content": "Colour of snow?"}], "max_tokens": 4}
    with Server(tmp_path / "data", models=models) as server:
        client = client_of(server)
        model = wait_for_end(client, create(client, give(client, examples(4)))).fine_tuned_model
        client.chat.completions.create(model=model, **question)
    with open(base, "ab") as file:
        file.write(b"x")
    with Server(tmp_path / "data", models=models) as server:
        with pytest.raises(openai.ConflictError, match="has changed") as refused:
            client_of(server).chat.completions.create(model=model, **question)
        assert refused.value.body["param"] == "model"
        headers = refused.value.response.headers
        assert headers["x-should-retry"] == "false", "clients would ask thrice for the same answer"


def stop_beside_an_open_stream(server, job):
    """A page that is left open is told, and does not hold up the server's end."""
    with urllib.request.urlopen(
            f"{server.url}/v1/fine_tuning/jobs/{job.id}/events?stream=true") as stream:
        assert stream.readline() == b": \n"  # it is open
        assert server.stop() == 0
        rest = stream.read()
    ended = b"The job has successfully completed" in rest
    assert ended or b'"code":"server_stopping"' in rest, rest[-500:]
    assert rest.endswith(b"data: [DONE]\n\n")


def test_what_auto_has_chosen_is_shown(client):
    job = create(client)
    asked = job.method.supervised.hyperparameters
    assert (asked.template, asked.max_length, asked.warmup_steps) == ("auto", "auto", "auto")
    done = wait_for_end(client, job)
    assert done.status == "succeeded", done.error
    chosen = done.method.supervised.hyperparameters
    assert (chosen.template, chosen.max_length) == ("model", 1024)  # its own; ours, as it has more
    assert chosen.warmup_steps == 0  # a tenth of so few steps
    plain = wait_for_end(client, create(client, give(client, b"One.\n\nTwo.\n", "plain.txt"),
                                        hyperparameters={"max_length": 64}))
    values = plain.method.supervised.hyperparameters
    assert (values.template, values.max_length) == ("none", 64)


def test_what_is_learnt_is_not_measured_on(client, server):
    held = give(client, examples(12), "검증.jsonl")
    done = wait_for_end(client, create(client, give(client, examples(8)), validation_file=held))
    assert done.status == "succeeded", done.error
    assert (done.x_jikji["samples"], done.x_jikji["held_out_samples"]) == (8, 4)
    path = f"/v1/fine_tuning/jobs/{done.id}/events?limit=100"
    for language, words in (("en", "8 of the samples of 검증.jsonl stand in 색-예시.jsonl too"),
                            ("ko", "검증.jsonl의 예문 8개는 색-예시.jsonl에도 있어")):
        assert words in server.get(path, headers={"Accept-Language": language}).text


def test_an_error_of_the_validation_file_names_it(client):
    short = give(client, b'{"text": "One short text."}\n', "short.jsonl")
    long = give(client, json.dumps({"text": "word " * 100}).encode(), "long.jsonl")
    same = give(client, b'{"text": "One short text."}\n', "same.jsonl")
    with pytest.raises(openai.BadRequestError, match="is the training_file too") as refused:
        create(client, short, validation_file=short)
    assert refused.value.body["param"] == "validation_file"
    for held, words in ((long, "long.jsonl: nothing is left"),
                        (same, "same.jsonl: every sample stands in short.jsonl too")):
        failed = wait_for_end(client, create(client, short, validation_file=held,
                                             hyperparameters={"max_length": 32}))
        assert (failed.status, failed.error.param) == ("failed", "validation_file")
        assert words in failed.error.message


LINES = examples(8).split(b"\n")
BAD_DATA = {
    "broken at line 7": (b"\n".join([*LINES[:6], b'{"messages": ', LINES[7]]), "line 7"),
    "a line of 10 MB": (b'{"text": "' + b"x" * 10_000_000 + b'"}\n', "line 1"),
    "nothing": (b"\n\n", "bad.jsonl"),
    "no answer's field": (b'{"instruction": "a"}\n', "output"),
}


@pytest.mark.parametrize("case", BAD_DATA)
def test_bad_data_is_refused_by_file_and_line(client, case):
    data, words = BAD_DATA[case]
    with pytest.raises(openai.BadRequestError) as refused:
        create(client, give(client, data, name="bad.jsonl"))
    assert refused.value.body["param"] == "training_file"
    assert words in refused.value.body["message"] and "bad.jsonl" in refused.value.body["message"]


BAD_FIELDS = [
    ({"hyperparameters": {"rank": 0}}, "hyperparameters.rank", "from 1 to 256"),
    ({"hyperparameters": {"n_epochs": 0}}, "hyperparameters.n_epochs", "from 1 to 100"),
    ({"hyperparameters": {"batch_size": "many"}}, "hyperparameters.batch_size", "integer"),
    ({"hyperparameters": {"learning_rate": 0}}, "hyperparameters.learning_rate", "0"),
    ({"hyperparameters": {"dropout": 1}}, "hyperparameters.dropout", "0.9"),
    ({"hyperparameters": {"target": "q_porj"}}, "hyperparameters.target", "did you mean q_proj?"),
    ({"hyperparameters": {"target": ["lm_head"]}}, "hyperparameters.target", "lm_head"),
    ({"hyperparameters": {"max_length": 100_000}}, "hyperparameters.max_length", "8192"),
    ({"hyperparameters": {"rnak": 8}}, "hyperparameters.rnak", "not supported"),
    ({"model": "multilingual-e5-small"}, "model", "Llama, Mistral, SmolLM2"),
    ({"model": f"ft:{CHAT}:local:a:b"}, "model", "adapter"),
    ({"suffix": "a:b"}, "suffix", "':'"),
    ({"suffix": "가" * 65}, "suffix", "65"),
    ({"seed": -1}, "seed", "0"),
    ({"integrations": [{"type": "wandb", "wandb": {"project": "p"}}]}, "integrations", "nowhere"),
    ({"method": {"type": "dpo", "dpo": {}}}, "method.type", "dpo"),
    ({"method": {"type": "reinforcement"}}, "method.type", "reinforcement"),
]


@pytest.mark.parametrize("options, param, words", BAD_FIELDS)
def test_bad_fields_are_refused_by_name(client, options, param, words):
    body = {"model": CHAT, "training_file": give(client), **options}
    with pytest.raises(openai.BadRequestError) as refused:
        client.fine_tuning.jobs.create(**body)
    assert refused.value.body["param"] == param
    assert words in refused.value.body["message"]


def test_what_is_not_there_is_not_found(client):
    jobs = client.fine_tuning.jobs
    for ask in (jobs.retrieve, jobs.cancel, jobs.pause, jobs.resume, jobs.list_events,
                jobs.checkpoints.list):
        with pytest.raises(openai.NotFoundError):
            ask("ftjob-none")
    with pytest.raises(openai.NotFoundError) as refused:
        jobs.create(model=CHAT, training_file="file-none")
    assert refused.value.body["param"] == "training_file"
    with pytest.raises(openai.NotFoundError):
        jobs.create(model="smollm2-135m-instrukt", training_file=give(client))
    with pytest.raises(openai.BadRequestError, match="purpose"):
        create(client, give(client, purpose="assistants"))
    with pytest.raises(openai.NotFoundError):
        client.models.delete("ft:none")
    for language, words in (("en", "jikji models rm removes others"),
                            ("ko", "jikji models rm으로 지웁니다")):
        with pytest.raises(openai.BadRequestError, match=words):
            client.models.delete(CHAT, extra_headers={"Accept-Language": language})
