"""Say whether a picture is good enough to judge by: focus, motion, exposure, glare, size, noise."""

import math
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from kenpin.contracts.view import Box, GrayImage
from tools.pixels import exposure as light
from tools.pixels import focus
from tools.pixels.grey import grey
from tools.spec import OnView, Patch, Report, Tool, ToolResult, Workbench, patch

Code = Literal["blur", "motion", "overexposed", "underexposed", "glare", "too_small", "blank", "noise", "low_contrast"]

BLUR, BLUR_SHARPEST = 1.75, 1.0
"""Blurred from these sigmas on: of the sharper quarter of all edges, and of the sharpest direction's sharpest edges, px
in a picture of up to `USUAL_SIDE`. Pictures of eleven real and drawn surfaces in focus: at most 1.65 and 0.75. The same
after a Gaussian of sigma 3: at least 2.0 and 1.25, with noise of 4 grey levels added 1.7 and 1.1."""
USUAL_SIDE = 1000
"""A larger picture may be blurred more, by the square root of its size: it has more pixels for the same detail."""
MOTION, SOME_MOTION = 1.6, 1.2
"""Moved from this sigma on in one direction if the one across it is at most half as blurred. In focus: at most 1.15, on
a screw darkened to 40 % up to 2.1. Moved by 15 px or more: mostly 1.6 to 5 if edges of both directions are shown."""
GLARE, SOME_GLARE = 0.10, 0.01
"""Share of the picture under reflections that forbids a verdict, and that is worth a warning."""
DEFECT_PX = 3.0
"""Pixels that the smallest defect must measure to be told from noise."""


class CheckImageArgs(OnView):
    """What the picture must be good enough for."""

    smallest_px: Annotated[float | None, Field(gt=0, description=(
        "Size of the smallest defect that must be seen, in pixels of the original; null if unknown."))] = None


class FocusResult(ToolResult):
    """Sharpness. All widths in pixels of the original."""

    passed: bool
    value: float | None
    """Blur (sigma) of the sharper quarter of the edges; None if there is no edge to tell from."""
    limit: float
    edge_width_px: float | None
    """Distance from 10 % to 90 % of the sharper edges."""
    edges: int
    """Number of edge points that the figures rest on."""
    motion: bool
    motion_px: float | None
    """Length of the movement, if there was one."""
    motion_deg: float | None
    """Its direction, degrees clockwise from the x axis."""


class ExposureResult(ToolResult):
    """Brightness."""

    passed: bool
    mean: float
    """Mean grey level, 0 to 255."""
    range_low: float
    """First and 99th percentile of grey levels."""
    range_high: float
    clipped_bright_share: float
    clipped_dark_share: float
    black_and_white: bool
    """The picture is binary on purpose, so clipping is no fault."""


class GlareResult(ToolResult):
    """Reflections: clipped white that fades out softly."""

    passed: bool
    share: float
    limit: float
    boxes: tuple[Box, ...]
    """The largest ones, original pixels."""


class ResolutionResult(ToolResult):
    """Whether the smallest defect would be seen."""

    passed: bool
    width: int
    """Of what was looked at, pixels of its view."""
    height: int
    smallest_px: float | None
    """As asked."""
    needed_px: float
    """Smallest defect that this picture can show, pixels of the original."""


class NoiseResult(ToolResult):
    """Pixel noise or texture of pixel size; the two look alike."""

    passed: bool
    sigma: float
    """Grey levels."""
    limit: float


class CheckImageResult(ToolResult):
    """Whether the picture is good enough, and why not."""

    passed: bool
    problems: tuple[Code, ...]
    """What forbids a verdict."""
    warnings: tuple[Code, ...]
    """What is not as it should be, and does not forbid one."""
    focus: FocusResult
    exposure: ExposureResult
    glare: GlareResult
    resolution: ResolutionResult
    noise: NoiseResult
    notes: tuple[str, ...] = ()


Judged = dict[Code, bool]
"""Code to whether it forbids a verdict (True) or only warns (False)."""


def _note(judged: Judged, code: Code, *, bad: bool, doubtful: bool = False) -> bool:
    if bad or doubtful:
        judged[code] = bad
    return not bad


def focus_of(pixels: GrayImage, *, noise: float, step: float, judged: Judged) -> FocusResult:
    """Judge sharpness.

    Args:
        pixels: (H, W) uint8.
        noise: Of the picture, grey levels.
        step: Pixels of the original per pixel; the limits hold for the original.
        judged: Takes the codes.
    """
    found = focus.sharpness(focus.edges(focus.tiles(pixels), noise))
    scale = max(1.0, math.sqrt(max(pixels.shape[:2]) * step / USUAL_SIDE))
    sigma, across, along = (None if v is None else v * step for v in (found.sigma, found.across, found.along))
    blurred = sigma is not None and sigma > BLUR * scale and (along is None or along > BLUR_SHARPEST * scale)
    if sigma is None and noise < 0.6:
        # No edges and no detail of pixel size, yet something: what a defocused surface looks like.
        blurred = focus.mid_structure(pixels) > 0.35 or float(np.std(pixels)) > 1.2
    uneven = across is not None and along is not None and along < 0.5 * across
    moved = uneven and across is not None and across > MOTION * scale
    soft = sigma is not None and sigma > 0.9 * BLUR * scale and (along is None or along > 0.8 * BLUR_SHARPEST * scale)
    passed = _note(judged, "blur", bad=blurred and not moved, doubtful=soft and not moved)
    still = _note(judged, "motion", bad=moved, doubtful=uneven and (across or 0.0) > SOME_MOTION * scale)
    return FocusResult(
        passed=passed and still, value=None if sigma is None else round(sigma, 3), limit=round(BLUR * scale, 3),
        edge_width_px=None if sigma is None else round(focus.RISE * math.hypot(sigma, 0.3 * step), 2),
        edges=found.points, motion=moved, motion_px=round(across * math.sqrt(12), 1) if moved and across else None,
        motion_deg=found.angle if moved else None)


