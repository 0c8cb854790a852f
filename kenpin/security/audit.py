"""The audit log in the database: appended in the transaction of what it tells of, chained, walked to verify."""

import json
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, LargeBinary, Row, cast, func, select

from kenpin.contracts.audit import START, AuditEvent, AuditHead
from kenpin.database.engine import Database
from kenpin.database.rows import now
from kenpin.database.tables import NAME, audit

PAGE = 1000
"""Events read at a time while the chain is walked."""


class ChainedAudit:
    """Implements `AuditLog`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        # Whoever writes past Kenpin can put into SQLite what is no text; read as bytes, such a row can be named.
        as_bytes = [cast(column, LargeBinary).label(column.name) for column in audit.c if column is not audit.c.seq]
        self._all = select(audit.c.seq, *as_bytes) if database.sqlite else select(audit)

    def append(self, connection: Connection, *, actor: str, action: str, subject: str, **detail: Any) -> AuditEvent:
        """Add an event. `connection` is one of `Database.write`, where writers stand in line, so the chain has no fork.

        Text that cannot be stored (half a surrogate pair of a file name, a NUL) is stored without it.
        """
        newest = select(audit.c.seq, audit.c.sha256).order_by(audit.c.seq.desc()).limit(1)
        last = connection.execute(newest).one_or_none()
        told = _storable(json.dumps(detail, ensure_ascii=False, sort_keys=True, allow_nan=False))
        event = AuditEvent(
            seq=last.seq + 1 if last else 1,
            at=now(),
            actor=_storable(actor)[:NAME],
            action=action,
            subject=_storable(subject)[:NAME],
            detail=json.loads(told),
            previous=last.sha256 if last else START,
            sha256="",
        )
        event = event.model_copy(update={"sha256": event.expected()})
        connection.execute(audit.insert().values(**{**event.model_dump(), "detail": told}))
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
        asked = self._all.order_by(audit.c.seq.desc()).limit(limit)
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
            # From the lowest number there is: a row put before the first one is part of the log as well.
            first = connection.execute(select(func.min(audit.c.seq))).scalar_one()
            done = 0 if first is None else first - 1
            while rows := connection.execute(
                self._all.where(audit.c.seq > done).order_by(audit.c.seq).limit(PAGE)
            ).all():
                yield from (_event(row) for row in rows)
                done = rows[-1].seq


def _event(row: Row[Any]) -> AuditEvent:
    """A row as an event. One that was tampered with comes out as something that its hash does not fit."""
    fields: dict[str, Any] = {name: _text(value) for name, value in row._asdict().items() if name != "seq"}
    try:
        detail = json.loads(fields["detail"])
    except (ValueError, RecursionError):
        detail = {"unreadable": fields["detail"]}
    fields["detail"] = detail if isinstance(detail, dict) else {"unreadable": detail}
    return AuditEvent.model_validate({"seq": row.seq, **fields})


def _text(value: Any) -> str:
    """What lies in a column of SQLite, which takes anything from whoever writes past Kenpin."""
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _storable(text: str) -> str:
    """Text that UTF-8 and PostgreSQL take."""
    return text.encode(errors="replace").decode().replace("\0", "?")


def _broken(event: AuditEvent, previous: str, seq: int) -> str | None:
    if event.seq < seq:
        return f"there is an event {event.seq} where event {seq} should be"
    if event.seq > seq:
        return f"event {seq} is missing: after {seq - 1} comes {event.seq}"
    if event.previous != previous:
        return f"event {seq} is chained to another event than {seq - 1}"
    if not _as_written(event):
        return f"event {seq} ({event.action} by {event.actor}) was changed after it was written"
    return None


def _as_written(event: AuditEvent) -> bool:
    try:
        return event.sha256 == event.expected()
    except ValueError:
        # A number that JSON has no word for, or half a surrogate pair: nothing that was ever written here.
        return False
