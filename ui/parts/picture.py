"""The picture panel: what to draw on which upload, and the switch between answer, steps and samples."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import streamlit as st

from kenpin.contracts.trace import Answer, Step, Trace, TraceImage, Turn
from kenpin.contracts.view import Box, View
from ui.i18n import Texts
from ui.parts.plain import plain
from ui.parts.results import number, quantity
from ui.parts.viewer import Mark, show
from ui.state import Session

MOST = 60
"""Boxes drawn at most; a picture with more shows structure, not defects."""
Focus = str | int
"""What the picture shows: the last answer, the step of a number, or the upload of an id."""
ANSWER = "answer"


def show_picture(trace: Trace, session: Session, t: Texts) -> None:
    """The picture with its switch."""
    place = st.container()
    image, marks = scene(trace, switch(trace, t))
    with place:
        _draw(image, marks, t, key=f"viewer-{session.nonce}")
        caption(image, trace, t)


def focus_key(trace: Trace) -> str:
    """Key of the switch; a new turn begins with its answer."""
    return f"focus-{trace.id}-{len(trace.turns)}"


def show_scene(trace: Trace, step: Step | None, t: Texts) -> None:
    """The picture while a turn runs: what the newest step looked at."""
    image = _image(trace, step) if step else trace.images[0]
    with st.container():
        # Drawn once a step within one run of the page, so each has a key of its own.
        _draw(image, step_marks(trace, step) if step else (), t, key=f"viewer-live-{step.n if step else 0}")
        caption(image, trace, t)


def scene(trace: Trace, focus: Focus) -> tuple[TraceImage, Sequence[Mark]]:
    """The upload to show for a focus, and what to draw on it."""
    if isinstance(focus, int):
        step = next((s for turn in trace.turns for s in turn.steps if s.n == focus), None)
        if step is not None:
            return _image(trace, step), step_marks(trace, step)
    image = next((i for i in trace.images if i.id == focus), None)
    if image is not None:
        return image, ()
    return trace.images[0], answer_marks(trace)


def answer_marks(trace: Trace) -> tuple[Mark, ...]:
    """What the last answer is about: its findings and measures, or else the boxes of its steps."""
    turn = next((turn for turn in reversed(trace.turns) if turn.answer), None)
    if turn is None or turn.answer is None:
        return ()
    marks = _answered(turn, turn.answer)
    if not marks:
        marks = [mark for step in turn.steps if step.status == "ok" and _image(trace, step) is trace.images[0]
                 for mark in step_marks(trace, step)]
    return tuple(marks[:MOST])


def step_marks(trace: Trace, step: Step) -> tuple[Mark, ...]:
    """What a step looked at or found, and for a step that made a view the part that it shows."""
    names = {tuple(f["box"]): f for f in step.result.get("findings", ()) if isinstance(f, dict) and "box" in f}
    marks = []
    for box in step.boxes[:MOST]:
        found = names.get(tuple(box), {})
        marks.append(Mark(box=box, label=str(found.get("id") or f"[{step.n}]"), outline=_points(found.get("outline")),
                          line=_line(step)))
    place = _place(trace, step)
    if place and place not in step.boxes:
        marks.append(Mark(box=place, label=str(step.view or ""), tone="frame"))
    return tuple(marks)


def _answered(turn: Turn, answer: Answer) -> list[Mark]:
    """Findings, each with what was measured of it, and measures of anything else."""
    marks = {f.id: Mark(box=f.box, label=f"{f.id} {f.score:.2f}", tone="finding", outline=f.outline)
             for f in answer.findings}
    for step in turn.steps:
        if step.tool == "measure" and step.status == "ok" and step.boxes:
            value = quantity(step.result["value"], step.result["unit"], step.result.get("uncertainty"))
            name = str(step.result.get("of") or f"[{step.n}]")
            held = marks.get(name, Mark(box=step.boxes[0], label=name))
            marks[name] = replace(held, label=f"{held.label} · {value}", line=held.line or _line(step))
    return list(marks.values())


def _points(value: object) -> tuple[tuple[int, int], ...]:
    return tuple((int(x), int(y)) for x, y in value) if isinstance(value, list | tuple) else ()


def _line(step: Step) -> tuple[tuple[float, float], ...]:
    return tuple((float(x), float(y)) for x, y in step.result.get("line") or ())


def _image(trace: Trace, step: Step) -> TraceImage:
    """The upload that a step's boxes refer to."""
    source = next((v.get("source") for v in trace.views if v.get("id") == step.view), None)
    return next((i for i in trace.images if i.id == source), trace.images[0])


