"""The review queue, headless: who sees it, what it shows, filters in the address, paging, and the way through it."""

from collections.abc import Iterator
from pathlib import Path
from runpy import run_path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from kenpin.contracts.errors import StoreError
from kenpin.contracts.review import QueueFilter, State
from kenpin.contracts.verdict import Verdict
from kenpin.reports.making import lot_report
from ui.parts.worklist import PAGE_SIZE, filter_of, neighbours, number

HERE = Path(__file__).parent
chat = SimpleNamespace(**run_path(str(HERE / "driver.py")))
walk = SimpleNamespace(**run_path(str(HERE / "walking.py")))
SQL = "' OR 1=1 --"


@pytest.fixture
def house(scripted: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    yield walk.House(scripted.open_scripted(tmp_path / "home"), monkeypatch)
    st.cache_resource.clear()


def ids(page: AppTest) -> list[str]:
    """What the rows' buttons say, without the word before it."""
    return [b.label.replace("\\", "").removeprefix("Open ") for b in page.button if str(b.key).startswith("open-row-")]


@pytest.mark.parametrize(("who", "shown"), [
    ("tanaka", ["chat", "queue", "cases"]), ("mori", ["chat", "queue", "cases"]),
    ("kato", ["chat", "queue", "cases", "audit", "admin"]), ("abe", ["queue", "cases", "audit"])])
def test_the_menu_follows_the_rights(house: Any, who: str, shown: list[str]) -> None:
    house.hire()
    page = house.open("queue", who)
    assert walk.menu(page) == shown
    assert ("new" in chat.keys(page)) == (who != "abe")
    assert "Nothing has been inspected yet" in chat.texts(page)
    assert ("ask-first" in chat.keys(page)) == (who != "abe")


def test_an_account_without_a_role_is_told_what_to_do(house: Any) -> None:
    house.kenpin.people.accounts.add(walk.staff.ROOT, "new", roles=(), password=walk.staff.PASSWORD)
    house.staff = {"new": house.kenpin.people.sign_in("new", walk.staff.PASSWORD)}
    page = house.open("", "new")
    assert walk.menu(page) == ["none"]
    assert "Ask an administrator to give new a role." in chat.texts(page).replace("\\", "")


def test_a_guest_sees_the_queue_and_no_log(house: Any) -> None:
    house.trace(1)
    page = house.open("queue", None)
    assert walk.menu(page) == ["chat", "queue", "cases"]
    assert len(walk.rows(page)) == 1


def test_uncertain_ones_come_first_and_every_row_says_what_it_is(house: Any) -> None:
    house.hire()
    house.trace(1, "ok", part="P-1")
    house.trace(2, "ng", product="Panel A", lot="L-7", part="P-2")
    house.trace(3, "uncertain", part="P-3", planner="vllm")
    page = house.open("queue", "mori")
    assert ids(page) == ["P-3", "Panel A L-7 P-2", "P-1"]
    first, second, third = walk.rows(page)
    assert 'class="k-v k-uncertain">? UNCERTAIN' in first and "vLLM server" in first
    assert 'class="k-v k-ng">✕ NG' in second and "Panel A" in second and "Lot L-7 · P-2" in second
    assert "Findings: 1" in second and "Waiting for review" in second and "tanaka" in second
    assert 'class="k-v k-ok">✓ OK' in third and "No product named" in third
    assert all('<img src="data:image/jpeg;base64,' in row for row in (first, second, third))
    assert "3 need a person" in chat.texts(page).replace("\\", "")


def test_the_page_speaks_japanese(house: Any) -> None:
    house.hire()
    house.trace(1, "uncertain")
    page = house.open("queue", "mori", lang="ja")
    assert "要確認" in walk.rows(page)[0] and "製品の指定なし" in walk.rows(page)[0]
    assert "1 件が人の確認を待っています" in chat.texts(page)
    assert [s.label for s in page.selectbox if str(s.key).startswith("filter-")][:3] == ["状態", "製品", "ロット"]


def test_filters_stand_in_the_address_and_can_be_cleared(house: Any) -> None:
    house.hire()
    house.trace(1, "ok", product="Panel A")
    house.trace(2, "ng", product="Panel B")
    page = house.open("queue", "mori")
    page.selectbox(key="filter-product-en").select("Panel B").run()
    assert page.query_params["product"] in ("Panel B", ["Panel B"])
    assert len(walk.rows(page)) == 1 and "Panel B" in walk.rows(page)[0]
    page.selectbox(key="filter-verdict-en").select("ok").run()
    assert walk.rows(page) == []
    assert "Nothing passes these filters" in chat.texts(page)
    page.button(key="filter-clear").click().run()
    assert len(walk.rows(page)) == 2
    assert "product" not in page.query_params


def test_sql_in_a_filter_is_text(house: Any) -> None:
    house.hire()
    house.trace(1)
    texts = dict.fromkeys(("product", "lot", "asker", "planner"), SQL)
    page = house.open("queue", "mori", **texts)
    assert not page.error
    assert walk.rows(page) == [] and "Nothing passes these filters" in chat.texts(page)
    assert page.selectbox(key="filter-product-en").value == SQL
    page = house.open("queue", "mori", **dict.fromkeys(("verdict", "state", "age", "page"), SQL))
    assert not page.error and len(walk.rows(page)) == 1
    mori = house.staff["mori"]
    assert all(house.kenpin.reviews.queue(mori, QueueFilter(**{name: SQL})).total == 0 for name in texts)
    assert house.kenpin.reviews.queue(mori).total == 1


def test_a_lot_has_a_report(house: Any) -> None:
    house.hire()
    house.trace(1, lot="L-7")
    assert not house.open("queue", "mori").get("download_button")
    page = house.open("queue", "mori", lot="L-7")
    assert [b.proto.label for b in page.get("download_button")] == ["Report (HTML)", "Report (PDF)", "Report (CSV)"]
    made = lot_report(house.kenpin, house.staff["mori"], "L-7", kind="csv", lang="en").decode("utf-8-sig")
    assert "t0001" in made


def test_a_product_is_never_markup(house: Any) -> None:
    house.hire()
    evil = walk.staff.EVIL + '"><img src=x onerror=alert(1)>'
    house.trace(1, product=evil, lot=evil, part=evil, asker="<b>a</b>")
    page = house.open("queue", "mori")
    (row,) = walk.rows(page)
    assert "<script>" not in row and "<img src=x" not in row and "<b>a</b>" not in row
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in row
    (button,) = [b for b in page.button if b.key == "open-row-0"]
    assert "<script>" not in button.label and "](javascript" not in button.label


def test_long_lists_have_pages(house: Any) -> None:
    house.hire()
    for n in range(PAGE_SIZE + 3):
        house.trace(n, "ng", part=f"P-{n}")
    page = house.open("queue", "mori")
    assert len(walk.rows(page)) == PAGE_SIZE
    assert page.button(key="pager-previous").disabled
    page.button(key="pager-next").click().run()
    assert [label.split()[-1] for label in ids(page)] == ["P-2", "P-1", "P-0"]
    assert page.button(key="pager-next").disabled
    page = house.open("queue", "mori", page="9")
    assert len(walk.rows(page)) == 3, "a page that is no longer there shows the last one"


def test_blind_review_shows_no_proposal(house: Any, panel: bytes) -> None:
    house.hire()
    walk.staff.rules(house.kenpin, house.staff["kato"], "Panel A", blind=True)
    house.trace(1, "ng", product="Panel A")
    (row,) = walk.rows(house.open("queue", "mori"))
    assert "Hidden" in row and "k-ng" not in row and "Findings" not in row
    assert walk.rows(house.open("queue", "mori", verdict="ng")) == []
    (row,) = walk.rows(house.open("queue", "abe"))
    assert "k-ng" in row


def test_done_work_is_said_to_be_done(house: Any) -> None:
    house.hire()
    house.trace(1, verdict="ng")
    with house.kenpin.database.write() as connection:
        from kenpin.database.tables import inspections

        connection.execute(inspections.update().values(state=State.SIGNED.value, signed_by="Mori"))
    page = house.open("queue", "mori")
    assert "Nothing waits for you" in chat.texts(page)
    page.button(key="show-all").click().run()
    assert "Mori" in walk.rows(page)[0] and "k-signed" in walk.rows(page)[0]


def test_a_row_opens_the_inspection_with_the_way_to_the_next(house: Any, panel: bytes) -> None:
    house.hire()
    for _ in range(2):
        walk.staff.asked(house.kenpin, panel)
    first, second = (row.id for row in house.kenpin.reviews.queue(house.staff["mori"]).rows)
    page = house.open("queue", "mori", product="Panel A")
    page.button(key="open-row-0").click().run()
    assert not page.exception and not page.error
    assert page.query_params["inspection"] in (first, [first])
    assert page.button(key="work-previous").disabled
    page.button(key="work-next").click().run()
    assert page.query_params["inspection"] in (second, [second])
    assert page.query_params["product"] in ("Panel A", ["Panel A"])
    assert page.button(key="work-next").disabled
    page.button(key="work-back").click().run()
    assert len(walk.rows(page)) == 2


def test_what_was_signed_leaves_the_list_and_the_next_takes_its_place(house: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import ui.parts.worklist

    house.hire()
    for n in range(3):
        house.trace(9 - n, "ng")
    monkeypatch.setattr(ui.parts.worklist, "reviews", lambda: house.kenpin.reviews)
    mori = house.staff["mori"]
    near = neighbours(mori, QueueFilter(), "t0008", 1)
    assert (near.place, near.total, near.here) == (1, 3, True)
    assert near.before and near.after and (near.before.id, near.after.id) == ("t0009", "t0007")
    gone = neighbours(mori, QueueFilter(), "signed-meanwhile", 1)
    assert (gone.place, gone.here) == (1, False)
    assert gone.before and gone.after and (gone.before.id, gone.after.id) == ("t0009", "t0008")


@pytest.mark.parametrize(("trouble", "told"), [
    (StoreError("the database cannot be used; restore it"), "the database cannot be used; restore it"),
    (RuntimeError("a secret of the house"), "Something went wrong inside Kenpin")])
@pytest.mark.parametrize("place", ["show_sidebar", "page"])
def test_trouble_anywhere_on_a_page_is_one_line(house: Any, monkeypatch: pytest.MonkeyPatch, trouble: Exception,
                                                told: str, place: str) -> None:
    import ui.frame
    import ui.screens.queue

    def broken(*_: object, **__: object) -> None:
        raise trouble

    monkeypatch.setattr(*((ui.frame, place) if place == "show_sidebar" else (ui.screens.queue, "reviews")), broken)
    page = house.open("queue", None)
    (error,) = page.error
    assert told in error.value and "secret" not in error.value


def test_an_address_is_read_with_care() -> None:
    assert filter_of({}) == QueueFilter()
    assert filter_of({"verdict": "nonsense", "state": "x", "age": "older--1", "product": ""}) == QueueFilter()
    read = filter_of({"product": "P" * 999, "verdict": "ng", "state": "all", "age": "older-7", "differs": "1"})
    assert read == QueueFilter(product="P" * 200, verdict=Verdict.NG, waiting_only=False, older_than_days=7, disagrees=True)
    assert filter_of({"state": "signed"}) == QueueFilter(state=State.SIGNED, waiting_only=False)
    assert [number({"page": v}, "page", least=1) for v in ("3", "0", "-1", "１", "1e9", "9" * 40)] == [
        3, 1, None, None, None, None]
