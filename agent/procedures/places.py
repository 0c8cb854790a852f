"""From words to places: regions of the picture, findings by rank, things that an earlier turn spoke of."""

import re
import unicodedata
from collections.abc import Iterable, Sequence

from agent.language.normal import normalise
from agent.procedures.core import Asks, Job
from agent.procedures.situation import Box, Place

LOOKALIKES: tuple[frozenset[str], ...] = (
    frozenset({"scratch", "crack", "wear", "chip"}),
    frozenset({"pit", "bubble", "dent", "stain", "corrosion", "foreign", "chip", "other-defect"}),
    frozenset({"stain", "dent", "deform", "foreign", "corrosion", "wear", "other-defect"}),
    frozenset({"missing", "chip", "deform", "foreign", "other-defect"}),
)
"""Types that a tool cannot always tell apart; a finding of one may be what the user calls by the name of another."""

ORDINALS = {"first": 0, "second": 1, "third": 2, "fourth": 3, "last": -1}
POINTS = re.compile(
    r"\(\s?(\d+(?:\.\d+)?)\s?,\s?(\d+(?:\.\d+)?)\s?\)\D{1,12}\(\s?(\d+(?:\.\d+)?)\s?,\s?(\d+(?:\.\d+)?)\s?\)"
)
THIRD = re.compile(r"\bthird(?! (?:one|finding|defect|scratch|hole))|1/3|三分の一|3分の1")


def named_box(job: Job) -> Box | None:
    """The box or the part of the picture that the instruction names, in original pixels."""
    width, height = job.situation.width, job.situation.height
    if job.slots.box:
        x0, y0, x1, y1 = job.slots.box
        box = (max(0, x0), max(0, y0), min(width, x1), min(height, y1))
        if box[0] >= box[2] or box[1] >= box[3]:
            raise Asks("ask.box_outside", box=list(job.slots.box), width=width, height=height)
        return box
    return (
        region_box(job.slots.region, width, height, third=bool(THIRD.search(normalise(job.say))))
        if job.slots.region
        else None
    )


def named_points(job: Job) -> tuple[tuple[float, float], ...]:
    """Two points that the instruction gives as (x, y) to (x, y), original pixels; empty if it gives none.

    Raises:
        Asks: One of them lies outside the picture.
    """
    match = POINTS.search(widened(job.say))
    if match is None:
        return ()
    x0, y0, x1, y1 = map(float, match.groups())
    if max(x0, x1) > job.situation.width or max(y0, y1) > job.situation.height:
        raise Asks("ask.box_outside", box=[x0, y0, x1, y1], width=job.situation.width, height=job.situation.height)
    return ((x0, y0), (x1, y1))


def widened(text: str) -> str:
    """Full-width digits and brackets as ASCII; commas stay, since here they separate x from y."""
    return unicodedata.normalize("NFKC", text).lower()


def beside(box: Box, width: int, height: int) -> Box:
    """The largest part of a picture beside a box: left or right of it, above or below it."""
    x0, y0, x1, y1 = box
    parts = [(0, 0, x0, height), (x1, 0, width, height), (0, 0, width, y0), (0, y1, width, height)]
    return max(parts, key=lambda b: max(0, b[2] - b[0]) * max(0, b[3] - b[1]))


def region_box(region: str, width: int, height: int, *, third: bool = False) -> Box:
    """A named part of a picture as a box: halves, quarters, or the middle half.

    >>> region_box("lower left", 800, 600)
    (0, 300, 400, 600)
    """
    share = 1 / 3 if third else 1 / 2
    x0, y0, x1, y1 = 0.0, 0.0, 1.0, 1.0
    if region == "centre":
        x0, y0, x1, y1 = 0.25, 0.25, 0.75, 0.75
    if "left" in region:
        x1 = share
    if "right" in region:
        x0 = 1 - share
    if "upper" in region:
        y1 = share
    if "lower" in region:
        y0 = 1 - share
    return (round(x0 * width), round(y0 * height), round(x1 * width), round(y1 * height))


def of_type(places: Iterable[Place], wanted: Sequence[str]) -> list[Place]:
    """Places of the wanted types; if there is none, those that are easily mistaken for them."""
    pool = list(places)
    exact = [p for p in pool if p.label in wanted]
    if exact or not wanted:
        return exact if wanted else pool
    alike = set().union(*(group for group in LOOKALIKES if group & set(wanted)))
    return [p for p in pool if p.label in alike]


def picked(places: Sequence[Place], pick: str | None) -> list[Place]:
    """The one that a word such as "longest" or "second" picks, or all for "each"."""
    if not places:
        return []
    if pick in ORDINALS:
        at = ORDINALS[pick]
        return [places[at]] if -len(places) <= at < len(places) else []
    keys = {
        "largest": lambda p: -p.area,
        "smallest": lambda p: p.area,
        "longest": lambda p: -p.length,
        "shortest": lambda p: p.length,
        "widest": lambda p: -p.width,
        "narrowest": lambda p: p.width,
        "worst": lambda p: (-p.score, -p.area),
        "leftmost": lambda p: p.box[0] + p.box[2],
        "rightmost": lambda p: -(p.box[0] + p.box[2]),
        "topmost": lambda p: p.box[1] + p.box[3],
        "bottommost": lambda p: -(p.box[1] + p.box[3]),
    }
    if pick in keys:
        return [min(places, key=keys[pick])]
    return list(places)


def inside(places: Iterable[Place], box: Box | None) -> list[Place]:
    """Places whose centre lies in a box."""
    if box is None:
        return list(places)
    return [
        p
        for p in places
        if box[0] <= (p.box[0] + p.box[2]) / 2 < box[2] and box[1] <= (p.box[1] + p.box[3]) / 2 < box[3]
    ]


def earlier(job: Job) -> list[Place]:
    """What "it", "the second one" or "the longest" means among earlier findings; empty if there are none."""
    slots, found = job.slots, job.situation.listed
    pool = of_type(inside(found, named_box(job)), slots.defects) if (slots.defects or slots.region) else found
    if slots.pick == "second" and job.situation.focus and "other" in normalise(job.say) and len(found) == 2:
        return [p for p in found if p.id != job.situation.focus.id]
    if slots.pick:
        return picked(pool, slots.pick)
    if slots.defects or slots.region:
        return pool
    focus = job.situation.focus
    return [focus] if focus else []


def grown(box: Box, width: int, height: int, *, share: float = 0.35, least: int = 24) -> Box:
    """A box with surroundings, so that a defect is seen in its place."""
    margin_x = max(least, round((box[2] - box[0]) * share))
    margin_y = max(least, round((box[3] - box[1]) * share))
    return (
        max(0, box[0] - margin_x),
        max(0, box[1] - margin_y),
        min(width, box[2] + margin_x),
        min(height, box[3] + margin_y),
    )
