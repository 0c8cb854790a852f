"""`count`: how many alike things there are, where each one is, and how sure that is."""

from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from kenpin.contracts.errors import ToolInputError
from kenpin.contracts.view import Box, Points, clip, enclosing
from tools.counting.alike import by_example
from tools.counting.channels import reduced
from tools.counting.items import Item
from tools.counting.nouns import hint
from tools.counting.search import search
from tools.counting.sets import CountSet
from tools.counting.trials import look
from tools.measuring.markers import find_markers
from tools.measuring.shapes import axis_angle
from tools.spec import OnView, Patch, Region, Report, Tool, ToolResult, Workbench, patch

LEAST_SIDE = 8


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
    items: tuple[CountItem, ...] = ()
    """In reading order: rows from the top, each from the left."""
    groups: tuple[CountGroup, ...] = ()
    """By size, the largest first."""
    polarity: str
    """`dark` or `bright` against the background, `colour` or `pattern` if that is what they stand out by, `none`
    if nothing was found."""
    sure: bool
    reason: str


def run(bench: Workbench, args: CountArgs) -> Report:
    """Count alike things on a view or in a box of it.

    Raises:
        ToolInputError: No such view, or the box or the example lies outside it.
    """
    part = patch(bench, args, minimum=LEAST_SIDE)
    small, shrink = reduced(part.pixels)
    wish = hint(args.what)
    skip = () if wish.marks else tuple(_grown(m.box, m.side_px) for m in find_markers(small))
    scene = look(small, polarity=args.polarity, skip=skip)
    if args.example is None:
        sets = search(scene, hint=wish, touching=args.touching)
    else:
        sets = by_example(scene, _example(part, args.example, shrink), hint=wish, touching=args.touching)
    best = sets[0] if sets else None
    return _report(bench, args, part, best, sets, shrink)


def _example(part: Patch, example: Box, shrink: float) -> Box:
    """The example's box in pixels of the reduced picture.

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
    return enclosing(np.array([moved[:2], moved[2:]], dtype=np.float64) * shrink)


def _grown(box: Box, side: float) -> Box:
    zone = round(0.3 * side) + 2
    return (box[0] - zone, box[1] - zone, box[2] + zone, box[3] + zone)


def _report(bench: Workbench, args: CountArgs, part: Patch, best: CountSet | None, sets: list[CountSet],
            shrink: float) -> Report:
    items = _reading_order(list(best.items)) if best else []
    ids = bench.fresh("o", len(items))
    placed = [_placed(item, name, part, shrink) for item, name in zip(items, ids, strict=True)]
    sure, reason = _how_sure(best, sets)
    polarity = _polarity(best)
    result = CountResult(what=args.what, count=len(items), items=tuple(item for item, _ in placed),
                         groups=_groups([item for item, _ in placed]), polarity=polarity, sure=sure, reason=reason)
    regions = tuple(Region(id=item.id, label=args.what, box=item.box, outline=outline, source=part.view.source)
                    for item, outline in placed)
    return Report(result=result, boxes=tuple(item.box for item, _ in placed), regions=regions)


def _polarity(best: CountSet | None) -> str:
    if best is None:
        return "none"
    if best.layer in ("colour", "tint", "colours"):
        return "colour"
    return "pattern" if best.layer == "pattern" else "dark" if best.dark else "bright"


def _placed(item: Item, name: str, part: Patch, shrink: float) -> tuple[CountItem, tuple[tuple[int, int], ...]]:
    """An item in original pixels, with its outline."""
    flat: Points = item.contour.reshape(-1, 2).astype(np.float64)
    grown: Points = part.points_to_source(np.vstack([flat, flat + 1]) / shrink)
    outline = part.points_to_source((flat[:: max(1, len(flat) // 40)] + 0.5) / shrink)
    turn = np.radians(item.angle_deg)
    centre = np.array(item.centre)
    heading = np.array([np.cos(turn), -np.sin(turn)])
    ends = np.array([centre, centre + heading])
    arms = part.points_to_source(ends / shrink)
    scale = float(np.linalg.norm(arms[1] - arms[0]))
    angle = axis_angle(arms[1] - arms[0])
    box = enclosing(grown)
    box = clip(box, 1 << 30, 1 << 30) or box
    found = CountItem(id=name, box=box, area_px=item.area * scale**2, length_px=item.length * scale,
                      width_px=item.width * scale, centre=(float(arms[0][0]), float(arms[0][1])), angle_deg=angle)
    return found, tuple((round(float(x)), round(float(y))) for x, y in outline)


def _reading_order(items: list[Item]) -> list[Item]:
    """Rows from the top, each from the left; things whose heights overlap by half stand in one row."""
    left = sorted(items, key=lambda item: item.centre[1])
    ordered: list[Item] = []
    while left:
        first = left[0]
        height = first.box[3] - first.box[1]
        row = [item for item in left if item.centre[1] - first.centre[1] < 0.6 * max(height, item.box[3] - item.box[1])]
        ordered += sorted(row, key=lambda item: item.centre[0])
        left = [item for item in left if not any(item is other for other in row)]
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


def _how_sure(best: CountSet | None, sets: list[CountSet]) -> tuple[bool, str]:
    """Whether the count can be relied on, and why."""
    if best is None:
        return False, "nothing stands out from the background clearly enough to be counted"
    count = len(best.items)
    doubts = []
    if best.sharpness < 0.7:
        doubts.append("their edges are not much clearer than the texture of the surface")
    if count == 1:
        doubts.append("only one was found, so nothing shows what belongs to the count")
    elif max(len(family.items) for family in best.families) < 2:
        doubts.append("no two of them are alike")
    if best.leftover > 0.3 * count:
        doubts.append(f"{best.leftover} other shapes stand out that were not counted")
    if best.purity < 0.7:
        doubts.append("much else stands out as well")
    others = {len(other.items) for other in sets[1:] if other.score > 0.93 * best.score and len(other.items) != count}
    if others:
        doubts.append(f"other ways to see the picture give {', '.join(str(n) for n in sorted(others))}")
    if best.cut:
        doubts.append(f"{best.cut} more are cut off by the border and were not counted")
    if doubts:
        return False, "; ".join(doubts)
    return True, f"{count} alike things with clear edges, the same at every threshold tried"


TOOL = Tool(
    name="count", version="1", args=CountArgs, run=run,
    description="Count alike things: holes, slots, washers, screws, coins, pins, bottles, teeth. Splits touching ones. "
                "Give an example box if several kinds of things are there. Returns the count, each thing with box, "
                "size and an id (o1, o2, ...) to measure it by, sizes in groups, and whether the count is sure.")
