"""Procedures that compare, read and look up."""

import re
from collections.abc import Sequence

from agent.language.lexicon import find
from agent.language.normal import normalise
from agent.procedures.core import Asks, Job, Steps
from agent.procedures.numbers import shown
from agent.procedures.places import earlier, grown, named_box
from agent.procedures.searching import SHOWN, _item, check_once
from agent.procedures.situation import Place
from agent.reasons import told


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
        job.tell("compare.unaligned", step=done.step, reason=told(result, job.lang), code=result["reason_code"])
        return
    found = [Place.of(f, label=f["type"], step=done.step) for f in result["findings"]]
    strong = [p for p in found if p.score >= 0.5]
    job.tell(
        "compare.aligned",
        step=done.step,
        turn=shown(result["turn_deg"]),
        dx=shown(result["shift_px"][0]),
        dy=shown(result["shift_px"][1]),
        confidence=round(100 * result["confidence"]),
    )
    if strong:
        job.about.extend(p.id for p in strong if p.id not in job.about)
        job.tell(
            "compare.found",
            step=done.step,
            count=len(strong),
            items=[_item(job, p) for p in strong[:SHOWN]],
            more=max(0, len(strong) - SHOWN),
        )
    else:
        job.tell(
            "compare.same" if result["decided"] else "compare.same_undecided",
            step=done.step,
            reason=told(result, job.lang),
        )
    job.searched = job.searched or done


FIELDS: tuple[tuple[str, str], ...] = (
    ("serial", r"serial|s/?n\b|製造番号|製番|シリアル|機番|個体番号"),
    ("lot", r"lot|batch|ロット"),
    ("part", r"part ?(?:no|number|nr|#)|p/?n\b|品番|部番|型番|型式|model|type no"),
    ("quantity", r"qty|quantity|数量|入数|個数|員数"),
    ("inspected", r"inspect(?:ion|ed)? ?(?:date|on)|検[査查]日"),
    ("made", r"mfg|mfd|manufactur\w*|produc(?:tion|ed)|made on|製造日|製造年月"),
    ("expires", r"exp(?:iry|ires?|iration)?\b|best ?before|use ?by|bbe?\b|賞味|消費期限|有効期限|使用期限|期限"),
    ("weight", r"net ?(?:wt|weight)|weight|重量|内容量"),
    ("rating", r"volt\w*|rated|rating|定格|電圧"),
)
"""What people ask a label for, by words that stand in the question and on the label alike."""
KINDS = {"serial": "serial", "lot": "lot", "date": "date", "code": "code", "number": "number"}


def read(job: Job) -> Steps:
    """Read text or codes; where fields are asked for by name, answer each from the line that carries the name."""
    kinds = [h.name for h in find("text", normalise(job.say)) if h.name in KINDS]
    kind = job.slots.text or "all"
    done = yield from job.call(
        "read_text",
        job.why("read", kind=job.word(f"t.{kind}")),
        view=job.view,
        box=job.area or named_box(job),
        kind=kind,
    )
    if not done.ok:
        return
    lines = [line["text"] for line in done.result["lines"]]
    codes = [code["text"] for code in done.result["codes"]]
    wanted = fields_asked(job.say, lines)
    best = done.result.get("best")
    for _, line in wanted:
        job.tell("read.field", step=done.step, text=line)
    if "code" in kinds and codes:
        job.tell("read.best", step=done.step, kind=job.word("t.code"), text=codes[0])
    elif not wanted and best and kind not in ("all", "label"):
        job.tell("read.best", step=done.step, kind=job.word(f"t.{kind}"), text=best)
    elif not wanted and (lines or codes):
        job.tell(
            "read.lines",
            step=done.step,
            kind=job.word(f"t.{kind}") if kind not in ("all", "label") else "",
            lines=lines[:12],
            codes=codes[:6],
        )
    elif not wanted:
        job.tell("read.nothing", step=done.step)
    elif set(kinds) & {"serial", "lot", "date"} and best and not any(best in line for _, line in wanted):
        job.tell("read.best", step=done.step, kind=job.word(f"t.{kind}"), text=best)


def fields_asked(say: str, lines: Sequence[str]) -> list[tuple[str, str]]:
    """Fields that the instruction names, each with the line that carries its name; a line that ends with the name is
    completed by the next one.

    >>> fields_asked("数量は？", ["品番 KT-1", "数量 120 個"])
    [('quantity', '数量 120 個')]
    """
    asked, found = normalise(say), []
    for name, words in FIELDS:
        pattern = re.compile(rf"(?<![a-z])(?:{words})")
        if not pattern.search(asked):
            continue
        for at, line in enumerate(lines):
            match = pattern.search(normalise(line))
            if match:
                bare = not re.search(r"[0-9a-z]", normalise(line)[match.end() :].strip(" .:：no#"))
                found.append((name, f"{line} {lines[at + 1]}" if bare and at + 1 < len(lines) else line))
                break
    return found


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
    done = yield from job.call(
        "recall",
        job.why("recall", of=place.id if place else ""),
        view="v0",
        of=place.id if place else None,
        box=box,
        words=words,
        k=min(slots.k or 3, 20),
    )
    if not done.ok:
        return
    if place and place.id not in job.about:
        job.about.append(place.id)
    hits = done.result["hits"]
    job.tell(
        "recall.found" if hits else "recall.none",
        step=done.step,
        count=len(hits),
        of=place.id if place else "",
        hits=[{**hit, "defect": job.word(hit["defect_type"])} for hit in hits],
    )


__all__ = ["compare", "grown", "read", "recall"]
