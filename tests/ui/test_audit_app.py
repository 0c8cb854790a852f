"""The audit page and its desk: who reads the log, what a walk along the chain says, heads out and in, filters."""

import json
from collections.abc import Iterator
from pathlib import Path
from runpy import run_path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import streamlit as st
from sqlalchemy import text
from streamlit.testing.v1 import AppTest

from kenpin.contracts.audit import AuditHead
from kenpin.contracts.errors import FileRefused, NotAllowed
from kenpin.security.audit_desk import AuditDesk, read_head
from ui.screens.audit import PAGE_SIZE

HERE = Path(__file__).parent
chat = SimpleNamespace(**run_path(str(HERE / "driver.py")))
walk = SimpleNamespace(**run_path(str(HERE / "walking.py")))
SQL = "' OR 1=1 --"


@pytest.fixture
def house(scripted: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    made = walk.House(scripted.open_scripted(tmp_path / "home"), monkeypatch)
    made.hire()
    yield made
    st.cache_resource.clear()


def note(house: Any, *subjects: str, action: str = "record.signed", **detail: Any) -> None:
    with house.kenpin.database.write() as connection:
        for subject in subjects:
            house.kenpin.audit.append(connection, actor="mori", action=action, subject=subject, **detail)


def rewrite(house: Any, statement: str) -> None:
    """What somebody with the database in hand could do: the guards of the table are taken away first."""
    with house.kenpin.database.write() as connection:
        for (name,) in connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).all():
            connection.execute(text(f'DROP TRIGGER "{name}"'))
        connection.execute(text(statement))


def said(page: AppTest, kind: str) -> str:
    return "\n".join(str(element.value) for element in page.get(kind)).replace("\\", "").replace("\u2060", "")


def test_only_those_who_may_read_the_log_are_let_in(house: Any) -> None:
    desk = AuditDesk(house.kenpin.people, house.kenpin.audit)
    for who in ("tanaka", "mori", "sato"):
        for act in (desk.events, desk.names, desk.verify, desk.head, desk.count):
            with pytest.raises(NotAllowed):
                act(house.staff[who])
        page = house.open("audit", who)
        assert "verify" not in chat.keys(page)
    assert desk.count(house.staff["abe"]) > 0
    assert desk.names(house.staff["kato"]).actors


def test_the_log_is_newest_first_and_leads_to_the_inspection(house: Any) -> None:
    house.trace(1)
    note(house, "inspection:t0001", content_sha256="ab" * 32, meaning="approved")
    page = house.open("audit", "abe")
    first = walk.rows(page)[0]
    assert "record.signed" in first and "inspection:t0001" in first and "mori" in first
    assert "abababababab…" in first and "meaning approved" in first
    page.button(key="open-row-0").click().run()
    assert not page.exception
    assert page.query_params["inspection"] in ("t0001", ["t0001"])


def test_a_whole_chain_is_said_to_be_whole(house: Any) -> None:
    page = house.open("audit", "abe")
    page.button(key="verify").click().run()
    count = house.kenpin.audit.count()
    assert "The chain holds from the first event to the last" in said(page, "success")
    assert f"{count} events walked" in said(page, "success")
    page = house.open("audit", "abe", lang="ja")
    page.button(key="verify").click().run()
    assert "鎖は最初から最後まで正常です" in said(page, "success")


def test_the_first_broken_link_is_named(house: Any) -> None:
    note(house, "inspection:a", "inspection:b", "inspection:c")
    broken = house.kenpin.audit.count() - 1
    rewrite(house, f"UPDATE audit SET actor = 'nobody' WHERE seq = {broken}")
    page = house.open("audit", "kato")
    page.button(key="verify").click().run()
    assert f"event {broken} (record.signed by nobody) was changed" in said(page, "error")
    assert not page.get("success")


def test_a_cut_log_is_found_by_an_earlier_head(house: Any) -> None:
    note(house, "inspection:a", "inspection:b")
    head = house.kenpin.audit.head()
    page = house.open("audit", "abe")
    upload = next(f for f in page.file_uploader if f.key == "head-upload")
    upload.set_value(("head.json", head.model_dump_json().encode(), "application/json"))
    page.run()
    page.button(key="compare").click().run()
    assert f"event {head.seq} is the one of the earlier head" in said(page, "success")
    rewrite(house, f"DELETE FROM audit WHERE seq >= {head.seq}")
    page.button(key="compare").click().run()
    assert "it was cut" in said(page, "error")


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"seq": 1}', b"\xff\xfe", b"[" * 5000, b"x" * 9000,
                                  json.dumps({"seq": 1, "at": "x", "sha256": "y", "more": 1}).encode()])
def test_a_file_that_is_no_head_is_one_line(data: bytes) -> None:
    with pytest.raises(FileRefused, match="expected the exported head of an audit log"):
        read_head(data)


def test_a_head_is_read_as_it_was_written() -> None:
    head = AuditHead(seq=7, at="2026-01-31T09:00:00.000000+00:00", sha256="ab" * 32)
    assert read_head(head.model_dump_json(indent=1).encode()) == head


def test_filters_and_pages(house: Any) -> None:
    note(house, *(f"case:{n}" for n in range(PAGE_SIZE + 5)), action="case.withdrawn")
    page = house.open("audit", "abe", action="case.withdrawn")
    assert len(walk.rows(page)) == PAGE_SIZE and f"case:{PAGE_SIZE + 4}" in walk.rows(page)[0]
    page.button(key="pager-older").click().run()
    assert len(walk.rows(page)) == 5 and "case:0" in walk.rows(page)[-1]
    page.text_input(key="filter-subject-en").set_value("case:3").run()
    assert len(walk.rows(page)) == 1
    page.text_input(key="filter-subject-en").set_value(SQL).run()
    assert walk.rows(page) == [] and "Nothing passes these filters" in chat.texts(page)
    page.button(key="filter-clear").click().run()
    assert len(walk.rows(page)) == PAGE_SIZE
    assert house.kenpin.audit.verify() == []


def test_what_stands_in_the_log_is_never_markup(house: Any) -> None:
    evil = walk.staff.EVIL + "<img src=x onerror=alert(1)>"
    note(house, f"inspection:{evil}"[:200], action="<b>x</b>", why=evil)
    page = house.open("audit", "abe")
    row = walk.rows(page)[0]
    assert "<script>" not in row and "<img" not in row and "<b>x</b>" not in row
    assert "&lt;script&gt;" in row
    assert not any("<script>" in b.label for b in page.button)
