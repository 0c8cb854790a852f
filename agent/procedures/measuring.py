"""Procedures that measure."""

import re
from collections.abc import Generator

from agent.language.lexicon import find
from agent.language.normal import normalise
from agent.procedures.core import Asks, Done, Job, Need, Steps
from agent.procedures.looking import objects
from agent.procedures.numbers import shown, unit_word
from agent.procedures.places import earlier, inside, named_box, named_points, of_type, picked
from agent.procedures.scaling import clear_of_scale, scaled, set_scale
from agent.procedures.searching import DEFECTS, check_once, found_ids, search
from agent.procedures.situation import Place
from kenpin.contracts.verdict import Criterion

MOST = 8
"""Things measured in one turn at the most; the longest come first."""
ROUND = frozenset({"hole", "washer", "pill", "cap", "screw", "bottle"})
WHOLE = re.compile(
    r"\b(?:outer|outside|overall|total|opening|included|bend(?:ing)?) |\bod\b|"
    r"外径|外形|外寸|全長|全幅|全高|なす角|開き角|曲げ角|曲がり角"
)
"""Words that mean the part as a whole although nothing is named."""
TILT = re.compile(
    r"tilt|slant|slop|crooked|level|horizontal|vertical|skew|lean|turned|rotat|傾|かたむ|斜め|ななめ|水平|垂直|回転"
)
"""Words that mean the angle against the horizontal, not that between two sides."""
METRIC = frozenset({"mm", "um", "cm", "inch", "mm2"})


def measure(job: Job) -> Steps:
    """Measure what the instruction names, after setting the scale that it states."""
    yield from set_scale(job)
    if points := named_points(job):
        yield from _between_points(job, points)
        return
    quantities = job.slots.quantities or _usual(job)
    if not quantities:
        raise Asks("ask.quantity")
    for quantity in quantities:
        if quantity in ("pitch", "distance"):
            yield from _apart(job, quantity)
        else:
            yield from _each(job, quantity)
    _mm_wanted(job)


def _between_points(job: Job, points: tuple[tuple[float, float], ...]) -> Steps:
    """The distance between two said points, unless they were what the scale came from."""
    if not any(d.tool == "calibrate" and d.args.get("points") for d in job.done):
        done = yield from job.call(
            "measure",
            job.why("distance", a=str(points[0]), b=str(points[1])),
            view="v0",
            quantity="distance",
            points=points,
            unit=_unit(job),
        )
        _tell(job, done, None)
        _mm_wanted(job)
        return
    for quantity in job.slots.quantities:
        yield from (_apart(job, quantity) if quantity in ("pitch", "distance") else _each(job, quantity))


def measure_for(job: Job, limit: Criterion) -> Steps:
    """Measure everything that a limit speaks of."""
    yield from set_scale(job)
    if limit.unit in ("mm", "mm2") and not scaled(job):
        raise Asks("ask.scale_for_limit", limit=limit.name)
    wanted = (limit.of,) if limit.of in DEFECTS else ()
    if wanted and not _already(job, limit.quantity):
        if not job.situation.findings or not job.slots.back:
            yield from search(job)
        pool = [job.regions()[i] for i in found_ids(job)] if job.searched else earlier(job)
        # A look-alike counts too: a scratch that the detector calls a crack is held against the scratch's limit.
        chosen = of_type([p for p in pool if p.score >= 0.5], wanted)
        for place in sorted(chosen, key=lambda p: -p.length)[:MOST]:
            yield from _one(job, limit.quantity, place)
    elif not _already(job, limit.quantity):
        if limit.quantity in ("pitch", "distance"):
            yield from _apart(job, limit.quantity)
        else:
            yield from _each(job, limit.quantity)


def _already(job: Job, quantity: str) -> bool:
    return any(d.tool == "measure" and d.ok and d.result["quantity"] == quantity for d in job.done)


def _usual(job: Job) -> tuple[str, ...]:
    """The quantity that "measure the hole" or "how big is it" means, or the one of the last measurement."""
    if limits := job.slots.limits:
        return tuple(dict.fromkeys(limit.quantity for limit in limits if limit.quantity != "count"))
    if job.slots.pick in ("longest", "shortest"):
        return ("length",)
    if job.slots.pick in ("widest", "narrowest"):
        return ("width",)
    if (measured := job.situation.measured) and not job.slots.objects:
        return (str(measured["result"]["quantity"]),)
    if set(job.slots.objects) & ROUND or set(job.slots.defects) & {"pit", "bubble"}:
        return ("diameter",)
    if job.slots.defects or job.slots.objects or job.slots.box or (job.slots.back and job.situation.findings):
        return ("length",)
    return ()


