"""The console as a person meets it."""

import re
from pathlib import Path

from payloads import PAYLOADS
from playwright.sync_api import Page, expect

HERE = Path(__file__).parent
QUOTE = "The reading room of the Cheongju library opens at half past nine."
DOCUMENT = f"# Library guide\n\n## Opening hours\n\n{QUOTE} It is closed on Mondays.\n"

# Notes every state that an answer passes through.
WATCH = """
window.seen = [];
new MutationObserver(() => {
    const answer = [...document.querySelectorAll('.answer')].at(-1);
    const text = answer?.querySelector('.markdown')?.textContent ?? '';
    const last = window.seen.at(-1);
    if (answer && (last?.text !== text || last?.state !== answer.dataset.state)) {
        window.seen.push({ state: answer.dataset.state, text });
    }
}).observe(document, {
    subtree: true, childList: true, characterData: true, attributes: true,
});
"""

# Answers generation requests in the page itself, so that the words are the test's own. The rest of
# the way is the real one: the console's reader of events, its renderer, the server's policy.
SPEAK = """
window.runs = 0;
window.ran = () => { window.runs += 1; };
window.violations = [];
addEventListener('securitypolicyviolation', (e) => window.violations.push(e.violatedDirective));
window.speech = { text: '', citations: [] };
const realFetch = window.fetch;
window.fetch = (path, init) => {
    const { text, citations } = window.speech;
    let events;
    if (path === '/v1/chat/completions') {
        events = [{ choices: [{ delta: { content: text } }] }];
    } else if (path === '/v1/answers') {
        events = [
            { type: 'answer.start', found: true, citations },
            { type: 'answer.completed', text, grounded: true, quoted: false, citations },
        ];
    } else {
        return realFetch(path, init);
    }
    const body = [...events.map((e) => JSON.stringify(e)), '[DONE]'];
    return Promise.resolve(new Response(body.map((data) => `data: ${data}\\n\\n`).join('')));
};
"""


def say(page: Page, text: str) -> None:
    page.fill("#message", text)
    page.press("#message", "Enter")


def finished(page: Page, answers: int = 1) -> None:
    expect(page.locator(".answer[data-state=done]")).to_have_count(answers, timeout=180_000)


def test_text_arrives_in_pieces(open_console):
    page = open_console(WATCH)
    say(page, "Write four sentences about the sea.")
    expect(page.locator(".you")).to_have_text("Write four sentences about the sea.")
    finished(page)
    seen = page.evaluate("window.seen")
    growing = [s["text"] for s in seen if s["state"] == "working" and s["text"]]
    assert len(set(growing)) >= 2, seen
    assert len(growing[0]) < len(seen[-1]["text"])


def test_stop_keeps_what_was_written(open_console):
    page = open_console()
    say(page, "Write a very long story about a ship, with many chapters.")
    expect(page.locator(".answer .markdown")).not_to_be_empty(timeout=60_000)
    page.get_by_role("button", name="Stop").click()
    expect(page.locator(".answer")).to_have_attribute("data-state", "stopped")
    expect(page.locator(".answer .markdown")).not_to_be_empty()
    expect(page.get_by_role("button", name="Send")).to_be_visible()


def test_clear_starts_over(open_console):
    page = open_console(SPEAK)
    page.evaluate("window.speech.text = 'Good day.'")
    say(page, "Hello")
    finished(page)
    page.get_by_role("button", name="New chat").click()
    expect(page.locator(".turn")).to_have_count(0)


def test_language_follows_the_browser_and_the_switch(open_console):
    page = open_console(locale="ko-KR")
    expect(page.get_by_role("button", name="보내기")).to_be_visible()
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("button", name="Send")).to_be_visible()
    page.get_by_role("button", name="한국어").click()
    expect(page.get_by_role("heading", name="문서")).to_be_visible()
    expect(page.locator("html")).to_have_attribute("lang", "ko")
    page.reload()
    expect(page.get_by_role("button", name="보내기")).to_be_visible()


def test_errors_are_said_in_the_readers_language(open_console):
    page = open_console(locale="ko-KR")
    page.context.set_offline(True)
    say(page, "안녕하세요")
    expect(page.locator(".answer [role=alert]")).to_contain_text("서버가 응답하지 않습니다")
    page.context.set_offline(False)
    page.get_by_role("button", name="다시 시도").click()
    finished(page)
    expect(page.locator(".turn.you")).to_have_count(1)


def test_models_and_templates_can_be_chosen(open_console):
    page = open_console()
    expect(page.locator("#model option").first).not_to_have_text(re.compile("No chat model"))
    models = page.locator("#model option").all_text_contents()
    # Whole names: the random end of an adapter's name may well hold "e5".
    assert not any(re.search("multilingual-e5|all-minilm", name) for name in models), models
    expect(page.locator("#prompt option", has_text="teacher")).to_have_count(1)


