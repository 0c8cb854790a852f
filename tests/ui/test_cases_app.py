"""The gallery of past cases and its desk: what is shown, search, withdrawing, and text that stays text."""

from collections.abc import Iterator
from pathlib import Path
from runpy import run_path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import streamlit as st
from numpy.typing import NDArray
from streamlit.testing.v1 import AppTest

from kenpin.cases.desk import CaseDesk, CaseFilter, inspection_of
from kenpin.cases.memory import InMemoryCases
from kenpin.contracts.case import Case, CaseQuery
from kenpin.contracts.errors import Locked, NotAllowed, StoreError
from kenpin.contracts.view import RgbImage
from kenpin.database.tables import case_queue
from ui.parts.thumbs import CARD, cover, framed_cut
from ui.screens.cases import PAGE_SIZE

HERE = Path(__file__).parent
chat = SimpleNamespace(**run_path(str(HERE / "driver.py")))
walk = SimpleNamespace(**run_path(str(HERE / "walking.py")))
SQL = "' OR 1=1 --"


class Letters:
    """Describes a picture by its mean colour, and words by their letters."""

    name, picture_dim, words_dim = "letters", 4, 26

    def picture(self, pixels: RgbImage) -> NDArray[np.float32]:
        return self._unit(np.array([*pixels.mean(axis=(0, 1)), 40.0]))

    def words(self, text: str) -> NDArray[np.float32]:
        counts = np.array([text.lower().count(chr(97 + i)) + 0.01 for i in range(26)])
        return self._unit(counts)

    @staticmethod
    def _unit(values: NDArray[np.float64]) -> NDArray[np.float32]:
        return np.asarray(values / np.linalg.norm(values), dtype=np.float32)


