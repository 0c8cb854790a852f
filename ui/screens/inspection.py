"""One inspection in the review: everything that it rests on, what people have decided, and the signatures."""

from collections.abc import Sequence

import streamlit as st

from kenpin.contracts.errors import KenpinError, StoreError
from kenpin.contracts.people import Actor, Right
from kenpin.contracts.review import LOCKED, Amendment, Dossier, State, VerdictChange
from kenpin.contracts.trace import Trace, Turn, planner_of, proposal, proposer
from ui.frame import framed
from ui.go import go, offered
from ui.i18n import Texts
from ui.parts.answer import show_answer, show_stand_in, verdict_badge
from ui.parts.desk import Desk, desk_of, look
from ui.parts.downloads import show_downloads
from ui.parts.guide import guide
from ui.parts.history import show_cases, show_history, show_record
from ui.parts.judging import show_decisions, show_findings, show_judge
from ui.parts.live import run_turn
from ui.parts.picture import focus_key
from ui.parts.plain import one_line, plain
from ui.parts.reviewed import show_reviewed
from ui.parts.signing import show_signing
from ui.parts.steps import show_steps, steps_label
from ui.parts.uploads import say_error
from ui.parts.viewer import load_stored
from ui.parts.worklist import show_worklist
from ui.state import Session

ADDRESS = "inspection"
STATES = {State.OPEN: ("gray", "hourglass_empty"), State.WAITING: ("blue", "pending_actions"),
          State.HALF_SIGNED: ("violet", "edit_document"), State.SIGNED: ("green", "lock"),
          State.AMENDING: ("orange", "edit_note"), State.REJECTED: ("red", "unpublished")}


@framed
def inspection(session: Session, actor: Actor, t: Texts) -> None:
    """Review one inspection, the one that the address or the session names."""
    wanted = st.query_params.get(ADDRESS) or session.review
    if not wanted:
        st.info(t("review.none"), icon=":material/checklist:")
        return
    session.review = wanted
    if st.query_params.get(ADDRESS) != wanted:
        st.query_params[ADDRESS] = wanted
    desk = desk_of(wanted, actor)
    show_worklist(actor, wanted, t)
    seen = look(wanted, actor)
    _page(session, desk, seen, actor, t)
    desk.saw(seen)


def _page(session: Session, desk: Desk, seen: Dossier, actor: Actor, t: Texts) -> None:
    may = Right.REVIEW in actor.rights and not seen.hidden and seen.state not in LOCKED and seen.state is not State.OPEN
    with st.container(key="pixels"):
        missing = _load(seen.trace)
    _head(seen, actor, t)
    for line in missing:
        say_error(line)
    trouble = st.empty()
    left, right = st.columns([5, 6], gap="medium")
    with left, st.container(key="picture"):
        place = st.empty()
        with place.container():
            show_reviewed(desk, seen, t, may=may)
    with right, st.container(key="pane-review"):
        if seen.hidden:
            _asked(seen.trace.turns, t)
            show_judge(desk, t)
        else:
            _open(session, desk, seen, actor, t, may=may, picture=place)
        show_record(seen.trace, t)
        show_history(seen, t)
    if desk.error and not desk.told:
        with trouble.container():
            say_error(desk.error)
            _unsaved(desk, t)


def _load(trace: Trace) -> list[str]:
    """Bring the pictures to the browser; a line for each that is missing or was changed."""
    missing = []
    for sha256 in dict.fromkeys(image.sha256 for image in trace.images):
        try:
            load_stored(sha256)
        except StoreError as exc:
            missing.append(str(exc))
    return missing


def _open(session: Session, desk: Desk, seen: Dossier, actor: Actor, t: Texts, *, may: bool,
          picture: st.delta_generator.DeltaGenerator) -> None:
    """The proposal and everything about it."""
    trace, known = seen.trace, {step.n for turn in seen.trace.turns for step in turn.steps}
    _standing(seen, t)
    answer = proposal(trace)
    if answer is not None:
        if _changed(seen):
            st.caption(t("review.proposal"))
        for turn in trace.turns:
            if turn.answer is answer and turn.fallback:
                show_stand_in(turn.fallback, planner_of(trace, turn), t, steps=turn.steps)
        show_answer(answer, t, steps=known, key="proposal", reviewed=True)
    if seen.state is State.OPEN:
        st.warning(t("review.open"), icon=":material/hourglass_empty:")
        if offered("chat") and st.button(t("review.to_chat"), key="to-chat", icon=":material/forum:"):
            session.open(trace.id)
            go("chat", {ADDRESS: trace.id})
    show_findings(desk, seen, t, may=may)
    if may:
        show_decisions(desk, seen, t)
    show_signing(desk, seen, actor, t)
    _conversation(trace, t, known)
    _listen(desk, seen, actor, t)
    if desk.pending is not None:
        _follow_up(session, desk, trace, t, picture=picture)
        st.rerun()
    if desk.kept:
        st.button(t("after.retry", text=one_line(desk.kept, most=60)), key="retry", icon=":material/refresh:",
                  on_click=_again, args=(desk,))
    show_cases(trace, t)
    guide(at=None, follow=False, on_step=lambda step: _focus(trace, step))


