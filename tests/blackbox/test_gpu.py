"""The Vulkan build, on Mesa's software driver: skipped, by name, where either is missing.

    cmake --preset vulkan && ninja -C build/vulkan jikji
    apt-get install mesa-vulkan-drivers
"""

import os
import re
import subprocess
from pathlib import Path

import pytest
from program import CHAT, MODELS, ROOT, Server, environment, eventually

VULKAN = Path(os.environ.get("JIKJI_VULKAN_PROGRAM", ROOT / "build/vulkan/jikji"))
DRIVERS = list(Path("/usr/share/vulkan/icd.d").glob("lvp_icd*.json"))
# A processor that plays the GPU is not chosen by itself.
SOFTWARE = {"GGML_VK_VISIBLE_DEVICES": "0"}

needs_vulkan = pytest.mark.skipif(
    not VULKAN.is_file() or not DRIVERS,
    reason="no Vulkan build in build/vulkan, or no mesa-vulkan-drivers")


@needs_vulkan
def test_the_vulkan_build_finds_the_device():
    done = subprocess.run([str(VULKAN), "doctor", "--models", str(MODELS)], capture_output=True,
                          text=True, env=environment(**SOFTWARE), timeout=60)
    assert re.search(r"computes on .*Vulkan0.*: \d+ of 31 layers", done.stdout), done.stdout


def shares(server):
    """What the start promises and what the load then did: lines like "Vulkan0: 3 of 31 layers"."""
    promised = re.search(r"computes on: (?:.*; )?(.*)", server.output).group(1)
    done = re.search(rf"{CHAT} is computed on (.*)", server.output).group(1)
    return promised.strip(), done.strip()


# A few layers: with all 31 on it, Mesa 22.3's software driver itself crashes now and then, in a
# thread of its own (libvulkan_lvp.so, without a frame of ours).
@needs_vulkan
@pytest.mark.parametrize("layers", ["3", "0"])
def test_the_vulkan_build_answers_with_layers_on_the_device(tmp_path, layers):
    server = Server(tmp_path / "data", "--gpu-layers", layers, "--context", 512, env=SOFTWARE)
    server.command[0] = str(VULKAN)
    with server:
        reply = server.post("/v1/chat/completions", {
            "model": CHAT, "temperature": 0, "max_tokens": 12,
            "messages": [{"role": "user", "content": "What is the capital of France?"}]},
            timeout=300)
        assert reply.status == 200, reply
        assert "Paris" in reply.json()["choices"][0]["message"]["content"]
        want = {"3": "Vulkan0: 3 of 31 layers", "0": "CPU"}[layers]
        assert shares(server) == (want, want)


@needs_vulkan
def test_auto_says_what_it_chose_at_the_start_and_at_the_load(tmp_path):
    server = Server(tmp_path / "data", "--gpu-layers", "auto", "--context", 512, env=SOFTWARE)
    server.command[0] = str(VULKAN)
    with server:
        eventually(lambda: f"{CHAT} is computed on" in server.output)
        promised, done = shares(server)
        assert promised == done and re.fullmatch(r"Vulkan0: [1-9]\d* of 31 layers", done)


def test_without_a_gpu_the_start_says_cpu(tmp_path):
    """Whatever this build has: with no layer on a GPU nothing else is named."""
    with Server(tmp_path / "data", "--gpu-layers", 0) as server:
        eventually(lambda: "computes on:" in server.output and "Ctrl-C" in server.output)
        assert re.search(r"computes on: CPU$", server.output, re.M), server.output


def test_how_many_layers_is_auto_or_a_number(program):
    for wrong in ("many", "-2", "1.5"):
        done = subprocess.run([str(program), "serve", "--gpu-layers", wrong], capture_output=True,
                              text=True, env=environment(), timeout=30)
        assert done.returncode != 0 and "--gpu-layers" in done.stderr, done
