"""The queue: rows of inspections that pass a filter. Every value is a bound parameter."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, case, exists, false, func, not_, or_, select, true

from kenpin.contracts.review import QueueFilter, QueuePage, State
from kenpin.database.rows import queue_row, utc
from kenpin.database.tables import entries, inspections
from kenpin.review.rulebook import blind_products

NEEDS_A_PERSON = (State.WAITING, State.HALF_SIGNED, State.AMENDING)
T = inspections.c


def queue_page(connection: Connection, wanted: QueueFilter, *, reader: str, person: str, reviews: bool) -> QueuePage:
    """One page of the queue.

    Args:
        connection: A transaction.
        wanted: What to show.
        reader: Account name of the reader.
        person: The reader as a person, see `Actor.person`.
        reviews: Whether the reader may review: then blind review hides proposals.
    """
    hidden = _hidden(connection, reader, person) if reviews else None
    conditions = list(_conditions(wanted))
    if hidden is not None and (wanted.verdict is not None or wanted.disagrees is not None):
        # Which rows a filter by verdict finds would tell what is hidden.
        conditions.append(not_(hidden))
    where = and_(true(), *conditions)
    total = connection.execute(select(func.count()).select_from(inspections).where(where)).scalar_one()
    order = _order(wanted, hidden)
    asked = select(inspections, (false() if hidden is None else hidden).label("hidden")).where(where).order_by(*order)
    rows = connection.execute(asked.limit(wanted.limit).offset(wanted.offset)).all()
    return QueuePage(rows=tuple(queue_row(row, hidden=bool(row.hidden)) for row in rows), total=total)


def _order(wanted: QueueFilter, hidden: ColumnElement[bool] | None) -> list[ColumnElement[Any]]:
    if not wanted.waiting_only:
        return [T.created.desc(), T.id.desc()]
    # A hidden one has the place of an undecided matter, whatever its proposal is.
    first = T.priority if hidden is None else case((hidden, 1), else_=T.priority)
    return [first, T.created, T.id]


def _conditions(wanted: QueueFilter) -> Iterable[ColumnElement[bool]]:
    if wanted.waiting_only and wanted.state is None:
        yield T.state.in_([state.value for state in NEEDS_A_PERSON])
    if wanted.state is not None:
        yield T.state == wanted.state.value
    for column, value in ((T.product, wanted.product), (T.lot, wanted.lot), (T.planner, wanted.planner),
                          (T.asker, wanted.asker), (T.verdict, wanted.verdict)):
        if value is not None:
            yield column == value
    if wanted.disagrees is not None:
        yield T.disagrees == wanted.disagrees
    if wanted.older_than_days is not None:
        yield T.created < _ago(wanted.older_than_days)
    if wanted.newer_than_days is not None:
        yield T.created >= _ago(wanted.newer_than_days)


def _ago(days: float) -> str:
    return utc(datetime.now(UTC) - timedelta(days=min(days, 36_500.0)))


def _hidden(connection: Connection, reader: str, person: str) -> ColumnElement[bool] | None:
    """Whether blind review hides a row's proposal from the reader; None where no product has it."""
    default, others = blind_products(connection)
    if not default and not others:
        return None
    product = func.coalesce(T.product, "")
    blind = product.not_in(others) if default else product.in_(others)
    judged = exists().where(entries.c.inspection == T.id, entries.c.by == reader, entries.c.kind == "judgement")
    lines = "\n" + func.lower(T.speakers) + "\n"
    spoke = or_(*(lines.contains(f"\n{name}\n", autoescape=True) for name in (person, f"console:{person}")))
    settled = T.state.in_([State.SIGNED.value, State.REJECTED.value])
    return and_(blind, not_(judged), not_(or_(spoke, settled)))

