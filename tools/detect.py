"""Find defects, without samples or by comparison with good ones."""

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from kenpin.contracts.errors import ToolInputError
from kenpin.contracts.verdict import DefectType
from kenpin.contracts.view import Box, RgbImage, View
from tools.detection.alone import inspect_alone
from tools.detection.kinds import may_be
from tools.detection.outcome import REASONS, Inspection, heat_picture
from tools.detection.outcome import Region as Found
from tools.detection.taught import inspect_taught
from tools.spec import OnView, Patch, Region, Report, Tool, ToolResult, Workbench, patch

SMALLEST_SIDE = 16
MOST = 40
LEARNT_SIDE = 256
"""Smaller regions are searched together with what is around them, so that there is enough to learn the surface from."""


class DetectArgs(OnView):
    """What to search."""

    types: Annotated[tuple[str, ...], Field(description=(
        "Defect types that were asked for (scratch, crack, pit, dent, stain, burr, chip, missing, foreign, bubble, "
        "corrosion, wear, deform, other-defect). They mark findings and never hide others."))] = ()


class DetectFinding(BaseModel):
    """One region that stands out, in pixels of the original upload."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    type: str
    """A guess at the type, one of `DefectType`."""
    type_score: float
    score: float
    """0 to 1; 0.5 is the tool's own threshold."""
    box: Box
    outline: tuple[tuple[int, int], ...]
    area_px: float
    length_px: float
    width_px: float
    asked: bool
    """True if types were asked for and this region may be of one of them."""


class DetectResult(ToolResult):
    """Findings, strongest first, and whether finding nothing would mean that nothing is there."""

    findings: tuple[DetectFinding, ...]
    matching: tuple[str, ...]
    """Ids of findings that may be of the asked types, look-alikes included; all of them if no type was asked for."""
    decided: bool
    """Whether the findings can be told from the surface's own structure; without findings, the same as `clear`."""
    clear: bool
    """Whether finding nothing, or nothing else, means that nothing else is there. Never true on doubt."""
    doubt: str
    """Why not; empty if it does."""
    doubt_code: str
    reason: str
    reason_code: str
    mode: Literal["none", "few", "good"]
    samples: int
    threshold: float = 0.5
    score: float
    """Of the whole region that was searched."""
    surface: str


def asked_types(names: tuple[str, ...]) -> frozenset[DefectType]:
    """Names to types.

    Raises:
        ToolInputError: A name is not a defect type.
    """
    known = {kind.value: kind for kind in DefectType}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ToolInputError(f"unknown defect type {unknown[0]!r}; known: {', '.join(known)}")
    return frozenset(known[name] for name in names)


@dataclass(frozen=True)
class Subject:
    """What is searched: pixels, where they lie, and which part of them was asked for."""

    part: Patch
    wanted: Box
    """In pixels of `part`; what lies outside was only taken along to learn from."""


def _upright(view: View) -> bool:
    """Whether a view shows its source's own pixels, cut and enlarged only."""
    (_, b, _), (d, _, _), (g, h, _) = view.to_source
    return not view.altered and abs(b) + abs(d) + abs(g) + abs(h) < 1e-9


def subject(bench: Workbench, args: DetectArgs, *, whole: bool) -> Subject:
    """The pixels to search: those of the upload itself wherever a view only cuts or enlarges it.

    Args:
        whole: Take the whole upload, as a comparison with good samples needs it.
    Raises:
        ToolInputError: No such view, or an empty or tiny region.
    """
    part = patch(bench, args, minimum=SMALLEST_SIDE)
    height, width = part.pixels.shape[:2]
    if not _upright(part.view):
        return Subject(part, (0, 0, width, height))
    source = bench.picture(part.view.source)
    x0, y0, x1, y1 = part.box_to_source((0, 0, width, height))
    high, wide = source.pixels.shape[:2]
    if whole:
        frame = (0, 0, wide, high)
    else:
        more = max(0, LEARNT_SIDE - (x1 - x0)) // 2, max(0, LEARNT_SIDE - (y1 - y0)) // 2
        frame = (max(x0 - more[0], 0), max(y0 - more[1], 0), min(x1 + more[0], wide), min(y1 + more[1], high))
    cut = source.pixels[frame[1]:frame[3], frame[0]:frame[2]]
    wanted = (x0 - frame[0], y0 - frame[1], x1 - frame[0], y1 - frame[1])
    return Subject(Patch(view=source.view, pixels=cut, offset=frame[:2]), wanted)


