"""Procedures that show: zoom, crop, enhance, quality of the picture, description."""

from collections.abc import Generator

from agent.procedures.core import Asks, Done, Job, Need, Steps
from agent.procedures.places import earlier, grown, inside, named_box, of_type, picked
from agent.procedures.searching import search, smallest
from agent.procedures.situation import Box, Place


def zoom(job: Job) -> Steps:
    """Enlarge the named place, or what an earlier step found."""
    yield from _cut(job, "zoom")


def crop(job: Job) -> Steps:
    """Cut out the named place, or what an earlier step found."""
    yield from _cut(job, "crop")


def _cut(job: Job, tool: str) -> Steps:
    targets = yield from _targets(job, tool)
    for name, box in targets:
        done = yield from job.call(tool, job.why(tool, name=name), view="v0", box=box)
        if done.ok:
            job.tell(f"{tool}.done", step=done.step, view=done.view or "", name=name, box=list(done.result["box"]))
            if len(targets) == 1:
                job.view, job.area = done.view or "v0", box


def _targets(job: Job, tool: str) -> Generator[Need, Done, list[tuple[str, Box]]]:
    """Names and boxes to cut: a said region or box, a finding, an object, a label's text.

    Yields calls; returns (name, box) pairs.
    """
    slots, situation = job.slots, job.situation
    box = None if (slots.pick and situation.findings) else named_box(job)
    if box is not None and not (slots.defects and situation.findings):
        # A named thing within the named place ("the label at the top right") is looked for there; the place is enough.
        return [(job.word(f"r.{slots.region}") if slots.region else str(list(box)), box)]
    found = [job.regions()[i] for i in job.about if i in job.regions()] if job.searched else earlier(job)
    if job.searched and slots.pick:
        found = picked(found, slots.pick)
    if not found and (slots.defects or slots.pick) and not (slots.back and not slots.defects) and not job.searched:
        yield from search(job)
        found = picked([job.regions()[i] for i in job.about], slots.pick or "worst")
    if not found and slots.objects and not job.searched:
        found = yield from objects(job)
    if not found:
        raise Asks(f"ask.{tool}", searched=job.searched.step if job.searched else 0)
    many = found if slots.pick == "each" else found[:1]
    job.about[:0] = [p.id for p in many if p.id not in job.about]
    return [(f"{p.id} {job.word(p.label)}", _around(job, p, tool)) for p in many]


def _around(job: Job, place: Place, tool: str) -> Box:
    share = 0.35 if tool == "zoom" else 0.15
    return grown(place.box, job.situation.width, job.situation.height, share=share)


def objects(job: Job) -> Generator[Need, Done, list[Place]]:
    """Find the named objects: labels by their text, everything else by counting.

    Yields calls; returns places.
    """
    slots = job.slots
    if "label" in slots.objects:
        done = yield from job.call("read_text", job.why("find_label"), view="v0", kind="all")
        lines = [*done.result.get("lines", ()), *done.result.get("codes", ())] if done.ok else []
        if lines:
            boxes = [line["box"] for line in lines]
            whole = (
                min(b[0] for b in boxes),
                min(b[1] for b in boxes),
                max(b[2] for b in boxes),
                max(b[3] for b in boxes),
            )
            return [Place(id=lines[0]["id"], label="label", box=whole, step=done.step)]
        return []
    noun = slots.nouns[0] if slots.nouns else "object"
    done = yield from job.call(
        "count", job.why("find", what=noun), view="v0", box=job.area, what=slots.objects[0] if slots.objects else noun
    )
    if not done.ok:
        return []
    items = [Place.of(item, label=done.result["what"], step=done.step) for item in done.result["items"]]
    pool = inside(items, named_box(job))
    return picked(pool, slots.pick) if slots.pick else pool


def enhance(job: Job) -> Steps:
    """Change the picture for the eye; later parts of the same wish see the changed view."""
    area = job.area or _enhance_area(job)
    ops = job.slots.ops or _ops_from_complaint(job)
    if not ops:
        raise Asks("ask.enhance")
    for op in ops:
        done = yield from job.call(
            "enhance", job.why("enhance", op=job.word(f"op.{op}")), view=job.view, box=area, operation=op
        )
        if done.ok:
            job.tell("enhance.done", step=done.step, view=done.view or "", op=job.word(f"op.{op}"))
            job.view, area = done.view or job.view, None


def _enhance_area(job: Job) -> Box | None:
    if box := named_box(job):
        return box
    if job.slots.back and job.situation.findings and (found := earlier(job)):
        return grown(found[0].box, job.situation.width, job.situation.height)
    return None


def _ops_from_complaint(job: Job) -> tuple[str, ...]:
    """ "It is too dark" asks for a brighter picture."""
    wanted = {"focus": "sharpen", "glare": "deglare", "noise": "denoise"}
    return tuple(wanted[a] for a in job.slots.aspects if a in wanted) or (
        ("contrast",) if "exposure" in job.slots.aspects else ()
    )


def quality(job: Job) -> Steps:
    """Say whether the picture can be used, aspect by aspect."""
    done = yield from job.call(
        "check_image",
        job.why("check_image"),
        view=job.view,
        box=named_box(job) if job.slots.region else None,
        **smallest(job),
    )
    if not done.ok:
        return
    aspects = job.slots.aspects or ("all",)
    for aspect in aspects:
        job.tell(f"quality.{aspect}", step=done.step, r=done.result)
    job.tell(
        "quality.overall",
        step=done.step,
        passed=done.result["passed"],
        problems=[job.word(f"q.{p}") for p in done.result["problems"]],
    )


def describe(job: Job) -> Steps:
    """Say what can be said without a model that knows parts: size, light, text, how much stands out."""
    checked = yield from job.call("check_image", job.why("check_image"), view="v0")
    job.tell("describe.size", width=job.situation.width, height=job.situation.height, step=checked.step)
    if checked.ok:
        job.tell(
            "quality.overall",
            step=checked.step,
            passed=checked.result["passed"],
            problems=[job.word(f"q.{p}") for p in checked.result["problems"]],
        )
    focus = earlier(job) if job.slots.back else []
    if focus:
        job.tell(
            "describe.finding",
            f=focus[0],
            type=job.word(focus[0].label),
            box=list(focus[0].box),
            step=focus[0].step or 0,
        )
        job.about.extend(p.id for p in focus[:1])
    read = yield from job.call("read_text", job.why("read", kind=job.word("t.all")), view="v0", kind="all")
    lines = [line["text"] for line in read.result.get("lines", ())][:4] if read.ok else []
    job.tell("describe.text" if lines else "describe.no_text", step=read.step, lines=lines)
    counted = yield from job.call("count", job.why("find", what=job.word("object")), view="v0", what="object")
    if counted.ok and counted.result["count"]:
        job.tell("describe.objects", step=counted.step, count=counted.result["count"], sure=counted.result["sure"])
    job.tell("describe.limit")


__all__ = ["crop", "describe", "enhance", "objects", "of_type", "quality", "zoom"]
