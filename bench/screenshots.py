"""Pictures of the chat page for the documentation, in both languages: `python bench/screenshots.py [FOLDER]`.

Serves the page over an empty installation with the embedded planner, drives it in Chromium over the bundled pictures,
and writes one WebP a scene and language (default: docs/pictures). Look at them before they are committed.
"""

import io
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from kenpin.config import Settings
from kenpin.launch import ROOT, command, environment

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync"]
LINE = '[data-testid="stChatInput"] textarea'
WORDS = {
    "en": {"ng": "Is there anything wrong with this fabric?", "cases": "Any similar cases?",
           "limit": "Reject scratches over 25 mm. The black marker is 15 mm wide.",
           "compare": "Compare with the golden sample", "ok": "Look for stains.",
           "question": "Compare it with the master part", "refusal": "Who made this part?"},
    "ja": {"ng": "シミや汚れを探して", "cases": "似た過去事例は？",
           "limit": "25mm以上の傷は不良。黒いマーカーは15mm角", "compare": "良品見本と違うところを示して",
           "ok": "シミがないか検査して", "question": "マスターと比べて", "refusal": "この部品は誰が作った？"},
}
IDLE = "document.querySelector('[data-testid=stApp]')?.dataset.testScriptState !== 'running'"
LOCALES = {"en": "en-US", "ja": "ja-JP"}
STAIN, CLEAN, PANEL = 0, 1, 2
"""Places of the bundled pictures on the page."""


@contextmanager
def served() -> Iterator[str]:
    """The page over an empty installation, until the end of the block."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as home:
        line = command(ROOT / "ui" / "app.py", port=port, address="127.0.0.1")
        with subprocess.Popen(line, env=environment(Settings(home=Path(home)))) as server:
            try:
                url = f"http://127.0.0.1:{port}"
                wait_for(url)
                yield url
            finally:
                server.terminate()


def wait_for(url: str) -> None:
    """Wait until the server is well."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            with urlopen(f"{url}/_stcore/health", timeout=2):
                return
        except OSError:
            time.sleep(0.3)
    raise TimeoutError(f"{url} does not answer")


def settle(page: Page) -> None:
    """Wait until the page's run has ended and pictures are there."""
    page.wait_for_timeout(700)
    page.wait_for_function(IDLE, timeout=120_000)
    page.wait_for_timeout(1200)


def say(page: Page, text: str) -> None:
    """Run one turn to its answer."""
    cards = page.locator('[class*="st-key-answer-"]')
    before = cards.count()
    page.locator(LINE).fill(text)
    page.locator(LINE).press("Enter")
    cards.nth(before).wait_for(timeout=120_000)
    settle(page)


def take(page: Page, number: int) -> None:
    """Begin with a bundled picture."""
    page.locator(".st-key-new button").first.click()
    settle(page)
    page.locator(f".st-key-try-{number} button").first.click()
    settle(page)


def keep(page: Page, file: Path) -> None:
    """Write the page as WebP, the pointer out of the way."""
    page.mouse.move(5, 5)
    page.wait_for_timeout(300)
    Image.open(io.BytesIO(page.screenshot())).convert("RGB").save(file, quality=88, method=6)
    print(file, file.stat().st_size)


def scenes(browser: Browser, url: str, lang: str, folder: Path) -> None:
    """Every scene in one language."""
    words = WORDS[lang]
    page = browser.new_page(viewport={"width": 1440, "height": 900}, locale=LOCALES[lang])
    page.set_default_timeout(60_000)
    page.goto(url)
    page.wait_for_selector(LINE)
    settle(page)
    keep(page, folder / f"{lang}-start.webp")
    take(page, PANEL)
    keep(page, folder / f"{lang}-ready.webp")
    say(page, words["limit"])
    keep(page, folder / f"{lang}-limit.webp")
    say(page, words["compare"])
    keep(page, folder / f"{lang}-compare.webp")
    take(page, STAIN)
    say(page, words["ng"])
    keep(page, folder / f"{lang}-ng.webp")
    say(page, words["cases"])
    keep(page, folder / f"{lang}-cases.webp")
    take(page, CLEAN)
    say(page, words["ok"])
    keep(page, folder / f"{lang}-ok.webp")
    say(page, words["refusal"])
    say(page, words["question"])
    keep(page, folder / f"{lang}-question.webp")
    page.close()


def main() -> None:
    """Take all pictures."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "pictures"
    folder.mkdir(parents=True, exist_ok=True)
    chromium = shutil.which("chromium")
    with served() as url, sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, args=FLAGS)
        for lang in WORDS:
            scenes(browser, url, lang, folder)
        browser.close()


if __name__ == "__main__":
    main()
