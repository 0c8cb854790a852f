"""One inspection from outside: start it, say something, get events and a trace; go on after a crash."""

import secrets
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from langchain_core.messages import HumanMessage

from agent.admission import MAX_INSTRUCTION, MAX_NAME, checked, checked_name
from agent.events import Event, TurnEnded
from agent.graph import Checkpointer, Graph, build
from agent.planners.base import Planner
from agent.quiet import keep_private
from agent.record import Recorder
from agent.state import Setup
from kenpin.contracts.camera import CameraProfile
from kenpin.contracts.errors import StoreError
from kenpin.contracts.ports import TraceStore
from kenpin.contracts.trace import Answer, Step, Trace, TraceImage, Turn
from kenpin.contracts.verdict import Criteria
from kenpin.contracts.view import RgbImage, Role, View, ViewKind
from tools.measuring.profile import profile_scale
from tools.spec import Scale


@dataclass(frozen=True)
class Photo:
    """A picture that was let in, with what the trace says of it."""

    pixels: RgbImage
    upload_sha256: str | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Material:
    """What an inspection starts from."""

    subject: Photo
    references: Sequence[Photo] = ()
    good: Sequence[Photo] = ()
    mm_per_px: float | None = None
    camera: CameraProfile | None = None
    """Of the subject; must fit its size (`CameraProfile.fitted`)."""
    criteria: Criteria | None = None
    product: str | None = None
    lot: str | None = None
    part: str | None = None
    asker: str | None = None
    """Who starts it."""
    rerun_of: str | None = None
    """The inspection that is run again."""
    lang: str = "auto"


@dataclass
class Inspector:
    """Runs turns of one planner over one set of tools and stores."""

    planner: Planner
    recorder: Recorder
    traces: TraceStore
    checkpointer: Checkpointer
    _graph: Graph = field(init=False)

    def __post_init__(self) -> None:
        keep_private()
        self._graph = build(self.planner, self.recorder, self.checkpointer)

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
        setup, views = self._setup(material, inspection_id or new_id())
        scale = _first_scale(material.mm_per_px, setup.camera)
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
        if _unfinished(snapshot):
            raise StoreError(f"the last turn of {inspection_id} has not ended; go on with it first")
        other = by if by != snapshot.values["setup"].get("asker") else None
        # On record as an open turn before any work: a signed inspection is refused here, and one with an open turn
        # cannot be signed.
        before = self._trace(snapshot)
        self.traces.save(before.model_copy(update={"turns": (*before.turns, Turn(say=text, by=other))}))
        yield from self._run(inspection_id, {"messages": [HumanMessage(content=text)], **_clean(text, other)})

    def resume(self, inspection_id: str) -> Iterator[Event]:
        """Go on with a turn that was interrupted, from its last step. Yields nothing if none was."""
        snapshot = self._graph.get_state(_config(inspection_id))
        if _unfinished(snapshot):
            yield from self._run(inspection_id, None)
        elif snapshot.values:
            # A process that was killed between its last checkpoint and the record left the record behind.
            self._save(inspection_id)

    def trace(self, inspection_id: str) -> Trace:
        """The trace as it stands, with the steps of a turn that has not ended."""
        snapshot = self._graph.get_state(_config(inspection_id))
        if not snapshot.values:
            raise StoreError(f"there is no inspection {inspection_id!r}")
        return self._trace(snapshot)

    def _trace(self, snapshot: Any) -> Trace:
        values = snapshot.values
        setup = Setup.model_validate(values["setup"])
        turns = [Turn.model_validate(turn) for turn in values["turns"]]
        if _unfinished(snapshot):
            open_steps = tuple(Step.model_validate(step) for step in values["steps"])
            turns.append(Turn(say=values["say"], by=values.get("by"), steps=open_steps))
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
        self.traces.save(self.trace(inspection_id))

    def _setup(self, material: Material, inspection_id: str) -> tuple[Setup, list[View]]:
        images, views = [], []
        photos = [(Role.SUBJECT, material.subject), *((Role.REFERENCE, photo) for photo in material.references)]
        for number, (role, photo) in enumerate(photos):
            height, width = photo.pixels.shape[:2]
            view = View(
                id=f"v{number}",
                source=f"v{number}",
                kind=ViewKind.UPLOAD,
                role=role,
                width=width,
                height=height,
                sha256=self.recorder.pictures.put(photo.pixels),
            )
            views.append(view)
            images.append(
                TraceImage(
                    id=view.id,
                    role=role.value,
                    sha256=view.sha256,
                    width=width,
                    height=height,
                    upload_sha256=photo.upload_sha256,
                    notes=photo.notes,
                    mm_per_px=material.mm_per_px if role is Role.SUBJECT else None,
                )
            )
        good = tuple(self.recorder.pictures.put(photo.pixels) for photo in material.good)
        created = datetime.now(UTC).isoformat(timespec="seconds")
        return Setup(
            id=inspection_id,
            created=created,
            lang=material.lang,
            product=material.product,
            lot=material.lot,
            part=material.part,
            asker=material.asker,
            rerun_of=material.rerun_of,
            tools=self.recorder.versions,
            planner=self.planner.info,
            images=tuple(images),
            good=good,
            criteria=material.criteria,
            camera=_camera(material),
        ), views


def _camera(material: Material) -> CameraProfile | None:
    height, width = material.subject.pixels.shape[:2]
    return material.camera.fitted(width, height) if material.camera else None


def _first_scale(mm_per_px: float | None, camera: CameraProfile | None) -> dict[str, Any] | None:
    """The scale that is known before anything is looked at: as configured, else of the camera's object plane."""
    known = Scale(mm_per_px, origin="configured") if mm_per_px is not None else camera and profile_scale(camera)
    return asdict(known) if known else None


def answer_of(events: Iterator[Event]) -> Answer:
    """Run a turn to its end and return the answer."""
    for event in events:
        if isinstance(event, TurnEnded):
            return event.answer
    raise StoreError("the turn ended without an answer")


def new_id() -> str:
    """A new inspection's id: sorts by time, cannot be guessed."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"


def _unfinished(snapshot: Any) -> bool:
    """Whether a turn is open. A node that was done when the process ended has its result stored beside the checkpoint:
    then nothing is `next`, and the task still waits to be taken over."""
    return bool(snapshot.next or snapshot.tasks)


def _clean(say: str, by: str | None = None) -> dict[str, Any]:
    """Channels of a turn at its start."""
    return {"say": say, "by": by, "steps": [], "sent": [], "spent_ms": 0.0, "planned": 0, "invalid": 0, "ending": None}


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
