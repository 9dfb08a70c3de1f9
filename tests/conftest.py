"""The one server that most tests share, and the official OpenAI client in front of it."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "support"))

from program import CHAT, E5, JIKJI, MODELS, Server  # noqa: E402


@pytest.fixture(scope="session")
def program():
    assert JIKJI.is_file(), f"{JIKJI} is not there; run ./dev build"
    for name in (CHAT, E5):
        assert (MODELS / f"{name}.gguf").exists(), f"{name} is not in {MODELS}; run ./dev setup"
    return JIKJI


@pytest.fixture(scope="session")
def server(program, tmp_path_factory):
    """A server with the default models that lives as long as the run, and must survive it."""
    with Server(tmp_path_factory.mktemp("session") / "data") as running:
        yield running
        assert running.is_well(), running.output[-4000:]
        assert running.stop() == 0, running.output[-4000:]


@pytest.fixture
def fresh(program, tmp_path):
    """A server of this test's own, with an empty data folder; started by the test."""
    made = Server(tmp_path / "data")
    yield made
    if made.process and made.process.poll() is None:
        made.process.kill()
        made.process.wait()


def official_client(server, strict):
    from openai import OpenAI

    return OpenAI(base_url=f"{server.url}/v1", api_key="any", max_retries=0, timeout=180,
                  _strict_response_validation=strict)


@pytest.fixture(scope="session")
def client(server):
    """The official client, strict: an answer that its types do not allow raises."""
    return official_client(server, strict=True)


@pytest.fixture(scope="session")
def client_of():
    """Makes the official client, strict, in front of any server."""
    return lambda server: official_client(server, strict=True)


@pytest.fixture(scope="session")
def lenient(server):
    """For the two places where OpenAI's own answers are not what the client's types say: base64
    embeddings, and finish_reason null in the middle of a streamed completion."""
    return official_client(server, strict=False)
