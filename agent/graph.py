"""The loop as a graph: plan, act, until the turn ends; then conclude. The only file that imports langgraph.

Each node's outcome is checkpointed, so a process that is killed goes on from its last step. Tools are idempotent: a
step that ran but was not checkpointed runs again and stores the same pictures under the same names.
"""

import time
from typing import Any, Literal

from langchain_core.messages import AIMessage, AnyMessage, ToolMessage
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.config import get_stream_writer
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph

from agent.conclude import conclude_turn
from agent.deciding import Decider, StandIn
from agent.events import StepDone, StepStarted, TurnEnded
from agent.planners.base import Planner
from agent.record import Recorder
from agent.state import State, first_step
from agent.toolcall import Call
from kenpin.contracts.trace import Step

Graph = CompiledStateGraph[Any, Any, Any, Any]
Checkpointer = BaseCheckpointSaver[Any]


def build(
    planner: Planner, recorder: Recorder, checkpointer: Checkpointer, stand_in: StandIn | None = None
) -> Graph:
    """Compile the graph of one planner over one set of tools and stores."""

    decider = Decider(planner, recorder, stand_in)

    def plan(state: State) -> dict[str, Any]:
        decided = decider.decide(state, get_stream_writer())
        message, invalid = decided.message, state["invalid"]
        update: dict[str, Any] = {
            "messages": [message],
            "planned": state["planned"] + 1,
            "spent_ms": state["spent_ms"] + decided.ms,
        }
        if decided.fallback:
            invalid = 0  # what the one that is gone got wrong is not held against the other
            update |= {"fallback": decided.fallback, "invalid": invalid}
        if decided.sent:
            update["sent"] = [*state["sent"], *decided.sent]
        if not message.tool_calls:
            update["messages"] = [message, *recorder.remind(message)]
            update["invalid"] = invalid + 1
        return update

    def act(state: State) -> dict[str, Any]:
        start = time.perf_counter()
        emit = get_stream_writer()
        done = _Progress(state)
        for call in _calls(state["messages"][-1]):
            if call.tool in recorder.endings and (ending := recorder.ending(call, done.state)):
                done.end(ending)
                break
            emit(StepStarted(n=done.number, tool=call.tool, why=call.why, args=call.args))
            step, message, learnt = recorder.step(call, done.state, done.number)
            done.add(step, message, learnt)
            emit(StepDone(step=step))
            if recorder.limit(done.state, extra_ms=_since(start)):
                break
        return done.update(spent_ms=state["spent_ms"] + _since(start))

    def conclude(state: State) -> dict[str, Any]:
        update, answer = conclude_turn(state, recorder, planner.info)
        get_stream_writer()(TurnEnded(answer=answer))
        return update

    def after_plan(state: State) -> Literal["plan", "act", "conclude"]:
        last = state["messages"][-1]
        if isinstance(last, AIMessage) and last.tool_calls:
            return "act"
        return "conclude" if recorder.limit(state) else "plan"

    def after_act(state: State) -> Literal["plan", "conclude"]:
        return "conclude" if state["ending"] or recorder.limit(state) else "plan"

    graph = StateGraph(State)
    graph.add_node("plan", plan)
    graph.add_node("act", act)
    graph.add_node("conclude", conclude)
    graph.add_edge(START, "plan")
    graph.add_conditional_edges("plan", after_plan)
    graph.add_conditional_edges("act", after_act)
    graph.add_edge("conclude", END)
    return graph.compile(checkpointer=checkpointer)


class _Progress:
    """The state as it grows within one `act`, and the update that leads there."""

    def __init__(self, state: State) -> None:
        self.state: State = {**state}
        self._before: dict[str, Any] = {**state}
        self._messages: list[AnyMessage] = []
        self._tables: dict[str, dict[str, Any]] = {"views": {}, "regions": {}}

    @property
    def number(self) -> int:
        """Number of the next step."""
        return first_step(self.state)

    def add(self, step: Step, message: ToolMessage, learnt: dict[str, Any]) -> None:
        self._messages.append(message)
        self.state["steps"] = [*self.state["steps"], step.model_dump(mode="json")]
        self.state["invalid"] = 0 if step.status == "ok" else self.state["invalid"] + 1
        for name, table in self._tables.items():
            table.update(learnt.get(name, {}))
        self.state["views"] = {**self.state["views"], **learnt.get("views", {})}
        self.state["regions"] = {**self.state["regions"], **learnt.get("regions", {})}
        if "scale" in learnt:
            self.state["scale"] = learnt["scale"]

    def end(self, ending: dict[str, Any]) -> None:
        self.state["ending"] = ending

    def update(self, *, spent_ms: float) -> dict[str, Any]:
        """What changed, and only that: each channel that is written is a row of the checkpoint."""
        now: dict[str, Any] = {key: self.state[key] for key in ("steps", "invalid", "scale", "ending")}
        changed = {key: value for key, value in now.items() if value != self._before[key]}
        tables = {name: table for name, table in self._tables.items() if table}
        return {"messages": self._messages, "spent_ms": spent_ms, **tables, **changed}


def _calls(message: AnyMessage) -> list[Call]:
    assert isinstance(message, AIMessage)
    return [Call(tool=c["name"], args=dict(c["args"]), id=c["id"] or "") for c in message.tool_calls]


def _since(start: float) -> float:
    return (time.perf_counter() - start) * 1000
