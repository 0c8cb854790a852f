"""The review queue: what waits for a person, in the order in which it should be looked at."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import streamlit as st

from kenpin.contracts.people import Actor, Right
from kenpin.contracts.review import QueueFilter, QueueRow
from kenpin.contracts.verdict import Verdict
from ui.backend import reviews
from ui.frame import framed
from ui.go import go
from ui.i18n import Texts
from ui.parts.downloads import show_lot
from ui.parts.empty import head, nothing
from ui.parts.filters import choice, clear, filters, moved
from ui.parts.markup import (
    WORDS,
    capital,
    light,
    picture,
    piece,
    quiet_mark,
    state_mark,
    strong,
    verdict_mark,
    warning_mark,
)
from ui.parts.paging import pager
from ui.parts.plain import plain
from ui.parts.thumbs import small
from ui.parts.worklist import (
    AGES,
    KEYS,
    PAGE,
    PAGE_SIZE,
    STATES,
    filter_of,
    number,
    open_inspection,
)
from ui.state import Session


@framed
def queue(session: Session, actor: Actor, t: Texts) -> None:
    """The queue of one person."""
    params = st.query_params.to_dict()
    wanted = filter_of(params)
    page = number(params, PAGE, least=1) or 1
    found = reviews().queue(actor, wanted.model_copy(update={"offset": (page - 1) * PAGE_SIZE, "limit": PAGE_SIZE}))
    if not found.rows and page > 1:
        # Others have worked it off in the meantime.
        page = max(1, -(-found.total // PAGE_SIZE))
        found = reviews().queue(actor, wanted.model_copy(update={"offset": (page - 1) * PAGE_SIZE, "limit": PAGE_SIZE}))
    head(t("page.queue"), t("queue.waiting" if wanted.waiting_only else "queue.found", n=found.total))
    _filters(actor, params, t)
    if not found.rows:
        _empty(actor, params, t)
        return
    with st.container(key="list-queue", gap=None):
        st.html(_titles(t))
        for i, row in enumerate(found.rows):
            _row(row, i, (page - 1) * PAGE_SIZE + i, params, t)
    pager(page, found.total, PAGE_SIZE, key=PAGE, t=t)
    if wanted.lot:
        show_lot(wanted.lot, wanted.product, actor, t)


def _filters(actor: Actor, params: Mapping[str, str], t: Texts) -> None:
    there = reviews().choices(actor)
    with filters("queue"):
        choice("state", t("queue.state"), STATES, t("queue.state_needed"), t, lambda s: capital(t.raw(f"state.{s}")))
        choice("product", t("queue.product"), there.products, t("filter.any"), t)
        choice("lot", t("queue.lot"), there.lots, t("filter.any"), t)
        choice("verdict", t("queue.verdict"), tuple(Verdict), t("filter.any"), t, lambda v: t.raw(WORDS[Verdict(v)]))
        choice("planner", t("queue.planner"), there.planners, t("filter.any"), t, lambda p: t.raw_known("planner", p))
        choice("asker", t("queue.asker"), there.askers, t("filter.any"), t)
        choice("age", t("queue.age"), tuple(AGES), t("filter.any"), t, lambda a: t.raw(AGES[a]))
        choice("differs", t("queue.differs"), ("1",), t("filter.any"), t, lambda _: t.raw("queue.differs_only"))
        if any(params.get(key) for key in KEYS):
            clear(KEYS, t)


def _empty(actor: Actor, params: Mapping[str, str], t: Texts) -> None:
    """What to do where there is nothing to show."""
    anything = reviews().queue(actor, QueueFilter(waiting_only=False, limit=1)).total
    filtered = any(params.get(key) for key in KEYS)
    with st.container(key="empty", horizontal_alignment="center", gap="small"):
        if filtered:
            nothing("filter_alt_off", t("filter.none"), t("filter.none_do"))
        elif anything:
            nothing("task_alt", t("queue.all_done"), t("queue.all_done_do", n=anything))
            if st.button(t("queue.show_all"), key="show-all", icon=":material/history:"):
                moved({"state": "all"})
        else:
            nothing("image_search", t("queue.nothing"), t("queue.nothing_do"))
            if Right.ASK in actor.rights and st.button(t("queue.ask"), key="ask-first", icon=":material/forum:"):
                go("chat")


def _titles(t: Texts) -> str:
    words = ("", t.raw("queue.part"), t.raw("queue.verdict"), t.raw("queue.state"), t.raw("queue.by"),
             t.raw("queue.time"))
    return piece("titles", *(piece("title", strong(word) if word else "") for word in words))


def _row(row: QueueRow, i: int, place: int, params: Mapping[str, str], t: Texts) -> None:
    made = row.created.astimezone()
    with st.container(key=f"row-{i}"):
        st.html(piece(
            "row",
            piece("pic", picture(small(row.picture), t.raw("queue.picture"))),
            piece("part", strong(row.product or t.raw("queue.no_product")), light(_lot(row, t), row.part)),
            piece("verdict", *_verdict(row, t)),
            piece("state", state_mark(row.state, t), light(row.signed_by),
                  warning_mark(t.raw("queue.disagrees")) if row.disagrees else ""),
            piece("by", strong(row.asker), light(t.raw_known("planner", row.planner))),
            piece("time", strong(f"{made:%H:%M}" if _today(made) else f"{made:%Y-%m-%d}"),
                  light(age(row.created, t) if _today(made) else f"{made:%H:%M}")),
        ))
        if st.button(t("queue.open", what=plain(_name(row, t))), key=f"open-row-{i}", type="tertiary"):
            open_inspection(row.id, place, params)


def _verdict(row: QueueRow, t: Texts) -> Sequence[str]:
    if row.hidden:
        return quiet_mark(t.raw("queue.hidden")), light(t.raw("queue.hidden_why"))
    marks = [verdict_mark(row.proposed, t)] if row.proposed else []
    if row.verdict and row.verdict != row.proposed:
        marks += ["<em>→</em>" if marks else "", verdict_mark(row.verdict, t)]
    if not marks:
        marks = [quiet_mark(t.raw("mark.none"))]
    count = None if row.findings is None else t.raw("queue.findings", n=row.findings)
    return f'<span class="k-pair">{"".join(marks)}</span>', light(count)


def _lot(row: QueueRow, t: Texts) -> str | None:
    return t.raw("queue.lot_of", lot=row.lot) if row.lot else None


def _name(row: QueueRow, t: Texts) -> str:
    return " ".join(filter(None, (row.product, row.lot, row.part))) or row.id


def _today(made: datetime) -> bool:
    return made.date() == datetime.now().astimezone().date()


def age(created: datetime, t: Texts) -> str:
    """How long ago, in the largest unit that fits."""
    minutes = max(0, int((datetime.now(created.tzinfo) - created).total_seconds() // 60))
    if minutes < 60:
        return t.raw("age.minutes", n=minutes)
    return t.raw("age.hours", n=minutes // 60) if minutes < 48 * 60 else t.raw("age.days", n=minutes // (24 * 60))
