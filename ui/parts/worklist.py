"""The list that a reviewer works down: its filter in the page's address, and the way to the next one in it."""

from collections.abc import Mapping
from dataclasses import dataclass

import streamlit as st

from kenpin.contracts.people import Actor
from kenpin.contracts.review import QueueFilter, QueueRow, State
from kenpin.contracts.verdict import Verdict
from ui.backend import reviews
from ui.go import go
from ui.i18n import Texts

INSPECTION, PLACE, PAGE = "inspection", "place", "page"
TEXTS = ("product", "lot", "planner", "asker")
ALL = "all"
AGES = {"newer-1": "queue.newer_1", "newer-7": "queue.newer_7", "older-1": "queue.older_1",
        "older-7": "queue.older_7", "older-30": "queue.older_30"}
"""Days, as they stand in the address, and the keys of their words."""
STATES = (ALL, *(state.value for state in State))
KEYS = (*TEXTS, "verdict", "age", "state", "differs")
PAGE_SIZE = 25
LONGEST = 200
"""Characters of a value in the address that are looked at: as many as a column holds."""
AROUND = 30
"""How far from its last place an inspection is looked for, since others leave the list while one is read."""


def filter_of(params: Mapping[str, str]) -> QueueFilter:
    """The filter that an address asks for; what cannot be understood is left out."""
    texts = {name: params[name][:LONGEST] for name in TEXTS if params.get(name)}
    verdict, state, age = params.get("verdict"), params.get("state"), params.get("age")
    kind, _, days = age.partition("-") if age in AGES else ("", "", "0")
    return QueueFilter(
        **texts,
        verdict=Verdict(verdict) if verdict in set(Verdict) else None,
        state=State(state) if state in set(State) else None,
        waiting_only=state not in STATES,
        disagrees=True if params.get("differs") else None,
        older_than_days=float(days) if kind == "older" else None,
        newer_than_days=float(days) if kind == "newer" else None,
    )


def address_of(params: Mapping[str, str]) -> dict[str, str]:
    """Only what belongs to the filter."""
    return {key: params[key][:LONGEST] for key in KEYS if params.get(key)}


def number(params: Mapping[str, str], name: str, *, least: int = 0) -> int | None:
    """A number in the address."""
    value = params.get(name, "")
    return max(least, int(value)) if value.isascii() and value.isdigit() and len(value) < 10 else None


@dataclass(frozen=True)
class Neighbours:
    """Where an inspection stands in a list."""

    place: int
    """Counts from 0; of one that has left the list, the place that it had."""
    total: int
    before: QueueRow | None
    after: QueueRow | None
    here: bool
    """Whether it is still in the list."""


def neighbours(actor: Actor, wanted: QueueFilter, inspection: str, place: int) -> Neighbours:
    """The inspections before and after one in a filter.

    Args:
        actor: Who reads the queue.
        wanted: The filter; its page is not looked at.
        inspection: Which one.
        place: Where it stood when it was opened.
    """
    start = max(0, place - AROUND)
    page = reviews().queue(actor, wanted.model_copy(update={"offset": start, "limit": 2 * AROUND + 1}))
    at = next((i for i, row in enumerate(page.rows) if row.id == inspection), None)
    here = at is not None
    # One that was signed has left the list, and the next one has taken its place.
    middle = at if at is not None else min(place - start, len(page.rows))
    after = middle + 1 if here else middle
    return Neighbours(
        place=start + middle, total=page.total, here=here,
        before=page.rows[middle - 1] if middle > 0 else None,
        after=page.rows[after] if after < len(page.rows) else None,
    )


def show_worklist(actor: Actor, inspection: str, t: Texts) -> None:
    """Draw the way back to the queue, and to the inspections before and after this one in the same filter."""
    params = st.query_params.to_dict()
    place = number(params, PLACE)
    with st.container(key="worklist", horizontal=True, vertical_alignment="center", gap="small"):
        if st.button(t("work.back"), key="work-back", icon=":material/arrow_back:", type="tertiary"):
            page = {PAGE: str(place // PAGE_SIZE + 1)} if place is not None and place >= PAGE_SIZE else {}
            go("queue", {**address_of(params), **page})
        if place is None:
            return
        near = neighbours(actor, filter_of(params), inspection, place)
        if near.total:
            st.caption(t("work.place", n=near.place + 1, total=near.total) if near.here
                       else t("work.left", total=near.total), width="stretch", text_alignment="right")
        _step(near.before, near.place - 1, params, t("work.previous"), "chevron_left", key="work-previous")
        _step(near.after, near.place + near.here, params, t("work.next"), "chevron_right", key="work-next")


def _step(row: QueueRow | None, place: int, params: Mapping[str, str], label: str, icon: str, *, key: str) -> None:
    if st.button(label, key=key, icon=f":material/{icon}:", disabled=row is None,
                 icon_position="right" if icon == "chevron_right" else "left") and row is not None:
        open_inspection(row.id, place, params)


def open_inspection(inspection: str, place: int, params: Mapping[str, str]) -> None:
    """Leave for an inspection with the filter that it was found by, and its place in it."""
    go("inspection", {**address_of(params), INSPECTION: inspection, PLACE: str(place)})
