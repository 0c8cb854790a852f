"""The audit log in the database: appended in the transaction of what it tells of, chained, walked to verify."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, func, select, text

from kenpin.contracts.audit import START, AuditEvent, AuditHead
from kenpin.database.engine import AUDIT_LOCK, Database
from kenpin.database.tables import audit

PAGE = 1000
"""Events read at a time while the chain is walked."""


class ChainedAudit:
    """Implements `AuditLog`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def append(self, connection: Connection, *, actor: str, action: str, subject: str, **detail: Any) -> AuditEvent:
        """Add an event. Writers stand in line: SQLite has one at a time, PostgreSQL takes a lock until the end."""
        if not self._database.sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": AUDIT_LOCK})
        newest = select(audit.c.seq, audit.c.sha256).order_by(audit.c.seq.desc()).limit(1)
        last = connection.execute(newest).one_or_none()
        event = AuditEvent(
            seq=last.seq + 1 if last else 1,
            at=datetime.now(UTC).isoformat(timespec="microseconds"),
            actor=actor,
            action=action,
            subject=subject,
            detail=detail,
            previous=last.sha256 if last else START,
            sha256="",
        )
        event = event.model_copy(update={"sha256": event.expected()})
        row = {**event.model_dump(), "detail": json.dumps(detail, ensure_ascii=False, sort_keys=True)}
        connection.execute(audit.insert().values(**row))
        return event

    def head(self) -> AuditHead | None:
        """The last event; None while there is none."""
        with self._database.read() as connection:
            row = connection.execute(select(audit).order_by(audit.c.seq.desc()).limit(1)).one_or_none()
        return None if row is None else AuditHead(seq=row.seq, at=row.at, sha256=row.sha256)

    def verify(self, head: AuditHead | None = None) -> list[str]:
        """Walk the chain from its beginning.

        Args:
            head: A head that was exported earlier; the log must still hold that event.
        Returns:
            What is broken, the first broken link first; empty if nothing is.
        """
        previous, seq = START, 0
        for event in self._walk():
            if broken := _broken(event, previous, seq + 1):
                return [broken]
            if head and event.seq == head.seq and event.sha256 != head.sha256:
                return [f"event {event.seq} is not the one of the exported head of {head.at}: the log was written anew"]
            previous, seq = event.sha256, event.seq
        if head and seq < head.seq:
            return [f"the log ends at event {seq}, and the exported head of {head.at} is event {head.seq}: it was cut"]
        return []

    def events(
        self, *, subject: str | None = None, actor: str | None = None, action: str | None = None,
        before: int | None = None, limit: int = 100,
    ) -> list[AuditEvent]:
        """Events, newest first, that match every filter; `before` is a seq to page back from."""
        asked = select(audit).order_by(audit.c.seq.desc()).limit(limit)
        for column, value in ((audit.c.subject, subject), (audit.c.actor, actor), (audit.c.action, action)):
            if value is not None:
                asked = asked.where(column == value)
        if before is not None:
            asked = asked.where(audit.c.seq < before)
        with self._database.read() as connection:
            return [_event(row) for row in connection.execute(asked)]

    def count(self) -> int:
        """How many events there are."""
        with self._database.read() as connection:
            return int(connection.execute(select(func.count()).select_from(audit)).scalar_one())

    def names(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Every actor and every action that stands in the log, each in order."""
        with self._database.read() as connection:
            asked = (select(column).distinct().order_by(column) for column in (audit.c.actor, audit.c.action))
            actors, actions = (tuple(str(name) for name in connection.scalars(one)) for one in asked)
        return actors, actions

    def _walk(self) -> Iterator[AuditEvent]:
        with self._database.read() as connection:
            done = 0
            while rows := connection.execute(
                select(audit).where(audit.c.seq > done).order_by(audit.c.seq).limit(PAGE)
            ).all():
                yield from (_event(row) for row in rows)
                done = rows[-1].seq


def _event(row: Row[Any]) -> AuditEvent:
    try:
        detail = json.loads(row.detail)
    except ValueError:
        detail = {"unreadable": row.detail}
    return AuditEvent.model_validate({**row._asdict(), "detail": detail if isinstance(detail, dict) else {"": detail}})


def _broken(event: AuditEvent, previous: str, seq: int) -> str | None:
    if event.seq != seq:
        return f"event {seq} is missing: after {seq - 1} comes {event.seq}"
    if event.previous != previous:
        return f"event {seq} is chained to another event than {seq - 1}"
    if event.sha256 != event.expected():
        return f"event {seq} ({event.action} by {event.actor}) was changed after it was written"
    return None
