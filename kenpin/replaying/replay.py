"""Replay: everything in a stored trace held against what it was made from, with no model and no tool.

Each picture is read again by its sha256, each view's place is derived again from its parent, each step is held against
the hash that was taken when its turn ended, each turn against the audit log, and each answer is made again from the
stored steps and the planner's stored ending, by the rules of this Kenpin.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

from agent.again import answer_again, can_answer_again
from kenpin.contracts.errors import StoreError
from kenpin.contracts.ports import PictureStore
from kenpin.contracts.trace import Answer, Trace, Turn, as_of, step_sha256, trace_sha256
from kenpin.replaying.geometry import checked_views
from kenpin.replaying.told import leaves, shown
from tools.measuring.profile import profile_scale

FIELDS = tuple(Answer.model_fields)


class Check(BaseModel):
    """One thing that was held against what it was made from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    what: str
    """`picture v1 (crop)`, `view v1`, `turn 1 step 3 (measure)`, `turn 1 verdict`, ..."""
    same: bool | None
    """None if the trace holds nothing to check it by."""
    says: str = ""
    """How it was checked, or what differs."""


class Replay(BaseModel):
    """Outcome of a replay."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    inspection: str
    checks: tuple[Check, ...]

    @property
    def differences(self) -> tuple[Check, ...]:
        """What is not what was stored."""
        return tuple(check for check in self.checks if check.same is False)

    @property
    def unknown(self) -> tuple[Check, ...]:
        """What cannot be checked."""
        return tuple(check for check in self.checks if check.same is None)

    @property
    def identical(self) -> bool:
        """Whether every picture and every number is shown to be the stored one."""
        return all(check.same for check in self.checks)


def replay(trace: Trace, pictures: PictureStore, *, recorded: Mapping[int, str] | None = None) -> Replay:
    """Hold a trace against what it was made from.

    Args:
        trace: As stored.
        pictures: Where its pictures are.
        recorded: For each turn, counted from 1, the sha256 of the trace as the audit log has it from when the turn
            ended; None leaves this check out.
    """
    checks = [*_pictures(trace, pictures), *(Check(**told) for told in checked_views(trace, pictures))]
    for number, turn in enumerate(trace.turns, 1):
        checks += [*_steps(number, turn), *_scale(trace, number), *_answer(trace, number)]
        if recorded is not None:
            checks.append(_record(trace, number, recorded.get(number)))
    return Replay(inspection=trace.id, checks=tuple(checks))


def _pictures(trace: Trace, pictures: PictureStore) -> Iterator[Check]:
    for sha256, names in _named(trace).items():
        what = "picture " + ", ".join(names)
        try:
            pictures.read_file(sha256)
        except StoreError as exc:
            yield Check(what=what, same=False, says=str(exc))
        else:
            yield Check(what=what, same=True, says=f"sha256 {sha256}")


def _named(trace: Trace) -> dict[str, list[str]]:
    """What each picture of a trace is, by sha256."""
    named: dict[str, list[str]] = {}
    for image in trace.images:
        named.setdefault(image.sha256, []).append(f"{image.id} ({image.role})")
    for number, sha256 in enumerate(trace.good, 1):
        named.setdefault(sha256, []).append(f"good sample {number}")
    uploads = {image.id for image in trace.images}
    for view in trace.views:
        if view["id"] not in uploads:
            named.setdefault(str(view["sha256"]), []).append(f"{view['id']} ({view['kind']})")
    for turn in trace.turns:
        for step in turn.steps:
            for sha256 in step.evidence:
                named.setdefault(sha256, []).append(f"of step {step.n}")
    return named


def _steps(number: int, turn: Turn) -> Iterator[Check]:
    """Each step against its hash: every number of it, bit for bit."""
    for place, step in enumerate(turn.steps):
        what = f"turn {number} step {step.n} ({step.tool})"
        if turn.answer is None:
            yield Check(what=what, same=None, says="its turn has not ended; go on with it first")
        elif place >= len(turn.seals):
            yield Check(what=what, same=None, says="no hash was taken of it (recorded by an earlier Kenpin)")
        else:
            same = step_sha256(step) == turn.seals[place]
            told = f"sha256 {turn.seals[place]}" if same else "something in it was changed after its turn ended"
            yield Check(what=what, same=same, says=told)
    if len(turn.seals) > len(turn.steps):
        lost = len(turn.seals) - len(turn.steps)
        yield Check(what=f"turn {number} steps", same=False, says=f"{lost} of {len(turn.seals)} are missing")


def _record(trace: Trace, number: int, recorded: str | None) -> Check:
    what = f"turn {number} record"
    if trace.turns[number - 1].answer is None:
        return Check(what=what, same=None, says="the turn has not ended; go on with it first")
    if recorded is None:
        return Check(what=what, same=None, says="the audit log has no hash of it")
    found = trace_sha256(as_of(trace, number))
    if found == recorded:
        return Check(what=what, same=True, says=f"as the audit log has it, sha256 {found}")
    return Check(
        what=what,
        same=False,
        says=f"the audit log has sha256 {recorded[:16]}… of it, what is stored gives {found[:16]}…",
    )


def _scale(trace: Trace, number: int) -> Iterator[Check]:
    """The scale that the answer was judged with, against where it came from."""
    turn = trace.turns[number - 1]
    if not can_answer_again(turn):
        return
    known, origin = _known_scale(trace, number)
    same = known == turn.scale
    told = origin if same else f"stored {shown(turn.scale)}, {origin} says {shown(known)}"
    yield Check(what=f"turn {number} scale", same=same, says=told)


def _known_scale(trace: Trace, number: int) -> tuple[float | None, str]:
    for turn in reversed(trace.turns[:number]):
        for step in reversed(turn.steps):
            if step.tool == "calibrate" and step.status == "ok":
                return float(step.result["mm_per_px"]), f"step {step.n}"
    if trace.images[0].mm_per_px is not None:
        return trace.images[0].mm_per_px, "what was configured"
    found = profile_scale(trace.camera) if trace.camera else None
    return (found.mm_per_px, "the camera profile") if found else (None, "no scale is known")


def _answer(trace: Trace, number: int) -> Iterator[Check]:
    """Each part of the answer against the one that is made again."""
    turn = trace.turns[number - 1]
    if turn.answer is None:
        yield Check(what=f"turn {number} answer", same=None, says="the turn has not ended; go on with it first")
        return
    if not can_answer_again(turn):
        told = "the planner's ending is not in the trace (recorded by an earlier Kenpin)"
        yield Check(what=f"turn {number} answer", same=None, says=told)
        return
    stored = turn.answer.model_dump(mode="json")
    made = answer_again(trace, number - 1).model_dump(mode="json")
    for field in FIELDS:
        what, differing = f"turn {number} {field}", list(_differing(stored[field], made[field]))
        for path, old, new in differing:
            yield Check(what=what + path, same=False, says=f"stored {shown(old)}, made again {shown(new)}")
        if not differing:
            yield Check(what=what, same=True, says=_brief(stored[field]))


def _differing(stored: Any, made: Any) -> Iterator[tuple[str, Any, Any]]:
    old, new = dict(leaves(stored)), dict(leaves(made))
    for path in dict.fromkeys([*old, *new]):
        if path not in old or path not in new or not _identical(old[path], new[path]):
            yield path, old.get(path), new.get(path)


def _identical(one: Any, other: Any) -> bool:
    """Equal to the bit: 1 and True are not the same, nor are 0.1 and its neighbour."""
    return type(one) is type(other) and one == other


def _brief(value: Any) -> str:
    return f"{len(value)} the same" if isinstance(value, list) else shown(value)
