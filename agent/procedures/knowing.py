"""Procedures that compare, read and look up."""

from agent.procedures.core import Asks, Job, Steps
from agent.procedures.measuring import shown
from agent.procedures.places import earlier, grown, named_box
from agent.procedures.searching import SHOWN, _item, check_once
from agent.procedures.situation import Place


def compare(job: Job) -> Steps:
    """Compare with the golden samples; ask for one where there is none."""
    if not job.situation.references:
        raise Asks("ask.reference", good=job.situation.good)
    yield from check_once(job)
    done = yield from job.call("compare", job.why("compare"), view="v0", box=job.area or named_box(job))
    if not done.ok:
        return
    result = done.result
    if not result["aligned"]:
        job.tell("compare.unaligned", step=done.step, reason=result["reason"], code=result["reason_code"])
        return
    found = [Place.of(f, label=f["type"], step=done.step) for f in result["findings"]]
    strong = [p for p in found if p.score >= 0.5]
    job.tell("compare.aligned", step=done.step, turn=shown(result["turn_deg"]), dx=shown(result["shift_px"][0]),
             dy=shown(result["shift_px"][1]), confidence=round(100 * result["confidence"]))
    if strong:
        job.about.extend(p.id for p in strong if p.id not in job.about)
        job.tell("compare.found", step=done.step, count=len(strong), items=[_item(job, p) for p in strong[:SHOWN]],
                 more=max(0, len(strong) - SHOWN))
    else:
        job.tell("compare.same" if result["decided"] else "compare.same_undecided", step=done.step, reason=result["reason"])
    job.searched = job.searched or done


def read(job: Job) -> Steps:
    """Read text or codes; for a serial number or a date, name the one that was asked for."""
    kind = job.slots.text or "all"
    done = yield from job.call("read_text", job.why("read", kind=job.word(f"t.{kind}")), view=job.view,
                               box=job.area or named_box(job), kind=kind)
    if not done.ok:
        return
    lines = [line["text"] for line in done.result["lines"]]
    codes = [code["text"] for code in done.result["codes"]]
    best = done.result.get("best")
    if best and kind not in ("all", "label"):
        job.tell("read.best", step=done.step, kind=job.word(f"t.{kind}"), text=best)
    elif lines or codes:
        job.tell("read.lines", step=done.step, kind=job.word(f"t.{kind}") if kind not in ("all", "label") else "", lines=lines[:12], codes=codes[:6])
    else:
        job.tell("read.nothing", step=done.step)


def recall(job: Job) -> Steps:
    """Look for past cases like what was found or pointed to, or like the whole picture."""
    slots = job.slots
    places = [job.regions()[i] for i in job.about if i in job.regions()] if job.done else []
    places = places or (earlier(job) if job.situation.findings else [])
    place = next((p for p in places if p.id.startswith("f")), None)
    box = None
    if place is None and (where := named_box(job)):
        box = where
    words = " ".join(slots.defects) or None
    done = yield from job.call("recall", job.why("recall", of=place.id if place else ""), view="v0", of=place.id if place else None,
                               box=box, words=words, k=min(slots.k or 3, 20))
    if not done.ok:
        return
    if place and place.id not in job.about:
        job.about.append(place.id)
    hits = done.result["hits"]
    job.tell("recall.found" if hits else "recall.none", step=done.step, count=len(hits), of=place.id if place else "",
             hits=[{**hit, "defect": job.word(hit["defect_type"])} for hit in hits])


__all__ = ["compare", "grown", "read", "recall"]
