"""How rows of `inspections` are written and read, by the stores that share them."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row

from kenpin.contracts.review import QueueRow, State
from kenpin.contracts.verdict import Verdict


def utc(moment: datetime) -> str:
    """How moments are written: in UTC with microseconds, so that the order of the text is the order in time."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def now() -> str:
    """This moment as it is written."""
    return utc(datetime.now(UTC))


def priority(verdict: str | None, *, disagrees: bool) -> int:
    """Place in the queue: uncertain and disagreements first, then ng, ok, and what has no verdict."""
    if disagrees or verdict == Verdict.UNCERTAIN:
        return 0
    return {Verdict.NG: 1, Verdict.OK: 2}.get(Verdict(verdict), 3) if verdict else 3


def queue_row(row: Row[Any], *, hidden: bool = False) -> QueueRow:
    """A row of `inspections` as it is handed out; `hidden` leaves the proposal out, and all that tells of it."""
    return QueueRow(
        id=row.id,
        created=datetime.fromisoformat(row.created),
        asker=row.asker,
        product=row.product,
        lot=row.lot,
        part=row.part,
        picture=row.picture,
        planner=row.planner,
        model=row.model,
        proposed=Verdict(row.proposed) if row.proposed and not hidden else None,
        verdict=Verdict(row.verdict) if row.verdict and not hidden else None,
        rule=None if hidden else row.rule,
        findings=None if hidden else row.findings,
        disagrees=bool(row.disagrees) and not hidden,
        state=State(row.state),
        signed_by=row.signed_by,
        signed_at=datetime.fromisoformat(row.signed_at) if row.signed_at else None,
        hidden=hidden,
    )
