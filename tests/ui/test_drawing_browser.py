"""The drawing field in a real browser: exact pixels of the original at any zoom, by mouse, finger and keyboard."""

import ast
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace

import pytest

from kenpin.config import Settings
from kenpin.launch import command, environment

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
sync_api = pytest.importorskip("playwright.sync_api")
HERE = Path(__file__).parent
shared = SimpleNamespace(**run_path(str(HERE / "test_chat_browser.py")))
WIDTH, HEIGHT = 320, 240


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    env = environment(Settings(home=tmp_path_factory.mktemp("home")))
    line = command(HERE / "drawing_page.py", port=port, address="127.0.0.1")
    with subprocess.Popen(line, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            shared._wait(f"http://127.0.0.1:{port}")
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    if not Path(shared.CHROMIUM).exists():
        pytest.skip("no chromium; apt-get install chromium")
    with sync_api.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=shared.CHROMIUM, args=shared.FLAGS)
        yield browser
        browser.close()


def opened(browser, address: str, query: str = "", **kind):  # type: ignore[no-untyped-def]
    page = browser.new_page(viewport={"width": 1100, "height": 800}, **kind)
    page.set_default_timeout(20_000)
    page.goto(f"{address}/?{query}")
    page.wait_for_selector(".viewer.drawing image[href]")
    return page


def at(page, x: float, y: float) -> tuple[float, float]:  # type: ignore[no-untyped-def]
    """Where a place of the original lies on the screen."""
    box = page.locator(".viewer .stage").bounding_box()
    vx, vy, vw, vh = (float(v) for v in page.locator(".viewer .stage").get_attribute("viewBox").split())
    return box["x"] + (x - vx) / vw * box["width"], box["y"] + (y - vy) / vh * box["height"]


def drag(page, start: tuple[float, float], end: tuple[float, float], *, by_pixel: bool = True) -> None:  # type: ignore[no-untyped-def]
    """Draw from the middle of one pixel to the middle of another (or between places on pixel edges)."""
    half = 0.5 if by_pixel else 0
    page.mouse.move(*at(page, start[0] + half, start[1] + half))
    page.mouse.down()
    page.mouse.move(*at(page, (start[0] + end[0]) / 2, (start[1] + end[1]) / 2))
    page.mouse.move(*at(page, end[0] + half, end[1] + half))
    page.mouse.up()


def told(page, expected: list[int] | None) -> None:  # type: ignore[no-untyped-def]
    """What Python has taken."""
    text = str(expected) if expected else "none"
    page.locator("code", has_text=text).wait_for()
    assert (None if text == "none" else ast.literal_eval(page.locator("code").inner_text())) == expected


def test_drawing_with_the_mouse_gives_exact_pixels_at_two_zoom_levels(browser, address: str) -> None:  # type: ignore[no-untyped-def]
    page = opened(browser, address)
    told(page, None)
    drag(page, (100, 80), (159, 89))
    told(page, [100, 80, 160, 90])
    assert page.locator(".size").inner_text() == "60 × 10 px  6 × 1 mm"
    for _ in range(5):
        page.locator(".viewer button.in").click()
    shown = float(page.locator(".viewer .stage").get_attribute("viewBox").split()[2])
    assert shown < WIDTH / 5
    drag(page, (171, 121), (150, 118))
    told(page, [150, 118, 172, 122])
    page.close()


def test_an_edge_a_corner_and_the_whole_box_are_moved(browser, address: str) -> None:  # type: ignore[no-untyped-def]
    page = opened(browser, address, "start")
    told(page, [100, 80, 160, 90])
    drag(page, (160, 90), (200, 120), by_pixel=False)
    told(page, [100, 80, 200, 120])
    drag(page, (100, 100), (90, 100), by_pixel=False)
    told(page, [90, 80, 200, 120])
    drag(page, (150, 100), (160, 110), by_pixel=False)
    told(page, [100, 90, 210, 130])
    drag(page, (150, 110), (700, 110), by_pixel=False)
    told(page, [210, 90, 320, 130])
    page.close()


def test_a_click_draws_nothing_and_a_box_stays_in_the_picture(browser, address: str) -> None:  # type: ignore[no-untyped-def]
    page = opened(browser, address)
    page.mouse.click(*at(page, 50, 50))
    assert page.locator(".draft .mark").count() == 0
    drag(page, (300, 200), (400, 300))
    told(page, [300, 200, 320, 240])
    page.locator(".viewer .stage").press("Escape")
    told(page, None)
    page.close()


def test_the_keyboard_alone_is_enough(browser, address: str) -> None:  # type: ignore[no-untyped-def]
    page = opened(browser, address)
    stage = page.locator(".viewer .stage")
    assert "Enter begins a box" in stage.get_attribute("aria-label")
    stage.focus()
    page.keyboard.press("Enter")
    told(page, [136, 96, 184, 144])
    for key in ("ArrowLeft", "ArrowUp", "Control+ArrowUp", "Shift+ArrowRight", "Control+Shift+ArrowDown"):
        page.keyboard.press(key)
    told(page, [135, 85, 184, 143])
    for _ in range(8):
        page.keyboard.press("Control+Shift+ArrowLeft")
    told(page, [135, 85, 138, 143])
    assert page.locator(".size").get_attribute("aria-live") == "polite"
    page.keyboard.press("Escape")
    told(page, None)
    page.close()


def test_one_finger_draws_and_two_zoom(browser, address: str) -> None:  # type: ignore[no-untyped-def]
    page = opened(browser, address, has_touch=True)
    touch = page.context.new_cdp_session(page)

    def fingers(kind: str, *places: tuple[float, float]) -> None:
        points = [{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(at(page, *p) for p in places)]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    fingers("touchStart", (40.5, 60.5))
    fingers("touchMove", (70.5, 80.5))
    fingers("touchMove", (119.5, 99.5))
    fingers("touchEnd")
    told(page, [40, 60, 120, 100])
    before = float(page.locator(".viewer .stage").get_attribute("viewBox").split()[2])
    fingers("touchStart", (150, 150))
    fingers("touchStart", (150, 150), (190, 150))
    fingers("touchMove", (130, 150), (210, 150))
    fingers("touchEnd")
    after = float(page.locator(".viewer .stage").get_attribute("viewBox").split()[2])
    assert after == pytest.approx(before / 2, rel=0.05)
    told(page, [40, 60, 120, 100])
    page.close()


def test_the_words_are_japanese_for_japanese_readers(browser, address: str) -> None:  # type: ignore[no-untyped-def]
    page = opened(browser, address, "ja")
    assert "矢印で移動" in page.locator(".viewer .stage").get_attribute("aria-label")
    page.close()
