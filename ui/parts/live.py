"""Runs a turn and shows its steps as they happen."""

from collections.abc import Callable, Generator, Iterator
from contextlib import closing

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.elements.lib.mutable_status_container import StatusContainer

from agent.events import Event, StepDone, StepStarted, TookOver, TurnEnded
from kenpin.asking import Asking
from kenpin.contracts.errors import KenpinError
from kenpin.contracts.people import Actor
from kenpin.contracts.trace import Trace
from ui.backend import services
from ui.i18n import Texts
from ui.parts.answer import show_stand_in
from ui.parts.picture import show_scene
from ui.parts.steps import show_running, show_step, tool_words
from ui.state import Session


def run_turn(session: Session, actor: Actor, trace: Trace, instruction: str | None, t: Texts, *,
             picture: DeltaGenerator) -> None:
    """Run a new turn, or with no instruction go on with one that was interrupted.

    The page is drawn anew afterwards, from the trace. If the run of this page is cut off (a click elsewhere), it ends
    with the step that it is in; the session stays marked as running, and the next run goes on from the last step.
    """
    session.running, session.error = True, None
    asking = services().asking
    try:
        with (st.status(t("live.thinking"), expanded=True) as status,
              asking.held(trace.id, waiting=lambda: status.update(label=t("live.waiting"))),
              closing(_events(asking, actor, trace.id, instruction)) as events):
            status.update(label=t("live.thinking"), expanded=True)
            _follow(events, lambda: asking.trace(actor, trace.id), t, status, picture)
    except KenpinError as exc:
        session.error, session.kept = str(exc), instruction
    session.running = False


def _events(asking: Asking, actor: Actor, inspection: str, instruction: str | None) -> Generator[Event]:
    """End a turn that was cut off before anything else; then run the instruction, unless it was that turn's own."""
    resumed = False
    for event in asking.resume(actor, inspection):
        resumed = True
        yield event
    if instruction is not None and not (resumed and asking.trace(actor, inspection).turns[-1].say == instruction):
        yield from asking.say(actor, inspection, instruction)


def _follow(events: Iterator[Event], trace: Callable[[], Trace], t: Texts, status: StatusContainer,
            picture: DeltaGenerator) -> None:
    place = st.empty()
    for event in events:
        match event:
            case StepStarted(n=n, tool=tool, why=why, args=args):
                status.update(label=t("live.step", n=n) + " " + tool_words(tool, t), expanded=True)
                with place.container():
                    show_running(n, tool, why, args, t)
            case StepDone(step=step):
                with place.container():
                    show_step(step, t, live=True)
                if step.boxes or step.view:
                    with picture.container():
                        show_scene(trace(), step, t)
                place = st.empty()
            case TookOver(planner=planner, fallback=fallback):
                with place.container():
                    show_stand_in(fallback, planner, t, ended=False)
                place = st.empty()
            case TurnEnded():
                status.update(label=t("live.ended"), state="complete", expanded=True)
