"""The chat page in a real browser: drop, paste, live steps, marks, links to steps, nothing asked of another host."""

import base64
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from kenpin.config import Settings
from kenpin.launch import command, environment

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
sync_api = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync"]
HERE = Path(__file__).parent
LINE = '[data-testid="stChatInput"] textarea'
PASTE = """([data]) => {
  const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
  const given = new DataTransfer();
  given.items.add(new File([bytes], "image.png", { type: "image/png" }));
  document.dispatchEvent(new ClipboardEvent("paste", { clipboardData: given, bubbles: true, cancelable: true }));
}"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The scripted page on a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    env = {**environment(Settings(home=tmp_path_factory.mktemp("home"))), "KENPIN_TEST_SLOW": "1.5"}
    line = command(HERE / "scripted_page.py", port=port, address="127.0.0.1")
    with subprocess.Popen(line, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        url = f"http://127.0.0.1:{port}"
        try:
            _wait(url)
            yield url
        finally:
            server.terminate()


@pytest.fixture(scope="module")
def chromium() -> Iterator[object]:
    if not Path(CHROMIUM).exists():
        pytest.skip("no chromium; apt-get install chromium")
    with sync_api.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium, address: str) -> Iterator[object]:  # type: ignore[no-untyped-def]
    """A fresh English session; anything that is asked of another host, and any error in the console, fails the test."""
    strangers: list[str] = []
    page = chromium.new_page(viewport={"width": 1440, "height": 900}, locale="en-US")
    page.set_default_timeout(30_000)
    page.on("request", lambda r: strangers.append(r.url) if not r.url.startswith((address, "data:", "blob:")) else None)
    page.on("console", lambda m: strangers.append(m.text) if m.type == "error" else None)
    page.goto(address)
    page.wait_for_selector(LINE)
    yield page
    page.close()
    assert [url for url in strangers if not url.startswith("ws://127.0.0.1")] == []


def _wait(url: str) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            with urlopen(f"{url}/_stcore/health", timeout=2):
                return
        except OSError:
            time.sleep(0.3)
    raise TimeoutError(f"{url} does not answer")


def drop(page, data: bytes, field: str = "subject") -> None:  # type: ignore[no-untyped-def]
    """Give a file to an upload field."""
    page.set_input_files(f'[class*="st-key-{field}-"] input[type="file"]',
                         {"name": "panel.png", "mimeType": "image/png", "buffer": data})


def say(page, text: str) -> None:  # type: ignore[no-untyped-def]
    """Write into the line at the bottom and send it."""
    page.locator(LINE).fill(text)
    page.locator(LINE).press("Enter")


def settled(page) -> None:  # type: ignore[no-untyped-def]
    """Wait until the page is drawn to its end: what is clicked before is drawn anew under the pointer."""
    page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]')
    sync_api.expect(page.locator(".viewer .stage")).to_have_count(1)


def test_drop_ask_and_follow_the_evidence(page, panel: bytes) -> None:  # type: ignore[no-untyped-def]
    drop(page, panel)
    page.wait_for_selector(".viewer image")
    say(page, "Look for scratches.")
    card = page.locator('[class*="st-key-answer-ng-"]')
    card.wait_for()
    assert "NG" in card.inner_text()
    mark = page.locator(".viewer rect.mark.finding")
    mark.wait_for()
    page.locator(".viewer .tag text", has_text="f1 0.93").first.wait_for()
    x, width = float(mark.get_attribute("x")), float(mark.get_attribute("width"))
    assert 97 <= x <= 100
    assert 60 <= width <= 66
    settled(page)
    card.locator('a[href="#step-2"]').first.click()
    page.wait_for_selector(".st-key-step-2.kenpin-here")
    page.wait_for_selector(".viewer rect.mark.step")
    assert "Search for defects" in page.locator(".st-key-step-2").inner_text()


def test_paste_a_picture_anywhere(page, panel: bytes) -> None:  # type: ignore[no-untyped-def]
    page.wait_for_selector('[class*="st-key-subject-"] input[type="file"]', state="attached")
    page.wait_for_timeout(1000)
    page.evaluate(PASTE, [base64.b64encode(panel).decode("ascii")])
    page.wait_for_selector(".viewer image")
    assert "clipboard.png" in page.locator(".stMain").inner_text()


def test_steps_appear_while_the_turn_runs(page, panel: bytes) -> None:  # type: ignore[no-untyped-def]
    drop(page, panel)
    page.wait_for_selector(".viewer image")
    say(page, "Take your time")
    page.wait_for_selector(".st-key-live-1")
    page.wait_for_selector(".st-key-running-2, .st-key-running-3")
    assert page.locator('[class*="st-key-answer-"]').count() == 0
    page.wait_for_selector('[class*="st-key-answer-none-"]')
    assert page.locator(".st-key-step-3").count() == 1


def test_text_of_a_model_is_no_markup_on_the_page(page, panel: bytes) -> None:  # type: ignore[no-untyped-def]
    drop(page, panel)
    page.wait_for_selector(".viewer image")
    say(page, "Try everything")
    card = page.locator('[class*="st-key-answer-uncertain-"]')
    card.wait_for()
    shown = card.inner_text().replace("\u2060", "")
    for raw in ("<b>bold</b>", "**md**", "[x](javascript:alert(1))", ":material/delete:", "https://example.invalid"):
        assert raw in shown
    targets = card.locator("a").evaluate_all("links => links.map(a => a.getAttribute('href'))")
    assert all(target.startswith("#step-") for target in targets)


def test_the_picture_can_be_zoomed_and_marks_hidden(page, panel: bytes) -> None:  # type: ignore[no-untyped-def]
    drop(page, panel)
    page.wait_for_selector(".viewer image")
    say(page, "Look for scratches.")
    page.wait_for_selector(".viewer rect.mark.finding")
    settled(page)
    before = float(page.locator(".viewer .stage").get_attribute("viewBox").split()[2])
    page.locator(".viewer button.in").click()
    after = float(page.locator(".viewer .stage").get_attribute("viewBox").split()[2])
    assert after == pytest.approx(before / 1.5, rel=1e-3)
    page.locator(".viewer button.toggle").click()
    assert not page.locator(".viewer rect.mark.finding").is_visible()
    page.locator(".viewer button.fit").click()
    assert float(page.locator(".viewer .stage").get_attribute("viewBox").split()[2]) == pytest.approx(before, rel=1e-3)


def test_japanese_browser_gets_japanese(chromium, address: str) -> None:  # type: ignore[no-untyped-def]
    page = chromium.new_page(locale="ja-JP")
    page.goto(address)
    page.get_by_text("何を検査しますか？").wait_for(timeout=30_000)
    page.close()


def test_the_trace_can_be_downloaded(page, panel: bytes) -> None:  # type: ignore[no-untyped-def]
    drop(page, panel)
    page.wait_for_selector(".viewer image")
    say(page, "Look for scratches.")
    page.wait_for_selector('[class*="st-key-answer-ng-"]')
    with page.expect_download() as waiting:
        page.locator(".st-key-download button").first.click()
    text = Path(waiting.value.path()).read_text(encoding="utf-8")
    assert '"verdict": "ng"' in text
    assert waiting.value.suggested_filename.endswith(".json")
