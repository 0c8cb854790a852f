"""Find defects, without samples or by comparison with good ones."""

from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from kenpin.contracts.errors import ToolInputError
from kenpin.contracts.verdict import DefectType
from kenpin.contracts.view import Box, View
from tools.detection.alone import inspect_alone
from tools.detection.kinds import may_be
from tools.detection.outcome import REASONS, Inspection, heat_picture
from tools.detection.outcome import Region as Found
from tools.spec import OnView, Patch, Region, Report, Tool, ToolResult, Workbench, patch

SMALLEST_SIDE = 16
MOST = 40


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


def _result(seen: Inspection, findings: tuple[DetectFinding, ...], asked: frozenset[DefectType]) -> DetectResult:
    matching = tuple(f.id for f in findings if f.asked or not asked)
    return DetectResult(findings=findings, matching=matching, decided=seen.decided, reason=REASONS[seen.code],
                        reason_code=seen.code, mode=seen.mode, samples=seen.samples, score=round(seen.score, 4),
                        surface=seen.surface)


def run(bench: Workbench, args: DetectArgs) -> Report:
    """Search a view or a box of it.

    Raises:
        ToolInputError: No such view, an empty or tiny region, or an unknown defect type.
    """
    asked = asked_types(args.types)
    part = patch(bench, args, minimum=SMALLEST_SIDE)
    seen = inspect_alone(part.pixels)
    regions = seen.regions[:MOST]
    names = bench.fresh("f", len(regions))
    findings = tuple(_finding(r, n, part, asked) for r, n in zip(regions, names, strict=True))
    known = tuple(Region(id=f.id, label=f.type, box=f.box, outline=f.outline, score=f.score, source=part.view.source)
                  for f in findings)
    return Report(result=_result(seen, findings, asked), boxes=tuple(f.box for f in findings), regions=known,
                  evidence=(heat_picture(part.pixels, seen.heat),))


TOOL = Tool(
    name="detect",
    description=("Find defects (scratches, cracks, pits, dents, stains, foreign things, chips) on a view or a box of it. "
                 "Compares with good samples where there are some; otherwise judges plain and evenly textured surfaces "
                 "by their own statistics and says when it cannot decide. Returns boxes, outlines, sizes in px, a guess "
                 "at each type and a score."),
    args=DetectArgs, run=run, version="1")
