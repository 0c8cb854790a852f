"""The page of one inspection, headless: every act, by every role, blind and open, and nothing that was typed is lost."""

from collections.abc import Iterator
from pathlib import Path
from runpy import run_path
from types import ModuleType, SimpleNamespace

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from kenpin.contracts.people import Actor

HERE = Path(__file__).parent
chat = SimpleNamespace(**run_path(str(HERE / "driver.py")))
review = SimpleNamespace(**run_path(str(HERE / "reviewing.py")))
PAGE = str(HERE / "inspection_page.py")


class Room:
    """One installation with its people, and pages as one of them."""

    def __init__(self, kenpin: object, patch: pytest.MonkeyPatch) -> None:
        self.kenpin, self._patch = kenpin, patch
        self.staff: dict[str, Actor] = review.hire(kenpin)

    def page(self, inspection: str, who: str) -> AppTest:
        import ui.frame

        self._patch.setattr(ui.frame, "visitor", lambda: self.staff[who])
        page = AppTest.from_file(PAGE, default_timeout=30)
        page.query_params["inspection"] = inspection
        page.run()
        assert not page.exception
        return page

    def seen(self, inspection: str, who: str = "mori"):  # type: ignore[no-untyped-def]
        return review.dossier(self.kenpin, self.staff[who], inspection)


@pytest.fixture
def room(scripted: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Room]:
    import ui.backend

    kenpin = scripted.open_scripted(tmp_path / "検品 home")
    monkeypatch.setenv("KENPIN_HOME", str(tmp_path / "検品 home"))
    monkeypatch.setattr(ui.backend, "open_kenpin", lambda settings: kenpin)
    st.cache_resource.clear()
    st.cache_data.clear()
    yield Room(kenpin, monkeypatch)
    st.cache_resource.clear()


@pytest.fixture
def one(room: Room, panel: bytes) -> str:
    return str(review.asked(room.kenpin, panel))


def test_the_page_shows_what_the_answer_rests_on(room: Room, one: str) -> None:
    page = room.page(one, "mori")
    chat.texts(page)
    assert not page.error
