"""Steps as a reviewer reads them: what was done, why, with what, what came of it, and the picture that shows it."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from kenpin.contracts.errors import StoreError
from kenpin.contracts.trace import Step, Turn
from ui.i18n import Texts
from ui.parts.plain import anchor, one_line, plain
from ui.parts.results import arguments, case_lines, outcome, remark
from ui.parts.thumbs import readable

ICONS = {"ok": "check_circle", "refused": "block", "failed": "warning"}
COLOURS = {"ok": "green", "refused": "orange", "failed": "red"}
THUMB = 190
"""Width of an evidence picture in px; a click shows it large."""


def tool_words(tool: str, t: Texts) -> str:
    """What a tool does, as a heading."""
    return t.known("tool", tool)


def steps_label(steps: Sequence[Step], t: Texts) -> str:
    """Heading of a turn's steps: how many, how long, how many of them did not work."""
    bad = sum(step.status != "ok" for step in steps)
    label = t("steps.label", n=len(steps), time=_time(sum(step.ms for step in steps)))
    return label + (f" · :orange[{t('steps.bad', n=bad)}]" if bad else "")


def show_running(n: int, tool: str, why: str, args: dict[str, Any], t: Texts) -> None:
    """A step that has begun."""
    with st.container(key=f"running-{n}", gap="xxsmall"):
        st.markdown(f"**{n}** &nbsp; **{tool_words(tool, t)}** &nbsp; :blue[:material/pending: {t('step.running')}]")
        _why(why, {k: v for k, v in args.items() if k != "why"}, t)


def show_steps(turn: Turn, t: Texts) -> None:
    """Every step of a turn, and the place from which on another planner stood in."""
    for step in turn.steps:
        if turn.fallback and turn.fallback.at_step == step.n > turn.steps[0].n:
            st.caption(f":material/swap_horiz: {t('steps.stand_in')}")
        show_step(step, t)


def show_step(step: Step, t: Texts, *, live: bool = False) -> None:
    """One step with its evidence; the container's key is what a citation `[n]` leads to."""
    with st.container(key=f"live-{step.n}" if live else anchor(step.n), gap="xxsmall"):
        state = f":{COLOURS[step.status]}[:material/{ICONS[step.status]}: {t('step.' + step.status)}]"
        heading = f"**{step.n}** &nbsp; **{tool_words(step.tool, t)}** &nbsp; {state}"
        st.markdown(f"{heading} &nbsp; :gray[{plain(_time(step.ms))}]")
        _why(step.why, step.args, t)
        line = outcome(step, t)
        if line:
            st.markdown(f":{COLOURS[step.status]}[{line}]" if step.status != "ok" else line)
        said = remark(step, t) if step.status == "ok" else ""
        if said:
            st.caption(said)
        _evidence(step, t)
        for hit in step.result.get("hits", ()) if step.tool == "recall" else ():
            show_case(hit, t)


def show_case(hit: dict[str, Any], t: Texts) -> None:
    """A past case that a step found, with its picture."""
    head, body = case_lines(hit, t)
    left, right = st.columns([1, 4], vertical_alignment="center")
    with left:
        try:
            picture = readable(str(hit.get("picture")))
        except StoreError as exc:
            st.caption(plain(str(exc)))
        else:
            st.image(picture, width="stretch", alt=one_line(str(hit.get("case_id")), most=60))
    with right, st.container(gap=None):
        st.markdown(head, help=plain(str(hit.get("source") or "")) or None)
        st.caption(body)


def _why(why: str, args: dict[str, Any], t: Texts) -> None:
    given = arguments(args, t)
    reason = plain(one_line(why, most=400))
    st.caption(" — ".join(part for part in (reason, given) if part))


def _evidence(step: Step, t: Texts) -> None:
    if not step.evidence:
        return
    with st.container(horizontal=True, gap="small"):
        for i, sha256 in enumerate(step.evidence, start=1):
            try:
                picture = readable(sha256)
            except StoreError as exc:
                st.caption(plain(str(exc)))
                continue
            st.image(picture, width=THUMB, alt=t.raw("step.evidence_alt", n=step.n, i=i))


def _time(ms: float) -> str:
    return f"{ms:.0f} ms" if ms < 995 else f"{ms / 1000:.1f} s"
