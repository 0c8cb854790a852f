"""Once through in a real browser, with the real server, planner and tools: sign in, ask, correct a box, sign, find the
case, verify the chain. And every page in both languages, wide and narrow: nothing from another host, nothing cut off."""

import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace
from typing import Any

import pytest

from kenpin.config import Settings
from kenpin.contracts.audit import AuditHead
from kenpin.contracts.people import Actor, Role
from kenpin.contracts.review import State
from kenpin.contracts.verdict import Verdict
from kenpin.launch import ROOT, command, environment
from kenpin.wiring import Kenpin, open_kenpin

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
sync_api = pytest.importorskip("playwright.sync_api")
shared = SimpleNamespace(**run_path(str(Path(__file__).parent / "test_chat_browser.py")))
chromium = shared.chromium
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
            shared._wait(url)
            yield url
        finally:
            server.terminate()


class Browser:
    """One person at the pages."""

    def __init__(self, chromium: Any, address: str, **kind: Any) -> None:
        self.address = address
        self._context = chromium.new_context(**{"viewport": {"width": 1280, "height": 900}, "locale": "en-US", **kind})
        self.page = self._context.new_page()
        self.page.set_default_timeout(25_000)
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
    browser.close()


def at(page: Any, x: float, y: float) -> tuple[float, float]:
    """Where a pixel of the original lies on the screen."""
    box = page.locator(".viewer .stage").bounding_box()
    vx, vy, vw, vh = (float(v) for v in page.locator(".viewer .stage").get_attribute("viewBox").split())
    return box["x"] + (x - vx) / vw * box["width"], box["y"] + (y - vy) / vh * box["height"]


def drag(page: Any, start: tuple[int, int], end: tuple[int, int]) -> None:
    """Take hold of a place of the original and lay it elsewhere."""
    page.mouse.move(*at(page, *start))
    page.mouse.down()
    page.mouse.move(*at(page, (start[0] + end[0]) / 2, (start[1] + end[1]) / 2))
    page.mouse.move(*at(page, *end))
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
    (waiting,) = kenpin.reviews.queue(ROOT_USER).rows
    found, *others = kenpin.reviews.dossier(ROOT_USER, waiting.id).decision.findings

    page.locator('[data-testid="stSidebarNav"]').get_by_text("Review queue").click()
    row = page.locator(".k-row")
    row.wait_for()
    assert "✕ NG" in row.inner_text() and "mori" in row.inner_text() and "Waiting for review" in row.inner_text()
    page.locator(".st-key-open-row-0 button").click(force=True)

    page.locator(".st-key-correct-f1 button").click()
    page.locator(".st-key-edit-save button").wait_for()
    page.locator(".viewer.drawing image[href]").wait_for()
    x0, y0, x1, y1 = found.box
    drag(page, (x0, y0), CORRECTED[:2])
    page.locator(".stForm").get_by_text(f"[{CORRECTED[0]}, {CORRECTED[1]}, {x1}, {y1}]").wait_for()
    drag(page, (x1, y1), CORRECTED[2:])
    page.locator(".stForm").get_by_text(str(list(CORRECTED))).wait_for()
    page.locator(".st-key-edit-save button").click()
    page.locator(".st-key-finding-0").get_by_text("corrected").wait_for()
    for n, finding in enumerate(others, start=1):
        page.locator(f".st-key-refute-{finding.id} button").click()
        page.locator(f".st-key-finding-{n}").get_by_text("false alarm").wait_for()

    page.locator(".stExpander", has_text="verdict").first.click()
    form = page.locator('[class*="st-key-verdict-form"], .stForm').filter(has=page.locator(".st-key-verdict-save"))
    form.locator("textarea").fill("A stain of oil.")
    form.locator("input[type=text]").nth(0).fill("oil of the loom")
    form.locator("input[type=text]").nth(1).fill("scrap")
    page.locator(".st-key-verdict-save button").click()
    page.get_by_text("oil of the loom").first.wait_for()

    signing = page.locator(".st-key-signing")
    signing.get_by_text("approved").click()
    signing.locator("input[type=password]").fill(PASSWORD)
    page.locator(".st-key-sign button").click()
    signing.get_by_text("Mori Aya").wait_for()

    signed = kenpin.reviews.dossier(ROOT_USER, waiting.id)
    assert signed.state is State.SIGNED and signed.decision.verdict is Verdict.NG
    assert signed.decision.findings[0].box == CORRECTED

    page.locator('[data-testid="stSidebarNav"]').get_by_text("Past cases").click()
    card = page.locator(".k-card", has_text="oil of the loom")
    card.wait_for()
    assert "Stain" in card.inner_text() and "scrap" in card.inner_text() and "Signed by Mori Aya" in card.inner_text()
    page.locator(".st-key-open-row-0 button").click(force=True)
    opened = page.get_by_role("dialog")
    opened.locator(".viewer rect.mark.finding").wait_for()
    assert "It is withdrawn by revoking the signature there" in opened.inner_text()
    assert [case.box for case in kenpin.cases.all() if case.signed_by == "Mori Aya"] == [CORRECTED]

    _verify(chromium, address, kenpin)


def _verify(chromium: Any, address: str, kenpin: Kenpin) -> None:
    """The auditor, at another machine."""
    browser = Browser(chromium, address)
    browser.sign_in("abe")
    browser.menu("Audit log")
    page = browser.page
    page.locator(".k-row", has_text="record.signed").first.wait_for()
    with page.expect_download() as waiting:
        page.locator(".st-key-head-download button").first.click()
    head = AuditHead.model_validate_json(Path(waiting.value.path()).read_bytes())
    assert head == kenpin.audit.head()
    page.locator(".st-key-verify button").click()
    page.get_by_text("The chain holds from the first event to the last").wait_for()
    browser.close()


@pytest.mark.parametrize("lang", ["en-US", "ja-JP"])
@pytest.mark.parametrize("width", [1280, 390])
def test_every_page_fits_the_screen(chromium: Any, address: str, lang: str, width: int) -> None:
    browser = Browser(chromium, address, locale=lang, viewport={"width": width, "height": 900})
    page, refused = browser.page, []
    page.on("console", lambda m: refused.append(m.text) if "Content Security Policy" in m.text else None)
    page.goto(address)
    page.fill("input[name=name]", "kato")
    page.fill("input[name=password]", PASSWORD)
    page.keyboard.press("Enter")
    page.locator(LINE).wait_for()
    for name, there in (("queue", ".st-key-page-head"), ("cases", ".k-card"), ("audit", ".k-row"), ("admin", "h3, h2")):
        page.goto(f"{address}/{name}")
        page.locator(there).first.wait_for()
        page.wait_for_timeout(500)
        main = page.locator(".stMain")
        assert main.evaluate("e => e.scrollWidth - e.clientWidth") == 0, name
        assert page.locator('[data-testid="stAlertContentError"]').count() == 0, name
        japanese = any("\u3040" <= sign <= "\u30ff" for sign in page.locator(".stMain").inner_text())
        assert japanese or lang == "en-US", name
    browser.close()
    assert refused == []
