"""`count`: how many alike things there are, where each one is, and how sure that is."""

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from kenpin.contracts.errors import ToolInputError
from kenpin.contracts.view import Box, Points, RgbImage, View, clip, enclosing
from tools.counting.alike import by_example
from tools.counting.channels import WORK_AREA, reduced
from tools.counting.items import Item
from tools.counting.nouns import hint
from tools.counting.search import search
from tools.counting.sets import CountSet
from tools.counting.sure import doubts
from tools.counting.trials import look
from tools.counting.upright import Upright, upright
from tools.measuring.markers import find_markers
from tools.measuring.shapes import axis_angle
from tools.spec import OnView, Patch, Region, Report, Tool, ToolResult, Workbench, patch

LEAST_SIDE = 8
SMALL, ENOUGH = 120.0, 400.0
"""Things smaller than the first on the reduced copy, px2, are counted again on a copy on which they have the second:
their outlines are too coarse to tell one from two."""
MOST_AREA = 1_500_000
"""Largest copy, px."""


class CountArgs(OnView):
    """What to count."""

    what: Annotated[str, Field(min_length=1, max_length=80, description=(
        "Noun as the user said it: hole, slot, washer, screw, bottle, coin, pin, tooth, ..."))] = "object"
    example: Annotated[Box | None, Field(description="One of them, original pixels; those alike are counted.")] = None
    polarity: Annotated[Literal["any", "dark", "bright"], Field(
        description="Whether the things are darker or brighter than what is around them.")] = "any"
    touching: Annotated[bool, Field(description="Count things that touch each other one by one.")] = True


class CountItem(BaseModel):
    """One counted thing, original pixels."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    box: Box
    area_px: float
    length_px: float
    width_px: float
    centre: tuple[float, float]
    angle_deg: float
    """Of the long side against the horizontal, counter-clockwise positive."""


class CountGroup(BaseModel):
    """Things of one size."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    count: int
    mean_area_px: float
    ids: tuple[str, ...]


class CountResult(ToolResult):
    """How many there are."""

    what: str
    count: int
    """Things of which at least about half shows."""
    fewest: int
    """So few it may be, where shapes can be read in more than one way; `count` if there is no such doubt."""
    most: int | None
    """So many it may be; None if the picture leaves that open."""
    cut_counted: int = 0
    """Counted things that reach the border of what was looked at."""
    cut_left_out: int = 0
    """Things of which the border leaves less than about half; they are not counted."""
    items: tuple[CountItem, ...] = ()
    """In reading order: rows from the top, each from the left."""
    groups: tuple[CountGroup, ...] = ()
    """By size, the largest first."""
    polarity: str
    """`dark` or `bright` against the background, `colour` or `pattern` if that is what they stand out by, `none`
    if nothing was found."""
    sure: bool
    reason: str
    causes: tuple[str, ...] = ()
    """The same as keys with their figures, `shaky:2`; see `tools.counting.sure.WORDS`."""


def run(bench: Workbench, args: CountArgs) -> Report:
    """Count alike things on a view or in a box of it.

    Raises:
        ToolInputError: No such view, or the box or the example lies outside it.
    """
    part = patch(bench, args, minimum=LEAST_SIDE)
    whole, laid = upright(part.pixels)
    sets, shrink = _sets(part, whole, laid, args, WORK_AREA)
    if shrink < 1 and sets and (small := _area_of(sets[0])) < SMALL:
        again, finer = _sets(part, whole, laid, args, round(min(WORK_AREA * ENOUGH / small, MOST_AREA)))
        sets, shrink = (again, finer) if again else (sets, shrink)
    return _report(bench, args, Frame(part, laid, shrink), sets)


def _sets(part: Patch, whole: RgbImage, laid: Upright, args: CountArgs, area: int) -> tuple[list[CountSet], float]:
    """Sets of alike things on a copy of about `area` pixels, the most convincing first, and the size of that copy."""
    small, shrink = reduced(whole, area)
    wish = hint(args.what)
    skip = () if wish.marks else tuple(_grown(m.box, m.side_px) for m in find_markers(small))
    scene = look(small, polarity=args.polarity, skip=skip)
    if args.example is None:
        return search(scene, hint=wish, touching=args.touching), shrink
    example = _example(part, args.example, laid, shrink)
    return by_example(scene, example, hint=wish, touching=args.touching), shrink


def _area_of(best: CountSet) -> float:
    return float(np.median([item.area for item in best.items]))


@dataclass(frozen=True)
class Frame:
    """The way from the pixels in which things were found back to the original."""

    part: Patch
    laid: Upright
    shrink: float

    def to_source(self, points: Points) -> Points:
        """(N, 2) points of the reduced upright picture in pixels of the original upload."""
        return np.asarray(self.part.points_to_source(self.laid.back(points / self.shrink)), dtype=np.float64)


