"""The entries of inspections in the database: read, chained, appended together with the row that the queue shows."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import Connection, Row, select

from kenpin.contracts.audit import START
from kenpin.contracts.errors import Conflict, StoreError
from kenpin.contracts.ports import Sealer
from kenpin.contracts.review import Act, Decision, Entry, StandingSignature, State
from kenpin.contracts.trace import Trace, trace_bytes
from kenpin.database.engine import Database
from kenpin.database.rows import now, priority, utc
from kenpin.database.tables import entries as entries_table
from kenpin.database.tables import inspections, signed_traces
from kenpin.review.content import entry_sha256
from kenpin.review.folding import decided, standing, state_of

ACTS: TypeAdapter[Act] = TypeAdapter(Act)


@dataclass(frozen=True)
class Reading:
    """One inspection's review as it stands in the database."""

    row: Row[Any]
    """Of `inspections`."""
    entries: tuple[Entry, ...]


class Book:
    """Entries of one database."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealer = sealer

    def read(self, connection: Connection, inspection: str, *, to_write: bool = False) -> Reading:
        """An inspection's row and entries.

        Args:
            to_write: Hold the row until the transaction ends, so that two writers stand in line.
        Raises:
            StoreError: There is no such inspection.
        """
        asked = select(inspections).where(inspections.c.id == inspection)
        row = connection.execute(asked.with_for_update() if to_write else asked).one_or_none()
        if row is None:
            raise StoreError(f"there is no inspection {inspection[:80]!r}")
        return Reading(row=row, entries=tuple(self._entries(connection, inspection)))

    def append(self, connection: Connection, reading: Reading, act: Act, *, by: str) -> Entry:
        """Add an entry after the last one.

        Raises:
            Conflict: Another writer was first.
        """
        entry = Entry(
            inspection=reading.row.id,
            n=len(reading.entries) + 1,
            at=datetime.now(UTC),
            by=by,
            act=act,
            previous=reading.entries[-1].sha256 if reading.entries else START,
            sha256="",
        )
        entry = entry.model_copy(update={"sha256": entry_sha256(entry)})
        body = self._sealer.seal(
            _record(entry.inspection), act.model_dump_json().encode(), about=f"entry:{entry.n}", connection=connection
        )
        connection.execute(
            entries_table.insert().values(
                inspection=entry.inspection, n=entry.n, at=utc(entry.at), by=by, kind=act.kind, body=body,
                previous=entry.previous, sha256=entry.sha256,
            )
        )
        return entry

    def summarise(self, connection: Connection, trace: Trace, entries: Sequence[Entry]) -> tuple[Decision, State]:
        """Bring the row up to date with the entries; returns what they come to."""
        decision, state, signatures = decided(trace, entries), state_of(trace, entries), standing(entries)
        connection.execute(
            inspections.update()
            .where(inspections.c.id == trace.id)
            .values(**summary(decision, state, signatures), head=len(entries), updated=now())
        )
        return decision, state

    def follow(self, connection: Connection, trace: Trace) -> None:
        """Bring the row of a reviewed inspection up to date with a trace that has gone on."""
        self.summarise(connection, trace, self.read(connection, trace.id).entries)

    def keep_signed(self, connection: Connection, trace: Trace, n: int) -> None:
        """Keep the trace exactly as entry `n` signed it."""
        body = self._sealer.seal(_record(trace.id), trace_bytes(trace), about=f"signed:{n}", connection=connection)
        connection.execute(signed_traces.insert().values(inspection=trace.id, n=n, body=body))

    def signed(self, inspection: str, n: int) -> Trace:
        """The trace that entry `n` signed.

        Raises:
            StoreError: There is none, or it is not what was stored.
        """
        with self._database.read() as connection:
            body = connection.execute(
                select(signed_traces.c.body).where(signed_traces.c.inspection == inspection, signed_traces.c.n == n)
            ).scalar_one_or_none()
        if body is None:
            raise StoreError(f"inspection {inspection}: the trace that entry {n} signed is missing")
        return Trace.model_validate_json(self._sealer.open(_record(inspection), bytes(body), about=f"signed:{n}"))

    def _entries(self, connection: Connection, inspection: str) -> Iterable[Entry]:
        asked = select(entries_table).where(entries_table.c.inspection == inspection).order_by(entries_table.c.n)
        for row in connection.execute(asked):
            body = self._sealer.open(_record(inspection), bytes(row.body), about=f"entry:{row.n}")
            yield Entry(
                inspection=inspection, n=row.n, at=datetime.fromisoformat(row.at), by=row.by,
                act=ACTS.validate_python(json.loads(body)), previous=row.previous, sha256=row.sha256,
            )


def summary(decision: Decision, state: State, signatures: Sequence[StandingSignature]) -> dict[str, Any]:
    """The columns of `inspections` that follow from a review."""
    last = signatures[-1] if signatures else None
    return {
        "proposed": decision.proposed,
        "verdict": decision.verdict,
        "disagrees": decision.disagrees,
        "state": state.value,
        "priority": priority(decision.verdict, disagrees=decision.disagrees),
        "signed_by": last.by if last else None,
        "signed_at": utc(last.at) if last else None,
    }


def chained(entries: Sequence[Entry]) -> list[str]:
    """What is broken in a chain of entries, the first broken link; empty if nothing is."""
    previous = START
    for n, entry in enumerate(entries, start=1):
        if entry.n != n:
            return [f"inspection {entry.inspection}: entry {n} is missing"]
        if entry.previous != previous or entry.sha256 != entry_sha256(entry):
            return [f"inspection {entry.inspection}: entry {n} was changed after it was written"]
        previous = entry.sha256
    return []


def expect_head(reading: Reading, head: int) -> None:
    """Make sure that nobody has written since the caller read.

    Raises:
        Conflict: Somebody has.
    """
    if len(reading.entries) != head:
        by = reading.entries[-1].by if reading.entries else "somebody"
        raise Conflict(
            f"{by} has written to inspection {reading.row.id} since you opened it; look at it again and decide again"
        )


def _record(inspection: str) -> str:
    return f"inspection:{inspection}"
