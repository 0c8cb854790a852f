"""Traces in the database: sealed, with a plain summary beside each that the queue filters and counts."""

import hashlib
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Connection, Row, func, select
from sqlalchemy.dialects.postgresql import insert as insert_postgresql
from sqlalchemy.dialects.sqlite import insert as insert_sqlite

from kenpin.contracts.errors import Locked, StoreError
from kenpin.contracts.ports import Sealer
from kenpin.contracts.review import LOCKED, QueueRow, State
from kenpin.contracts.trace import Trace, finished, proposal, proposer, speakers, trace_bytes
from kenpin.database.engine import Database
from kenpin.database.rows import priority, queue_row, utc
from kenpin.database.tables import NAME, inspections, traces

ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,79}")
ABOUT = "trace"


class DatabaseTraces:
    """Implements `TraceStore`. Trace and summary change in one transaction, so a reader sees one state or the next."""

    def __init__(
        self, database: Database, sealer: Sealer, *, reviewed: Callable[[Connection, Trace], object] | None = None
    ) -> None:
        """`reviewed` brings the row of an inspection that people have reviewed up to date with its new trace; without
        it the columns that a review has written stay as they are."""
        self._database = database
        self._sealer = sealer
        self._reviewed = reviewed

    def save(self, trace: Trace) -> None:
        """Store a trace under its id.

        Raises:
            Locked: The inspection is signed, and this is not the trace that was signed. Nothing was changed.
        """
        _checked(trace.id)
        body = trace_bytes(trace)
        sha256 = hashlib.sha256(body).hexdigest()
        with self._database.write(durable=False) as connection:
            if (row := self._row(connection, trace.id)) is None:
                # Two processes that make the same one at once: the second finds the row of the first.
                connection.execute(self._insert(inspections).values(**_first(trace, sha256)).on_conflict_do_nothing())
                row = self._row(connection, trace.id)
                assert row is not None
            elif row.trace_sha256 == sha256:
                return
            if row.state in LOCKED:
                raise Locked(f"inspection {trace.id} is signed; amend it first, then ask on (nothing was changed)")
            sealed = self._sealer.seal(_record(trace.id), body, about=ABOUT, connection=connection)
            stored = self._insert(traces).values(inspection=trace.id, body=sealed)
            connection.execute(stored.on_conflict_do_update(index_elements=["inspection"], set_={"body": sealed}))
            changed = inspections.update().where(inspections.c.id == trace.id)
            connection.execute(changed.values(**_summary(trace, sha256)))
            if not row.head:
                connection.execute(changed.values(**_unreviewed(trace)))
            elif self._reviewed:
                self._reviewed(connection, trace)

    def load(self, trace_id: str) -> Trace:
        """Read one trace."""
        _checked(trace_id)
        with self._database.read() as connection:
            asked = select(traces.c.body).where(traces.c.inspection == trace_id)
            sealed = connection.execute(asked).scalar_one_or_none()
        if sealed is None:
            raise StoreError(f"there is no inspection {trace_id!r}")
        try:
            return Trace.model_validate_json(self._sealer.open(_record(trace_id), sealed, about=ABOUT))
        except ValidationError as exc:
            raise StoreError(
                f"inspection {trace_id!r} is not a trace of version 1: {exc.error_count()} fields"
            ) from exc

    def has(self, trace_id: str) -> bool:
        """Whether there is an inspection of this id."""
        with self._database.read() as connection:
            asked = select(inspections.c.id).where(inspections.c.id == trace_id)
            return connection.execute(asked).one_or_none() is not None

    def ids(self) -> Sequence[str]:
        """All ids, newest first."""
        with self._database.read() as connection:
            return list(connection.execute(_newest(select(inspections.c.id))).scalars())

    def count(self) -> int:
        """How many inspections there are."""
        with self._database.read() as connection:
            return int(connection.execute(select(func.count()).select_from(inspections)).scalar_one())

    def recent(self, limit: int, offset: int = 0) -> list[QueueRow]:
        """Summaries, newest first, without opening a trace."""
        with self._database.read() as connection:
            asked = _newest(select(inspections)).limit(limit).offset(offset)
            return [queue_row(row) for row in connection.execute(asked)]

    def _row(self, connection: Connection, trace_id: str) -> Row[Any] | None:
        asked = select(inspections).where(inspections.c.id == trace_id)
        # SQLite has no row locks and needs none: it has one writer.
        return connection.execute(asked if self._database.sqlite else asked.with_for_update()).one_or_none()

    @property
    def _insert(self) -> Any:
        return insert_sqlite if self._database.sqlite else insert_postgresql


def _first(trace: Trace, sha256: str) -> dict[str, Any]:
    """A new inspection's row."""
    return {"id": trace.id, **_summary(trace, sha256), **_unreviewed(trace), "head": 0}


def _summary(trace: Trace, sha256: str) -> dict[str, Any]:
    """The columns that follow from the trace alone."""
    proposed = proposal(trace)
    return {
        "created": utc(trace.created),
        "updated": utc(datetime.now(UTC)),
        "asker": _plain(trace.asker),
        "speakers": "\n".join(_plain(name) or "" for name in speakers(trace)),
        "product": _plain(trace.product),
        "lot": _plain(trace.lot),
        "part": _plain(trace.part),
        "picture": trace.images[0].sha256 if trace.images else None,
        "planner": proposer(trace).backend[:40],
        "model": _plain(proposer(trace).model),
        "proposed": proposed.verdict if proposed else None,
        "rule": _plain(proposed.rule) if proposed else None,
        "findings": len(proposed.findings) if proposed else None,
        "trace_sha256": sha256,
    }


def _unreviewed(trace: Trace) -> dict[str, Any]:
    """The columns that a review has a say in, before there is one."""
    answer = proposal(trace)
    verdict = answer.verdict if answer else None
    state = State.WAITING if finished(trace) else State.OPEN
    return {"verdict": verdict, "disagrees": False, "state": state, "priority": priority(verdict, disagrees=False)}


def _plain(text: str | None) -> str | None:
    """A text as a column takes it: PostgreSQL has no NUL and holds to the length."""
    return None if text is None else text.replace("\0", "").replace("\n", " ")[:NAME]


def _newest(asked: Any) -> Any:
    # Traces are dated to the second; of those of one second, the one that was touched last is the newest.
    return asked.order_by(inspections.c.created.desc(), inspections.c.updated.desc(), inspections.c.id.desc())


def _record(trace_id: str) -> str:
    return f"inspection:{trace_id}"


def _checked(trace_id: str) -> None:
    if not ID.fullmatch(trace_id):
        raise StoreError(f"{trace_id[:80]!r} cannot be the id of an inspection")
