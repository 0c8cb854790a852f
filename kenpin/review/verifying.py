"""Holds every record against what it must be: chains of entries, the queue's rows, signatures, the audit log."""

import json
from collections.abc import Iterator, Sequence

from sqlalchemy import Connection, select

from kenpin.contracts.errors import StoreError
from kenpin.contracts.ports import PictureStore, Sealer, TraceStore
from kenpin.contracts.review import Entry, Signature
from kenpin.contracts.trace import Trace, pictures_of, trace_sha256
from kenpin.database.engine import Database
from kenpin.database.tables import audit, inspections
from kenpin.review.book import Book, Reading, chained, summary
from kenpin.review.content import content_sha256
from kenpin.review.folding import decided, standing, state_of

ACTS = ("review.judged", "review.ruled", "review.verdict", "review.commented", "record.signed", "record.revoked",
        "record.amended")
"""Audit actions that tell of an entry."""


class Verifier:
    """Looks at every record; changes nothing."""

    def __init__(self, database: Database, sealer: Sealer, traces: TraceStore, pictures: PictureStore) -> None:
        self._database, self._traces, self._pictures = database, traces, pictures
        self._book = Book(database, sealer)

    def broken(self, inspection: str | None = None) -> list[str]:
        """What is not as it must be, one line each; empty if nothing is. `inspection` looks at one only."""
        asked = select(inspections.c.id).order_by(inspections.c.id)
        with self._database.read() as connection:
            lost = _lost(connection) if inspection is None else []
            known = list(connection.execute(asked).scalars()) if inspection is None else [inspection]
        return [line for key in known for line in self._one(key)] + lost

    def _one(self, key: str) -> Iterator[str]:
        try:
            # Row, entries and log of one moment, so that work that goes on meanwhile is no contradiction.
            with self._database.read() as connection:
                reading, told = self._book.read(connection, key), _told(connection, key)
            trace = self._traces.load(key)
            yield from chained(reading.entries)
            yield from _untold(key, reading.entries, told)
            for entry in reading.entries:
                if isinstance(entry.act, Signature):
                    yield from self._signature(key, reading.entries, entry, entry.act)
            if reading.row.trace_sha256 == trace_sha256(trace):
                yield from _unlike(reading, _expected(trace, reading.entries))
            elif not self._moved(key, reading):
                yield f"inspection {key}: its trace is not the one that was stored"
        except StoreError as exc:
            yield f"inspection {key}: {exc}"

    def _moved(self, key: str, before: Reading) -> bool:
        """Whether the inspection has gone on since it was read."""
        with self._database.read() as connection:
            return bool(self._book.read(connection, key).row.updated != before.row.updated)

    def _signature(self, key: str, entries: Sequence[Entry], entry: Entry, signature: Signature) -> Iterator[str]:
        trace = self._book.signed(key, entry.n)
        decision = decided(trace, [e for e in entries if e.n < entry.n])
        if content_sha256(trace, decision) != signature.content_sha256:
            yield f"inspection {key}: what {entry.by} signed as entry {entry.n} is not what is on record"
        for sha256 in pictures_of(trace):
            try:
                self._pictures.read_file(sha256)
            except StoreError as exc:
                yield f"inspection {key}: {exc}"


def _expected(trace: Trace, entries: Sequence[Entry]) -> dict[str, object]:
    decision, state = decided(trace, entries), state_of(trace, entries)
    return {**summary(decision, state, standing(entries)), "head": len(entries)}


def _unlike(reading: Reading, expected: dict[str, object]) -> Iterator[str]:
    for column, value in expected.items():
        found = getattr(reading.row, column)
        if found != value:
            yield f"inspection {reading.row.id}: its row says {column} {found}, its entries come to {value}"


def _untold(key: str, entries: Sequence[Entry], told: dict[int, str]) -> Iterator[str]:
    """Entries and audit events must name each other."""
    for entry in entries:
        if told.pop(entry.n, None) != entry.sha256:
            yield f"inspection {key}: entry {entry.n} is not the one that the audit log tells of"
    for n in sorted(told):
        yield f"inspection {key}: entry {n} is gone; the audit log tells of it"


def _told(connection: Connection, inspection: str) -> dict[int, str]:
    """The sha256 of each entry by its number, as the audit log has it."""
    asked = select(audit.c.detail).where(audit.c.subject == f"inspection:{inspection}", audit.c.action.in_(ACTS))
    about = [json.loads(detail) for detail in connection.execute(asked).scalars()]
    return {int(one["n"]): str(one["entry"]) for one in about}


def _lost(connection: Connection) -> list[str]:
    """Inspections with entries by the log that are not there, though nobody deleted them."""
    subject = audit.c.subject
    present = select("inspection:" + inspections.c.id)
    deleted = select(subject).where(audit.c.action == "inspection.deleted")
    asked = select(subject).where(audit.c.action.in_(ACTS), subject.not_in(present), subject.not_in(deleted))
    found = connection.execute(asked.distinct().order_by(subject)).scalars()
    return [f"{str(name).replace(':', ' ', 1)}: the audit log tells of it, and it is not there" for name in found]
