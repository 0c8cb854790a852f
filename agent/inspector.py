"""One inspection from outside: start it, say something, get events and a trace; go on after a crash."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

from langchain_core.messages import HumanMessage

from agent.admission import MAX_INSTRUCTION, MAX_NAME, checked, checked_name
from agent.deciding import StandIn, in_hand
from agent.events import Event, TurnEnded
from agent.graph import Checkpointer, Graph, build
from agent.opening import Material, Photo, first_scale, opening
from agent.planners.base import Planner
from agent.quiet import keep_private
from agent.record import Recorder
from agent.state import Setup, State
from kenpin.contracts.errors import StoreError
from kenpin.contracts.ports import TraceStore
from kenpin.contracts.trace import Answer, Step, Trace, Turn


@dataclass
class Inspector:
    """Runs turns of one planner over one set of tools and stores."""

    planner: Planner
    recorder: Recorder
    traces: TraceStore
    checkpointer: Checkpointer
    stand_in: StandIn | None = None
    """Who takes over a turn whose planner is gone; None if nobody may."""
    _graph: Graph = field(init=False)

    def __post_init__(self) -> None:
        keep_private()
        self._graph = build(self.planner, self.recorder, self.checkpointer, self.stand_in)

    def start(self, material: Material, *, inspection_id: str | None = None) -> str:
        """Store the pictures and return the id of a new inspection.

        Raises:
            StoreError: There is an inspection of this id already.
            FileRefused: The camera profile is for pictures of another shape.
            BadInput: Lot or part cannot be a name.
        """
        for name, text in (("lot", material.lot), ("part", material.part)):
            checked_name(name, text)
        if inspection_id and self._graph.get_state(_config(inspection_id)).values:
            raise StoreError(f"there is an inspection {inspection_id!r} already")
        setup, views = opening(
            material,
            inspection_id or new_id(),
            pictures=self.recorder.pictures,
            tools=self.recorder.versions,
            planner=self.planner.info,
        )
        scale = first_scale(material.mm_per_px, setup.camera)
        state = {
            "setup": setup.model_dump(mode="json"),
            "messages": [],
            "regions": {},
            "scale": scale,
            "turns": [],
            "views": {v.id: v.model_dump(mode="json") for v in views},
            **_clean(""),
        }
        self._graph.update_state(_config(setup.id), state, as_node="conclude")
        self._save(setup.id)
        return setup.id

    def say(self, inspection_id: str, instruction: str, *, by: str | None = None) -> Iterator[Event]:
        """Run one turn and yield its events as they happen; the last one is `TurnEnded`.

        Args:
            inspection_id: Of `start`.
            instruction: What is said.
            by: Who says it; None for the one who started the inspection.
        Raises:
            InstructionRefused: As `checked`.
            StoreError: There is no such inspection, or its last turn has not ended: `resume` it first.
            Locked: It is signed.
        """
        text = checked(instruction)
        snapshot = self._graph.get_state(_config(inspection_id))
        if not snapshot.values:
            raise StoreError(f"there is no inspection {inspection_id!r}")
        before = self._read(snapshot)
        if _unfinished(snapshot) or self._waiting(before):
            raise StoreError(f"the last turn of {inspection_id} has not ended; go on with it first")
        other = by if by != snapshot.values["setup"].get("asker") else None
        # On record as an open turn before any work: a signed inspection is refused here, and one with an open turn
        # cannot be signed.
        self.traces.save(before.model_copy(update={"turns": (*before.turns, Turn(say=text, by=other))}))
        yield from self._run(inspection_id, _said(text, other))

    def resume(self, inspection_id: str) -> Iterator[Event]:
        """Go on with a turn that was interrupted, from its last step. Yields nothing if none was."""
        snapshot = self._graph.get_state(_config(inspection_id))
        if _unfinished(snapshot):
            yield from self._run(inspection_id, None)
        elif snapshot.values and (turn := self._waiting(self._read(snapshot))):
            yield from self._run(inspection_id, _said(turn.say, turn.by))
        elif snapshot.values:
            self._save(inspection_id)

    def catch_up(self, inspection_id: str) -> None:
        """Bring a record up to its checkpoints, which a process that was killed between the two left behind.

        Only while nothing runs: it does nothing to an inspection with an open turn.
        """
        snapshot = self._graph.get_state(_config(inspection_id))
        if snapshot.values and not _unfinished(snapshot) and not self._waiting(self._read(snapshot)):
            self._save(inspection_id)

    def trace(self, inspection_id: str) -> Trace:
        """The trace as it stands, with the steps of a turn that has not ended."""
        snapshot = self._graph.get_state(_config(inspection_id))
        if not snapshot.values:
            raise StoreError(f"there is no inspection {inspection_id!r}")
        trace = self._read(snapshot)
        waiting = None if _unfinished(snapshot) else self._waiting(trace)
        return trace.model_copy(update={"turns": (*trace.turns, waiting)}) if waiting else trace

    def _waiting(self, trace: Trace) -> Turn | None:
        """A turn that is on record and not in the checkpoints: its process was killed between the two."""
        stored = self.traces.load(trace.id).turns
        newer = len(stored) == len(trace.turns) + 1
        return stored[-1] if newer and stored[-1].answer is None and not stored[-1].steps else None

    def _read(self, snapshot: Any) -> Trace:
        values = snapshot.values
        setup = Setup.model_validate(values["setup"])
        turns = [Turn.model_validate(turn) for turn in values["turns"]]
        if _unfinished(snapshot):
            turns.append(_open_turn(values, setup))
        return Trace(
            id=setup.id,
            created=datetime.fromisoformat(setup.created),
            planner=setup.planner or self.planner.info,
            images=setup.images,
            product=setup.product,
            lot=setup.lot,
            part=setup.part,
            asker=setup.asker,
            criteria=setup.criteria,
            tools=setup.tools,
            lang=setup.lang,
            camera=setup.camera,
            rerun_of=setup.rerun_of,
            good=setup.good,
            views=tuple(values["views"].values()),
            turns=tuple(turns),
        )

    def _run(self, inspection_id: str, update: dict[str, Any] | None) -> Iterator[Event]:
        ended: TurnEnded | None = None
        stream = self._graph.stream(update, _config(inspection_id), stream_mode="custom", durability="sync")
        try:
            for event in stream:
                if isinstance(event, TurnEnded):
                    ended = event  # passed on once the turn is checkpointed, since a caller may stop listening there
                else:
                    yield event  # type: ignore[misc]  # langgraph types what a node emits as a dict
        finally:
            # Also when a step crashed or the caller stopped listening: what was done so far is in the trace.
            self._save(inspection_id)
        if ended:
            yield ended

    def _save(self, inspection_id: str) -> None:
        self.traces.save(self._read(self._graph.get_state(_config(inspection_id))))


def answer_of(events: Iterator[Event]) -> Answer:
    """Run a turn to its end and return the answer."""
    for event in events:
        if isinstance(event, TurnEnded):
            return event.answer
    raise StoreError("the turn ended without an answer")


def new_id() -> str:
    """A new inspection's id: sorts by time, cannot be guessed."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"


