"""Procedures that look for defects and hold them against limits."""

import re
from typing import Any

from agent.language.context import in_context
from agent.language.normal import normalise
from agent.procedures.core import Asks, Done, Job, Steps
from agent.procedures.places import named_box, of_type
from agent.procedures.situation import Place
from agent.reasons import told
from kenpin.contracts.verdict import DefectType

LONGEST_FIRST = re.compile(r"longest first|by length|長い(?:方|ほう|もの|順)(?:から|に)")
LARGEST_FIRST = re.compile(r"(?:largest|biggest|worst) first|by size|大きい(?:方|ほう|もの|順)(?:から|に)")
SHOWN = 6
"""Findings told in words; all of them are in the answer's list."""
DEFECTS = frozenset(DefectType)


def check_once(job: Job) -> Steps:
    """Check the picture once a conversation, before anything is judged on it."""
    if any(d.tool == "check_image" and d.ok and _whole(d.args) for d in job.done) or _checked_before(job):
        return
    done = yield from job.call("check_image", job.why("check_image"), view="v0")
    if done.ok and not done.result["passed"]:
        job.tell("quality.poor", step=done.step, problems=[job.word(f"q.{p}") for p in done.result["problems"]])


def _checked_before(job: Job) -> bool:
    return any(
        r["tool"] == "check_image" and r.get("status") == "ok" and _whole(r["args"])
        for turn in job.situation.past
        for r in turn.results
    )


def _whole(args: dict[str, Any]) -> bool:
    """Only a check of the whole picture as uploaded can back a verdict (see `agent.conclude`)."""
    return bool(args.get("view", "v0") == "v0" and not args.get("box"))


def search(job: Job) -> Steps:
    """Check the picture, search the named place for defects, and compare with golden samples if there are any."""
    if job.searched is not None:
        return
    yield from check_once(job)
    box = job.area or named_box(job)
    types = tuple(job.slots.defects)
    done = yield from job.call(
        "detect", job.why("detect", types=[job.word(t) for t in types]), view=job.view, box=box, types=types or None
    )
    job.searched = done
    if done.ok:
        _tell_findings(job, done, types)
    if job.situation.references and "compare" not in job.intents and job.view == "v0":
        from agent.procedures.knowing import compare

        yield from compare(job)


def _tell_findings(job: Job, done: Done, types: tuple[str, ...]) -> None:
    found = [Place.of(f, label=f["type"], step=done.step) for f in done.result["findings"]]
    strong = [p for p in found if p.score >= 0.5]
    asked = of_type(strong, types) if types else strong
    if LONGEST_FIRST.search(normalise(job.say)):
        asked = sorted(asked, key=lambda p: -p.length)
    elif LARGEST_FIRST.search(normalise(job.say)):
        asked = sorted(asked, key=lambda p: -p.area)
    others = [p for p in strong if p not in asked]
    place = job.word(f"r.{job.slots.region}") if job.slots.region else ""
    if asked:
        job.about.extend(p.id for p in asked if p.id not in job.about)
        job.tell(
            "detect.found",
            step=done.step,
            count=len(asked),
            place=place,
            exact=all(p.label in types for p in asked) or not types,
            types=[job.word(t) for t in types],
            items=[_item(job, p) for p in asked[:SHOWN]],
            more=max(0, len(asked) - SHOWN),
        )
    elif done.result["decided"]:
        job.tell("detect.clean", step=done.step, place=place, types=[job.word(t) for t in types])
    else:
        job.tell("detect.none_undecided", step=done.step, place=place, types=[job.word(t) for t in types])
    if types and others:
        job.tell("detect.others", step=done.step, count=len(others), items=[_item(job, p) for p in others[:SHOWN]])
    weak = [p for p in found if p.score < 0.5]
    if weak:
        job.tell("detect.weak", step=done.step, count=len(weak), items=[_item(job, p) for p in weak[:2]])
    if not done.result["decided"]:
        code, reason = str(done.result["reason_code"]), told(done.result, job.lang)
        job.tell("detect.undecided", step=done.step, code=code, reason=reason)


def _item(job: Job, place: Place) -> dict[str, Any]:
    return {"id": place.id, "type": job.word(place.label), "box": list(place.box), "score": round(place.score, 2)}


def found_ids(job: Job) -> list[str]:
    """Ids of what this turn's search found, strongest first."""
    return [f["id"] for f in job.searched.result.get("findings", ())] if job.searched else []


def judge(job: Job) -> Steps:
    """Hold findings, numbers or differences against limits that were said or are in the criteria file."""
    from agent.procedures.counting import count
    from agent.procedures.measuring import measure_for

    limits = job.slots.limits or (job.situation.criteria.limits if job.situation.criteria else ())
    job.judged = True
    if not limits:
        if "compare" in job.intents or ("detect" in job.intents and job.slots.defects):
            return  # none allowed: the default rule judges the findings
        raise Asks("ask.limit", focus=job.situation.focus.id if job.situation.focus else "")
    limits = in_context(limits, job.situation.measured)
    yield from check_once(job)
    for limit in limits:
        if limit.quantity == "count" and limit.of in DEFECTS:
            yield from search(job)
        elif limit.quantity == "count":
            if not any(d.tool == "count" for d in job.done):
                yield from count(job)
        else:
            yield from measure_for(job, limit)
    job.tell(
        "judge.limits",
        limits=[limit.name for limit in limits],
        revision=next((limit.revision for limit in limits if limit.revision), ""),
    )
