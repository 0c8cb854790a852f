"""The trace, version 1: what was asked, what was done, what was answered and on what evidence."""

import hashlib
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from kenpin.contracts.camera import CameraProfile
from kenpin.contracts.verdict import Criteria, Verdict
from kenpin.contracts.view import Box

Unit = Literal["px", "px2", "mm", "mm2", "deg", ""]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PlannerInfo(_Record):
    """Which planner ran. Named in the trace and on every screen."""

    backend: str
    """`embedded`, `vllm`, `local` or `scripted`."""
    model: str
    prompt: str
    """Id and version of the prompt or instruction store."""
    prompt_sha256: str | None = None
    adapter: str | None = None
    """Name of the LoRA adapter, if the model ran with one."""
    adapter_sha256: str | None = None
    """Of its files (`kenpin.adapters.keeping.sha256_of`); None where they could not be read or held to be those that
    the server loaded."""


class TraceImage(_Record):
    """An uploaded picture."""

    id: str
    role: str
    sha256: str
    """Of the upright picture as stored, which boxes refer to."""
    upload_sha256: str | None = None
    """Of the file as the user gave it."""
    width: int
    height: int
    mm_per_px: float | None = None
    notes: tuple[str, ...] = ()
    """What was done to the file to make it a picture: turned upright, alpha flattened, 16 bit reduced."""


class Finding(_Record):
    """A region that a tool reports, in pixels of the original upload."""

    id: str
    type: str
    box: Box
    score: float
    """0 to 1, grows with the evidence."""
    type_score: float | None = None
    outline: tuple[tuple[int, int], ...] = ()
    """Polygon around the region, original pixels; empty if only the box is known."""
    area_px: float | None = None
    steps: tuple[int, ...] = ()


class Measure(_Record):
    """A measured number."""

    quantity: str
    value: float
    unit: Unit
    uncertainty: float | None = None
    """Half width of the interval that covers the truth in 95 % of cases, in the same unit."""
    of: str | None = None
    """Id of the finding or object."""
    step: int


class Step(_Record):
    """One tool call and what came of it."""

    n: int
    """Counts from 1 through the whole conversation, so that a citation names one step only."""
    tool: str
    why: str
    args: dict[str, Any]
    status: Literal["ok", "refused", "failed"]
    result: dict[str, Any] = Field(default_factory=dict)
    error: str | None = None
    """What was wrong, in one line, if the status is not ok."""
    boxes: tuple[Box, ...] = ()
    view: str | None = None
    """The view that the step made or, for tools that make none, worked on."""
    evidence: tuple[str, ...] = ()
    """sha256 of each picture shown for this step."""
    ms: float


class Answer(_Record):
    """How a turn ended."""

    kind: Literal["answer", "question", "refusal"]
    text: str
    verdict: Verdict | None
    rule: str | None
    """Name of the rule that the verdict follows from."""
    findings: tuple[Finding, ...] = ()
    measures: tuple[Measure, ...] = ()
    cites: tuple[int, ...] = ()
    unverified: tuple[str, ...] = ()
    """Claims in `text` that no cited step supports."""
    reasons: tuple[str, ...] = ()
    """Why the verdict is not better than it is, one line each."""


class Ending(_Record):
    """The call that ended a turn, as the planner made it: what it said, before any rule was held against it."""

    tool: Literal["answer", "ask"]
    args: dict[str, Any]


class Fallback(_Record):
    """The planner that was asked for could not go on, and the one that is configured to stand in took over the turn.

    Steps from `at_step` on and the answer are by the turn's planner, those before by `instead_of`.
    """

    instead_of: PlannerInfo
    """The planner that was asked for, as far as it is known: a server that never answered has not named its model."""
    because: str
    """Why it could not go on, in one line."""
    at_step: int
    """The first step that the other planner decided; one more than the last step if it made none."""


class Turn(_Record):
    """What the user said, the steps that followed, and the answer.

    From `ending` to `labels` it holds what the answer was made from beside the steps, so that it can be made again.
    """

    say: str
    by: str | None = None
    """Who said it; None for the one who started the inspection."""
    steps: tuple[Step, ...] = ()
    answer: Answer | None = None
    sent: tuple[dict[str, Any], ...] = ()
    """For planners that look at pictures: view id and pixel size of each picture sent."""
    ms: float | None = None
    ending: Ending | None = None
    """None if a limit cut the turn off."""
    limit: str | None = None
    """The limit that cut the turn off, as a reason code."""
    scale: float | None = None
    """Millimetres per pixel of the subject as known when the turn ended."""
    labels: dict[str, str] = Field(default_factory=dict)
    """What each region that a step of this turn named is: defect type or noun, by id."""
    tools: dict[str, str] = Field(default_factory=dict)
    """Versions of tools that differ from the trace's own: Kenpin was updated during the conversation."""
    planner: PlannerInfo | None = None
    """The planner of this turn, if it is another than the trace's; after a fallback, the one that took over."""
    fallback: Fallback | None = None
    """Says that another planner than the one that was asked for answered this turn."""
    seals: tuple[str, ...] = ()
    """`step_sha256` of each step, taken when the turn ended."""


