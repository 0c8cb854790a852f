"""An inspection under way: the picture on one side, the conversation with its steps and answers on the other."""

import streamlit as st

from kenpin.contracts.errors import StoreError
from kenpin.contracts.trace import Trace, TraceImage, Turn, planner_of
from kenpin.reports.making import inspection_report
from kenpin.security.uploads import Upload
from ui.backend import installation, services
from ui.i18n import Texts
from ui.parts.adapters import adapter_of
from ui.parts.answer import show_answer, show_stand_in
from ui.parts.guide import guide
from ui.parts.line import ask_line
from ui.parts.live import run_turn
from ui.parts.picture import focus_key, show_picture, show_scene
from ui.parts.plain import one_line, plain
from ui.parts.steps import show_steps, steps_label
from ui.parts.uploads import say_error
from ui.parts.viewer import load_stored
from ui.screens.prepare import take_in
from ui.state import Draft, Session
from ui.who import visitor

USER, ASSISTANT = ":material/person:", ":material/troubleshoot:"


def show_conversation(session: Session, t: Texts) -> None:
    """An inspection that has started."""
    assert session.inspection is not None
    try:
        trace = services().asking.trace(visitor(), session.inspection)
    except StoreError as exc:
        session.prepare()
        session.error = str(exc)
        st.rerun()
    _listen(session, trace, t)
    with st.container(key="pixels"):
        for sha256 in dict.fromkeys(image.sha256 for image in trace.images):
            load_stored(sha256)
    _head(session, trace, t)
    left, right = st.columns([5, 6], gap="medium")
    busy = session.pending is not None or session.running
    with left, st.container(key="picture"):
        picture = st.empty()
    with picture.container():
        if busy:
            show_scene(trace, None, t)
        else:
            show_picture(trace, session, t)
    with right, st.container(key="pane-conversation"):
        resumed = busy and session.pending is None
        _turns(trace, t, without_last=resumed)
        if busy:
            _run(session, trace, t, picture=picture)
            st.rerun()
        _after(session, trace, t)
        _guide(trace, len(trace.turns) - 1, follow=False)


def _listen(session: Session, trace: Trace, t: Texts) -> None:
    asked = bool(trace.turns and trace.turns[-1].answer and trace.turns[-1].answer.kind == "question")
    said = ask_line(t.raw("ask.reply" if asked else "ask.follow_up"))
    if said is None:
        return
    if said.picture is not None:
        # The next part, with the same material.
        _leave(session, trace, subject=False)
        take_in(session, said)
        st.rerun()
    elif said.refused:
        session.kept = said.text or None
    elif said.text:
        session.pending = said.text
        session.hear(said.text)


def _head(session: Session, trace: Trace, t: Texts) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key="head"):
        info = trace.planner
        model = f" · {plain(one_line(info.model, most=48))}" if info.model else ""
        st.markdown(f":blue-badge[:material/memory: {t('head.planner')}: {t.known('planner', info.backend)}{model}]",
                    help=t("head.planner_help", prompt=info.prompt, adapter=adapter_of(info)), width="content")
        about = [f"{trace.created.astimezone():%Y-%m-%d %H:%M}", plain(trace.id)]
        about += [f"{t(key)} {plain(one_line(name, most=40))}"
                  for key, name in (("lot.lot", trace.lot), ("lot.part", trace.part)) if name]
        st.caption(" · ".join(about), width="stretch")
        if st.button(t("head.next"), key="next", icon=":material/skip_next:", type="tertiary",
                     help=t("head.next_help")):
            _carry(session, trace, subject=False)
        if st.button(t("head.material"), key="material", icon=":material/inventory_2:", type="tertiary",
                     help=t("head.material_help")):
            _carry(session, trace, subject=True)
        st.download_button(t("head.report"), data=lambda: _report(trace, t), key="report", type="tertiary",
                           file_name=f"kenpin-{trace.id}.html", mime="text/html", on_click="ignore",
                           icon=":material/description:", help=t("head.report_help"))
        st.download_button(t("head.download"), data=lambda: trace.model_dump_json(indent=1).encode(),
                           file_name=f"kenpin-{trace.id}.json", mime="application/json", on_click="ignore",
                           key="download", type="tertiary", icon=":material/download:", help=t("head.download_help"))


def _report(trace: Trace, t: Texts) -> bytes:
    return inspection_report(installation(), visitor(), trace.id, kind="html", lang=t.lang)


def _turns(trace: Trace, t: Texts, *, without_last: bool) -> None:
    known = {step.n for turn in trace.turns for step in turn.steps}
    for i, turn in enumerate(trace.turns):
        last = i == len(trace.turns) - 1
        with st.container(key=f"turn-{i}"):
            with st.chat_message("user", avatar=USER):
                st.text(turn.say)
            if turn.answer is None and last and without_last:
                _stand_in(trace, turn, t)
                show_steps(turn, t)
                continue
            with st.chat_message("assistant", avatar=ASSISTANT):
                _stand_in(trace, turn, t)
                if turn.answer:
                    show_answer(turn.answer, t, steps=known, key=str(i))
                _steps(turn, t, expanded=last)


