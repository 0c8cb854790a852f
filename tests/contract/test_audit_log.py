"""The chained log, on each database: what it holds, what it refuses, and what a walk along it finds."""

import json
import subprocess
import sys
import threading
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from kenpin.contracts.audit import START, AuditHead
from kenpin.contracts.ports import AuditLog
from kenpin.database.engine import Database, open_database
from kenpin.database.tables import METADATA
from kenpin.security.audit import PAGE, ChainedAudit

ROOT = Path(__file__).parents[2]
WRITER = """
import os, sys
from pathlib import Path
from kenpin.database.engine import open_database
from kenpin.security.audit import ChainedAudit
children = []
for number in range(4):
    if (child := os.fork()) == 0:
        database = open_database(sys.argv[1], folder=Path("."))
        for n in range(25):
            with database.write() as connection:
                ChainedAudit(database).append(connection, actor=f"p{number}", action="thing.done", subject="thing", n=n)
        os._exit(0)
    children.append(child)
sys.exit(max(os.waitpid(child, 0)[1] for child in children))
"""
"""Four processes, forked once everything is imported."""
KEPT = ("audit_kept_update", "audit_kept_delete")
"""SQLite's triggers that keep the log, for somebody who has the file to drop."""


@pytest.fixture
def log(database: Database) -> ChainedAudit:
    return ChainedAudit(database)


def write(database: Database, count: int, *, actor: str = "ann", **detail: Any) -> None:
    with database.write() as connection:
        for n in range(count):
            ChainedAudit(database).append(
                connection, actor=actor, action="record.signed", subject=f"inspection:{n}", n=n, **detail
            )


def tamper(database: Database, *statements: str, **values: Any) -> None:
    """What somebody with the file, or the server's password, can do past Kenpin."""
    with database.write() as connection:
        if not database.sqlite:
            connection.execute(text("SET LOCAL session_replication_role = replica"))
        for trigger in KEPT if database.sqlite else ():
            connection.execute(text(f"DROP TRIGGER IF EXISTS {trigger}"))
        for statement in statements:
            connection.execute(text(statement), {k: v for k, v in values.items() if f":{k}" in statement})


COPY = "INSERT INTO audit SELECT {}, at, actor, action, subject, detail, {}, sha256 FROM audit WHERE seq = {}"
SWAP = ("UPDATE audit SET seq = -1 WHERE seq = 3", "UPDATE audit SET seq = 3 WHERE seq = 4",
        "UPDATE audit SET seq = 4 WHERE seq = -1")  # fmt: skip


def test_it_is_an_audit_log(log: ChainedAudit) -> None:
    assert isinstance(log, AuditLog)


def test_an_empty_log_holds(log: ChainedAudit) -> None:
    assert log.verify() == [] and log.head() is None and log.events() == [] and log.count() == 0


def test_an_event_holds_who_what_and_when(log: ChainedAudit, database: Database) -> None:
    with database.write() as connection:
        told = log.append(connection, actor="ann", action="record.signed", subject="inspection:a", n=3, why=["x", 1.5])

    found = log.events()[0]
    assert found == told and (found.seq, found.actor, found.action, found.subject) == (
        1, "ann", "record.signed", "inspection:a")  # fmt: skip
    assert found.detail == {"n": 3, "why": ["x", 1.5]} and found.previous == START and found.at.endswith("+00:00")
    assert log.head() == AuditHead(seq=1, at=found.at, sha256=found.sha256)


