"""Registered products on the page: register a good sample, choose a product, see it in the trace."""

from dataclasses import replace
from pathlib import Path
from runpy import run_path
from types import ModuleType, SimpleNamespace

import pytest
from streamlit.testing.v1 import AppTest

from kenpin.contracts.people import Role
from kenpin.security.credentials import Hasher

staff = SimpleNamespace(**run_path(str(Path(__file__).with_name("reviewing.py"))))
chat = SimpleNamespace(**run_path(str(Path(__file__).with_name("driver.py"))))


@pytest.fixture
def administrator(page: AppTest, scripted: ModuleType, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """The page with somebody before it who may register products."""
    import ui.backend
    import ui.who

    monkeypatch.setattr("kenpin.security.people.Hasher", Hasher.for_tests)
    opened = ui.backend.open_kenpin
    monkeypatch.setattr(ui.backend, "open_kenpin", lambda settings: replace(opened(settings), console=True))
    people = ui.backend.installation().people
    people.accounts.add(staff.ROOT, "kato", roles={Role.ADMINISTRATOR}, printed_name="Kato", password=staff.PASSWORD)
    actor = people.sign_in("kato", staff.PASSWORD)
    monkeypatch.setattr(ui.who, "token", lambda: actor.session)
    return page


def registered(page: AppTest, data: bytes, name: str) -> None:
    """Give a picture and add it to a product's good samples."""
    page.run()
    chat.give(page, data)
    field = next(f for f in page.text_input if str(f.key).startswith("register-"))
    field.set_value(name).run()
    page.button(key=str(field.key).replace("-name", "-add")).click().run()
    assert not page.exception


def test_a_picture_becomes_a_good_sample_and_is_used(administrator: AppTest, golden: bytes, panel: bytes) -> None:
    page = administrator
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


def test_a_guest_uses_products_and_registers_none(page: AppTest, panel: bytes) -> None:
    page.run()
    chat.give(page, panel)

    assert not page.exception
    assert not [field for field in page.text_input if str(field.key).startswith("register-")]


def test_without_products_no_field_is_shown(page: AppTest, panel: bytes) -> None:
    page.run()
    chat.give(page, panel)
    assert not [s for s in page.selectbox if str(s.key).startswith("product-")]
    chat.say(page, "Look for scratches.")
    assert chat.stored(page).product is None


@pytest.mark.parametrize("name", ["../x", "a/b"])
def test_a_name_that_could_be_a_path_is_refused_in_one_line(
    administrator: AppTest, golden: bytes, name: str
) -> None:
    page = administrator
    registered(page, golden, name)
    assert any("cannot name a product" in error.value for error in page.error)
    assert not page.success


def test_the_page_speaks_japanese_of_products(administrator: AppTest, golden: bytes) -> None:
    page = administrator
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
    assert "Lot L\\-17 · Part number 0042" in chat.texts(page)

    page.button(key="next").click().run()
    chat.give(page, panel)
    chat.say(page, "Look for scratches.")

    assert not page.exception
    assert (chat.stored(page).lot, chat.stored(page).part) == ("L-17", None)
