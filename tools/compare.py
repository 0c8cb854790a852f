"""Compare a picture with one or several golden samples."""

from typing import Annotated

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from kenpin.contracts.errors import ToolInputError
from kenpin.contracts.verdict import DefectType
from kenpin.contracts.view import Box, RgbImage
from tools.comparing.changes import Change, ChangeKind, outline
from tools.comparing.frames import Homography, shifted
from tools.comparing.together import Compared, ReasonCode, compare, surviving
from tools.spec import OnView, Patch, Picture, Region, Report, Tool, ToolResult, Workbench, patch

MOST = 60
"""Findings reported, strongest first; with more the part does not need a list any more."""
SHOWN_SIDE = 1280
"""Longer side of the difference picture, px."""


class CompareArgs(OnView):
    """What to compare with."""

    reference: Annotated[str | None, Field(description=(
        "Id of the view to compare with; null compares with every golden sample."))] = None
    tolerance_px: Annotated[float | None, Field(ge=0, le=20, description=(
        "Edges may lie this many pixels from where the reference has them; null is about one."))] = None


class CompareFinding(ToolResult):
    """One region that differs from every golden sample."""

    id: str
    type: DefectType
    type_score: float
    """0 to 1, how well the guess of the type fits."""
    change: ChangeKind
    """`missing`: the reference has something there and the picture does not. `added`: the other way round. `changed`:
    both have something. On black and white patterns what it does to the conductors: `open`, `short`, `mousebite`,
    `spur`, `copper`, `pin-hole`."""
    score: float
    """0 to 1; 0.5 is the threshold."""
    box: Box
    outline: tuple[tuple[int, int], ...]
    """Around the region, original pixels."""
    area_px: float
    """Of the region, original pixels."""


class CompareResult(ToolResult):
    """How the reference lies in the picture, and what differs."""

    aligned: bool
    confidence: float
    """0 to 1, how sure the alignment is."""
    reference: str | None
    """Id of the golden sample that fits best; None if none fits."""
    references: tuple[str, ...]
    """Ids of those that were aligned. A finding differs from each of them."""
    shift_px: tuple[float, float]
    """Of the reference's middle, right and down, px of the picture."""
    turn_deg: float
    """Clockwise."""
    scale: float
    residual_px: float
    """How far matched points are still apart, median."""
    shared: float
    """Share of the picture that the reference shows; what lies outside cannot be compared."""
    findings: tuple[CompareFinding, ...]
    decided: bool
    """Whether the absence of findings would mean that nothing differs."""
    reason: str
    reason_code: ReasonCode


REASONS: dict[ReasonCode, str] = {
    "aligned": "the picture was laid over the golden sample",
    "turned": "the picture fits the golden sample, but lies turned against it by more than 45 degrees, upside down "
              "perhaps; whether it may lie like that is for a person to say",
    "not_aligned": "the picture could not be laid over the golden sample; it shows another product, another side, or "
                   "too little structure to tell",
    "little_shared": "the golden sample shows too little of what the picture shows",
    "differs_everywhere": "the picture differs from the golden sample nearly everywhere",
}


def _golden(bench: Workbench, args: CompareArgs) -> list[Picture]:
    if args.reference is not None:
        picture = bench.picture(args.reference)
        if picture.view.id == args.view:
            raise ToolInputError(f"view {args.view} cannot be compared with itself; name a golden sample")
        return [picture]
    if not bench.references:
        raise ToolInputError("there is no reference picture; give a golden sample")
    return list(bench.references)


def _place(part: Patch) -> Homography:
    """From pixels of the upload to pixels of the patch, pixel centres."""
    to_source = np.asarray(part.view.to_source, np.float64) @ np.asarray(part.to_parent, np.float64)
    half = shifted(0.5, 0.5)
    return np.asarray(np.linalg.inv(np.linalg.inv(half) @ to_source @ half), dtype=np.float64)


