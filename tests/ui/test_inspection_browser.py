"""One inspection reviewed in a real browser: sign in, draw a box anew, add a missed defect, set the verdict, sign."""

import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from runpy import run_path
from types import ModuleType, SimpleNamespace

import pytest

from kenpin.config import Settings
from kenpin.contracts.review import Severity, State
from kenpin.contracts.verdict import Verdict
from kenpin.launch import command, environment

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]
sync_api = pytest.importorskip("playwright.sync_api")
HERE = Path(__file__).parent
shared = SimpleNamespace(**run_path(str(HERE / "test_chat_browser.py")))
drawing = SimpleNamespace(**run_path(str(HERE / "test_drawing_browser.py")))
review = SimpleNamespace(**run_path(str(HERE / "reviewing.py")))


@pytest.fixture(scope="module")
def site(scripted: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """The pages on a free port, over an installation with people in it that the test reads too."""
    home = tmp_path_factory.mktemp("review") / "home"
    kenpin = scripted.open_scripted(home)
    staff = review.hire(kenpin)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    line = command(HERE / "scripted_page.py", port=port, address="127.0.0.1")
    with subprocess.Popen(line, env=environment(Settings(home=home)), stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL) as server:
        try:
            shared._wait(url)
            yield SimpleNamespace(url=url, kenpin=kenpin, staff=staff)
        finally:
            server.terminate()


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    if not shutil.which("chromium"):
        pytest.skip("no chromium; apt-get install chromium")
    with sync_api.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=shared.CHROMIUM, args=shared.FLAGS)
        yield browser
        browser.close()


def opened(browser, site: SimpleNamespace, inspection: str, *, who: str = "mori"):  # type: ignore[no-untyped-def]
    """The page of an inspection after signing in; what is asked of another host, or an error, is kept with it."""
    page = browser.new_context(viewport={"width": 1440, "height": 1000}, locale="en-US").new_page()
    page.set_default_timeout(20_000)
    page.strangers = []
    page.on("request", lambda r: page.strangers.append(r.url)
            if not r.url.startswith((site.url, "data:", "blob:", "ws://127.0.0.1")) else None)
    page.on("console", lambda m: page.strangers.append(m.text) if m.type == "error" and "404" not in m.text else None)
    # Below a page's own address Streamlit looks for its server first, and then where it is; the browser logs the miss.
    page.on("response", lambda r: page.strangers.append(r.url)
            if r.status >= 400 and not r.url.startswith(f"{site.url}/inspection/_stcore/") else None)
    page.goto(f"{site.url}/inspection?inspection={inspection}")
    page.fill('input[name="name"]', who)
    page.fill('input[name="password"]', review.PASSWORD)
    page.locator('input[name="password"]').press("Enter")
    page.wait_for_selector(".viewer image[href]")
    return page


def button(page, key: str):  # type: ignore[no-untyped-def]
    return page.locator(f'.st-key-{key} button').first


def test_an_inspection_is_corrected_completed_and_signed(browser, site: SimpleNamespace, panel: bytes) -> None:  # type: ignore[no-untyped-def]
    one = review.asked(site.kenpin, panel)
    page = opened(browser, site, one)
    button(page, "correct-f1").click()
    page.wait_for_selector(".viewer.drawing image[href]")
    page.locator(".viewer button.fit").click()
    drawing.drag(page, (160, 90), (170, 95), by_pixel=False)
    page.get_by_text("[100, 80, 170, 95]", exact=False).first.wait_for()
    button(page, "edit-save").click()
    page.locator(".viewer .tag text", has_text="f1 ✎").wait_for()

    button(page, "add-missed").click()
    page.wait_for_selector(".viewer.drawing image[href]")
    drawing.drag(page, (20, 150), (59, 179))
    page.get_by_text("[20, 150, 60, 180]", exact=False).first.wait_for()
    page.locator('[class*="st-key-edit-type-"] input').fill("dent")
    page.keyboard.press("Enter")
    page.locator('[class*="st-key-edit-severity-"] button', has_text="minor").click()
    button(page, "edit-save").click()
    page.locator(".viewer .tag text", has_text="m1 +").wait_for()

    page.locator('[class*="st-key-verdict-2"] button', has_text="NG").click()
    page.locator('[class*="st-key-verdict-why-"] textarea').fill("longer than the limit <b>C</b>")
    button(page, "verdict-save").click()
    page.locator('[class*="st-key-answer-ng-now"]', has_text="longer than the limit <b>C</b>").wait_for()

    page.locator('[class*="st-key-meaning-"] button', has_text="Approved").click()
    page.locator('[class*="st-key-sign-password-"] input').fill(review.PASSWORD)
    button(page, "sign").click()
    page.locator(".st-key-head .stMarkdownBadge", has_text="signed").wait_for()
    seen = review.dossier(site.kenpin, site.staff["sato"], one)
    assert seen.state is State.SIGNED
    found = {f.id: f for f in seen.decision.findings}
    assert (found["f1"].box, found["f1"].decision) == ((100, 80, 170, 95), "corrected")
    assert (found["m1"].box, found["m1"].type, found["m1"].severity) == ((20, 150, 60, 180), "dent", Severity.MINOR)
    assert seen.decision.verdict is Verdict.NG
    for gone in (".st-key-add-missed", ".st-key-sign button"):
        page.locator(gone).wait_for(state="detached")
    assert page.strangers == []
    page.context.close()


def test_keys_decide_and_a_citation_leads_to_its_step(browser, site: SimpleNamespace, panel: bytes) -> None:  # type: ignore[no-untyped-def]
    one = review.asked(site.kenpin, panel)
    page = opened(browser, site, one)
    page.locator('a[href="#step-2"]').first.click()
    page.wait_for_selector(".st-key-step-2.kenpin-here")
    page.wait_for_selector(".viewer rect.mark.step")
    button(page, "accept-f1").wait_for()
    page.keyboard.press("a")
    page.locator(".st-key-finding-0 .stMarkdownBadge", has_text="accepted").wait_for()
    assert review.dossier(site.kenpin, site.staff["sato"], one).decision.findings[0].decision == "accepted"
    assert page.strangers == []
    page.context.close()
