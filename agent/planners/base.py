"""What a planner is: a LangChain chat model with tools bound, and the two conversions at its edge."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from langchain_core.messages import AIMessage, AnyMessage
from langchain_core.runnables import Runnable

from agent.desk import StateDesk
from agent.state import State
from kenpin.contracts.trace import PlannerInfo


@dataclass(frozen=True)
class Request:
    """What goes to the model for one decision."""

    messages: list[AnyMessage]
    sent: tuple[dict[str, Any], ...] = ()
    """View id, width and height of each picture in the request, for the trace."""


@dataclass(frozen=True)
class Planner:
    """A chat model and its edge. The loop treats all planners alike."""

    info: PlannerInfo
    model: Runnable[Any, Any]
    """A chat model with the catalogue's tools bound; takes messages, returns an `AIMessage`."""
    request: Callable[[State, StateDesk], Request]
    """Builds the request; pictures, if the model takes any, are read from the store here and nowhere else."""
    read: Callable[[AIMessage, State, StateDesk], AIMessage] = field(default=lambda message, state, desk: message)
    """Converts boxes and points of the model's calls to pixels of the original upload."""
    still: Callable[[], bool] = field(default=lambda: True)
    """Asked before a turn: whether what was found out when the planner was built still holds."""
