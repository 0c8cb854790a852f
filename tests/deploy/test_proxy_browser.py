"""The pages behind nginx in a real browser: signing in over TLS, an upload, an answer over the websocket, signing out."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kenpin.samples import SAMPLES

sync_api = pytest.importorskip("playwright.sync_api")
NAME = "kenpin.example.com"
WORDS = "four unrelated words here"
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         f"--host-resolver-rules=MAP {NAME} 127.0.0.1"]
LINE = '[data-testid="stChatInput"] textarea'
PERSON = '[data-testid="stSidebar"] [data-testid="stPopover"] button'


@pytest.fixture
def page(site: Any) -> Iterator[Any]:
    """An English browser; what is asked of another host, of this one without TLS, or kept back by the policy fails the
    test."""
    if not Path(CHROMIUM).exists():
        pytest.skip("no chromium; apt-get install chromium")
    strangers: list[str] = []
    with sync_api.sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = chromium.new_context(viewport={"width": 1440, "height": 900}, locale="en-US", ignore_https_errors=True).new_page()
        page.set_default_timeout(90_000)
        page.on("request", lambda r: None if r.url.startswith((site.url, "data:", "blob:")) or r.is_navigation_request()
                else strangers.append(r.url))
        page.on("websocket", lambda w: None if w.url.startswith(f"wss://{NAME}:{site.https}/") else strangers.append(w.url))
        page.on("console", lambda m: strangers.append(m.text) if "Security Policy" in m.text else None)
        yield page
        chromium.close()
    assert strangers == []


def test_from_signing_in_to_an_answer(site: Any, page: Any, tmp_path: Path) -> None:
    page.goto(f"http://{NAME}:{site.http}/")
    assert page.url.rstrip("?") == f"{site.url}/auth/sign-in"
    page.fill("input[name=name]", "ann")
    page.fill("input[name=password]", WORDS)
    page.click("button[type=submit]")
    page.wait_for_selector(LINE)
    cookie = next(c for c in page.context.cookies() if c["name"] == "kenpin_session")
    assert (cookie["secure"], cookie["httpOnly"], cookie["sameSite"], cookie["domain"]) == (True, True, "Strict", NAME)
    assert all(c["secure"] for c in page.context.cookies() if c["name"].startswith("kenpin"))
    assert "kenpin" not in page.evaluate("document.cookie")

    page.set_input_files('[class*="st-key-subject-"] input[type="file"]', SAMPLES / "panel.png")
    page.wait_for_selector(".viewer image")
    page.locator(LINE).fill("Look for scratches.")
    page.locator(LINE).press("Enter")
    answer = page.locator('[class*="st-key-answer-"]')
    answer.wait_for()
    assert "scratch" in answer.inner_text().lower()
    page.locator(".viewer rect.mark.finding").first.wait_for()
    page.screenshot(path=str(tmp_path / "answer.png"))

    page.click(PERSON)
    page.click(".st-key-sign-out button")
    page.wait_for_url("**/auth/sign-in")
    page.goto(f"{site.url}/queue")
    assert "/auth/sign-in" in page.url
