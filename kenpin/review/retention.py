"""Which inspections are due for deletion by rule, and the one transaction that deletes one."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict
from sqlalchemy import Connection, Row, select

from kenpin.contracts.case import Case
from kenpin.contracts.ports import AuditLog, Sealer
from kenpin.contracts.review import LOCKED, Rules, State
from kenpin.contracts.trace import Trace, pictures_of
from kenpin.database.tables import audit, case_queue, inspections
from kenpin.review.rulebook import all_rules

DELETED, ERASED = "inspection.deleted", "inspection.erased"
"""Rows and key are gone; pictures and checkpoints are gone too."""
SIGNED = LOCKED | {State.AMENDING}
"""States of what has been signed once, for which `keep_signed_days` holds."""
Fate = Literal["withdraw", "keep"]
"""What becomes of the past cases that an inspection was signed into."""
KEPT = "kept-"
"""What the key of a kept case's order is named by instead of its inspection, whose own key is deleted."""


class Due(BaseModel):
    """An inspection that is older than its product's rule."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    product: str | None
    state: State
    since: datetime
    """What its age counts from: when it was signed, else when it was started."""
    rule: str
    """`keep_days` or `keep_signed_days`."""
    days: int
    of: str
    """The product whose rule it is; empty for the rule of all others."""


class Unfinished(BaseModel):
    """A deletion whose pictures and checkpoints are not gone yet."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    inspection: str
    pictures: tuple[str, ...]


def due(connection: Connection, *, now: datetime) -> list[Due]:
    """Every inspection that is due, the oldest first. One with an open turn is not, whatever its age."""
    rules = {rule.product: rule for rule in all_rules(connection)}
    asked = select(inspections).where(inspections.c.state != State.OPEN).order_by(inspections.c.created)
    if not any(rule.keep_days or rule.keep_signed_days for rule in rules.values()):
        return []
    return [found for row in connection.execute(asked) if (found := _due(row, rules, now))]


def due_one(connection: Connection, inspection: str, *, now: datetime) -> Due | None:
    """One inspection, if it is due."""
    rules = {rule.product: rule for rule in all_rules(connection)}
    row = connection.execute(select(inspections).where(inspections.c.id == inspection)).one_or_none()
    return _due(row, rules, now) if row is not None and row.state != State.OPEN else None


def _due(row: Row[Any], rules: dict[str, Rules], now: datetime) -> Due | None:
    name = row.product if row.product in rules else ""
    rule = rules.get(name)
    if rule is None:
        return None
    state = State(row.state)
    which, days = ("keep_signed_days", rule.keep_signed_days) if state in SIGNED else ("keep_days", rule.keep_days)
    since = datetime.fromisoformat(_since(row, state))
    if days is None or since + timedelta(days=days) > now:
        return None
    return Due(id=row.id, product=row.product, state=state, since=since, rule=which, days=days, of=name)


def _since(row: Row[Any], state: State) -> str:
    """A signed record's time begins with its last signature; an amendment that is open begins it anew."""
    if state is State.AMENDING:
        return str(row.updated)
    return str(row.signed_at or row.created)


def delete(
    connection: Connection, found: Due, trace: Trace, *, sealer: Sealer, log: AuditLog, by: str, cases: Fate
) -> Unfinished:
    """Delete an inspection's rows and data key, and put on record what is still to be erased.

    Args:
        connection: A write transaction, in which `found` was looked up again.
        found: What is due.
        trace: Its trace, read before.
        sealer: Holds the keys.
        log: The audit log; everything that it holds of the inspection stays.
        by: Who applies the rule.
        cases: Whether the past cases that it was signed into are withdrawn or stay.
    """
    sha256 = connection.execute(select(inspections.c.trace_sha256).where(inspections.c.id == found.id)).scalar_one()
    pictures = pictures_of(trace)
    touched = _cases(connection, found.id, sealer, cases)
    connection.execute(inspections.delete().where(inspections.c.id == found.id))
    sealer.forget(f"inspection:{found.id}", connection=connection)
    log.append(
        connection,
        actor=by,
        action=DELETED,
        subject=f"inspection:{found.id}",
        trace_sha256=sha256,
        state=found.state.value,
        rule=found.rule,
        days=found.days,
        product=found.of,
        cases=list(touched),
        cases_are="withdrawn" if cases == "withdraw" else "kept",
        pictures=list(pictures),
    )
    return Unfinished(inspection=found.id, pictures=pictures)


def _cases(connection: Connection, inspection: str, sealer: Sealer, fate: Fate) -> Sequence[str]:
    """Owe the case base the withdrawal of an inspection's cases, or let them stand without it."""
    asked = select(case_queue).where(case_queue.c.inspection == inspection).order_by(case_queue.c.id)
    last = {row.case_id: row for row in connection.execute(asked)}
    standing = {case_id: row for case_id, row in last.items() if row.action == "add"}
    bodies = {case_id: _body(row, sealer, connection) for case_id, row in standing.items()} if fate == "keep" else {}
    connection.execute(case_queue.delete().where(case_queue.c.inspection == inspection))
    for case_id, row in last.items():
        if case_id in bodies:
            name = f"{KEPT}{inspection}"
            body = sealer.seal(f"inspection:{name}", bodies[case_id], about=f"case:{case_id}", connection=connection)
            order = {"action": "add", "inspection": name, "body": body, "done": row.done}
        else:
            order = {"action": "withdraw", "inspection": inspection, "body": None, "done": False}
        connection.execute(case_queue.insert().values(case_id=case_id, **order))
    return sorted(standing)


def _body(row: Row[Any], sealer: Sealer, connection: Connection) -> bytes:
    record, about = f"inspection:{row.inspection}", f"case:{row.case_id}"
    opened = sealer.open(record, row.body or b"", about=about, connection=connection)
    return Case.model_validate_json(opened).model_dump_json().encode()


def unfinished(connection: Connection) -> list[Unfinished]:
    """Deletions after which pictures or checkpoints may still be there: a process was killed in between."""
    ended = select(audit.c.subject).where(audit.c.action == ERASED)
    asked = select(audit.c.subject, audit.c.detail).where(audit.c.action == DELETED, audit.c.subject.not_in(ended))
    rows = connection.execute(asked.order_by(audit.c.seq))
    return [
        Unfinished(
            inspection=row.subject.removeprefix("inspection:"), pictures=tuple(json.loads(row.detail)["pictures"])
        )
        for row in rows
    ]


def this_moment() -> datetime:
    """Now, with its zone."""
    return datetime.now(UTC)