@pytest.fixture
def house(scripted: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    made = walk.House(scripted.open_scripted(tmp_path / "home"), monkeypatch)
    made.hire()
    made.kenpin.__dict__["cases"] = InMemoryCases(Letters())
    yield made
    st.cache_resource.clear()


def put(house: Any, case_id: str, colour: tuple[int, int, int] = (90, 90, 90), **more: Any) -> Case:
    pixels = np.full((120, 160, 3), colour, np.uint8)
    known = {"product": "Panel A", "defect_type": "scratch", "cause": "Handling", "disposition": "rework",
             "box": (40, 30, 80, 60), "date": "2026-01-31"}
    case = Case(id=case_id, picture=house.kenpin.pictures.put(pixels), **{**known, **more})
    house.kenpin.cases.add(case, pixels=pixels)
    return case


def desk(house: Any) -> CaseDesk:
    kenpin = house.kenpin
    return CaseDesk(kenpin.people, lambda: kenpin.cases, kenpin.database, kenpin.audit)


def owed(house: Any, case_id: str, inspection: str) -> None:
    """What a signature leaves in the records."""
    with house.kenpin.database.write() as connection:
        connection.execute(case_queue.insert().values(
            case_id=case_id, inspection=inspection, action="add", body=b"", done=True))


def dialog(page: AppTest) -> str:
    return chat.texts(page).replace("\\", "").replace("\u2060", "")


def test_cards_say_what_is_known(house: Any) -> None:
    put(house, "c1", lot="L-7", signed_by="Mori", source="plant 3", origin="signed")
    put(house, "c2", defect_type="stain", product="", cause="", disposition="", date=None)
    first, second = walk.rows(house.open("cases", "abe"))
    for word in ("Scratch", "Panel A · Lot L-7", "Handling", "rework", "Signed by Mori", "plant 3", "2026-01-31"):
        assert word in first
    assert '<img src="data:image/jpeg;base64,' in first
    assert "Stain" in second and "No product named" in second and "Not signed" in second and "<b>–</b>" in second
    put(house, "c0", signed_by="Abe", date="2026-02-01")
    assert "Entered with Abe as signer, no signature on record" in walk.rows(house.open("cases", "abe"))[0]
    house.kenpin.cases.remove("c0")
    page = house.open("cases", "tanaka", lang="ja")
    assert "キズ" in walk.rows(page)[0] and "ロット L-7" in walk.rows(page)[0]


def test_an_empty_gallery_says_what_to_do(house: Any) -> None:
    page = house.open("cases", "mori")
    assert "There are no past cases yet" in chat.texts(page)


def test_filters_pages_and_sql_as_text(house: Any) -> None:
    for n in range(PAGE_SIZE + 1):
        put(house, f"c{n:02d}", product=f"P{n % 2}", defect_type="stain" if n == 3 else "scratch")
    page = house.open("cases", "mori", type="stain")
    assert len(walk.rows(page)) == 1 and "P1" in walk.rows(page)[0]
    page.button(key="filter-clear").click().run()
    assert len(walk.rows(page)) == PAGE_SIZE
    page.button(key="pager-next").click().run()
    assert len(walk.rows(page)) == 1
    page.selectbox(key="filter-signed-en").select("yes").run()
    assert "Nothing passes these filters" in chat.texts(page)
    for key in ("product", "type", "done"):
        page = house.open("cases", "mori", **{key: SQL})
        assert walk.rows(page) == [] and not page.error
    assert desk(house).page(house.staff["abe"], CaseFilter()).total == PAGE_SIZE + 1


def test_search_by_words(house: Any) -> None:
    put(house, "c1", cause="zzzz jjjj")
    put(house, "c2", colour=(20, 20, 200), cause="aaaa bbbb")
    page = house.open("cases", "mori")
    page.text_input(key="filter-words-en").set_value("jjjj zzzz").run()
    assert "zzzz jjjj" in walk.rows(page)[0]
    assert "The 2 most alike" in chat.texts(page)
    assert "alike · " in walk.rows(page)[0]
    page.text_input(key="filter-words-en").set_value(SQL).run()
    assert not page.error and len(walk.rows(page)) == 2


def test_search_by_a_picture(house: Any) -> None:
    put(house, "red", colour=(200, 20, 20), cause="red one")
    put(house, "blue", colour=(20, 20, 200), cause="blue one")
    page = house.open("cases", "tanaka")
    blue = walk.png(np.full((64, 64, 3), (25, 25, 190), np.uint8))
    next(f for f in page.file_uploader if f.key == "case-picture").set_value(("x.png", blue, "image/png"))
    page.run()
    assert not page.exception and not page.error
    assert "blue one" in walk.rows(page)[0]
    next(f for f in page.file_uploader if f.key == "case-picture").set_value(("../x.png", b"no picture", "image/png"))
    page.run()
    assert len(page.error) == 1 and len(walk.rows(page)) == 2


def test_only_those_who_may_withdraw_are_offered_it(house: Any) -> None:
    put(house, "c1")
    for who, may in (("tanaka", False), ("abe", False), ("mori", True), ("kato", True)):
        page = house.open("cases", who)
        page.button(key="open-row-0").click().run()
        assert not page.exception
        assert ("case-withdraw" in chat.keys(page)) == may
    for who in ("tanaka", "abe"):
        with pytest.raises(NotAllowed):
            desk(house).withdraw(house.staff[who], "c1")
    assert house.kenpin.cases.get("c1")


def test_a_withdrawn_case_is_gone_and_the_log_says_who_did_it(house: Any) -> None:
    put(house, "c1")
    page = house.open("cases", "mori")
    page.button(key="open-row-0").click().run()
    page.button(key="case-withdraw").click().run()
    assert walk.rows(page) == [] and "There are no past cases yet" in chat.texts(page)
    (event,) = house.kenpin.audit.events(action="case.withdrawn")
    assert (event.actor, event.subject) == ("mori", "case:c1")
    with pytest.raises(StoreError):
        desk(house).withdraw(house.staff["mori"], "c1")
    assert len(house.kenpin.audit.events(action="case.withdrawn")) == 1


def test_a_case_from_signed_work_is_withdrawn_by_its_signature_only(house: Any) -> None:
    inspection = house.trace(1)
    case = put(house, f"signed-{inspection}-f1", signed_by="Mori", origin="signed", inspection=inspection)
    owed(house, case.id, inspection)
    assert inspection_of(case) == inspection
    with pytest.raises(Locked, match="revoke the signature"):
        desk(house).withdraw(house.staff["mori"], case.id)
    page = house.open("cases", "mori", signed="yes")
    assert "Signed by Mori" in walk.rows(page)[0]
    page.button(key="open-row-0").click().run()
    assert "case-withdraw" not in chat.keys(page)
    assert "withdrawn by revoking the signature there" in "".join(i.value for i in page.info)
    assert "case-inspection" in chat.keys(page)


def test_what_a_case_says_of_itself_does_not_protect_it(house: Any) -> None:
    """A case that was imported may claim anything; only the records say what was signed."""
    put(house, "signed-x-f1", signed_by="Mori", origin="signed", inspection="x")
    desk(house).withdraw(house.staff["kato"], "signed-x-f1")
    assert house.kenpin.cases.all() == []


def test_the_text_of_a_case_is_never_markup(house: Any) -> None:
    evil = walk.staff.EVIL + '"><img src=x onerror=alert(1)>'
    put(house, "c1", product=evil, defect_type=evil[:60], cause=evil, disposition=evil, note=evil, lot=evil, date="<i>",
        source=evil, signed_by=evil)
    page = house.open("cases", "mori")
    (card,) = walk.rows(page)
    assert "<script>" not in card and "<img src=x" not in card and "<i>" not in card
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in card
    page.button(key="open-row-0").click().run()
    assert not page.exception
    facts = next(str(m.value) for m in page.markdown if "Cause" in str(m.value))
    assert "](javascript" not in facts and "\\<script\\>" in facts and "$x" not in facts.replace("\\$x", "")


def test_search_needs_the_right_to_read(house: Any) -> None:
    put(house, "c1")
    stranger = house.staff["mori"].model_copy(update={"session": "made-up"})
    for act in (lambda: desk(house).search(stranger, CaseQuery(words="x")), lambda: desk(house).get(stranger, "c1"),
                lambda: desk(house).page(stranger, CaseFilter())):
        with pytest.raises(NotAllowed):
            act()


@pytest.mark.parametrize("box", [(0, 0, 4, 4), (150, 110, 160, 120), (0, 0, 160, 120), (70, 5, 74, 115), (3, 60, 157, 62)])
def test_what_surrounds_a_defect_holds_all_of_it(box: tuple[int, int, int, int]) -> None:
    pixels = np.zeros((120, 160, 3), np.uint8)
    pixels[box[1]:box[3], box[0]:box[2]] = 255
    pixels.flags.writeable = False
    cut, (x0, y0, x1, y1) = framed_cut(pixels, box, CARD[0] / CARD[1])
    assert cut[y0:y1, x0:x1].min() == 255 and cut.sum() == pixels.sum()
    drawn, factor, _ = cover(cut, CARD)
    assert drawn.shape == (CARD[1], CARD[0], 3) and factor > 0