def _head(seen: Dossier, actor: Actor, t: Texts) -> None:
    """Which inspection this is, and where it stands."""
    trace, (colour, icon) = seen.trace, STATES[seen.state]
    with st.container(horizontal=True, vertical_alignment="center", key="head"):
        st.markdown(f":{colour}-badge[:material/{icon}: {t('state.' + seen.state)}]", width="content")
        names = [trace.product, trace.lot and t.raw("review.lot", name=trace.lot),
                 trace.part and t.raw("review.part", name=trace.part)]
        st.markdown("**" + plain(one_line(" · ".join(filter(None, names)) or trace.id, most=90)) + "**",
                    width="content")
        made = f"{trace.created.astimezone():%Y-%m-%d %H:%M}"
        asker = t.raw("review.asked_by", name=trace.asker) if trace.asker else ""
        st.caption(plain(" · ".join(filter(None, (made, asker, trace.id)))), width="stretch")
        info = proposer(trace)
        planner = f"{t.known('planner', info.backend)} · {plain(one_line(info.model, most=40))}"
        st.caption(f":material/memory: {planner}", width="content")
        if not seen.hidden and seen.state is not State.OPEN:
            show_downloads(seen, actor, t)


def _standing(seen: Dossier, t: Texts) -> None:
    """The verdict as it stands, where a person has changed it or people differ."""
    decision = seen.decision
    if _changed(seen):
        with st.container(key=f"answer-{decision.verdict or 'none'}-now", gap="xsmall"):
            st.markdown(f"#### {verdict_badge(decision.verdict, t)}", anchors=False)
            by = [entry.by for entry in seen.entries if isinstance(entry.act, VerdictChange)]
            st.markdown(f"{plain(by[-1] if by else '')}: {plain(decision.why)}")
            facts = [f"{t('case.cause')}: {plain(decision.cause)}" if decision.cause else "",
                     f"{t('case.disposition')}: {plain(decision.disposition)}" if decision.disposition else ""]
            if any(facts):
                st.caption(" · ".join(filter(None, facts)))
    opened = [(entry.by, entry.act.why) for entry in seen.entries if isinstance(entry.act, Amendment)]
    if seen.state is State.AMENDING and opened:
        st.info(t("review.amending", name=opened[-1][0], why=opened[-1][1]), icon=":material/edit_note:")
    if decision.judgements:
        said = " · ".join(f"{plain(name)} {t('verdict.' + verdict.value)}" for name, verdict in decision.judgements)
        mark = f":orange-badge[:material/compare_arrows: {t('review.disagrees')}] " if decision.disagrees else ""
        st.caption(f"{mark}{t('review.judgements')} {said}")


def _changed(seen: Dossier) -> bool:
    return any(isinstance(entry.act, VerdictChange) for entry in seen.entries)


def _asked(turns: Sequence[Turn], t: Texts) -> None:
    with st.container(border=True, key="asked"):
        st.caption(t("review.asked"))
        for turn in turns:
            st.text(turn.say)


def _conversation(trace: Trace, t: Texts, known: set[int]) -> None:
    """What was asked, each step with its reasons and evidence, and what was answered."""
    last, judged = trace.turns[-1] if trace.turns else None, proposal(trace)
    for n, turn in enumerate(trace.turns):
        with st.container(key=f"turn-{n}"):
            by = f" · {plain(turn.by or trace.asker or '')}" if turn.by or trace.asker else ""
            st.caption(f":material/person: {t('review.turn', n=n + 1)}{by}")
            st.text(turn.say)
            if turn.fallback and turn.answer is not judged:
                show_stand_in(turn.fallback, planner_of(trace, turn), t, steps=turn.steps,
                              ended=turn.answer is not None)
            if turn.answer and turn.answer is not judged:
                show_answer(turn.answer, t, steps=known, key=str(n), reviewed=True)
            if turn.steps:
                with st.expander(steps_label(turn.steps, t), expanded=turn is last, icon=":material/account_tree:"):
                    show_steps(turn, t)


def _listen(desk: Desk, seen: Dossier, actor: Actor, t: Texts) -> None:
    """The line for a follow-up; closed on a signed record, absent where it is not for this person."""
    if Right.ASK not in actor.rights:
        return
    closed = seen.state in LOCKED or seen.state is State.OPEN
    holder = t.raw("review.follow_up_closed" if seen.state in LOCKED else "review.follow_up")
    # In a container: at the page's bottom it would make a narrow page open at its end.
    with st.container(key="follow-up-line"):
        said = st.chat_input(holder, key="follow-up", disabled=closed, submit_mode="disable")
    if said:
        desk.pending, desk.kept = str(said), None
        desk.forget()


def _follow_up(session: Session, desk: Desk, trace: Trace, t: Texts, *,
               picture: st.delta_generator.DeltaGenerator) -> None:
    """Ask on in the same trace. What could not be asked is kept."""
    text, desk.pending = desk.pending, None
    session.error = session.kept = None
    try:
        run_turn(session, desk.actor, trace, text, t, picture=picture)
    except KenpinError as exc:
        session.error = str(exc)
    finally:
        # A run that a click cut off is no turn of the chat page: the record shows as open, with the way to go on.
        session.running = False
    if session.error:
        desk.error, desk.place, desk.kept = session.error, "follow-up", text
    session.error = session.kept = None


def _again(desk: Desk) -> None:
    desk.pending, desk.kept = desk.kept, None
    desk.forget()


def _unsaved(desk: Desk, t: Texts) -> None:
    """What was typed, where its field has gone from the page."""
    if desk.unsaved:
        st.caption(t("review.unsaved"))
        for text in desk.unsaved:
            st.text(text)


def _focus(trace: Trace, step: int) -> None:
    st.session_state[focus_key(trace)] = step
