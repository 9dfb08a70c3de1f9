"""`jikji train-job FOLDER`, the child that trains: what it says, and that nothing which ends it,
at whatever moment, changes what comes out. On a model of 100,000 weights; and once on the real
one."""

import contextlib
import hashlib
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import time

import pytest

from program import CHAT, JIKJI, MODELS, environment
from tiny_gguf import write_tiny_gguf

KILLS = 20
STEPS = 36  # 48 samples in batches of 4, three times
RESULTS = ("adapter.gguf", "metrics.csv")


def samples(count):
    draw = random.Random(5)
    lines = []
    for _ in range(count):
        a, b = draw.randint(1, 99), draw.randint(1, 99)
        lines.append(json.dumps({"instruction": f"Add {a} and {b}.", "input": "",
                                 "output": f"{a} + {b} = {a + b}"}))
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A folder with a base and data that every test of this file shares."""
    folder = tmp_path_factory.mktemp("tiny")
    write_tiny_gguf(folder / "tiny.gguf")
    (folder / "data.jsonl").write_text(samples(53))
    return folder


def make_job(tiny, folder, **changes):
    base = tiny / "tiny.gguf"
    job = {"adapter": "ft:tiny:local:test:1",
           "base": {"name": "tiny", "path": str(base),
                    "sha256": hashlib.sha256(base.read_bytes()).hexdigest()},
           "data": {"path": str(tiny / "data.jsonl"), "name": "mine.jsonl"},
           "template": "alpaca", "checkpoint_steps": 1, "threads": 1, "rank": 128, **changes}
    folder.mkdir()
    (folder / "job.json").write_text(json.dumps(job))
    return folder


def start(folder, **options):
    return subprocess.Popen([str(JIKJI), "train-job", str(folder), "--foreground"],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            env=environment(OMP_WAIT_POLICY="passive"), **options)


def events_of(output):
    return [json.loads(line) for line in output.splitlines()]


def run(folder, **options):
    """All events of a run to its end, and its exit code."""
    child = start(folder, **options)
    output, errors = child.communicate(timeout=300)
    assert errors == "", errors
    return events_of(output), child.returncode


def of(events, kind):
    return [event for event in events if event["event"] == kind]


def half_written(folder):
    return any(name.endswith(".part") for name in os.listdir(folder))


@pytest.fixture(scope="module")
def whole(tiny, tmp_path_factory):
    """What a run gives that nobody disturbs: its folder, its events, its seconds."""
    folder = make_job(tiny, tmp_path_factory.mktemp("whole") / "job")
    began = time.monotonic()
    events, code = run(folder)
    assert code == 0, events
    return folder, events, time.monotonic() - began


def assert_same(folder, other):
    for name in RESULTS:
        assert (folder / name).read_bytes() == (other / name).read_bytes(), name
    last = f"ckpt-{STEPS}.gguf"  # values and both moments, and their sum
    assert (folder / last).read_bytes() == (other / last).read_bytes()


def test_what_a_job_says(whole):
    folder, events, _ = whole
    prepared = events[0]
    assert prepared["event"] == "prepared"
    assert (prepared["samples"], prepared["held_out"]) == (48, 5)
    assert prepared["steps_total"] == STEPS and prepared["steps_done"] == 0
    assert prepared["warmup_steps"] == 3 and "warm-up is 3" in " ".join(prepared["notes"])
    assert prepared["template"] == "alpaca" and prepared["seconds_estimate"] > 0
    steps = of(events, "step")
    assert [s["step"] for s in steps] == list(range(1, STEPS + 1))
    assert steps[0]["rate"] == 0 and steps[3]["rate"] == pytest.approx(3e-4)
    assert steps[-1]["epoch"] == 3 and steps[-1]["tokens_done"] == 3 * prepared["tokens"]
    held_out = of(events, "held_out")
    assert [h["step"] for h in held_out] == [0, 12, 24, 36]
    assert all(h["base_loss"] == held_out[0]["loss"] for h in held_out)
    done = events[-1]
    assert done["event"] == "done" and done["steps"] == STEPS
    assert done["base_loss"] == held_out[0]["loss"]
    assert done["worse_than_base"] == (done["held_out_loss"] > done["base_loss"])
    rows = (folder / "metrics.csv").read_text().splitlines()
    assert len(rows) == STEPS + 2
    assert (folder / "loss.svg").read_text().startswith("<svg ")
    kept = sorted(path.name for path in folder.glob("ckpt-*"))
    assert kept == ["ckpt-35.gguf", "ckpt-36.gguf"]
    assert not half_written(folder)


def test_row_10_two_runs_are_bit_equal(tiny, whole, tmp_path):
    """With two threads sums may be cut in another way: equal among themselves, near to one's."""
    for name, threads, like in (("again", 1, whole[0]), ("two", 2, None),
                                ("two-again", 2, tmp_path / "two")):
        events, code = run(make_job(tiny, tmp_path / name, threads=threads))
        assert code == 0, events
        if like:
            assert_same(tmp_path / name, like)
        else:
            losses = [s["loss"] for s in of(events, "step")]
            assert losses == pytest.approx([s["loss"] for s in of(whole[1], "step")], rel=1e-2)