def _place(trace: Trace, step: Step) -> Box | None:
    data = next((v for v in trace.views if v.get("id") == step.view), None)
    if data is None or data.get("kind") == "upload":
        return None
    view = View.model_validate(data)
    image = _image(trace, step)
    place = view.place()
    return None if (place[2] - place[0] >= image.width and place[3] - place[1] >= image.height) else place


def _options(trace: Trace, *, every: bool) -> list[Focus]:
    stepped = [turn for turn in trace.turns if turn.steps]
    steps: list[Focus] = [s.n for turn in (stepped if every else stepped[-1:]) for s in turn.steps
                          if s.status == "ok" and (s.boxes or _place(trace, s))]
    asked = st.session_state.get(focus_key(trace))
    if isinstance(asked, int) and asked not in steps and any(s.n == asked for turn in trace.turns for s in turn.steps):
        # A citation of an earlier turn was clicked.
        steps = sorted([asked, *(n for n in steps if isinstance(n, int))], key=int)
    others: list[Focus] = [i.id for i in trace.images[1:]]
    return [*steps, *others]


def switch(trace: Trace, t: Texts, *, heads: Mapping[str, str] | None = None, every: bool = False) -> Focus:
    """Draw the switch between answer, steps and samples, and return what is chosen.

    Args:
        trace: What there is to choose from.
        t: Words.
        heads: What stands before the steps, as focus and label; the first is chosen until a person chooses. The answer
            if left out.
        every: Steps of all turns, not only of the last.
    """
    heads = heads or {ANSWER: t("picture.answer")}
    first = next(iter(heads))
    options = [*heads, *_options(trace, every=every)]
    if len(options) < 2:
        return first
    key = focus_key(trace)
    if st.session_state.get(key) not in options:
        st.session_state[key] = first
    names = {i.id: t("picture.reference", n=n) for n, i in enumerate(trace.images[1:], start=1)}

    def label(option: Focus) -> str:
        if option in heads:
            return heads[str(option)]
        return f"\\[{option}\\]" if isinstance(option, int) else names.get(option, plain(option))

    chosen = st.segmented_control(t("picture.switch"), options, format_func=label, key=key,
                                  required=True)
    return chosen if chosen in options else first


def _draw(image: TraceImage, marks: Sequence[Mark], t: Texts, *, key: str) -> None:
    show(image.sha256, size=(image.width, image.height), marks=marks, t=t, key=key,
         alt=t.raw("picture.alt", width=image.width, height=image.height, n=len(marks)))


def caption(image: TraceImage, trace: Trace, t: Texts) -> None:
    """Size, scale and what was done to an upload, below it."""
    parts = [t("picture.size", width=image.width, height=image.height), _scale(image, trace, t)]
    parts += [plain(note) for note in image.notes]
    st.caption(" · ".join(parts))


def scale_of(image: TraceImage, trace: Trace) -> tuple[float | None, int | None]:
    """Millimetres per pixel that numbers are in, and the step that found it: the last one found, or the one given."""
    found = [step for turn in trace.turns for step in turn.steps
             if step.tool == "calibrate" and step.status == "ok" and _image(trace, step) is image]
    if found and found[-1].result.get("mm_per_px"):
        return float(found[-1].result["mm_per_px"]), found[-1].n
    return image.mm_per_px, None


def _scale(image: TraceImage, trace: Trace, t: Texts) -> str:
    scale, step = scale_of(image, trace)
    if scale and step is not None:
        return t("picture.scale_found", scale=number(scale), n=step)
    return t("picture.scale", scale=f"{image.mm_per_px:g}") if image.mm_per_px else t("picture.no_scale")
