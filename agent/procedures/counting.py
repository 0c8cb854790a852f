"""Procedure that counts."""

from agent.procedures.core import Job, Steps
from agent.procedures.places import named_box, of_type
from agent.procedures.searching import check_once, found_ids, search
from agent.reasons import told


def count(job: Job) -> Steps:
    """Count defects by a search, anything else by its shape."""
    slots = job.slots
    if slots.defects and not slots.objects:
        yield from search(job)
        if job.searched and job.searched.ok:
            found = of_type([job.regions()[i] for i in found_ids(job) if job.regions()[i].score >= 0.5], slots.defects)
            job.tell(
                "count.defects", step=job.searched.step, count=len(found), types=[job.word(t) for t in slots.defects]
            )
        return
    if slots.back and job.situation.findings and not slots.objects and not slots.nouns:
        last = job.situation.findings
        job.tell("count.earlier", step=last[0].step or 0, count=len(last))
        return
    what = slots.objects[0] if slots.objects else (slots.nouns[0] if slots.nouns else "object")
    shown_what = slots.nouns[0] if slots.nouns else job.word("object")
    if job.slots.limits:
        yield from check_once(job)
    done = yield from job.call(
        "count", job.why("count", what=shown_what), view=job.view, box=job.area or named_box(job), what=what
    )
    if done.ok:
        job.tell(
            "count.done",
            step=done.step,
            count=done.result["count"],
            what=shown_what,
            sure=done.result["sure"],
            reason=told(done.result, job.lang),
            fewest=done.result["fewest"],
            most=done.result["most"],
            cut=done.result["cut_counted"],
        )