def _example(part: Patch, example: Box, laid: Upright, shrink: float) -> Box:
    """The example's box in pixels of the reduced upright picture.

    Raises:
        ToolInputError: It lies outside what is looked at.
    """
    height, width = part.pixels.shape[:2]
    inside = part.view.box_from_source(example)
    shift = (*part.offset, *part.offset)
    moved = None if inside is None else clip((inside[0] - shift[0], inside[1] - shift[1], inside[2] - shift[0],
                                              inside[3] - shift[1]), width, height)
    if moved is None:
        raise ToolInputError(f"the example {list(example)} lies outside what is counted in; point at one inside it")
    turned = laid.box_forth(moved)
    return enclosing(np.array([turned[:2], turned[2:]], dtype=np.float64) * shrink)


def _grown(box: Box, side: float) -> Box:
    zone = round(0.3 * side) + 2
    return (box[0] - zone, box[1] - zone, box[2] + zone, box[3] + zone)


def _report(bench: Workbench, args: CountArgs, frame: Frame, sets: list[CountSet]) -> Report:
    best = sets[0] if sets else None
    found = _reading_order([_placed(item, frame) for item in best.items] if best else [])
    ids = bench.fresh("o", len(found))
    items = tuple(item.model_copy(update={"id": name}) for (item, _), name in zip(found, ids, strict=True))
    view = frame.part.view
    cut = sum(_at_border(item.box, view) for item in items)
    doubt = doubts(best, sets, pointed=args.example is not None)
    result = CountResult(what=args.what, count=len(items), fewest=doubt.fewest, most=doubt.most, items=items,
                         cut_counted=cut, cut_left_out=best.cut if best else 0, groups=_groups(list(items)),
                         polarity=_polarity(best), sure=doubt.sure, reason=doubt.reason,
                         causes=doubt.causes)
    regions = tuple(Region(id=item.id, label=args.what, box=item.box, outline=outline, source=view.source)
                    for item, (_, outline) in zip(items, found, strict=True))
    return Report(result=result, boxes=tuple(item.box for item in items), regions=regions)


def _at_border(box: Box, view: View) -> bool:
    """Whether a box reaches the border of what the view shows."""
    x0, y0, x1, y1 = view.place()
    return box[0] <= x0 or box[1] <= y0 or box[2] >= x1 or box[3] >= y1


def _polarity(best: CountSet | None) -> str:
    if best is None:
        return "none"
    if best.layer in ("colour", "tint", "colours"):
        return "colour"
    return "pattern" if best.layer == "pattern" else "dark" if best.dark else "bright"


Placed = tuple[CountItem, tuple[tuple[int, int], ...]]
"""A counted thing without its id, and its outline, both in original pixels."""


def _placed(item: Item, frame: Frame) -> Placed:
    """An item in original pixels, with its outline."""
    flat: Points = item.contour.reshape(-1, 2).astype(np.float64)
    grown = frame.to_source(np.vstack([flat, flat + 1]))
    outline = frame.to_source(flat[:: max(1, len(flat) // 40)] + 0.5)
    turn = np.radians(item.angle_deg)
    centre = np.array(item.centre)
    heading = np.array([np.cos(turn), -np.sin(turn)])
    arms = frame.to_source(np.array([centre, centre + heading]))
    scale = float(np.linalg.norm(arms[1] - arms[0]))
    box = enclosing(grown)
    box = clip(box, 1 << 30, 1 << 30) or box
    found = CountItem(id="", box=box, area_px=item.area * scale**2, length_px=item.length * scale,
                      width_px=item.width * scale, centre=(float(arms[0][0]), float(arms[0][1])),
                      angle_deg=axis_angle(arms[1] - arms[0]))
    return found, tuple((round(float(x)), round(float(y))) for x, y in outline)


def _reading_order(left: list[Placed]) -> list[Placed]:
    """Rows from the top, each from the left; things whose heights overlap by half stand in one row."""
    left = sorted(left, key=lambda placed: (placed[0].centre[1], placed[0].centre[0]))
    ordered: list[Placed] = []
    while left:
        first = left[0][0]
        height = first.box[3] - first.box[1]
        row = [one for one in left if one[0].centre[1] - first.centre[1]
               < 0.6 * max(height, one[0].box[3] - one[0].box[1])]
        ordered += sorted(row, key=lambda placed: (placed[0].centre[0], placed[0].centre[1]))
        left = [one for one in left if not any(one is other for other in row)]
    return ordered


def _groups(items: list[CountItem]) -> tuple[CountGroup, ...]:
    """Cut the sorted areas where one is more than 1.35 times the one before."""
    ordered = sorted(items, key=lambda item: -item.area_px)
    groups: list[list[CountItem]] = []
    for item in ordered:
        if groups and groups[-1][-1].area_px < 1.35 * item.area_px:
            groups[-1].append(item)
        else:
            groups.append([item])
    return tuple(CountGroup(count=len(g), mean_area_px=float(np.mean([i.area_px for i in g])),
                            ids=tuple(i.id for i in g)) for g in groups)


TOOL = Tool(
    name="count", version="2", args=CountArgs, run=run,
    description="Count alike things: holes, slots, washers, screws, coins, pins, bottles, teeth. Splits touching ones. "
                "Give an example box if several kinds of things are there. Returns the count, each thing with box, "
                "size and an id (o1, o2, ...) to measure it by, sizes in groups, and whether the count is sure.")
