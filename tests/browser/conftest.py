"""A real browser in front of the real program. Debian's chromium; nothing is downloaded.

The address comes from the session fixture `server` (see conftest.py of the black-box tests), or
from JIKJI_URL, which names a server that already runs.
"""

import os
from types import SimpleNamespace

import pytest
from playwright.sync_api import sync_playwright

CHROMIUM = os.environ.get("JIKJI_CHROMIUM", "/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # No other host can be found, so that even a request that we did not see would lead nowhere.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]

if "JIKJI_URL" in os.environ:

    @pytest.fixture(scope="session")
    def server():
        return SimpleNamespace(url=os.environ["JIKJI_URL"])


@pytest.fixture(scope="session")
def address(server) -> str:
    return server.url.rstrip("/").removesuffix("/v1")


@pytest.fixture(scope="session")
def browser():
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture
def open_console(browser, address):
    """Opens the page; at the end no request may have gone elsewhere and no script have failed."""
    contexts, outside, failures = [], [], []

    def note(request):
        if not request.url.startswith((address + "/", "data:", "blob:")):
            outside.append(request.url)

    def open_page(script: str = "", path: str = "/", **options):
        options = {"locale": "en-US", "viewport": {"width": 1280, "height": 860}, **options}
        context = browser.new_context(**options)
        contexts.append(context)
        context.on("request", note)
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.on("pageerror", lambda error: failures.append(str(error)))
        if script:
            page.add_init_script(script)
        page.goto(address + path)
        page.wait_for_selector("#message")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert outside == []
    assert failures == []