def _wanted(found: Found, box: Box) -> bool:
    """Whether a region lies in the part that was asked for: a third of its box does, or it spans all of that part."""
    wide = min(found.box[2], box[2]) - max(found.box[0], box[0])
    high = min(found.box[3], box[3]) - max(found.box[1], box[1])
    own = (found.box[2] - found.box[0]) * (found.box[3] - found.box[1])
    shared = max(wide, 0) * max(high, 0)
    return shared >= 0.34 * own or shared >= 0.9 * (box[2] - box[0]) * (box[3] - box[1])


def samples_of(bench: Workbench) -> tuple[RgbImage, ...]:
    """Good samples, or else golden samples."""
    return bench.good or tuple(picture.pixels for picture in bench.references)


def inspect(pixels: RgbImage, good: tuple[RgbImage, ...]) -> Inspection:
    """Inspect pixels by comparison with good samples, or without any.

    Args:
        pixels: (H, W, 3) uint8 RGB. Never written to.
        good: Good samples of the same product, (H, W, 3) uint8 RGB; may be empty.
    """
    return inspect_taught(pixels, good) if good else inspect_alone(pixels)


def _px_per_px(view: View, box: Box) -> float:
    """Original pixels per pixel of the view, at the middle of a box."""
    middle = np.array([(box[0] + box[2]) / 2, (box[1] + box[3]) / 2])
    square = view.points_to_source(middle + np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]))
    return float(np.sqrt(abs(np.linalg.det(square[1:] - square[0]))))


def _finding(found: Found, name: str, part: Patch, asked: frozenset[DefectType]) -> DetectFinding:
    step = _px_per_px(part.view, found.box)
    points = np.rint(part.points_to_source(found.outline)).astype(int)
    return DetectFinding(
        id=name, type=found.kind.value, type_score=round(found.kind_score, 3), score=round(found.score, 4),
        box=part.box_to_source(found.box), outline=tuple((int(x), int(y)) for x, y in points),
        area_px=round(found.area * step**2, 1), length_px=round(found.length * step, 1),
        width_px=round(found.width * step, 2), asked=bool(asked) and may_be(found.kind, asked))


def _result(seen: Inspection, findings: tuple[DetectFinding, ...], asked: frozenset[DefectType],
            score: float) -> DetectResult:
    matching = tuple(f.id for f in findings if f.asked or not asked)
    decided = seen.decided if findings else seen.nothing_else
    code = seen.code if decided or not seen.doubt else seen.doubt
    return DetectResult(findings=findings, matching=matching, decided=decided, clear=seen.nothing_else,
                        doubt="" if seen.nothing_else else REASONS[seen.doubt or seen.code],
                        doubt_code="" if seen.nothing_else else seen.doubt or seen.code,
                        reason=REASONS[code], reason_code=code, mode=seen.mode, samples=seen.samples,
                        score=round(score, 4), surface=seen.surface)


def run(bench: Workbench, args: DetectArgs) -> Report:
    """Search a view or a box of it.

    Raises:
        ToolInputError: No such view, an empty or tiny region, or an unknown defect type.
    """
    asked = asked_types(args.types)
    good = samples_of(bench)
    what = subject(bench, args, whole=bool(good))
    seen = inspect(what.part.pixels, good)
    regions = [r for r in seen.regions if _wanted(r, what.wanted)][:MOST]
    names = bench.fresh("f", len(regions))
    findings = tuple(_finding(r, n, what.part, asked) for r, n in zip(regions, names, strict=True))
    known = tuple(Region(id=f.id, label=f.type, box=f.box, outline=f.outline, score=f.score,
                         source=what.part.view.source) for f in findings)
    score = seen.score if len(regions) == len(seen.regions) else max([r.score for r in regions], default=0.0)
    return Report(result=_result(seen, findings, asked, score), boxes=tuple(f.box for f in findings), regions=known,
                  evidence=(heat_picture(what.part.pixels, seen.heat),))


TOOL = Tool(
    name="detect",
    description=("Find defects (scratches, cracks, pits, dents, stains, foreign things, chips) on a view or box. "
                 "Compares with good samples where there are some; otherwise judges plain and evenly textured "
                 "surfaces by their own statistics and says when it cannot decide. Returns boxes, outlines, sizes "
                 "in px, a guess at each type and a score."),
    args=DetectArgs, run=run, version="2")
