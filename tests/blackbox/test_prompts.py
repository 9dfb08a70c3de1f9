"""Prompt templates: the four roles, create to delete, and use in a chat."""

import pytest
from program import CHAT

ROLES = {
    "default": "당신은 도움이 되는 AI 어시스턴트입니다.",
    "coding": "당신은 전문 프로그래머입니다. 코드를 명확하고 효율적으로 작성합니다.",
    "teacher": "당신은 친절한 선생님입니다. 복잡한 개념을 쉽게 설명합니다.",
    "creative": "당신은 창의적인 작가입니다.",
}


def prompts(server):
    return {one["name"]: one for one in server.get("/v1/prompts").json()["data"]}


@pytest.fixture
def made(server):
    body = {"name": "번역가", "system_prompt": "You translate.",
            "user_template": "{system}\n\nTranslate into {language}: {user}",
            "examples": [{"user": "cat", "assistant": "chat"}]}
    reply = server.post("/v1/prompts", body)
    assert reply.status in (200, 201), reply
    yield reply.json()
    server.ask("DELETE", f"/v1/prompts/{reply.json()['id']}")


def test_the_four_roles_are_there(server):
    have = prompts(server)
    for name, system in ROLES.items():
        assert have[name]["system_prompt"] == system
    assert have["teacher"]["user_template"] == "{system}\n\n학생 질문: {user}\n\n선생님 답변:"


def test_create_show_edit_delete(server, made):
    path = f"/v1/prompts/{made['id']}"
    assert server.get(path).json() == made
    assert made["is_active"] is False and made["examples"][0]["assistant"] == "chat"
    changed = server.ask("PATCH", path, {"system_prompt": "You sing."})
    assert changed.status == 200 and changed.json()["system_prompt"] == "You sing."
    assert changed.json()["name"] == "번역가"
    assert server.ask("DELETE", path).status == 200
    assert server.get(path).status == 404


def test_a_role_is_used_in_a_chat(server):
    body = {"model": CHAT, "messages": [{"role": "user", "content": "What is rain?"}],
            "max_tokens": 8, "temperature": 0}
    plain = server.post("/v1/chat/completions", body).json()
    role = server.post("/v1/chat/completions", {**body, "prompt": {"id": "teacher"}}).json()
    assert role["usage"]["prompt_tokens"] > plain["usage"]["prompt_tokens"]


def test_variables_fill_a_template(server, made):
    body = {"model": CHAT, "messages": [{"role": "user", "content": "dog"}], "max_tokens": 4}
    missing = server.post("/v1/chat/completions", {**body, "prompt": {"id": made["id"]}})
    assert missing.status == 400 and missing.error["param"] == "prompt.variables"
    assert "language" in missing.error["message"]
    given = {"id": made["id"], "variables": {"language": "French"}}
    assert server.post("/v1/chat/completions", {**body, "prompt": given}).status == 200


def test_an_unknown_prompt_is_404(server):
    body = {"model": CHAT, "messages": [{"role": "user", "content": "x"}],
            "prompt": {"id": "techer"}}
    reply = server.post("/v1/chat/completions", body)
    assert reply.status == 404 and "teacher" in reply.error["message"]


@pytest.mark.parametrize("body, field", [
    ({}, "name"),
    ({"name": ""}, "name"),
    ({"name": "가" * 101}, "name"),
    ({"name": "x", "examples": [{"user": "no answer"}]}, "examples"),
    ({"name": "x", "is_active": "yes"}, "is_active"),
])
def test_wrong_prompts_are_refused_by_name(server, body, field):
    reply = server.post("/v1/prompts", body)
    assert reply.status == 400 and reply.error["param"].startswith(field)


def test_a_name_of_a_hundred_korean_letters_is_fine(server):
    reply = server.post("/v1/prompts", {"name": "가" * 100})
    assert reply.status in (200, 201), reply
    server.ask("DELETE", f"/v1/prompts/{reply.json()['id']}")


def test_a_taken_name_is_a_conflict(server):
    reply = server.post("/v1/prompts", {"name": "teacher"})
    assert reply.status == 409 and reply.error["message"]
