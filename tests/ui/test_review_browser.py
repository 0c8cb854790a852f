"""Once through in a real browser, with the real server, planner and tools: sign in, ask, correct a box, sign, find the
case, verify the chain. And every page in both languages, wide and narrow: nothing from another host, nothing cut off."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from kenpin.config import Settings
from kenpin.contracts.people import Actor, Role
from kenpin.launch import ROOT, command, environment
from kenpin.wiring import Kenpin, open_kenpin

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
sync_api = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync"]
LINE = '[data-testid="stChatInput"] textarea'
PASSWORD = "velvet orbit walnut drum"
ROOT_USER = Actor(name="console:root", roles=frozenset({Role.OPERATOR, Role.ADMINISTRATOR}), kind="console")
STAFF = {"mori": (Role.REVIEWER, "Mori Aya"), "abe": (Role.AUDITOR, "Abe Ken"), "kato": (Role.ADMINISTRATOR, "Kato Jun")}
CORRECTED = (150, 120, 230, 200)
"""Around the stain of the bundled fabric, which lies at about (155, 127) to (224, 195)."""


@pytest.fixture(scope="module")
def kenpin(tmp_path_factory: pytest.TempPathFactory) -> Kenpin:
    """An installation with its people, as the command line opens it."""
    made = open_kenpin(Settings(home=tmp_path_factory.mktemp("review") / "検品 home"), console=True)
    for name, (role, printed) in STAFF.items():
        made.people.accounts.add(ROOT_USER, name, roles={role}, printed_name=printed, password=PASSWORD)
    return made


@pytest.fixture(scope="module")
def address(kenpin: Kenpin) -> Iterator[str]:
    """Its pages, as `kenpin ui` serves them."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    line = command(ROOT / "ui" / "app.py", port=port, address="127.0.0.1")
    with subprocess.Popen(line, env=environment(kenpin.settings), stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL) as server:
        url = f"http://127.0.0.1:{port}"
        try:
            _wait(url)
            yield url
        finally:
            server.terminate()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    if not Path(CHROMIUM).exists():
        pytest.skip("no chromium; apt-get install chromium")
    with sync_api.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


class Browser:
    """One person at the pages."""

    def __init__(self, chromium: Any, address: str, **kind: Any) -> None:
        self.address = address
        self._context = chromium.new_context(**{"viewport": {"width": 1280, "height": 900}, "locale": "en-US", **kind})
        self.page = self._context.new_page()
        self.page.set_default_timeout(60_000)
        self.strangers: list[str] = []
        ours = (address, address.replace("http", "ws", 1), "data:", "blob:")
        self.page.on("request", lambda r: None if r.url.startswith(ours) else self.strangers.append(r.url))

    def sign_in(self, name: str) -> None:
        self.page.goto(self.address)
        self.page.fill("input[name=name]", name)
        self.page.fill("input[name=password]", PASSWORD)
        self.page.keyboard.press("Enter")
        self.page.locator('[data-testid="stSidebarNav"]').wait_for()

    def menu(self, title: str) -> None:
        self.page.locator('[data-testid="stSidebarNav"]').get_by_text(title, exact=True).click()
        self.page.get_by_role("heading", name=title, exact=True).wait_for()

    def close(self) -> None:
        self._context.close()
        assert self.strangers == []


@pytest.fixture
def mori(chromium: Any, address: str) -> Iterator[Any]:
    browser = Browser(chromium, address)
    browser.sign_in("mori")
    yield browser.page
    browser.page.screenshot(path="/tmp/q/e2e-last.png")
    browser.close()


def _wait(url: str) -> None:
    until = time.monotonic() + 90
    while time.monotonic() < until:
        try:
            with urlopen(f"{url}/_stcore/health", timeout=2):
                return
        except OSError:
            time.sleep(0.3)
    raise TimeoutError(f"{url} does not answer")


def at(page: Any, x: float, y: float) -> tuple[float, float]:
    """Where a pixel of the original lies on the screen."""
    box = page.locator(".viewer .stage").bounding_box()
    vx, vy, vw, vh = (float(v) for v in page.locator(".viewer .stage").get_attribute("viewBox").split())
    scale = min(box["width"] / vw, box["height"] / vh)
    left = box["x"] + (box["width"] - vw * scale) / 2
    top = box["y"] + (box["height"] - vh * scale) / 2
    return left + (x - vx) * scale, top + (y - vy) * scale


def redraw(page: Any, box: tuple[int, int, int, int]) -> None:
    """Take the box that is there away and draw another, from the middle of its first pixel to that of its last."""
    stage = page.locator(".viewer .stage")
    stage.press("Escape")
    page.mouse.move(*at(page, box[0] + 0.5, box[1] + 0.5))
    page.mouse.down()
    page.mouse.move(*at(page, (box[0] + box[2]) / 2, (box[1] + box[3]) / 2))
    page.mouse.move(*at(page, box[2] - 0.5, box[3] - 0.5))
    page.mouse.up()


def ask(page: Any) -> None:
    """A bundled picture, and the first thing to try on it."""
    page.locator(".st-key-try-0 button").click()
    page.locator(".viewer image").wait_for()
    page.locator(LINE).fill("Look for defects.")
    page.locator(LINE).press("Enter")
    page.locator('[class*="st-key-answer-ng-"]').wait_for()


def test_from_the_question_to_the_case_and_the_chain(mori: Any, kenpin: Kenpin, chromium: Any, address: str) -> None:
    page = mori
    ask(page)

    page.locator('[data-testid="stSidebarNav"]').get_by_text("Review queue").click()
    row = page.locator(".k-row")
    row.wait_for()
    assert "✕ NG" in row.inner_text() and "mori" in row.inner_text() and "Waiting for review" in row.inner_text()
    page.locator(".st-key-open-row-0 button").click(force=True)

    page.locator(".st-key-correct-f1 button").click()
    page.locator(".st-key-edit-save button").wait_for()
    redraw(page, CORRECTED)
    page.get_by_text("[150, 120, 230, 200]").first.wait_for()
    page.locator(".st-key-edit-save button").click()
    page.locator(".st-key-finding-0").get_by_text("corrected").wait_for()
    if page.locator(".st-key-refute-f2").count():
        page.locator(".st-key-refute-f2 button").click()
        page.locator(".st-key-finding-1").get_by_text("false alarm").wait_for()

    page.locator(".stExpander", has_text="verdict").first.click()
    form = page.locator('[class*="st-key-verdict-form"], .stForm').filter(has=page.locator(".st-key-verdict-save"))
    form.get_by_text("NG").click()
    form.locator("textarea").fill("A stain of oil.")
    form.locator("input[type=text]").nth(0).fill("oil of the loom")
    form.locator("input[type=text]").nth(1).fill("scrap")
    page.locator(".st-key-verdict-save button").click()

    signing = page.locator(".st-key-signing")
    signing.get_by_text("approved").click()
    signing.locator("input[type=password]").fill(PASSWORD)
    page.locator(".st-key-sign button").click()
    signing.get_by_text("Mori Aya").wait_for()

    signed = kenpin.reviews.queue(ROOT_USER).rows
    assert signed == (), "nothing waits any more"