def kill_somewhere(child, folder, seconds, draw):
    """At a random moment; every other time as soon as a file is half written then."""
    end = time.monotonic() + draw.uniform(0, seconds)
    in_save = draw.random() < 0.5
    while time.monotonic() < end:
        time.sleep(0.001)
    while in_save and child.poll() is None and not half_written(folder):
        pass
    child.kill()
    child.communicate()
    return child.returncode == -signal.SIGKILL


def test_row_9_killed_at_random_moments_it_comes_to_the_same_bits(tiny, whole, tmp_path):
    plain, _, seconds = whole
    draw = random.Random(11)
    kills, torn, job = 0, 0, 0
    while kills < KILLS:
        job += 1
        folder = make_job(tiny, tmp_path / f"job-{job}")
        while kill_somewhere(start(folder), folder, seconds * 0.4, draw):
            kills += 1
            torn += half_written(folder)
        events, code = run(folder)
        assert code == 0, events
        assert_same(folder, plain)
        assert not half_written(folder)
    assert torn > 0, "no kill fell into a save"


def test_sigterm_keeps_every_step(tiny, whole, tmp_path):
    folder = make_job(tiny, tmp_path / "job", checkpoint_steps=0)
    child = start(folder)
    lines = []
    for line in child.stdout:
        lines.append(line)
        if '"event":"step"' in line and len(of(events_of("".join(lines)), "step")) == 5:
            child.send_signal(signal.SIGTERM)
            break
    rest, _ = child.communicate(timeout=60)
    assert child.returncode == 0
    events = events_of("".join(lines) + rest)
    assert events[-1]["event"] == "stopped"
    steps = of(events, "step")[-1]["step"]
    assert events[-1]["step"] == steps and (folder / f"ckpt-{steps}.gguf").exists()
    events, code = run(folder)
    assert code == 0 and events[0]["steps_done"] == steps
    assert of(events, "step")[0]["step"] == steps + 1
    assert_same(folder, whole[0])


def test_a_job_that_is_done_says_so_again(tiny, whole, tmp_path):
    folder = tmp_path / "job"
    shutil.copytree(whole[0], folder)
    events, code = run(folder)
    assert code == 0 and [e["event"] for e in events] == ["prepared", "done"]
    assert events[-1] == whole[1][-1]
    assert_same(folder, whole[0])


def test_files_that_may_not_be_so_large_end_no_training(tiny, whole, tmp_path):
    """Over 20 kB, that is: checkpoints are larger, all else is smaller. No checkpoint that goes
    would help, unlike on a full disk."""
    folder = make_job(tiny, tmp_path / "job", targets=["q_proj"], rank=8)

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    stopped = start(folder, preexec_fn=limit)
    output, _ = stopped.communicate(timeout=60)
    events = events_of(output)
    assert any("no checkpoint could be written" in n["message"] for n in of(events, "note"))
    assert of(events, "checkpoint") == [] and not list(folder.glob("ckpt-*"))
    assert len(of(events, "step")) == STEPS and events[-1]["event"] == "done", events[-1]


@pytest.fixture
def small_disk(tmp_path):
    """Makes a file system of so many bytes; needs the right to mount one."""
    places = []

    def make(size):
        place = tmp_path / f"disk-{len(places)}"
        place.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={int(size)}", "tmpfs", str(place)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            pytest.skip(f"no right to mount a small file system here: {done.stderr.strip()}")
        places.append(place)
        return place

    yield make
    for place in places:
        subprocess.run(["umount", "-l", str(place)], check=True)


def fill(file):
    """Whatever room there is goes into that file."""
    for size in (1 << 16, 1):
        with file.open("ab", buffering=0) as out, contextlib.suppress(OSError):
            while True:
                out.write(b"x" * size)


def checkpoints_in(folder):
    return sorted(int(path.stem.removeprefix("ckpt-")) for path in folder.glob("ckpt-*.gguf"))


def test_the_older_checkpoint_makes_room_on_a_disk_for_two(tiny, whole, tmp_path, small_disk):
    """A new one is written before an old one goes: that would need room for three."""
    one = (whole[0] / f"ckpt-{STEPS}.gguf").stat().st_size
    folder = make_job(tiny, small_disk(2.6 * one) / "job")
    events, code = run(folder)
    assert code == 0, events[-1]
    assert of(events, "note") == [] and len(of(events, "checkpoint")) == STEPS
    assert_same(folder, whole[0])


