"""Registered products on the page: register a good sample, choose a product, see it in the trace."""

from pathlib import Path
from runpy import run_path
from types import SimpleNamespace

import pytest
from streamlit.testing.v1 import AppTest

chat = SimpleNamespace(**run_path(str(Path(__file__).with_name("driver.py"))))


def registered(page: AppTest, data: bytes, name: str) -> None:
    """Give a picture and add it to a product's good samples."""
    page.run()
    chat.give(page, data)
    field = next(f for f in page.text_input if str(f.key).startswith("register-"))
    field.set_value(name).run()
    page.button(key=str(field.key).replace("-name", "-add")).click().run()
    assert not page.exception


def test_a_picture_becomes_a_good_sample_and_is_used(page: AppTest, golden: bytes, panel: bytes) -> None:
    registered(page, golden, "Panel A")
    assert [s.value for s in page.success] == ["Panel A now has 1 good sample(s)."]
    page.button(key="other").click().run()
    chat.give(page, panel)
    next(s for s in page.selectbox if str(s.key).startswith("product-")).select("Panel A").run()
    assert "Panel A: 1 good sample(s), 0 golden sample(s) registered" in chat.texts(page)
    chat.say(page, "Look for scratches.")
    assert not page.exception
    trace = chat.stored(page)
    assert trace.product == "Panel A" and len(trace.good) == 1


def test_without_products_no_field_is_shown(page: AppTest, panel: bytes) -> None:
    page.run()
    chat.give(page, panel)
    assert not [s for s in page.selectbox if str(s.key).startswith("product-")]
    chat.say(page, "Look for scratches.")
    assert chat.stored(page).product is None


@pytest.mark.parametrize("name", ["../x", "a/b"])
def test_a_name_that_could_be_a_path_is_refused_in_one_line(page: AppTest, golden: bytes, name: str) -> None:
    registered(page, golden, name)
    assert any("cannot name a product" in error.value for error in page.error)
    assert not page.success


def test_the_page_speaks_japanese_of_products(page: AppTest, golden: bytes) -> None:
    page.run()
    page.segmented_control(key="language").set_value("ja").run()
    registered(page, golden, "パネル")
    assert [s.value for s in page.success] == ["パネル の良品サンプルは 1 枚になりました。"]


def test_lot_and_part_stand_in_the_trace_and_the_next_part_keeps_the_lot(page: AppTest, panel: bytes) -> None:
    page.run()
    chat.give(page, panel)
    for name, value in (("-lot", "L-17"), ("-part", "0042")):
        next(f for f in page.text_input if str(f.key).startswith("which-") and str(f.key).endswith(name)).set_value(value)
    page.run()
    chat.say(page, "Look for scratches.")
    assert not page.exception
    assert (chat.stored(page).lot, chat.stored(page).part) == ("L-17", "0042")

    page.button(key="next").click().run()
    chat.give(page, panel)
    chat.say(page, "Look for scratches.")

    assert not page.exception
    assert (chat.stored(page).lot, chat.stored(page).part) == ("L-17", None)
