"""Who decides the next call: the planner that was asked for, or the one that took over because that one is gone.

A turn that was taken over stays so to its end; the next one tries the planner that was asked for again. What makes a
planner gone is `Unavailable` and nothing else: wrong calls are handed back to the model that made them, and the user's
own mistakes and cancelling come from elsewhere.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from langchain_core.messages import AIMessage

from agent.events import Event, TookOver
from agent.planners.base import Planner
from agent.record import Recorder
from agent.state import State, first_step
from kenpin.contracts.errors import MissingExtra, Unavailable
from kenpin.contracts.trace import Fallback, PlannerInfo


@dataclass
class StandIn:
    """The planner that takes over, built when it is first needed."""

    name: str | None
    """The configured one; None if a turn stops where its planner is gone."""
    make: Callable[[str], Planner]
    _made: dict[str, Planner] = field(default_factory=dict, init=False)

    def planner(self, name: str) -> Planner:
        """Build the planner of this name, or return the one that was built."""
        if name not in self._made:
            self._made[name] = self.make(name)
        return self._made[name]


@dataclass(frozen=True)
class Decided:
    """What a planner said, and what it cost."""

    message: AIMessage
    sent: tuple[dict[str, Any], ...]
    ms: float
    fallback: dict[str, Any] | None = None
    """For the state, if the turn was taken over just now."""


@dataclass(frozen=True)
class Decider:
    """Asks one planner, or the one that stands in for it."""

    planner: Planner
    recorder: Recorder
    stand_in: StandIn | None = None

    def decide(self, state: State, emit: Callable[[Event], object]) -> Decided:
        """The next message of the dialogue.

        Raises:
            Unavailable: The planner is gone, and no other may take over or can.
        """
        if took := state.get("fallback"):
            # Also where the setting was taken back since: a turn has one planner that answers it.
            assert self.stand_in, "a turn that was taken over is gone on with by an inspector that can"
            return self._asked(self.stand_in.planner(took["planner"]["backend"]), state)
        try:
            return self._asked(self.planner, state)
        except Unavailable as exc:
            if not self.stand_in or not self.stand_in.name:
                raise
            return self._taken_over(self.stand_in, self.stand_in.name, state, emit, str(exc))

    def _taken_over(
        self, stand_in: StandIn, name: str, state: State, emit: Callable[[Event], object], because: str
    ) -> Decided:
        fallback = Fallback(instead_of=self.planner.info, because=because, at_step=first_step(state))
        try:
            other = stand_in.planner(name)
            emit(TookOver(planner=other.info, fallback=fallback))
            took = {"planner": other.info.model_dump(mode="json"), **fallback.model_dump(mode="json")}
            decided = self._asked(other, {**state, "fallback": took})
        except (Unavailable, MissingExtra) as exc:
            raise Unavailable(f"{because}; {name}, which is to stand in, cannot run either: {exc}") from None
        # The time lost on the planner that is gone does not count: it would leave none for the one that takes over.
        return Decided(message=decided.message, sent=decided.sent, ms=decided.ms, fallback=took)

    def _asked(self, planner: Planner, state: State) -> Decided:
        start = time.perf_counter()
        desk = self.recorder.desk(state)
        request = planner.request(state, desk)
        message = planner.read(planner.model.invoke(request.messages), state, desk)
        return Decided(message=message, sent=request.sent, ms=(time.perf_counter() - start) * 1000)


def in_hand(state: State) -> tuple[PlannerInfo, Fallback] | None:
    """Who took over the current turn, and why; None if nobody did."""
    took = state.get("fallback")
    if not took:
        return None
    facts = {key: value for key, value in took.items() if key != "planner"}
    return PlannerInfo.model_validate(took["planner"]), Fallback.model_validate(facts)


__all__ = ["Decided", "Decider", "StandIn", "in_hand"]