def exposure_of(pixels: GrayImage, *, noise: float, judged: Judged) -> ExposureResult:
    """Judge brightness of (H, W) uint8."""
    found = light.exposure(pixels)
    blown = found.bright > 0.25 and (found.clear < 0.05 or found.inner > 0.25)
    over = _note(judged, "overexposed", bad=blown and not found.bilevel,
                 doubtful=found.inner > 0.05 and not found.bilevel)
    night = found.bulk < 50 and found.high < 90
    under = _note(judged, "underexposed", bad=night, doubtful=found.high < 80 or found.dark > 0.6)
    empty = found.spread < 0.8 or (found.high < 26 and found.spread < 5) or found.low > 250
    full = _note(judged, "blank", bad=empty)
    flat = found.high - found.low < 16
    _note(judged, "low_contrast", bad=flat and noise < 0.6 and not empty, doubtful=flat and not empty)
    return ExposureResult(
        passed=over and under and full, mean=round(found.mean, 2), range_low=found.low, range_high=found.high,
        clipped_bright_share=round(found.bright, 4), clipped_dark_share=round(found.dark, 4),
        black_and_white=found.bilevel)


def check(part: Patch, smallest_px: float | None = None) -> CheckImageResult:
    """Judge what a patch shows. All limits are general; none is fitted to a surface."""
    pixels, judged, step = part.pixels, Judged(), _step(part)
    plain = grey(pixels)
    noise = focus.noise_sigma(plain)
    exposure = exposure_of(plain, noise=noise, judged=judged)
    sharp = focus_of(plain, noise=noise, step=step, judged=judged)
    if judged.get("blank"):
        judged.pop("blur", None)
    glare = light.Glare(0.0, ()) if exposure.black_and_white else light.glare(pixels)
    calm = _note(judged, "glare", bad=glare.share > GLARE, doubtful=glare.share > SOME_GLARE)
    needed = max(DEFECT_PX * step, sharp.edge_width_px or 0.0)
    side = min(pixels.shape[:2])
    enough = _note(judged, "too_small", bad=side < 32 or (smallest_px is not None and smallest_px < needed),
                   doubtful=side < 96 or (smallest_px is not None and smallest_px < 1.5 * needed))
    quiet = _note(judged, "noise", bad=noise > 25, doubtful=noise > 12)
    problems = tuple(code for code, bad in judged.items() if bad)
    return CheckImageResult(
        passed=not problems, problems=problems, warnings=tuple(code for code, bad in judged.items() if not bad),
        focus=sharp, exposure=exposure,
        glare=GlareResult(passed=calm, share=round(glare.share, 4), limit=GLARE,
                          boxes=tuple(part.box_to_source(box) for box in glare.boxes)),
        resolution=ResolutionResult(passed=enough, width=pixels.shape[1], height=pixels.shape[0],
                                    smallest_px=smallest_px, needed_px=round(needed, 2)),
        noise=NoiseResult(passed=quiet, sigma=round(noise, 2), limit=25.0), notes=_notes(part, sharp))


def _step(part: Patch) -> float:
    """Pixels of the original per pixel of the view, at the middle of the patch."""
    height, width = part.pixels.shape[:2]
    middle = np.array([[width / 2, height / 2]])
    here, right, down = (part.points_to_source(middle + np.array([shift])) for shift in ((0, 0), (1, 0), (0, 1)))
    (ax, ay), (bx, by) = (right - here)[0], (down - here)[0]
    return float(math.sqrt(abs(ax * by - ay * bx)))


def _notes(part: Patch, sharp: FocusResult) -> tuple[str, ...]:
    notes = []
    if sharp.value is None:
        notes.append("there are too few edges to measure the focus" + (
            "; detail of pixel size is there, so nothing speaks against it" if sharp.passed else ""))
    if part.view.altered:
        notes.append("pixel values of this view were changed; check the original to judge the picture itself")
    return tuple(notes)


def run(bench: Workbench, args: CheckImageArgs) -> Report:
    """Check the view or the box."""
    part = patch(bench, args, minimum=4)
    result = check(part, args.smallest_px)
    twin = [p.view.id for p in bench.references if p.view.sha256 == part.view.sha256 and p.view.id != part.view.id
            and np.array_equal(p.pixels, bench.picture(args.view).pixels)]
    if twin:
        note = f"this is the same picture as reference {twin[0]}; was it sent twice by mistake?"
        result = result.model_copy(update={"notes": (*result.notes, note)})
    return Report(result=result, boxes=result.glare.boxes)


TOOL = Tool(
    name="check_image",
    description=("Says whether a picture is good enough to judge by: focus, motion blur, exposure, glare, size for the "
                 "smallest defect (`smallest_px`), noise. Returns `passed`, `problems` that forbid a verdict, "
                 "`warnings`, and the figures with their limits. Run it before any verdict."),
    args=CheckImageArgs, run=run, version="1")
