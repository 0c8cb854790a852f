"""Traces of a Kenpin before the database are taken in, once, and nothing that is not one is lost."""

import contextlib
import logging
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kenpin.config import Settings
from kenpin.contracts.errors import StoreError
from kenpin.contracts.trace import Answer, PlannerInfo, Trace, TraceImage, Turn
from kenpin.contracts.verdict import Verdict
from kenpin.wiring import Kenpin, open_kenpin


@pytest.fixture
def home(tmp_path: Path, empty_sqlite: Path) -> Path:
    """A data folder with a folder of traces."""
    (tmp_path / "traces").mkdir()
    (tmp_path / "kenpin.sqlite").write_bytes(empty_sqlite.read_bytes())
    return tmp_path


def opened(home: Path) -> Kenpin:
    return open_kenpin(Settings(home=home))


def trace(name: str, *says: str) -> Trace:
    answer = Answer(kind="answer", text="ok", verdict=Verdict.OK, rule="r")
    return Trace(
        id=name,
        created=datetime(2026, 1, 31, 9, tzinfo=UTC),
        planner=PlannerInfo(backend="embedded", model="m", prompt="p"),
        images=(TraceImage(id="v0", role="subject", sha256="0" * 64, width=8, height=6),),
        turns=tuple(Turn(say=say, answer=answer) for say in says),
    )


def old_file(home: Path, stored: Trace) -> Path:
    """As they were written: with every field."""
    file = home / "traces" / f"{stored.id}.json"
    file.write_text(stored.model_dump_json(), encoding="utf-8")
    return file


def test_old_files_are_taken_in_and_no_text_stays_open(home: Path) -> None:
    one, two = trace("a", "傷を探して"), trace("b", "look", "and?")
    for stored in (one, two):
        old_file(home, stored)

    traces = opened(home).traces

    assert sorted(traces.ids()) == ["a", "b"] and (traces.load("a"), traces.load("b")) == (one, two)
    assert list((home / "traces").iterdir()) == []
    assert [row.state for row in traces.recent(5)] == ["waiting", "waiting"]
    assert not any("傷".encode() in file.read_bytes() for file in home.rglob("*") if file.is_file())


def test_what_is_no_trace_stays_and_is_said(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    broken, other = home / "traces" / "broken.json", home / "traces" / "notes.txt"
    broken.write_text('{"version": 2}')
    other.write_text("mine")
    old_file(home, trace("a", "look"))

    with caplog.at_level(logging.WARNING):
        assert list(opened(home).traces.ids()) == ["a"]

    assert broken.exists() and other.exists() and "broken.json is left where it is" in caplog.text


def test_a_newer_record_is_not_overwritten_by_an_old_file(home: Path) -> None:
    opened(home).traces.save(trace("a", "look", "and?"))
    file = old_file(home, trace("a", "look"))

    assert len(opened(home).traces.load("a").turns) == 2 and file.exists()


def test_an_import_that_was_cut_off_goes_on(home: Path) -> None:
    stored = trace("a", "look")
    opened(home).traces.save(stored)  # committed, and killed before the file was deleted
    file = old_file(home, stored)

    assert opened(home).traces.load("a") == stored and not file.exists()


def test_a_name_that_leads_elsewhere_is_no_id(home: Path) -> None:
    file = old_file(home, trace("a", "look"))
    file.write_text(file.read_text().replace('"id":"a"', '"id":"../../a"'))

    kenpin = opened(home)

    assert list(kenpin.traces.ids()) == [] and file.exists()
    with pytest.raises(StoreError):
        kenpin.traces.load("../../a")


def test_a_backup_by_vacuum_is_the_whole_database(home: Path, tmp_path: Path) -> None:
    kenpin = opened(home)
    kenpin.traces.save(trace("a", "look"))
    with kenpin.database.write() as connection:
        kenpin.audit.append(connection, actor="ann", action="inspection.asked", subject="inspection:a")
    with contextlib.closing(sqlite3.connect(home / "kenpin.sqlite")) as raw:
        raw.execute("VACUUM INTO ?", (str(tmp_path / "backup.sqlite"),))
    restored = tmp_path / "restored"
    restored.mkdir()
    (tmp_path / "backup.sqlite").rename(restored / "kenpin.sqlite")
    (restored / "master.key").write_bytes((home / "master.key").read_bytes())

    again = opened(restored)

    assert again.traces.load("a") == trace("a", "look") and again.audit.verify(kenpin.audit.head()) == []
    assert again.audit.count() == 1