def _stand_in(trace: Trace, turn: Turn, t: Texts) -> None:
    """Who answered a turn, if not the planner that the head of the page names."""
    if turn.fallback:
        show_stand_in(turn.fallback, planner_of(trace, turn), t, steps=turn.steps,
                      ended=turn.answer is not None)
    elif turn.planner:
        who = f"{t.raw_known('planner', turn.planner.backend)} · {one_line(turn.planner.model, most=48)}"
        st.caption(t("turn.planner", who=who, adapter=adapter_of(turn.planner)))


def _steps(turn: Turn, t: Texts, *, expanded: bool) -> None:
    if turn.steps:
        with st.expander(steps_label(turn.steps, t), expanded=expanded, icon=":material/account_tree:"):
            show_steps(turn, t)


def _run(session: Session, trace: Trace, t: Texts, *, picture: st.delta_generator.DeltaGenerator) -> None:
    instruction, session.pending = session.pending, None
    if instruction is not None:
        with st.chat_message("user", avatar=USER):
            st.text(instruction)
    _guide(trace, len(trace.turns), follow=True)
    with st.chat_message("assistant", avatar=ASSISTANT):
        run_turn(session, visitor(), trace, instruction, t, picture=picture)


def _guide(trace: Trace, turn: int, *, follow: bool) -> None:
    key = focus_key(trace)

    def show(step: int) -> None:
        st.session_state[key] = step

    guide(at=f"turn-{turn}", follow=follow, on_step=show)


def _after(session: Session, trace: Trace, t: Texts) -> None:
    """What may follow the last turn: an error with another try, or the rest of a turn that was interrupted."""
    if session.error or session.kept:
        if session.error:
            say_error(session.error)
        again = t("after.retry", text=one_line(session.kept or "", most=60))
        if session.kept and st.button(again, key="retry", icon=":material/refresh:"):
            session.pending, session.kept, session.error = session.kept, None, None
            st.rerun()
    if trace.turns and trace.turns[-1].answer is None and not session.kept:
        last = max((step.n for step in trace.turns[-1].steps), default=0)
        st.warning(t("after.interrupted", n=last), icon=":material/pause_circle:")
        if st.button(t("after.resume"), key="resume", type="primary", icon=":material/play_arrow:"):
            session.running, session.error = True, None
            st.rerun()
    _suggest(session, trace, t)
    answer = trace.turns[-1].answer if trace.turns else None
    asked = answer is not None and answer.kind == "question"
    if asked and st.button(t("after.material"), key="give", icon=":material/inventory_2:"):
        _carry(session, trace, subject=True)


def _suggest(session: Session, trace: Trace, t: Texts) -> None:
    """What else to try on a sample, as long as it was not said yet."""
    draft = session.given.get(trace.id)
    said = {turn.say for turn in trace.turns}
    left = [text for text in (draft.suggestions.get(t.lang, []) if draft else []) if text not in said]
    with st.container(key="suggestions", horizontal=True, gap="xsmall"):
        for i, text in enumerate(left):
            if st.button(plain(text), key=f"suggest-{len(trace.turns)}-{i}", icon=":material/arrow_outward:"):
                session.pending = text
                session.hear(text)
                st.rerun()


def _carry(session: Session, trace: Trace, *, subject: bool) -> None:
    _leave(session, trace, subject=subject)
    st.rerun()


def _leave(session: Session, trace: Trace, *, subject: bool) -> None:
    """Prepare another inspection with the same material: of the next part, or of this one with more material."""
    draft = session.given.get(trace.id) or _material_of(trace)
    said = trace.turns[-1].say if trace.turns else None
    session.prepare()
    session.draft = Draft(subject=draft.subject if subject else None, references=list(draft.references),
                          good=list(draft.good), mm_per_px=draft.mm_per_px, criteria=draft.criteria,
                          product=draft.product, lot=draft.lot, part=draft.part if subject else None)
    session.kept = said if subject else None


def _material_of(trace: Trace) -> Draft:
    first, known = trace.images[0], {product.name for product in services().products.all(visitor())}
    return Draft(subject=_stored(first), references=[_stored(i) for i in trace.images[1:] if i.role == "reference"],
                 mm_per_px=first.mm_per_px, criteria=trace.criteria,
                 product=trace.product if trace.product in known else None, lot=trace.lot, part=trace.part)


def _stored(image: TraceImage) -> Upload:
    return Upload(pixels=installation().pictures.get(image.sha256), sha256=image.upload_sha256 or image.sha256,
                  name="", notes=image.notes)
