"""What a caller sees while a turn runs."""

from dataclasses import dataclass
from typing import Any

from kenpin.contracts.trace import Answer, Fallback, PlannerInfo, Step


@dataclass(frozen=True)
class StepStarted:
    """A tool is about to run."""

    n: int
    tool: str
    why: str
    args: dict[str, Any]


@dataclass(frozen=True)
class StepDone:
    """A tool has run; its evidence can be read from the picture store."""

    step: Step


@dataclass(frozen=True)
class TookOver:
    """Another planner than the one that was asked for goes on with the turn."""

    planner: PlannerInfo
    fallback: Fallback


@dataclass(frozen=True)
class TurnEnded:
    """The answer is ready and part of the trace."""

    answer: Answer


Event = StepStarted | StepDone | TookOver | TurnEnded
