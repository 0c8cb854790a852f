"""Traces in the database: sealed, with a plain summary beside each that the queue filters and counts."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Connection, Row, func, select
from sqlalchemy.dialects.postgresql import insert as insert_postgresql
from sqlalchemy.dialects.sqlite import insert as insert_sqlite

from kenpin.contracts.errors import Locked, StoreError
from kenpin.contracts.ports import Sealer
from kenpin.contracts.review import LOCKED, QueueRow, State
from kenpin.contracts.trace import Trace, finished, proposal, speakers, trace_bytes
from kenpin.contracts.verdict import Verdict
from kenpin.database.engine import Database
from kenpin.database.tables import NAME, entries, inspections, traces

ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,79}")
ABOUT = "trace"
UNVERIFIED, DEFECT, SOUND, UNJUDGED = range(4)
"""Values of `priority`: what a person should see first comes first."""


class DatabaseTraces:
    """Implements `TraceStore`. Trace and summary change in one transaction, so a reader sees one state or the next."""

    def __init__(self, database: Database, sealer: Sealer) -> None:
        self._database = database
        self._sealer = sealer

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
            standing = _standing(trace, row, _acts(connection, trace.id) if row.head else {})
            connection.execute(changed.values(**_summary(trace, sha256), **standing))

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
            return [summary_of(row) for row in connection.execute(asked)]

    def _row(self, connection: Connection, trace_id: str) -> Row[Any] | None:
        asked = select(inspections).where(inspections.c.id == trace_id)
        # SQLite has no row locks and needs none: it has one writer.
        return connection.execute(asked if self._database.sqlite else asked.with_for_update()).one_or_none()

    @property
    def _insert(self) -> Any:
        return insert_sqlite if self._database.sqlite else insert_postgresql


def summary_of(row: Row[Any]) -> QueueRow:
    """A row of `inspections` as it is handed out. Says everything: hiding a proposal is the review's business."""
    return QueueRow(
        id=row.id,
        created=datetime.fromisoformat(row.created),
        asker=row.asker,
        product=row.product,
        lot=row.lot,
        part=row.part,
        planner=row.planner,
        model=row.model,
        proposed=Verdict(row.proposed) if row.proposed else None,
        verdict=Verdict(row.verdict) if row.verdict else None,
        rule=row.rule,
        findings=row.findings,
        disagrees=row.disagrees,
        state=State(row.state),
        signed_by=row.signed_by,
        signed_at=datetime.fromisoformat(row.signed_at) if row.signed_at else None,
    )


def priority_of(verdict: str | None, *, disagrees: bool) -> int:
    """Where an inspection stands in the queue."""
    if disagrees or verdict == Verdict.UNCERTAIN:
        return UNVERIFIED
    return {Verdict.NG: DEFECT, Verdict.OK: SOUND}.get(Verdict(verdict), UNJUDGED) if verdict else UNJUDGED


def utc(moment: datetime) -> str:
    """How moments are written: in UTC with microseconds, so that the order of the text is the order in time."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def _first(trace: Trace, sha256: str) -> dict[str, Any]:
    """A new inspection's row."""
    standing = {"verdict": None, "disagrees": False, "state": State.OPEN, "priority": UNJUDGED, "head": 0}
    return {"id": trace.id, **_summary(trace, sha256), **standing}


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
        "planner": trace.planner.backend[:40],
        "model": _plain(trace.planner.model),
        "proposed": proposed.verdict if proposed else None,
        "rule": _plain(proposed.rule) if proposed else None,
        "findings": len(proposed.findings) if proposed else None,
        "trace_sha256": sha256,
    }


def _standing(trace: Trace, row: Row[Any], acts: Mapping[str, int]) -> dict[str, Any]:
    """The columns that a review has a say in. `acts` has the number of the last entry of each kind.

    A verdict that a person has set stays. Whether people disagree is known to the review alone; what a new proposal
    can only have made worse is taken as worse until the next entry is written.
    """
    answer = proposal(trace)
    proposed = answer.verdict if answer else None
    verdict = row.verdict if "verdict" in acts else proposed
    said = "verdict" in acts or "judgement" in acts
    differs = bool(said and (row.disagrees or verdict != proposed or proposed != row.proposed))
    state = State.OPEN
    if finished(trace):
        amending = acts.get("amendment", 0) > acts.get("signature", 0)
        state = State.AMENDING if amending else State.WAITING
    priority = priority_of(verdict, disagrees=differs)
    return {"verdict": verdict, "disagrees": differs, "state": state, "priority": priority}


def _plain(text: str | None) -> str | None:
    """A text as a column takes it: PostgreSQL has no NUL and holds to the length."""
    return None if text is None else text.replace("\0", "").replace("\n", " ")[:NAME]


def _acts(connection: Connection, trace_id: str) -> dict[str, int]:
    asked = select(entries.c.kind, func.max(entries.c.n).label("last")).where(entries.c.inspection == trace_id)
    return {row.kind: row.last for row in connection.execute(asked.group_by(entries.c.kind))}


def _newest(asked: Any) -> Any:
    return asked.order_by(inspections.c.created.desc(), inspections.c.id.desc())


def _record(trace_id: str) -> str:
    return f"inspection:{trace_id}"


def _checked(trace_id: str) -> None:
    if not ID.fullmatch(trace_id):
        raise StoreError(f"{trace_id[:80]!r} cannot be the id of an inspection")
