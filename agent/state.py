"""Typed state of one inspection. Plain data only: a checkpoint is written after each step; pictures stay outside."""

import operator
from typing import Annotated, Any, NotRequired, TypedDict

from langchain_core.messages import AnyMessage
from pydantic import BaseModel, ConfigDict, Field

from kenpin.contracts.camera import CameraProfile
from kenpin.contracts.trace import PlannerInfo, TraceImage
from kenpin.contracts.verdict import Criteria


def merged(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Reducer for tables by id: later entries replace earlier ones of the same id."""
    return {**old, **new}


class Setup(BaseModel):
    """What is fixed when an inspection starts."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    created: str
    lang: str = "auto"
    product: str | None = None
    lot: str | None = None
    part: str | None = None
    asker: str | None = None
    rerun_of: str | None = None
    tools: dict[str, str] = Field(default_factory=dict)
    """Version of each tool that can be called."""
    planner: PlannerInfo | None = None
    """Of the one who started; None in checkpoints of an earlier Kenpin."""
    images: tuple[TraceImage, ...]
    good: tuple[str, ...] = ()
    """sha256 of the good samples."""
    criteria: Criteria | None = None
    camera: CameraProfile | None = None
    """Profile of the subject's camera, fitted to the picture's size."""


class State(TypedDict):
    """Channels of the graph. Values are JSON data; `Setup`, `View`, `Region`, `Step` read and write them."""

    setup: dict[str, Any]
    messages: Annotated[list[AnyMessage], operator.add]
    """The dialogue as the planner may see it: instructions, calls, results. No pictures."""
    views: Annotated[dict[str, dict[str, Any]], merged]
    regions: Annotated[dict[str, dict[str, Any]], merged]
    scale: dict[str, Any] | None
    turns: Annotated[list[dict[str, Any]], operator.add]
    """Finished turns, as in the trace."""
    say: str
    by: NotRequired[str | None]
    """Who said it, if not the one who started the inspection; missing in checkpoints of an earlier Kenpin."""
    steps: list[dict[str, Any]]
    """Steps of the current turn."""
    sent: list[dict[str, Any]]
    """Pictures sent to the planner in the current turn."""
    spent_ms: float
    """Time of the current turn so far; survives a restart, unlike a clock."""
    planned: int
    """Times that the planner was asked in the current turn."""
    invalid: int
    """Calls in a row that could not be carried out."""
    fallback: NotRequired[dict[str, Any] | None]
    """Who took over the current turn (`planner`) and why (`Fallback`); missing in checkpoints of an earlier Kenpin."""
    ending: dict[str, Any] | None
    """The `answer` or `ask` call that ends the turn, or the limit that did."""


def first_step(state: State) -> int:
    """Number of the next step: counts through the whole conversation."""
    return 1 + sum(len(turn["steps"]) for turn in state["turns"]) + len(state["steps"])
