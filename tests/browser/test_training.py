"""Fine-tuning in the console: from a file to a curve, and to a model that is chosen for the chat."""

import json
import re

from playwright.sync_api import Page, expect

LINES = [json.dumps({"instruction": f"{i} 더하기 {i}은?", "output": f"{2 * i}입니다."},
                    ensure_ascii=False) for i in range(12)]
DATA = {"name": "더하기.jsonl", "mimeType": "application/jsonl",
        "buffer": "\n".join(LINES).encode()}


def open_training(page: Page) -> None:
    page.get_by_role("button", name=re.compile("Fine-tuning|미세 조정")).click()
    expect(page.locator("#base-model option").first).to_have_text(re.compile("smollm2"))


def start(page: Page, epochs: str, suffix: str = "") -> None:
    page.set_input_files("#training-file", DATA)
    page.fill("#suffix", suffix)
    page.fill("#epochs", epochs)
    page.get_by_role("button", name=re.compile("Start training|학습 시작")).click()


def test_a_model_is_trained_watched_and_chosen(open_console):
    page = open_console()
    open_training(page)
    start(page, "2", "더하기")
    view = page.locator(".job-view")
    expect(view).to_have_attribute("data-status", "succeeded", timeout=120_000)
    curve = view.locator("path.train")
    expect(curve).to_have_attribute("d", re.compile(r"^M[\d.]+ [\d.]+(L[\d.]+ [\d.]+){3,}$"))
    expect(view.locator("circle.held-out")).to_have_count(3)  # the base, and two epochs
    expect(view.locator("line.base")).to_have_count(1)
    expect(view.locator(".axes text").filter(has_text="steps")).to_have_count(1)
    view.locator("svg").hover()
    expect(view.locator(".tooltip")).to_contain_text(re.compile(r"step \dtraining \d\.\d{4}"))
    expect(view.locator(".said")).to_contain_text("The job has successfully completed")
    view.get_by_role("button", name="Chat with it").click()
    expect(page.locator("#model")).to_have_value(re.compile("^ft:.*:더하기:"))
    expect(page.locator("#message")).to_be_visible()
    page.select_option("#model", "smollm2-135m-instruct")  # another, and the new one again
    open_training(page)
    view.get_by_role("button", name="Chat with it").click()
    expect(page.locator("#model")).to_have_value(re.compile("^ft:.*:더하기:"))


def test_how_it_is_learnt_is_chosen_in_the_open(open_console):
    page = open_console(locale="ko-KR")
    open_training(page)
    page.set_input_files("#validation-file", {**DATA, "name": "검증.jsonl"})
    page.select_option("#template", label="알파카")
    page.fill("#batch", "6")
    page.get_by_role("checkbox", name="v_proj").uncheck()
    page.get_by_role("checkbox", name="o_proj").check()
    with page.expect_response("**/v1/fine_tuning/jobs") as answer:
        start(page, "1")
    job = answer.value.json()
    values = job["hyperparameters"]
    assert (values["template"], values["batch_size"]) == ("alpaca", 6)
    assert values["target"] == ["q_proj", "o_proj"]
    assert job["validation_file"] not in (None, job["training_file"])
    expect(page.locator(".job-view")).to_contain_text("템플릿: 알파카")
    expect(page.locator("#training-file")).to_have_value("")
    expect(page.locator("#validation-file")).to_have_value("")


def test_no_adapter_is_offered_as_a_base(open_console):
    """An imported one has no name of ours: only its base tells it."""
    def with_an_adapter(route):
        models = route.fetch().json()
        models["data"].insert(0, {"id": "mine", "object": "model", "kind": "chat",
                                  "jikji": {"base": "smollm2-135m-instruct"}})
        route.fulfill(json=models)

    page = open_console()
    page.context.route("**/v1/models", with_an_adapter)
    page.reload()
    expect(page.locator("#model option", has_text="mine")).to_have_count(1)
    open_training(page)
    expect(page.locator("#base-model option", has_text="smollm2")).not_to_have_count(0)
    expect(page.locator("#base-model option", has_text="mine")).to_have_count(0)


def test_paused_resumed_and_cancelled_in_korean(open_console):
    page = open_console(locale="ko-KR")
    open_training(page)
    start(page, "100")
    view = page.locator(".job-view")
    # Another test's job may be shown until this one is there, and it has to have begun.
    begun = re.compile(r"학습 중 [1-9]")
    expect(page.locator(".job .state").first).to_have_text(begun, timeout=120_000)
    view.get_by_role("button", name="일시 정지").click()
    paused = view.locator(".said")
    expect(paused).to_contain_text("단계 뒤에 일시 정지했습니다", timeout=60_000)
    expect(page.locator(".job .state").first).to_contain_text("일시 정지됨")
    view.get_by_role("button", name="다시 시작").click()
    expect(view.locator(".said")).to_contain_text("다음부터 이어서 학습합니다", timeout=60_000)
    view.get_by_role("button", name="취소").click()
    expect(view).to_have_attribute("data-status", "cancelled")


def test_what_is_wrong_with_the_data_is_shown_and_not_kept(open_console, address):
    page = open_console()
    open_training(page)
    files = f"{address}/v1/files?purpose=fine-tune"
    before = page.request.get(files).json()["data"]
    page.set_input_files("#training-file", {**DATA, "buffer": b'{"text": "a"}\n{"text": \n'})
    page.get_by_role("button", name="Start training").click()
    expect(page.get_by_role("alert")).to_contain_text("line 2")
    expect(page.get_by_role("button", name="Start training")).to_be_enabled()
    assert page.request.get(files).json()["data"] == before