def test_answer_from_a_dropped_document_shows_its_source(open_console):
    page = open_console()
    dropped = page.evaluate_handle(
        """(text) => {
            const data = new DataTransfer();
            data.items.add(new File([text], 'library-guide.md', { type: 'text/markdown' }));
            return data;
        }""",
        DOCUMENT,
    )
    page.dispatch_event(".drop", "drop", {"dataTransfer": dropped})
    row = page.locator(".file", has_text="library-guide.md").first
    expect(row).to_have_attribute("data-status", "completed", timeout=60_000)
    page.get_by_role("switch").check(force=True)  # the drawn track stands in front of it
    say(page, "When does the reading room of the Cheongju library open?")
    finished(page)
    citation = page.locator(".citation").first
    expect(citation).to_contain_text("library-guide.md")
    quote = citation.locator("blockquote").text_content() or ""
    assert quote and " ".join(quote.split()) in " ".join(DOCUMENT.replace("#", " ").split())
    assert "half past nine" in quote
    expect(page.locator(".answer .markdown")).not_to_be_empty()

    row.get_by_role("button", name="Delete library-guide.md").click()
    row.get_by_role("button", name="Delete", exact=True).click()
    expect(page.locator(".file", has_text="library-guide.md")).to_have_count(0)


def test_enter_sends_but_not_inside_a_korean_syllable(open_console):
    page = open_console(SPEAK)
    page.evaluate("window.speech.text = '네.'")
    page.fill("#message", "안녕")
    page.locator("#message").evaluate(
        """(box) => box.dispatchEvent(new KeyboardEvent('keydown', {
            key: 'Enter', isComposing: true, bubbles: true, cancelable: true }))"""
    )
    page.press("#message", "Shift+Enter")
    expect(page.locator("#message")).to_have_value("안녕\n")
    expect(page.locator(".turn")).to_have_count(0)
    page.press("#message", "Enter")
    finished(page)
    expect(page.locator(".you")).to_have_text("안녕")


def test_key_is_asked_for_only_when_the_server_wants_one(open_console):
    page = open_console()
    expect(page.locator("#model option").first).to_be_attached()
    expect(page.locator("#key")).to_have_count(0)

    guard = """
    const realFetch = window.fetch;
    window.fetch = (path, init) =>
        new Headers(init?.headers).get('Authorization') === 'Bearer sesame'
            ? realFetch(path, { ...init, headers: {} })
            : Promise.resolve(new Response('{}', { status: 401 }));
    """
    page = open_console(guard)
    page.get_by_role("textbox", name="API key").fill("wrong")
    page.get_by_role("textbox", name="API key").press("Enter")
    expect(page.locator(".key [role=alert]")).to_have_text("The server did not take this key.")
    page.get_by_role("textbox", name="API key").fill("sesame")
    page.get_by_role("textbox", name="API key").press("Enter")
    expect(page.locator("#prompt option", has_text="teacher")).to_have_count(1)
    expect(page.locator("#key")).to_have_count(0)
    assert page.evaluate("Object.values(localStorage)").count("sesame") == 0


def test_hostile_words_run_nothing_and_load_nothing(open_console):
    page = open_console(SPEAK)
    found = page.evaluate((HERE / "hostile.js").read_text(), PAYLOADS)
    assert len(PAYLOADS) == 1000
    # The policy has stopped nothing because nothing came as far as the policy.
    assert found == {"bad": [], "runs": 0, "violations": []}


def test_hostile_names_and_quotes_are_only_text(open_console):
    page = open_console(SPEAK)
    hostile = "<img src=x onerror=ran()>"
    citation = {"index": 1, "file_id": "f", "filename": hostile, "heading": hostile,
                "quote": hostile, "page": 1, "score": 1}
    page.evaluate("(c) => { window.speech = { text: 'x', citations: [c] }; }", citation)
    page.get_by_role("switch").check(force=True)
    say(page, hostile)
    finished(page)
    expect(page.locator(".citation blockquote")).to_have_text(hostile)
    expect(page.locator(".you")).to_have_text(hostile)
    expect(page.locator(".log img")).to_have_count(0)
    assert page.evaluate("window.runs") == 0


def test_links_name_their_host(open_console):
    page = open_console(SPEAK)
    page.evaluate("window.speech.text = '[your bank](https://evil.example/login)'")
    say(page, "go")
    finished(page)
    expect(page.locator(".markdown a")).to_have_text("your bank (evil.example)")


def test_policy_forbids_everything_but_the_page_itself(open_console, address):
    page = open_console()
    policy = page.request.get(address + "/").headers["content-security-policy"]
    rules = dict(rule.strip().partition(" ")[::2] for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == rules["style-src"] == rules["connect-src"] == "'self'"
    assert rules["require-trusted-types-for"] == "'script'"
    assert "unsafe" not in policy


def test_every_control_has_a_name_and_fits_a_phone(open_console):
    for language in ("en-US", "ko-KR"):
        page = open_console(locale=language, viewport={"width": 360, "height": 700})
        page.locator(".panel-button").click()
        expect(page.locator("#system")).to_be_visible()
        nameless = page.evaluate(
            """() => [...document.querySelectorAll('button, input, select, textarea')]
                .filter((c) => !c.textContent.trim() && !c.labels?.length && !c.ariaLabel)
                .map((c) => c.outerHTML)"""
        )
        assert nameless == []
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