def test_events_are_chained_over_pages(log: ChainedAudit, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kenpin.security.audit.PAGE", 7)
    write(database, 30)

    assert log.verify() == [] and PAGE == 1000
    events = log.events()
    assert [e.seq for e in events] == list(range(30, 0, -1))
    assert all(e.previous == before.sha256 for e, before in pairwise(events))


def test_events_are_found_by_filter_and_page(log: ChainedAudit, database: Database) -> None:
    write(database, 3)
    write(database, 2, actor="bob")

    assert [e.seq for e in log.events(actor="bob")] == [5, 4]
    assert [e.seq for e in log.events(subject="inspection:1")] == [5, 2]
    assert [e.seq for e in log.events(before=4, limit=2)] == [3, 2]
    assert log.events(action="' OR 1=1 --") == [] and log.names() == (("ann", "bob"), ("record.signed",))


def test_an_event_is_on_record_together_with_what_it_tells_of(log: ChainedAudit, database: Database) -> None:
    write(database, 1)
    with pytest.raises(RuntimeError), database.write() as connection:
        log.append(connection, actor="ann", action="record.signed", subject="inspection:lost")
        raise RuntimeError("the act failed")
    write(database, 1)

    assert [e.seq for e in log.events()] == [2, 1] and log.verify() == []


@pytest.mark.parametrize("odd", ["half \ud800 pair", "a\0b", "検品" * 150, "' OR 1=1 --", "\n\r\u2028", ""])
def test_odd_text_is_stored_and_verifies(log: ChainedAudit, database: Database, odd: str) -> None:
    with database.write() as connection:
        log.append(connection, actor=odd, action="thing.done", subject=odd, note=odd, deep={"list": [odd]})

    assert log.verify() == [] and len(log.events()[0].subject) <= 200


@pytest.mark.parametrize("statement", ["UPDATE audit SET actor = 'eve'", "DELETE FROM audit", "DELETE FROM audit WHERE seq = 2"])
def test_the_database_refuses_to_change_the_log(log: ChainedAudit, database: Database, statement: str) -> None:
    write(database, 3)

    with pytest.raises(DBAPIError, match="append-only"), database.write() as connection:
        connection.execute(text(statement))

    assert log.count() == 3 and log.verify() == []


def test_postgresql_refuses_to_empty_the_log(postgres: Any, empty_postgres: str, tmp_path: Path) -> None:
    database = open_database(postgres.url(empty_postgres), folder=tmp_path)
    try:
        with pytest.raises(DBAPIError, match="append-only"), database.write() as connection:
            connection.execute(text("TRUNCATE audit"))
    finally:
        database.close()


@pytest.mark.parametrize(
    ("statements", "found"),
    [
        (("UPDATE audit SET actor = 'eve' WHERE seq = 3",), "event 3 .* by eve.* was changed"),
        (("UPDATE audit SET action = 'x' WHERE seq = 3",), r"event 3 \(x by ann\) was changed"),
        (("UPDATE audit SET at = '2020-01-01T00:00:00.000000+00:00' WHERE seq = 1",), "event 1 .* was changed"),
        (("UPDATE audit SET detail = '{\"n\": 7}' WHERE seq = 5",), "event 5 .* was changed"),
        (("UPDATE audit SET detail = 'no json' WHERE seq = 5",), "event 5 .* was changed"),
        (("UPDATE audit SET detail = '[NaN]' WHERE seq = 5",), "event 5 .* was changed"),
        (("UPDATE audit SET detail = '{\"n\": NaN}' WHERE seq = 5",), "event 5 .* was changed"),
        (("UPDATE audit SET sha256 = previous WHERE seq = 4",), "event 4 .* was changed"),
        (("UPDATE audit SET previous = sha256 WHERE seq = 4",), "event 4 is chained to another event than 3"),
        (("DELETE FROM audit WHERE seq = 3",), "event 3 is missing: after 2 comes 4"),
        (("DELETE FROM audit WHERE seq = 1",), "event 1 is missing: after 0 comes 2"),
        (("DELETE FROM audit WHERE seq = 3", "UPDATE audit SET seq = seq - 1 WHERE seq = 4",
          "UPDATE audit SET seq = seq - 1 WHERE seq = 5"), "event 3 is chained to another event than 2"),
        (SWAP, "event 3 is chained to another event than 2"),
        ((COPY.format(6, "sha256", 5),), "event 6 .* was changed"),
        ((COPY.format(6, "previous", 5),), "event 6 is chained to another event than 5"),
        ((COPY.format(0, "previous", 1),), "there is an event 0 where event 1 should be"),
    ],
)
def test_the_first_broken_link_is_named(
    log: ChainedAudit, database: Database, statements: tuple[str, ...], found: str
) -> None:
    write(database, 5)

    tamper(database, *statements)

    with pytest.raises(AssertionError, match=found):
        assert not log.verify(), log.verify()[0]


def test_bytes_that_are_no_text_are_named(empty_sqlite: Path, tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{_copied(empty_sqlite, tmp_path)}", folder=tmp_path)
    write(database, 4)
    tamper(database, "UPDATE audit SET subject = CAST(x'ff61' AS TEXT) WHERE seq = 2",
           "UPDATE audit SET actor = x'ff' WHERE seq = 3")

    assert ChainedAudit(database).verify()[0].startswith("event 2 (record.signed by ann) was changed")
    assert len(ChainedAudit(database).events()) == 4
    database.close()


def _copied(file: Path, folder: Path) -> Path:
    place = folder / "kenpin.sqlite"
    place.write_bytes(file.read_bytes())
    return place


def test_a_log_that_was_cut_is_found_by_its_exported_head(log: ChainedAudit, database: Database) -> None:
    write(database, 5)
    head = log.head()
    assert head and log.verify(head) == []
    write(database, 2)
    assert log.verify(head) == []

    tamper(database, "DELETE FROM audit WHERE seq >= 5")

    assert log.verify() == []  # the chain alone cannot know
    assert log.verify(head) == [f"the log ends at event 4, and the exported head of {head.at} is event 5: it was cut"]
    tamper(database, "DELETE FROM audit")
    assert "the log ends at event 0" in log.verify(head)[0]


def test_a_log_that_was_written_anew_is_found_by_its_exported_head(log: ChainedAudit, database: Database) -> None:
    write(database, 5)
    head = log.head()
    assert head
    tamper(database, "DELETE FROM audit WHERE seq >= 3")
    write(database, 6, actor="eve")

    assert log.verify() == []
    assert log.verify(head) == [
        f"event 5 is not the one of the exported head of {head.at}: the log was written anew"
    ]


def test_eight_threads_leave_one_chain(log: ChainedAudit, database: Database) -> None:
    errors: list[BaseException] = []

    def work(name: str) -> None:
        try:
            for _ in range(12):
                write(database, 1, actor=name)
        except BaseException as exc:  # noqa: BLE001  # whatever it is, the test shows it
            errors.append(exc)

    threads = [threading.Thread(target=work, args=(f"t{i}",)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == [] and log.verify() == [] and log.count() == 96
    assert {len(log.events(actor=f"t{i}")) for i in range(8)} == {12}


def test_four_processes_leave_one_chain(log: ChainedAudit, database: Database, database_url: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WRITER, database_url], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )

    assert (done.stderr, done.returncode) == ("", 0)
    assert log.verify() == [] and log.count() == 100
    assert {len(log.events(actor=f"p{i}")) for i in range(4)} == {25}


def test_every_table_is_known_to_the_fixture() -> None:
    """Whoever adds a table has it emptied between the tests."""
    assert {"audit", "inspections", "entries", "users"} <= set(METADATA.tables)


def test_the_hash_is_over_canonical_json(log: ChainedAudit, database: Database) -> None:
    """The chain can be checked by another program: sha256 over sorted JSON without spaces, UTF-8."""
    import hashlib

    write(database, 1, note="検")
    event = log.events()[0]
    body = {key: value for key, value in event.model_dump(mode="json").items() if key != "sha256"}
    written = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

    assert hashlib.sha256(written).hexdigest() == event.sha256