def _each(job: Job, quantity: str) -> Steps:
    """Measure one quantity of each thing that is meant."""
    places = yield from _meant(job)
    if places is None:
        box = job.area or named_box(job) or clear_of_scale(job)
        sides = "sides" if quantity == "angle" and not TILT.search(normalise(job.say)) else None
        done = yield from job.call(
            "measure",
            job.why("measure", quantity=job.word(quantity), of=""),
            view="v0",
            box=box,
            quantity=quantity,
            unit=_unit(job),
            between=sides,
        )
        _tell(job, done, None)
        return
    keyed = {"length": lambda p: -p.length, "width": lambda p: -p.width}.get(quantity, lambda p: -p.area)
    if job.slots.pick in ("longest", "shortest", "widest", "narrowest", "largest", "smallest"):
        yield from _extreme(job, quantity, places)
        return
    for place in (places if job.slots.pick == "each" else sorted(places, key=keyed) if len(places) > 1 else places)[
        : _cap(job, places)
    ]:
        yield from _one(job, quantity, place)


def _cap(job: Job, places: list[Place]) -> int:
    if job.slots.pick == "each" or job.slots.limits or all(p.label in DEFECTS for p in places):
        return MOST
    return MOST if len(places) <= MOST else 1


def _extreme(job: Job, quantity: str, places: list[Place]) -> Steps:
    """Find the longest (shortest, ...) by measuring, not by the rough sizes of the search."""
    small = job.slots.pick in ("shortest", "narrowest", "smallest")
    rough = sorted(places, key=lambda p: p.length if small else -p.length)[:4]
    taken: list[tuple[float, Place, Done]] = []
    for place in rough:
        done = yield from job.call(
            "measure",
            job.why("measure", quantity=job.word(quantity), of=f"{place.id} {job.word(place.label)}"),
            view="v0",
            quantity=quantity,
            of=place.id,
            unit=_unit(job),
        )
        if done.ok:
            taken.append((float(done.result["value"]), place, done))
    if not taken:
        return
    _, place, done = (min if small else max)(taken, key=lambda entry: entry[0])
    job.about.insert(0, place.id)
    _tell(job, done, place, pick=job.slots.pick or "")


def _one(job: Job, quantity: str, place: Place) -> Steps:
    if place.id not in job.about:
        job.about.append(place.id)
    done = yield from job.call(
        "measure",
        job.why("measure", quantity=job.word(quantity), of=f"{place.id} {job.word(place.label)}"),
        view="v0",
        quantity=quantity,
        of=place.id,
        unit=_unit(job),
    )
    _tell(job, done, place)


def _meant(job: Job) -> Generator[Need, Done, list[Place] | None]:
    """The things to measure: found in this turn, pointed back to, searched for now; None is the named place itself."""
    slots, situation = job.slots, job.situation
    if job.searched is not None and not (slots.objects and not slots.defects):
        places = of_type([job.regions()[i] for i in found_ids(job)], slots.defects)
        return _or_ask(job, picked(places, slots.pick if slots.pick not in _EXTREMES else None))
    pointed = situation.findings and (slots.back or slots.pick or slots.defects) and not slots.objects
    if pointed and (found := earlier(job)):
        return found
    if slots.defects:
        yield from check_once(job)
        yield from search(job)
        places = inside(of_type([job.regions()[i] for i in found_ids(job)], slots.defects), named_box(job))
        strong = [p for p in places if p.score >= 0.5] or places
        return _or_ask(job, picked(strong, slots.pick if slots.pick not in _EXTREMES else None))
    if counted := [
        p
        for d in job.done
        if d.tool == "count" and d.ok
        for p in (Place.of(i, label=d.result["what"], step=d.step) for i in d.result["items"])
    ]:
        return picked(counted, slots.pick if slots.pick not in _EXTREMES else None)
    if slots.objects and slots.objects[0] not in ("part", "gap", "edge", "bracket") and "angle" not in slots.quantities:
        places = yield from _objects(job)
        return _or_ask(job, places)
    if slots.objects or slots.nouns or slots.box or slots.region or WHOLE.search(normalise(job.say)):
        return None
    if situation.findings or situation.focus:
        found = earlier(job) or ([situation.focus] if situation.focus else [])
        if found:
            return found
    raise Asks("ask.target")


