"""Adapters on the command line: from and to PEFT, as GGUF, merged, and in stock llama.cpp."""

import json
import random
import subprocess
import time
import urllib.request

import pytest
from gguf import metadata
from peft import SMOLLM2, write_peft
from program import CHAT, JIKJI, MODELS, environment, run

STOCK = JIKJI.parent / "bin/llama-server"
PROMPT = "The capital of France is"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A data folder whose models folder has the base and, imported from PEFT, the adapter `mine`."""
    data = tmp_path_factory.mktemp("집")
    assert run("models", "add", MODELS / f"{CHAT}.gguf", "--link", data=data).returncode == 0
    write_peft(data / "내 어댑터", spread=0.1)
    done = run("models", "import-adapter", data / "내 어댑터", "--base", CHAT, "--name", "mine", data=data)
    assert done.returncode == 0, done.stderr
    return data


def refused(*arguments, data, says, korean=True):
    """The command fails with one line that says so, and in Korean in Korean."""
    done = run("models", *arguments, "--quiet", data=data)
    assert done.returncode == 1 and says in done.stderr, done
    if korean:
        done = run("models", *arguments, "--quiet", data=data, env={"LANG": "ko_KR.UTF-8"})
        assert any("가" <= letter <= "힣" for letter in done.stderr), done.stderr


def test_an_imported_adapter_is_listed_and_shown_with_its_base(home):
    assert f"→ {CHAT}" in run("models", "list", data=home).stdout
    shown = json.loads(run("models", "show", "mine", "--json", data=home).stdout)
    assert shown["kind"] == "adapter" and shown["base"] == CHAT and shown["base_installed"]
    assert shown["rank"] == 2 and shown["alpha"] == 8 and shown["targets"] == ["q_proj", "k_proj", "v_proj"]
    facts = metadata(home / "models/mine.gguf")
    assert facts["general.type"] == "adapter" and len(facts["jikji.base.sha256"]) == 64
    words = run("models", "show", "mine", data=home, env={"LANG": "ko_KR.UTF-8"}).stdout
    assert "어댑터" in words and CHAT in words


def test_row_6_out_to_peft_and_in_again_is_bit_equal(home, tmp_path):
    out = tmp_path / "나온 것"
    done = run("models", "export-adapter", "mine", "--format", "peft", "--to", out, data=home)
    assert done.returncode == 0, done.stderr
    assert json.loads((out / "adapter_config.json").read_text())["lora_alpha"] == 8
    first = weights_of(home / "내 어댑터/adapter_model.safetensors")
    assert weights_of(out / "adapter_model.safetensors") == first
    run("models", "import-adapter", out, "--base", CHAT, "--name", "more", data=home)
    one, two = ((home / f"models/{n}.gguf").read_bytes() for n in ("mine", "more"))
    assert one.replace(b"mine", b"more", 1) == two
    assert run("models", "rm", "more", data=home).returncode == 0


def weights_of(path):
    raw = path.read_bytes()
    size = int.from_bytes(raw[:8], "little")
    head = json.loads(raw[8:8 + size])
    head.pop("__metadata__", None)
    return {name: (entry["shape"], raw[8 + size:][slice(*entry["data_offsets"])]) for name, entry in head.items()}


def test_a_gguf_goes_out_and_is_added_again_and_finds_its_base(home, tmp_path):
    out = tmp_path / "a.gguf"
    assert run("models", "export-adapter", "mine", "--format", "gguf", "--to", out, data=home).returncode == 0
    assert out.read_bytes() == (home / "models/mine.gguf").read_bytes()
    added = json.loads(run("models", "add", out, "--name", "added", "--json", data=home).stdout)
    assert added["kind"] == "adapter" and added["base"] == CHAT
    refused("rm", CHAT, data=home, says="jikji models rm")  # adapters need it
    assert run("models", "rm", "added", data=home).returncode == 0


def test_the_adapter_of_a_finished_job_is_known_by_its_name_and_by_the_job(home, tmp_path):
    made = home / "training/ftjob-1/adapter.gguf"
    made.parent.mkdir(parents=True)
    made.write_bytes((home / "models/mine.gguf").read_bytes().replace(b"mine", b"ft:m", 1))
    assert "ft:m" in run("models", "list", data=home).stdout
    assert json.loads(run("models", "show", "ft:m", "--json", data=home).stdout)["base_installed"]
    for name in ("ft:m", "ftjob-1"):
        out = tmp_path / f"{name}.gguf"
        assert run("models", "export-adapter", name, "--format", "gguf", "--to", out, data=home).returncode == 0
        assert out.read_bytes() == made.read_bytes()
    done = run("models", "merge-adapter", "ft:m", "--to", "from-a-job", "--json", data=home)
    assert done.returncode == 0, done.stderr
    assert metadata(home / "models/from-a-job.gguf")["jikji.merged.adapter"] == "ft:m"
    assert run("models", "rm", "from-a-job", data=home).returncode == 0
    refused("export-adapter", "ft:n", "--format", "gguf", "--to", tmp_path / "x", data=home, says="Those that are here")
    made.write_bytes(made.read_bytes()[:3000])  # one that is damaged spoils nothing
    assert "mine" in run("models", "list", data=home).stdout


def test_what_a_user_gets_wrong_is_said(home, tmp_path):
    refused("export-adapter", "min", "--format", "gguf", "--to", tmp_path / "x", data=home, says="Did you mean mine?")
    refused("export-adapter", CHAT, "--format", "gguf", "--to", tmp_path / "x", data=home, says="whole model")
    refused("export-adapter", "mine", "--format", "onnx", "--to", tmp_path / "x", data=home, says="peft or gguf")
    (tmp_path / "there.gguf").write_text("mine")
    refused("export-adapter", "mine", "--format", "gguf", "--to", tmp_path / "there.gguf", data=home, says="already")
    refused("export-adapter", "mine", "--format", "peft", "--to", tmp_path, data=home, says="not an empty folder")
    refused("export-adapter", "mine", "--format", "gguf", "--to", tmp_path / "no/x.gguf", data=home, says="no/x.gguf")
    assert (tmp_path / "there.gguf").read_text() == "mine"
    refused("import-adapter", tmp_path / "none", "--base", CHAT, data=home, says="adapter_config.json")
    refused("import-adapter", home / "내 어댑터", "--base", CHAT, "--name", "mine", data=home, says="already")
    refused("import-adapter", home / "내 어댑터", "--base", "smollm", "--name", "x", data=home, says="not installed")
    refused("import-adapter", home / "내 어댑터", "--base", CHAT, data=home, says="--name")
    refused("merge-adapter", "mine", "--to", CHAT, data=home, says="already")
    refused("merge-adapter", "mine", "--to", "a/b", data=home, says="letters")
    refused("merge-adapter", "mine", "--to", "x", "--type", "q3", data=home, says="q8_0")
    refused("add", MODELS / f"{CHAT}.gguf", "--name", "x", "--base", CHAT, data=home, says="leave out --base")
    refused("optimise", "mine", data=home, says="is an adapter")


def test_an_adapter_of_another_model_is_refused(home, tmp_path):
    write_peft(tmp_path / "wide", shape={**SMOLLM2, "width": 512})
    refused("import-adapter", tmp_path / "wide", "--base", CHAT, data=home, says="another model")
    write_peft(tmp_path / "deep", shape={**SMOLLM2, "layers": 31})
    refused("import-adapter", tmp_path / "deep", "--base", CHAT, data=home, says="the base has 30")
    write_peft(tmp_path / "dora", use_dora=True)
    refused("import-adapter", tmp_path / "dora", "--base", CHAT, data=home, says="use_dora")
    refused("import-adapter", tmp_path / "dora", "--base", "mine", data=home, says="adapter itself")


def test_an_adapter_without_its_base_or_with_another_file_of_it_is_refused(home, tmp_path):
    refused("add", home / "models/mine.gguf", data=tmp_path / "empty", says=f"jikji models pull {CHAT}")
    other = tmp_path / "other.gguf"  # the same model, but for one byte of its weights
    raw = bytearray((MODELS / f"{CHAT}.gguf").read_bytes())
    raw[-1000] ^= 1
    other.write_bytes(raw)
    assert run("models", "add", other, "--link", "--name", CHAT, data=tmp_path / "data").returncode == 0
    refused("add", home / "models/mine.gguf", data=tmp_path / "data", says="another file")


def test_a_damaged_adapter_is_refused_and_never_ends_the_program(home, tmp_path):
    whole = (home / "models/mine.gguf").read_bytes()
    numbers = random.Random(3)
    for round_ in range(12):
        raw = bytearray(whole[:numbers.randrange(len(whole))] if round_ % 3 == 0 else whole)
        for _ in range(8):
            raw[numbers.randrange(min(len(raw), 6000))] = numbers.randrange(256)
        (tmp_path / "bad.gguf").write_bytes(raw)
        done = run("models", "add", tmp_path / "bad.gguf", "--name", "bad", "--quiet", data=home)
        assert done.returncode == 1 and done.stderr.startswith("jikji: "), done


# Row 7: the binary is llama.cpp's own server, built from the same source, nothing of it patched.


class Stock:
    def __init__(self, model, *flags):
        port = random.randrange(20000, 60000)
        self.url = f"http://127.0.0.1:{port}"
        # Keys and values in float32: it is the adapter that is compared, not their rounding.
        self.process = subprocess.Popen(
            [STOCK, "-m", model, "--port", str(port), "-c", "256", "-np", "1", "-t", "2", "--no-webui",
             "-ctk", "f32", "-ctv", "f32", "-fa", "off", *map(str, flags)],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment())

    def __enter__(self):
        end = time.monotonic() + 60
        while time.monotonic() < end and self.process.poll() is None:
            try:
                if urllib.request.urlopen(self.url + "/health", timeout=5).status == 200:
                    return self
            except OSError:
                time.sleep(0.05)
        self.process.kill()
        raise AssertionError(self.process.communicate()[0].decode(errors="replace")[-3000:])

    def __exit__(self, *_):
        self.process.kill()
        self.log = self.process.communicate()[0].decode(errors="replace")

    def logprobs(self, scale=None):
        """Of the likeliest 200 tokens after the prompt: token -> log of its share."""
        body = {"prompt": PROMPT, "n_predict": 1, "n_probs": 200, "temperature": 0, "cache_prompt": False}
        if scale is not None:
            body["lora"] = [{"id": 0, "scale": scale}]
        request = urllib.request.Request(self.url + "/completion", json.dumps(body).encode(),
                                         {"Content-Type": "application/json"})
        answer = json.load(urllib.request.urlopen(request, timeout=60))
        return {t["id"]: t["logprob"] for t in answer["completion_probabilities"][0]["top_logprobs"]}


@pytest.mark.skipif(not STOCK.exists(), reason=f"{STOCK} is not built (cmake -DJIKJI_BENCH=ON)")
def test_row_7_stock_llama_cpp_loads_the_adapter_and_the_merged_model_says_the_same(home):
    merged = run("models", "merge-adapter", "mine", "--to", "merged", "--type", "f16", data=home)
    assert merged.returncode == 0, merged.stderr
    base = MODELS / f"{CHAT}.gguf"
    with Stock(base) as server:
        alone = server.logprobs()
    with Stock(base, "--lora", home / "models/mine.gguf") as server:
        with_adapter, without = server.logprobs(1), server.logprobs(0)
    complaints = [line for line in server.log.splitlines() if " W " in line or " E " in line]
    assert not [line for line in complaints if "lora" in line or "shape" in line], complaints
    with Stock(home / "models/merged.gguf") as server:
        in_one = server.logprobs()
    assert without == alone  # scale 0: bit-equal
    # The base's 4 bits meet activations of 8 bits, merged weights are float16: that alone moves
    # these numbers by 0.11 on average. On weights of 32 bits they agree: merge_test.cpp.
    assert apart(with_adapter, in_one) < 0.25 < 0.5 < apart(with_adapter, alone)


def apart(a, b):
    """How far the logarithms lie apart, on average."""
    shared = a.keys() & b.keys()
    assert len(shared) > 80
    return sum(abs(a[token] - b[token]) for token in shared) / len(shared)


def test_a_merged_model_is_one_of_its_own(home):
    done = run("models", "merge-adapter", "mine", "--to", "whole", "--json", data=home)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["kind"] == "chat"
    facts, was = metadata(home / "models/whole.gguf"), metadata(MODELS / f"{CHAT}.gguf")
    assert facts["general.name"] == "whole" and facts["jikji.merged.adapter"] == "mine"
    assert all(facts[key] == value for key, value in was.items() if key != "general.name")
    assert run("models", "rm", "whole", data=home).returncode == 0
    assert not list((home / "models/.download").glob("adapter-*"))