def test_the_newest_checkpoint_survives_a_full_disk(tiny, whole, tmp_path, small_disk):
    """Others have filled it after two were written; when there is room the same bits come out."""
    folder = make_job(tiny, small_disk(16 << 20) / "job")
    child = start(folder)
    for line in child.stdout:
        if '"event":"checkpoint"' in line and '"step":2' in line:
            child.send_signal(signal.SIGTERM)
            break
    child.communicate(timeout=60)
    older, newest = checkpoints_in(folder)
    assert newest < STEPS, "it has to have something left to do"
    (folder / f"ckpt-{older}.gguf").unlink()  # else it would make the room that is needed
    fill(folder.parent / "of-others")
    kept = (folder / f"ckpt-{newest}.gguf").read_bytes()

    events, code = run(folder)
    assert code == 1 and events[-1]["event"] == "error", events[-1]
    assert events[-1]["code"] == "storage_full"
    assert [s["step"] for s in of(events, "step")] == list(range(newest + 1, STEPS + 1))
    said = " ".join(note["message"] for note in of(events, "note"))
    assert "no checkpoint could be written" in said and "metrics.csv" in said
    assert checkpoints_in(folder) == [newest] and not half_written(folder)
    assert (folder / f"ckpt-{newest}.gguf").read_bytes() == kept

    (folder.parent / "of-others").unlink()
    events, code = run(folder)
    assert code == 0 and events[0]["steps_done"] == newest, events[-1]
    assert_same(folder, whole[0])


def refused(tiny, tmp_path, **changes):
    events, code = run(make_job(tiny, tmp_path / "job", **changes))
    assert code == 1 and len(events) == 1 and events[0]["event"] == "error", events
    assert events[0]["message"] and events[0]["korean"]
    return events[0]


def test_a_base_that_changed_is_refused(tiny, tmp_path):
    error = refused(tiny, tmp_path, base={"name": "tiny", "path": str(tiny / "tiny.gguf"),
                                          "sha256": "0" * 64})
    assert error["code"] == "conflict" and error["field"] == "base"
    assert "changed since" in error["message"]


def test_other_options_do_not_go_on_from_a_checkpoint(tiny, whole, tmp_path):
    folder = tmp_path / "job"
    shutil.copytree(whole[0], folder)
    job = json.loads((folder / "job.json").read_text())
    (folder / "job.json").write_text(json.dumps({**job, "learning_rate": 1e-4}))
    events, code = run(folder)
    assert code == 1 and events[-1]["code"] == "conflict"
    assert "learning_rate: 0.0003 then, 0.0001 now" in events[-1]["message"]


def test_a_loss_that_is_not_finite_ends_the_run_and_says_where(tiny, tmp_path):
    values = tmp_path / "nan.f32"
    values.write_bytes(b"\x00\x00\xc0\x7f" * (2 * 128 * (64 + 64 + 64 + 32)))
    events, code = run(make_job(tiny, tmp_path / "job", initial_values=str(values)))
    assert code == 1 and events[-1]["event"] == "error"
    assert events[-1]["code"] == "training_diverged"
    assert "of step 1 is not finite" in events[-1]["message"]
    assert "learning_rate is 0.0003: start a new job with a smaller one" in events[-1]["message"]
    assert "1단계의 손실이(가) 유한하지 않습니다" in events[-1]["korean"]


def test_two_processes_do_not_work_on_one_job(tiny, whole, tmp_path):
    folder = make_job(tiny, tmp_path / "job")
    children = [start(folder), start(folder)]
    for child in children:
        output, _ = child.communicate(timeout=60)
        assert child.returncode == 0
        assert events_of(output)[-1]["event"] == "done"
    assert_same(folder, whole[0])


def test_row_8_sixteen_samples_are_learnt_by_heart(program, tmp_path):
    """The real model."""
    draw = random.Random(5)
    lines = [json.dumps({"messages": [{"role": "user", "content": f"{10 + i}+{j}"},
                                      {"role": "assistant", "content": str(10 + i + j)}]})
             for i, j in enumerate(draw.sample(range(10, 99), 16))]
    (tmp_path / "data.jsonl").write_text("\n".join(lines))
    folder = tmp_path / "job"
    folder.mkdir()
    (folder / "job.json").write_text(json.dumps({
        "base": {"name": CHAT, "path": str((MODELS / f"{CHAT}.gguf").resolve())},
        "data": {"path": str(tmp_path / "data.jsonl")}, "held_out_share": 0, "epochs": 20,
        "batch_size": 16, "learning_rate": 0.01, "warmup_steps": 2, "dropout": 0}))
    events, code = run(folder)
    assert code == 0, events[-1]
    assert of(events, "step")[0]["loss"] > 1
    assert events[-1]["loss"] < 0.1
