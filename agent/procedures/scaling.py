"""Procedures that set the scale: said, from a marker or a board, or from something of known size."""

import re
from collections.abc import Generator
from typing import Any

from agent.language.scale import TO_MM, ScaleSaid
from agent.procedures.core import Asks, Done, Job, Need, Steps
from agent.procedures.places import beside, named_box, named_points, widened
from agent.procedures.situation import Box

STATED = re.compile(r"\(\s?\d[^()]*\)\D{1,12}\([^()]*\)[^.\d]{0,28}(\d+(?:\.\d+)?)\s?(mm|um|cm|inch)")
"""Two points and the length between them: "from (60,170) to (700,170) is exactly 32 mm"."""


def set_scale(job: Job) -> Steps:
    """Take over the scale that the instruction states, if any, by the tool that proves it."""
    if any(d.tool == "calibrate" for d in job.done):
        return
    said = job.slots.scale
    points = named_points(job)
    stated = STATED.search(widened(job.say)) if points else None
    if points and stated:
        size = float(stated.group(1)) * TO_MM[stated.group(2)]
        done = yield from job.call(
            "calibrate",
            job.why("calibrate", how=job.word("m.known")),
            view="v0",
            method="known",
            size_mm=size,
            points=points,
        )
        if done.ok:
            job.tell("calibrate.done", step=done.step, mm=f"{done.result['mm_per_px']:.4g}", method=job.word("m.known"))
        return
    if said is None:
        return
    done = yield from _calibrate(job, said)
    if done.ok:
        job.tell(
            "calibrate.done",
            step=done.step,
            mm=f"{done.result['mm_per_px']:.4g}",
            method=job.word(f"m.{done.result['method']}"),
        )


def _calibrate(job: Job, said: ScaleSaid) -> Generator[Need, Done, Done]:
    why = job.why("calibrate", how=job.word(f"m.{said.kind}"))
    match said.kind:
        case "px":
            return (yield from job.call("calibrate", why, view="v0", method="said", mm_per_px=said.mm))
        case "marker":
            return (yield from job.call("calibrate", why, view="v0", method="marker", size_mm=said.mm))
        case "board":
            return (yield from job.call("calibrate", why, view="v0", method="chessboard", size_mm=said.mm))
        case _:
            return (yield from _calibrate_known(job, said, why))


def _calibrate_known(job: Job, said: ScaleSaid, why: str) -> Generator[Need, Done, Done]:
    """A thing of known size must be found first; where several look alike the user must point to it."""
    box = named_box(job)
    counted = yield from job.call(
        "count", job.why("find", what=said.thing or "object"), view="v0", box=box, what=said.thing or "object"
    )
    items: list[dict[str, Any]] = list(counted.result.get("items", ())) if counted.ok else []
    if len(items) != 1:
        raise Asks("ask.known_thing", thing=said.thing or "", count=len(items), step=counted.step)
    return (yield from job.call("calibrate", why, view="v0", method="known", size_mm=said.mm, of=items[0]["id"]))


def calibrate(job: Job) -> Steps:
    """Set the scale because that is the wish."""
    yield from set_scale(job)
    if job.situation.scale is None and not any(d.tool == "calibrate" for d in job.done):
        raise Asks("ask.scale", step=0)


def scaled(job: Job) -> bool:
    return job.situation.scale is not None or any(d.tool == "calibrate" and d.ok for d in job.done)


def clear_of_scale(job: Job) -> Box | None:
    """The picture without the board or marker that gave the scale: the sharpest things in it, and not the part."""
    taken = [
        r["result"]
        for turn in job.situation.past
        for r in turn.results
        if r["tool"] == "calibrate" and r.get("status") == "ok"
    ]
    taken += [d.result for d in job.done if d.tool == "calibrate" and d.ok]
    boxes = taken[-1].get("boxes", ()) if taken else ()
    if not boxes or taken[-1]["method"] == "known":
        return None
    x0, y0, x1, y1 = boxes[0]
    margin = round(0.3 * max(x1 - x0, y1 - y0)) if taken[-1]["method"] == "chessboard" else 12
    return beside((x0 - margin, y0 - margin, x1 + margin, y1 + margin), job.situation.width, job.situation.height)