def run(bench: Workbench, args: CompareArgs) -> Report:
    """Compare the view or the box with the golden samples."""
    golden = _golden(bench, args)
    part = patch(bench, args, minimum=16)
    place = _place(part)
    whole = bench.picture(part.view.source).pixels
    results = [compare(part.pixels, picture.pixels, whole=whole, place=place, tolerance=args.tolerance_px)
               for picture in golden]
    best, changes = surviving(results)
    chosen = results[best]
    ids = bench.fresh("f", min(len(changes), MOST))
    findings = tuple(_finding(part, change, name) for change, name in zip(changes, ids, strict=False))
    result = _result(golden, results, best, findings, _placed_in_upload(place, chosen), golden[best].pixels.shape)
    regions = tuple(Region(id=f.id, label=f.type.value, box=f.box, outline=f.outline, score=f.score,
                           source=part.view.source) for f in findings)
    evidence = () if chosen.reference is None else (difference_picture(part.pixels, chosen.reference, chosen.seen),)
    return Report(result=result, boxes=tuple(f.box for f in findings), regions=regions, evidence=evidence)


def _placed_in_upload(place: Homography, chosen: Compared) -> Compared:
    """The same with the alignment in pixels of the upload, for the figures."""
    alignment = chosen.alignment
    matrix = np.linalg.inv(place) @ alignment.matrix
    return Compared(type(alignment)(matrix / matrix[2, 2], alignment.likeness, alignment.residual), chosen.changes,
                    chosen.aligned, chosen.decided, chosen.code, chosen.seen, None, chosen.differs)


def _result(golden: list[Picture], results: list[Compared], best: int, findings: tuple[CompareFinding, ...],
            chosen: Compared, shape: tuple[int, ...]) -> CompareResult:
    x, y, turn, scale = chosen.alignment.similarity(shape)
    reason = REASONS[chosen.code]
    shared = float(np.mean(chosen.seen))
    if chosen.code == "aligned" and shared < 0.9:
        reason += f"; {100 * shared:.0f} % of it could be compared, the golden sample does not show the rest"
    left_out = [p.view.id for p, r in zip(golden, results, strict=True) if not r.aligned]
    if chosen.aligned and left_out:
        reason += f"; not used because they do not fit: {', '.join(left_out)}"
    return CompareResult(
        aligned=chosen.aligned, confidence=round(chosen.alignment.likeness.confidence, 4),
        reference=golden[best].view.id if chosen.aligned else None,
        references=tuple(p.view.id for p, r in zip(golden, results, strict=True) if r.aligned),
        shift_px=(round(x, 2), round(y, 2)), turn_deg=round(turn, 3), scale=round(scale, 5),
        residual_px=round(chosen.alignment.residual, 3), shared=round(shared, 4), findings=findings,
        decided=chosen.decided, reason=reason, reason_code=chosen.code)


def _finding(part: Patch, change: Change, name: str) -> CompareFinding:
    border = part.points_to_source(outline(change).astype(np.float64) + 0.5)
    tight = part.box_to_source((0, 0, 100, 100))
    area = change.area * ((tight[2] - tight[0]) / 100) * ((tight[3] - tight[1]) / 100)
    return CompareFinding(
        id=name, type=change.type, type_score=round(change.type_score, 4), change=change.kind,
        score=round(change.score, 4), box=part.box_to_source(change.box),
        outline=tuple((round(float(x)), round(float(y))) for x, y in border), area_px=round(float(area), 1))


def difference_picture(subject: RgbImage, reference: RgbImage, seen: NDArray[np.bool_]) -> RgbImage:
    """Picture and aligned reference in one: alike is grey, brighter in the picture is red, darker is cyan.

    Args:
        subject: (H, W, 3) uint8 RGB.
        reference: (H, W, 3) uint8 RGB in its frame and light.
        seen: (H, W) bool; the rest is dimmed.
    """
    share = min(1.0, SHOWN_SIDE / max(subject.shape[:2]))
    size = (max(1, round(subject.shape[1] * share)), max(1, round(subject.shape[0] * share)))
    a, b = (cv2.cvtColor(cv2.resize(p, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
            for p in (subject, reference))
    inside = cv2.resize(seen.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    shown = np.dstack([a, b, b])
    shown[~inside] //= 3
    return np.asarray(shown, dtype=np.uint8)


TOOL = Tool(
    name="compare",
    description=("Lays a golden sample over the picture (shift, turn, scale, perspective, other light) and reports "
                 "every difference that all golden samples agree on: missing, added or changed, with type, box and "
                 "score. Says how sure the alignment is and refuses a pair that does not match. Needs a reference."),
    args=CompareArgs, run=run, version="2")