def _open_turn(values: dict[str, Any], setup: Setup) -> Turn:
    """The turn that has not ended, as far as it has come."""
    info, fallback = in_hand(cast(State, values)) or (None, None)
    steps = tuple(Step.model_validate(step) for step in values["steps"])
    planner = info if info != setup.planner else None
    return Turn(say=values["say"], by=values.get("by"), steps=steps, planner=planner, fallback=fallback)


def _unfinished(snapshot: Any) -> bool:
    """Whether a turn is open. A node that was done when the process ended has its result stored beside the checkpoint:
    then nothing is `next`, and the task still waits to be taken over."""
    return bool(snapshot.next or snapshot.tasks)


def _said(text: str, by: str | None) -> dict[str, Any]:
    """What an instruction adds to the state."""
    return {"messages": [HumanMessage(content=text)], **_clean(text, by)}


def _clean(say: str, by: str | None = None) -> dict[str, Any]:
    """Channels of a turn at its start."""
    return {"say": say, "by": by, "steps": [], "sent": [], "spent_ms": 0.0, "planned": 0, "invalid": 0, "ending": None,
            "fallback": None}


def _config(inspection_id: str) -> Any:
    return {"configurable": {"thread_id": inspection_id}, "recursion_limit": 1000}


__all__ = [
    "MAX_INSTRUCTION",
    "MAX_NAME",
    "Inspector",
    "Material",
    "Photo",
    "answer_of",
    "checked",
    "new_id",
]
