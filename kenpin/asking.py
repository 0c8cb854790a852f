"""Asking as a service: who may, what is signed already, and what the audit log is told."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from threading import Lock
from typing import Any

from sqlalchemy import select

from agent.events import Event, TurnEnded
from agent.inspector import Inspector, Material, checked, new_id
from kenpin.adapters.keeping import Kept
from kenpin.contracts.errors import BadInput, KenpinError, Locked, StoreError
from kenpin.contracts.people import Actor, Right
from kenpin.contracts.review import LOCKED, State
from kenpin.contracts.trace import PlannerInfo, Trace, as_of, trace_sha256
from kenpin.database.tables import inspections
from kenpin.material import material_of
from kenpin.wiring import Kenpin

STARTED, ASKED, ANSWERED = "inspection.started", "inspection.asked", "inspection.answered"
MOST_TURNS = 10_000
"""Turns of one inspection whose hashes are looked up."""
JUST_BUILT_S = 30.0
"""For so long what was found out when an inspection was started holds for its first turn."""
Waiting = Callable[[], object]


def _patient() -> None:
    """Waits without a word."""


class Asking:
    """Starts inspections and runs turns, each held against the actor's rights first."""

    def __init__(self, kenpin: Kenpin) -> None:
        self._kenpin = kenpin
        self._holds = kenpin.holds
        self._inspectors: dict[str, Inspector] = {}
        self._adapters: dict[str, Kept | None] = {}
        """The adapter that was in use when the inspector of a planner was built."""
        self._unused: dict[str, float] = {}
        """When inspectors were built that no turn has used yet."""
        self._lock = Lock()

    def planner(self, actor: Actor, planner: str | None = None) -> PlannerInfo:
        """Which planner would run.

        Raises:
            NotAllowed: The actor may not ask.
            BadInput: There is no planner of this name.
            MissingExtra: It needs an optional part.
            Unavailable: Its server does not answer.
        """
        self._kenpin.people.check(actor, Right.ASK)
        return self._inspector(planner).planner.info

    def start(self, actor: Actor, material: Material, *, planner: str | None = None) -> str:
        """Begin an inspection in the actor's name and return its id.

        Raises:
            NotAllowed: As `planner`, whose other errors come here too.
            BadInput: As `Inspector.start`.
        """
        self._kenpin.people.check(actor, Right.ASK)
        inspector, inspection = self._inspector(planner), new_id()
        # The log first: killed in between, it tells of an attempt, and no inspection is there that it does not tell of.
        self._note(actor.name, STARTED, inspection, **({"rerun_of": material.rerun_of} if material.rerun_of else {}))
        return inspector.start(replace(material, asker=actor.name), inspection_id=inspection)

    def say(
        self, actor: Actor, inspection: str, text: str, *, planner: str | None = None, waiting: Waiting = _patient
    ) -> Iterator[Event]:
        """Run one turn and yield its events; rights, the text and signatures are checked before this returns.

        Args:
            actor: Who says it.
            inspection: Id of `start`.
            text: What is said.
            planner: Another planner than the one that the inspection started with.
            waiting: Called now and then while another run holds the inspection.
        Raises:
            NotAllowed: As `planner`.
            InstructionRefused: The text is empty or too long.
            Locked: The inspection is signed.
            BadInput: Its product is reviewed blind, and the actor's own judgement is not in.
            StoreError: There is no such inspection, or a turn of it has not ended: `resume` it first.
        """
        self._kenpin.people.check(actor, Right.ASK)
        checked(text)
        self._open_to(actor, inspection)
        inspector = self._for_a_turn(planner or self._backend(inspection))
        return self._said(actor, inspector, inspection, text, waiting)

    def resume(
        self, actor: Actor, inspection: str, *, planner: str | None = None, waiting: Waiting = _patient
    ) -> Iterator[Event]:
        """Go on with a turn that was interrupted; yields nothing if none was. Errors as `say`."""
        self._kenpin.people.check(actor, Right.ASK)
        self._open_to(actor, inspection)
        inspector = self._for_a_turn(planner or self._backend(inspection))
        return self._resumed(actor, inspector, inspection, waiting)

    def trace(self, actor: Actor, inspection: str) -> Trace:
        """The trace as the actor may see it, with the steps of a turn that has not ended.

        Raises:
            NotAllowed: The actor may not read.
            StoreError: There is no such inspection.
        """
        seen = self._kenpin.reviews.dossier(actor, inspection)
        if seen.hidden or seen.state in LOCKED:
            return seen.trace
        try:
            inspector = self._reader(seen.trace.planner.backend)
            current = inspector.trace(inspection)
        except KenpinError:
            # Its planner cannot be reached, or its checkpoints are another machine's: what is on record counts.
            return seen.trace
        if current != seen.trace and all(turn.answer for turn in current.turns):
            self._catch_up(inspector, inspection)
        return current.model_copy(update={"planner": seen.trace.planner})

    def rerun(
        self, actor: Actor, inspection: str, *, planner: str | None = None, waiting: Waiting = _patient
    ) -> tuple[str, Iterator[Event]]:
        """Run an inspection's instructions again on the same pictures, limits, samples, scale and camera.

        Returns:
            Id of the new inspection, whose trace names the old one, and the events of all its turns.
        Raises:
            NotAllowed: The actor may not ask, or may not read.
            BadInput: Nothing was asked in it yet, or its proposal is hidden from the actor.
            StoreError: There is no such inspection, or a picture of it is not the stored one.
        """
        self._kenpin.people.check(actor, Right.ASK)
        if self._kenpin.reviews.dossier(actor, inspection).hidden:
            raise BadInput("this product is reviewed blind; give your own judgement first, then run it again")
        trace = self.trace(actor, inspection)
        if not trace.turns:
            raise BadInput(f"inspection {inspection} has no turn to run again")
        named = planner or trace.planner.backend
        again = self.start(actor, material_of(trace, self._kenpin.pictures), planner=named)
        return again, self._all_said(actor, again, [turn.say for turn in trace.turns], named, waiting)

    def _all_said(
        self, actor: Actor, inspection: str, texts: list[str], planner: str, waiting: Waiting
    ) -> Iterator[Event]:
        for text in texts:
            yield from self.say(actor, inspection, text, planner=planner, waiting=waiting)

    def record(self, actor: Actor, inspection: str) -> tuple[Trace, dict[int, str]]:
        """The trace as it is stored, and for each turn the hash that the audit log has of it.

        Raises:
            NotAllowed: The actor may not read.
            BadInput: The proposal is hidden from the actor.
            StoreError: There is no such inspection, or it is not what was stored.
        """
        seen = self._kenpin.reviews.dossier(actor, inspection)
        if seen.hidden:
            raise BadInput("this product is reviewed blind; give your own judgement first, then replay it")
        hashes: dict[int, str] = {}
        for event in self._kenpin.audit.events(subject=f"inspection:{inspection}", action=ANSWERED, limit=MOST_TURNS):
            hashes[int(event.detail.get("turn", 0))] = str(event.detail.get("sha256"))
        return seen.trace, hashes

    def recent(self, actor: Actor, *, limit: int, offset: int = 0) -> tuple[list[Trace], int]:
        """Inspections as the actor may see them, newest first, and how many there are in all.

        Raises:
            NotAllowed: The actor may not read.
        """
        self._kenpin.people.check(actor, Right.READ)
        rows = self._kenpin.traces.recent(limit, offset)
        # Nothing is hidden from those who do not review.
        blind = Right.REVIEW in actor.rights
        reviews, traces = self._kenpin.reviews, self._kenpin.traces
        found = [reviews.dossier(actor, row.id).trace if blind else traces.load(row.id) for row in rows]
        return found, traces.count()

    def held(self, inspection: str, *, waiting: Waiting = _patient) -> Any:
        """A context in which no other run writes this inspection; `say` and `resume` take it themselves."""
        return self._holds.hold(inspection, waiting=waiting)

    def _said(
        self, actor: Actor, inspector: Inspector, inspection: str, text: str, waiting: Waiting
    ) -> Iterator[Event]:
        with self._holds.hold(inspection, waiting=waiting), self._running(inspector):
            self._open_to(actor, inspection)
            self._settle(inspector, inspection)
            turn = len(inspector.trace(inspection).turns) + 1
            self._note(actor.name, ASKED, inspection, turn=turn)
            yield from self._noted(inspector.say(inspection, text, by=actor.name), inspector, inspection)

    def _resumed(self, actor: Actor, inspector: Inspector, inspection: str, waiting: Waiting) -> Iterator[Event]:
        with self._holds.hold(inspection, waiting=waiting), self._running(inspector):
            self._open_to(actor, inspection)
            yield from self._noted(inspector.resume(inspection), inspector, inspection)
            self._settle(inspector, inspection)

    def _noted(self, events: Iterator[Event], inspector: Inspector, inspection: str) -> Iterator[Event]:
        """Events, with the end of the turn in the audit log before it is passed on."""
        for event in events:
            if isinstance(event, TurnEnded):
                self._settle(inspector, inspection)
            yield event

    def _settle(self, inspector: Inspector, inspection: str) -> None:
        """Put the hash of each turn that has ended since the last one on record into the audit log."""
        trace, subject = inspector.trace(inspection), f"inspection:{inspection}"
        known = self._kenpin.audit.events(subject=subject, action=ANSWERED, limit=1)
        done = int(known[0].detail.get("turn", 0)) if known else 0
        for number, turn in enumerate(trace.turns[done:], done + 1):
            if turn.answer is not None:
                by = turn.by or trace.asker or "kenpin"
                self._note(by, ANSWERED, inspection, turn=number, sha256=trace_sha256(as_of(trace, number)))

    def _catch_up(self, inspector: Inspector, inspection: str) -> None:
        """Where no turn runs, and a killed process left the record behind its checkpoints, bring it up to them."""
        with self._holds.hold_if_free(inspection) as free:
            if free:
                inspector.catch_up(inspection)
                self._settle(inspector, inspection)

    def _open_to(self, actor: Actor, inspection: str) -> None:
        """Whether something may be said in an inspection.

        Raises:
            Locked: It is signed.
            BadInput: The proposal is hidden from the actor.
            StoreError: There is none of this id.
        """
        with self._kenpin.database.read() as connection:
            state = connection.execute(select(inspections.c.state).where(inspections.c.id == inspection)).scalar()
        if state is None:
            raise StoreError(f"there is no inspection {inspection[:80]!r}")
        if State(state) in LOCKED:
            raise Locked(f"inspection {inspection} is signed; amend it first, then ask on (nothing was changed)")
        if self._kenpin.reviews.dossier(actor, inspection).hidden:
            raise BadInput("this product is reviewed blind; give your own judgement first, then ask")

    def _backend(self, inspection: str) -> str:
        return self._kenpin.traces.load(inspection).planner.backend

    def _inspector(self, planner: str | None) -> Inspector:
        """The inspector of a planner, built once for an adapter; one that cannot be built is tried again the next time.

        Whichever adapter is in use now is asked by turns that begin now; those that run go on with theirs.
        """
        name = planner or self._kenpin.settings.planner
        adapter = self._kenpin.adapter.chosen(name)
        if name not in self._inspectors or self._adapters.get(name) != adapter:
            # Not under the lock: a server that does not answer must not hold up those who ask for another planner.
            built = self._kenpin.inspector(name)
            with self._lock:
                self._inspectors[name], self._adapters[name] = built, adapter
                self._unused[name] = time.monotonic()
        return self._inspectors[name]

    def _reader(self, planner: str) -> Inspector:
        """An inspector of a planner to read with: whichever was built, since reading asks no model."""
        return self._inspectors.get(planner) or self._inspector(planner)

    def _running(self, inspector: Inspector) -> AbstractContextManager[None]:
        return self._kenpin.adapter.running(inspector.planner.info)

    def _for_a_turn(self, name: str) -> Inspector:
        """The inspector of a planner for one turn: built anew where what it was built on is no more.

        So a server that was gone is asked again, and one that came back with another model is found out about.
        """
        with self._lock:
            just_built = time.monotonic() - self._unused.pop(name, -JUST_BUILT_S) < JUST_BUILT_S
            known = self._inspectors.get(name)
        if known and not just_built and not known.planner.still():
            # Built before the old one is let go: what is asked meanwhile, and a server that refuses, find it in place.
            adapter, built = self._kenpin.adapter.chosen(name), self._kenpin.inspector(name)
            with self._lock:
                self._inspectors[name], self._adapters[name] = built, adapter
            return built
        inspector = self._inspector(name)
        with self._lock:
            self._unused.pop(name, None)
        return inspector

    def _note(self, name: str, action: str, inspection: str, **detail: Any) -> None:
        with self._kenpin.database.write(durable=False) as connection:
            self._kenpin.audit.append(
                connection, actor=name, action=action, subject=f"inspection:{inspection}", **detail
            )
