"""The audit log: what was done by whom, and whether the chain still holds."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import streamlit as st

from kenpin.contracts.audit import AuditEvent, AuditHead
from kenpin.contracts.errors import FileRefused
from kenpin.contracts.people import Actor
from kenpin.security.audit_desk import AuditFound, read_head
from ui.backend import audit_desk
from ui.frame import framed
from ui.go import go, offered
from ui.i18n import Texts
from ui.parts.empty import head, nothing
from ui.parts.filters import choice, clear, filters, moved, written
from ui.parts.markup import light, piece, strong
from ui.parts.plain import plain
from ui.parts.uploads import say_error
from ui.parts.worklist import INSPECTION, number
from ui.state import Session

KEYS = ("subject", "by", "action")
BEFORE = "before"
PAGE_SIZE = 50
LONGEST = 200
FOUND = "kenpin-audit-found"
"""What the last walk of this session came to."""
SHOWN = 160
"""Characters of a detail."""


@dataclass(frozen=True)
class _Walked:
    """A walk along the chain, and who asked for it."""

    found: AuditFound
    held: AuditHead | None
    seconds: float
    by: str


@framed
def audit(session: Session, actor: Actor, t: Texts) -> None:
    """The log of one installation."""
    desk = audit_desk()
    params = st.query_params.to_dict()
    wanted = {key: params[key][:LONGEST] for key in KEYS if params.get(key)}
    before = number(params, BEFORE)
    events = desk.events(actor, **wanted, before=before, limit=PAGE_SIZE + 1)
    head(t("page.audit"), t("audit.lead", n=desk.count(actor)))
    _chain(actor, t)
    _filters(actor, params, t)
    if not events:
        with st.container(key="empty", horizontal_alignment="center", gap="small"):
            nothing("filter_alt_off" if wanted else "link", t("filter.none" if wanted else "audit.nothing"),
                    t("filter.none_do" if wanted else "audit.nothing_do"))
        return
    with st.container(key="list-audit", gap=None):
        st.html(_titles(t))
        for i, event in enumerate(events[:PAGE_SIZE]):
            _row(event, i, t)
    _pager(events, before, t)


def _chain(actor: Actor, t: Texts) -> None:
    """Verify, hand out the head, and hold the log against an earlier one."""
    with st.container(key="chain", horizontal=True, vertical_alignment="center", gap="small"):
        if st.button(t("audit.verify"), key="verify", icon=":material/verified:", type="primary"):
            _walk(actor, None, t)
        newest = audit_desk().head(actor)
        if newest is not None:
            st.download_button(t("audit.head"), data=newest.model_dump_json(indent=1).encode(), key="head-download",
                               file_name=f"kenpin-audit-head-{newest.seq}.json", mime="application/json",
                               icon=":material/download:", on_click="ignore", help=t("audit.head_help"))
        with st.popover(t("audit.earlier"), icon=":material/history:", help=t("audit.earlier_help")):
            _earlier(actor, t)
    kept = st.session_state.get(FOUND)
    if isinstance(kept, _Walked) and kept.by == actor.name:
        _say(kept, t)


def _earlier(actor: Actor, t: Texts) -> None:
    file = st.file_uploader(t("audit.earlier_file"), type=["json"], key="head-upload")
    if file is None:
        return
    try:
        held = read_head(file.getvalue())
    except FileRefused as exc:
        say_error(str(exc))
        return
    st.caption(t("audit.earlier_is", seq=held.seq, at=_when(held.at)))
    if st.button(t("audit.compare"), key="compare", icon=":material/compare_arrows:"):
        _walk(actor, held, t)


def _walk(actor: Actor, held: AuditHead | None, t: Texts) -> None:
    with st.spinner(t("audit.walking")):
        start = time.perf_counter()
        found = audit_desk().verify(actor, held)
        st.session_state[FOUND] = _Walked(found, held, time.perf_counter() - start, actor.name)


def _say(walked: _Walked, t: Texts) -> None:
    found, held = walked.found, walked.held
    took = t("audit.took", n=found.events, seconds=f"{walked.seconds:.2f}")
    if found.broken:
        st.error(f"{t('audit.broken', link=found.broken[0])} {took}", icon=":material/link_off:")
        return
    sha256 = found.head.sha256[:16] if found.head else "–"
    words = t("audit.held", seq=held.seq) if held else t("audit.whole", sha256=sha256)
    st.success(f"{words} {took}", icon=":material/verified:")


def _filters(actor: Actor, params: Mapping[str, str], t: Texts) -> None:
    names = audit_desk().names(actor)
    with filters("audit"):
        written("subject", t("audit.subject"), t.raw("audit.subject_holder"), t)
        choice("by", t("audit.actor"), names.actors, t("filter.any"), t)
        choice("action", t("audit.action"), names.actions, t("filter.any"), t)
        if any(params.get(key) for key in KEYS):
            clear(KEYS, t)


def _titles(t: Texts) -> str:
    words = ("audit.seq", "audit.at", "audit.actor", "audit.action", "audit.subject", "audit.detail")
    return piece("titles", *(piece("title", strong(t.raw(word))) for word in words))


def _row(event: AuditEvent, i: int, t: Texts) -> None:
    kind, _, name = event.subject.partition(":")
    leads = kind == INSPECTION and bool(name) and offered(INSPECTION)
    details = (light(f"{key} {_short(value)}") for key, value in event.detail.items())
    with st.container(key=f"row-{i}"):
        st.html(piece(
            "row",
            piece("seq", strong(str(event.seq))),
            piece("at", strong(_when(event.at))),
            piece("actor", strong(event.actor)),
            piece("act", strong(event.action)),
            piece("link" if leads else "subject", strong(event.subject)),
            piece("more", *details),
        ))
        if leads and st.button(t("queue.open", what=plain(name)), key=f"open-row-{i}", type="tertiary"):
            go(INSPECTION, {INSPECTION: name})


def _pager(events: list[AuditEvent], before: int | None, t: Texts) -> None:
    shown = events[:PAGE_SIZE]
    with st.container(key="pager", horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(t("audit.shown", first=shown[0].seq, last=shown[-1].seq), width="stretch")
        if st.button(t("audit.newest"), key="pager-first", icon=":material/first_page:", disabled=before is None):
            moved({BEFORE: ""})
        if st.button(t("audit.older"), key="pager-older", icon=":material/chevron_right:", icon_position="right",
                     disabled=len(events) <= PAGE_SIZE):
            moved({BEFORE: str(shown[-1].seq)})


def _when(at: str) -> str:
    """Local time to the second; what is no time is shown as it is."""
    try:
        return f"{datetime.fromisoformat(at).astimezone():%Y-%m-%d %H:%M:%S}"
    except ValueError:
        return at[:40]


def _short(value: object) -> str:
    text = str(value)
    if len(text) == 64 and all(c in "0123456789abcdef" for c in text):
        return text[:12] + "…"
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
