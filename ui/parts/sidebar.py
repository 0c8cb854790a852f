"""The side of the page: new inspection, earlier ones, language and planner."""

from datetime import datetime
from pathlib import Path

import streamlit as st

from kenpin.contracts.people import Actor, Right
from kenpin.contracts.trace import Trace
from ui.backend import PLANNERS, installation, services
from ui.go import go
from ui.i18n import Texts
from ui.parts.answer import KINDS, LOOKS
from ui.parts.plain import one_line, plain
from ui.parts.signin import show_person
from ui.parts.uploads import forget_files
from ui.state import Session
from ui.who import visitor

LOGO = Path(__file__).parents[1] / "logo.svg"
RECENT = 12
MORE = 36


def show_sidebar(session: Session, t: Texts, actor: Actor, *, chat: bool) -> None:
    """Draw the side of a page.

    Args:
        session: Of the browser.
        t: Words.
        actor: Who is there.
        chat: Whether this is the chat page, which lists earlier inspections; others have lists of their own.
    """
    st.logo(str(LOGO), size="large")
    with st.sidebar:
        if Right.ASK in actor.rights and st.button(t("side.new"), key="new", icon=":material/add:", type="primary",
                                                   width="stretch"):
            session.prepare()
            forget_files()
            go("chat")
        if chat:
            _recent(session, t)
        with st.container(key="side-foot"):
            _language(session, t)
            _planner(session, t)
            show_person(actor, t)


def planner_name(session: Session) -> str:
    """The planner that a new inspection will run with."""
    return session.planner or installation().settings.planner


def _language(session: Session, t: Texts) -> None:
    names = {"auto": t("side.lang_auto"), "en": "English", "ja": "日本語"}
    chosen = st.segmented_control(t("side.language"), list(names), default=session.choice, key="language",
                                  required=True, format_func=lambda c: names[c], help=t("side.language_help"))
    if chosen and chosen != session.choice:
        session.choice = chosen
        st.rerun()


def _planner(session: Session, t: Texts) -> None:
    known = list(dict.fromkeys((installation().settings.planner, *PLANNERS)))
    chosen = st.selectbox(t("side.planner"), known, index=known.index(planner_name(session)),
                          # One field a language: a field keeps the words that it was first drawn with.
                          key=f"planner-{t.lang}", format_func=lambda p: t.known("planner", p),
                          help=t("side.planner_help"))
    session.planner = chosen


def _recent(session: Session, t: Texts) -> None:
    newest, total = services().asking.recent(visitor(), limit=MORE)
    if not newest:
        return
    st.markdown(f"**{t('side.recent')}**")
    with st.container(key="recent", gap="xxsmall"):
        for trace in newest[:RECENT]:
            _entry(trace, session, t)
        if total > RECENT:
            with st.expander(t("side.more", n=total - RECENT)):
                for trace in newest[RECENT:]:
                    _entry(trace, session, t)


def _entry(trace: Trace, session: Session, t: Texts) -> None:
    trace_id, here = trace.id, trace.id == session.inspection
    said = trace.turns[0].say if trace.turns else t.raw("side.untitled")
    made = trace.created.astimezone()
    when = plain(f"{made:%Y-%m-%d %H:%M} · {trace.planner.backend}")
    short = f"{made:%H:%M}" if made.date() == datetime.now().astimezone().date() else f"{made:%m-%d}"
    label = f":small[:gray[{plain(short)}]] {plain(one_line(said, most=60))}"
    if st.button(label, key=f"open-{trace_id}", icon=_icon(trace), type="tertiary", width="stretch", help=when,
                 disabled=here, wrap=False):
        session.open(trace_id)
        st.rerun()


def _icon(trace: Trace) -> str:
    answers = [turn.answer for turn in trace.turns if turn.answer]
    if trace.turns and trace.turns[-1].answer is None:
        return ":material/pause_circle:"
    if not answers:
        return ":material/image:"
    judged = next((a for a in reversed(answers) if a.verdict), None)
    if judged is not None and judged.verdict is not None:
        return f":material/{LOOKS[judged.verdict][1]}:"
    return f":material/{KINDS[answers[-1].kind][1]}:" if answers[-1].kind in KINDS else ":material/chat:"