class Trace(_Record):
    """One inspection from upload to the last answer."""

    version: Literal[1] = 1
    id: str
    created: datetime
    planner: PlannerInfo
    images: tuple[TraceImage, ...]
    product: str | None = None
    """The product that was named, or that its criteria name."""
    lot: str | None = None
    part: str | None = None
    """Number of the part; its exposures share it."""
    asker: str | None = None
    """Who started the inspection."""
    criteria: Criteria | None = None
    """The acceptance limits that were given, with their revision."""
    tools: dict[str, str] = Field(default_factory=dict)
    """Version of each tool that could be called."""
    lang: str = "auto"
    """Language of the answers as set: `auto`, `en` or `ja`."""
    camera: CameraProfile | None = None
    """Profile of the subject's camera, fitted to the picture's size."""
    rerun_of: str | None = None
    """The inspection that this one runs again."""
    good: tuple[str, ...] = ()
    """sha256 of each good sample that `detect` had, as stored; given, or registered with the product."""
    views: tuple[dict[str, Any], ...] = ()
    """Every view with its transform to the original (see `kenpin.contracts.view.View`)."""
    turns: tuple[Turn, ...] = ()


def step_sha256(step: Step) -> str:
    """sha256 of a step as JSON without what has its default."""
    return hashlib.sha256(step.model_dump_json(exclude_defaults=True).encode()).hexdigest()


def as_of(trace: Trace, turns: int) -> Trace:
    """The trace as it stood when this many turns had ended."""
    kept = trace.turns[:turns]
    known = {image.id for image in trace.images} | {step.view for turn in kept for step in turn.steps}
    return trace.model_copy(update={"turns": kept, "views": tuple(v for v in trace.views if v["id"] in known)})


def trace_bytes(trace: Trace) -> bytes:
    """The trace as it is hashed: JSON without what has its default, so that a field added later changes no old hash."""
    return trace.model_dump_json(exclude_defaults=True).encode()


def trace_sha256(trace: Trace) -> str:
    """sha256 of `trace_bytes`."""
    return hashlib.sha256(trace_bytes(trace)).hexdigest()


def pictures_of(trace: Trace) -> tuple[str, ...]:
    """sha256 of every picture that a trace names, in order: uploads, good samples, views, evidence."""
    named = [image.sha256 for image in trace.images]
    named += [*trace.good, *(str(view["sha256"]) for view in trace.views)]
    named += [sha256 for turn in trace.turns for step in turn.steps for sha256 in step.evidence]
    return tuple(sorted(set(named)))


def proposal(trace: Trace) -> Answer | None:
    """The answer that the proposed verdict stands in: the last one that has a verdict."""
    judged = [turn.answer for turn in trace.turns if turn.answer and turn.answer.verdict is not None]
    return judged[-1] if judged else None


def planner_of(trace: Trace, turn: Turn) -> PlannerInfo:
    """The planner that answered a turn, or that has it in hand."""
    return turn.planner or trace.planner


def maker(trace: Trace, turn: Turn, step: int) -> PlannerInfo:
    """The planner that decided a step of a turn, by the step's number."""
    if turn.fallback and step < turn.fallback.at_step:
        return turn.fallback.instead_of
    return planner_of(trace, turn)


def proposer(trace: Trace) -> PlannerInfo:
    """The planner of the turn that the proposed verdict stands in; the trace's own if nothing was judged."""
    judged = [turn for turn in trace.turns if turn.answer and turn.answer.verdict is not None]
    return planner_of(trace, judged[-1]) if judged else trace.planner


def finished(trace: Trace) -> bool:
    """Whether something was asked and every turn has ended."""
    return bool(trace.turns) and all(turn.answer is not None for turn in trace.turns)


def speakers(trace: Trace) -> tuple[str, ...]:
    """Who started the inspection or said something in it."""
    said = [trace.asker, *(turn.by for turn in trace.turns)]
    return tuple(dict.fromkeys(name for name in said if name))