_EXTREMES = ("longest", "shortest", "widest", "narrowest", "largest", "smallest")


def _objects(job: Job, *, every: bool = False) -> Generator[Need, Done, list[Place]]:
    """Objects of the named kind; the extremes are left to measuring."""
    keep = job.slots.pick
    if every or keep in _EXTREMES:
        job.slots = job.slots.model_copy(update={"pick": None})
    places = yield from objects(job)
    job.slots = job.slots.model_copy(update={"pick": keep})
    return places


def _or_ask(job: Job, places: list[Place]) -> list[Place]:
    if not places:
        names = [job.word(t) for t in job.slots.defects] or list(job.slots.nouns)
        raise Asks("ask.nothing_to_measure", names=names, step=job.done[-1].step if job.done else 0)
    return places


def _apart(job: Job, quantity: str) -> Steps:
    """Distance between two things, or the pitch of a row of them."""
    slots = job.slots
    if slots.defects and not slots.objects:
        meant = yield from _meant(job)
        places = sorted(meant or [], key=lambda p: -p.score)[:2]
    elif job.situation.findings and slots.back and not slots.objects:
        places = job.situation.findings[:2]
    elif slots.objects and slots.objects[0] in ("gap", "edge"):
        done = yield from job.call(
            "measure",
            job.why("measure", quantity=job.word("width"), of=slots.nouns[0]),
            view="v0",
            box=job.area or named_box(job),
            quantity="width",
            unit=_unit(job),
        )
        _tell(job, done, None)
        return
    elif slots.objects or slots.nouns:
        places = yield from _objects(job, every=True)
    else:
        raise Asks("ask.two_things")
    if len(places) < 2:
        raise Asks("ask.two_things")
    if quantity == "pitch" and len(places) > 2:
        done = yield from job.call(
            "measure",
            job.why("measure", quantity=job.word("pitch"), of=job.word(places[0].label)),
            view="v0",
            quantity="pitch",
            unit=_unit(job),
        )
    else:
        a, b = _pair(job, places)
        edges = (
            "edges"
            if any(w in job.say.lower() for w in ("edge to edge", "gap between", "clearance", "端から端", "隙間"))
            else "centres"
        )
        done = yield from job.call(
            "measure",
            job.why("distance", a=a.id, b=b.id),
            view="v0",
            quantity="distance",
            of=a.id,
            to=b.id,
            between=edges,
            unit=_unit(job),
        )
    _tell(job, done, None)


def _pair(job: Job, places: list[Place]) -> tuple[Place, Place]:
    """The two that the instruction names ("first to third"), else the first two in reading order."""
    named = [
        found[0] for hit in find("pick", normalise(job.say)) if (found := picked(places, hit.name)) and len(found) == 1
    ]
    chosen = list(dict.fromkeys(named))
    return (chosen[0], chosen[1]) if len(chosen) >= 2 else (places[0], places[1])


def _unit(job: Job) -> str:
    if job.slots.unit in ("px", "px2"):
        return "px"
    return "auto"


def _mm_wanted(job: Job) -> None:
    """Millimetres were asked for and there is no scale: the pixels stand, and the scale is asked for."""
    if job.slots.unit in METRIC and not scaled(job):
        last = next((d for d in reversed(job.done) if d.tool == "measure" and d.ok), None)
        raise Asks("ask.scale", step=last.step if last else 0)


def _tell(job: Job, done: Done, place: Place | None, *, pick: str = "") -> None:
    if not done.ok:
        return
    r = done.result
    label = job.word(place.label) if place else (job.slots.nouns[0] if job.slots.nouns else "")
    job.tell(
        "measure.value",
        step=done.step,
        quantity=job.word(r["quantity"]),
        value=shown(r["value"]),
        unit=unit_word(r["unit"]),
        uncertainty=shown(r["uncertainty"]) if r.get("uncertainty") is not None else "",
        id=place.id if place else "",
        label=label,
        pick=job.word(f"p.{pick}") if pick else "",
        note=r.get("note") or "",
    )
    if job.slots.unit in ("um", "cm", "inch") and r["unit"] == "mm":
        factor = {"um": 1000.0, "cm": 0.1, "inch": 1 / 25.4}[job.slots.unit]
        job.tell(
            "measure.convert",
            value=shown(r["value"]),
            other=shown(r["value"] * factor),
            unit={"um": "µm"}.get(job.slots.unit, job.slots.unit),
        )
