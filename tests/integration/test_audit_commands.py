"""`kenpin audit`: verify, head, list."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from kenpin.config import Settings
from kenpin.wiring import Kenpin as Installation
from kenpin.wiring import open_kenpin

Kenpin = Callable[..., Any]


@pytest.fixture
def opened(home: Path) -> Installation:
    """An installation with four events."""
    kenpin = open_kenpin(Settings(home=home))
    with kenpin.database.write() as connection:
        for actor, n in (("ann", 1), ("bob", 2), ("ann", 3), ("ann", 4)):
            kenpin.audit.append(connection, actor=actor, action="record.signed", subject=f"inspection:{n}", n=n)
    return kenpin


def tamper(opened: Installation, statement: str) -> None:
    """What somebody with the file can do."""
    with opened.database.write() as connection:
        connection.execute(text("DROP TRIGGER IF EXISTS audit_kept_update"))
        connection.execute(text("DROP TRIGGER IF EXISTS audit_kept_delete"))
        connection.execute(text(statement))


def test_a_whole_log_is_said_to_be_whole(kenpin: Kenpin, opened: Installation) -> None:
    ran = kenpin("audit", "verify")

    newest = opened.audit.head()
    assert newest and ran.code == 0 and ran.err == ""
    assert ran.out == (
        f"4 events, each chained to the one before\nhead: event 4 of {newest.at}, {newest.sha256}\n"
    )


def test_the_first_broken_link_is_named(kenpin: Kenpin, opened: Installation) -> None:
    tamper(opened, "UPDATE audit SET actor = 'eve' WHERE seq IN (2, 3)")

    ran = kenpin("audit", "verify")

    assert (ran.code, ran.out) == (1, "")
    assert ran.err == "broken: event 2 (record.signed by eve) was changed after it was written\n"
    told = json.loads(kenpin("audit", "verify", "--json").out)
    assert told["events"] == 4 and told["broken"][0].startswith("event 2 ") and told["head"]["seq"] == 4


def test_a_log_is_held_to_a_head_that_was_exported(kenpin: Kenpin, opened: Installation, tmp_path: Path) -> None:
    file = tmp_path / "頭.json"
    ran = kenpin("audit", "head", file)
    newest = opened.audit.head()
    assert newest and ran.code == 0 and newest.sha256 in ran.out
    assert json.loads(file.read_text()) == newest.model_dump() == json.loads(kenpin("audit", "head").out)
    assert "hold the exported head" in kenpin("audit", "verify", "--head", file).out

    tamper(opened, "DELETE FROM audit WHERE seq = 4")

    assert kenpin("audit", "verify").code == 0
    cut = kenpin("audit", "verify", "--head", file)
    assert cut.code == 1 and "the log ends at event 3" in cut.err and "it was cut" in cut.err


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\xff", b'{"seq": "x", "at": 1, "sha256": 2}', b"9" * 9000])
def test_what_is_no_head_is_refused(kenpin: Kenpin, opened: Installation, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "head.json"
    file.write_bytes(content)

    ran = kenpin("audit", "verify", "--head", file)

    assert ran.code == 2 and ran.line.startswith(f"{file}: expected the exported head of an audit log")


def test_a_head_that_cannot_be_read_or_written_is_said(kenpin: Kenpin, opened: Installation, tmp_path: Path) -> None:
    assert "No such file" in kenpin("audit", "verify", "--head", tmp_path / "none.json").line
    assert "cannot be written" in kenpin("audit", "head", tmp_path / "none" / "head.json").line


def test_an_empty_log_has_no_head(kenpin: Kenpin) -> None:
    assert kenpin("audit", "head").line == "the audit log is empty; there is nothing to export yet"
    assert "0 events" in kenpin("audit", "verify").out and json.loads(kenpin("audit", "list", "--json").out) == []


def test_events_are_listed_and_filtered(kenpin: Kenpin, opened: Installation) -> None:
    def listed(*args: str) -> list[int]:
        return [event["seq"] for event in json.loads(kenpin("audit", "list", "--json", *args).out)]

    assert listed() == [4, 3, 2, 1]
    assert listed("--actor", "ann", "--limit", "2") == [4, 3] and listed("--actor", "ann", "--before", "3") == [1]
    assert listed("--subject", "inspection:2") == [2] and listed("--action", "record.signed") == [4, 3, 2, 1]
    assert listed("--action", "' OR 1=1 --") == []
    table = kenpin("audit", "list").out
    assert "record.signed" in table and "inspection:2" in table and "bob" in table


def test_an_actor_cannot_paint_the_terminal(kenpin: Kenpin, opened: Installation) -> None:
    with opened.database.write() as connection:
        opened.audit.append(connection, actor="[red]eve\x1b[31m", action="a.b", subject="x")
    tamper(opened, "UPDATE audit SET action = 'c' WHERE seq = 5")

    out, err = kenpin("audit", "list").out, kenpin("audit", "verify").err
    assert "\x1b" not in out + err and "[red]eve" in out and "[red]eve" in err


def test_records_are_held_to_the_log_as_well(kenpin: Kenpin, home: Path, house: Any) -> None:
    from agent.inspector import Material, Photo

    opened = open_kenpin(Settings(home=home))
    key = opened.inspector().start(Material(subject=Photo(house.plate())))
    assert "as it was written and signed" in kenpin("audit", "verify", "--records").out

    with opened.database.write() as connection:
        connection.execute(text("UPDATE inspections SET verdict = 'ok'"))

    ran = kenpin("audit", "verify", "--records")
    assert ran.code == 1 and f"inspection {key}: its row says verdict ok" in ran.err
