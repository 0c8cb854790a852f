"""One function an aspect: figures in, a verdict on the picture out."""

import math

import numpy as np

from kenpin.contracts.view import GrayImage
from tools.checking import limits as at
from tools.checking.limits import Code
from tools.checking.models import (
    CheckImageResult,
    CodingResult,
    EvennessResult,
    ExposureResult,
    FocusResult,
    GlareResult,
    NoiseResult,
    ResolutionResult,
    TwinResult,
)
from tools.pixels import coding, evenness, focus
from tools.pixels import exposure as light
from tools.pixels.grey import grey
from tools.spec import Patch

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
    scale = max(1.0, math.sqrt(max(pixels.shape[:2]) * step / at.USUAL_SIDE))
    sigma, across, along = (None if v is None else v * step for v in (found.sigma, found.across, found.along))
    blurred = sigma is not None and sigma > at.BLUR * scale and (along is None or along > at.BLUR_SHARPEST * scale)
    if sigma is None and noise < at.BARE:
        # No edges and no detail of pixel size, yet something: what a defocused surface looks like.
        blurred = focus.mid_structure(pixels) > 0.35 or float(np.std(pixels)) > 1.2
    uneven = across is not None and along is not None and along < 0.5 * across
    moved = uneven and across is not None and across > at.MOTION * scale
    soft = sigma is not None and sigma > 0.9 * at.BLUR * scale and (
        along is None or along > 0.8 * at.BLUR_SHARPEST * scale)
    passed = _note(judged, "blur", bad=blurred and not moved, doubtful=soft and not moved)
    still = _note(judged, "motion", bad=moved, doubtful=uneven and (across or 0.0) > at.SOME_MOTION * scale)
    return FocusResult(
        passed=passed and still, value=None if sigma is None else round(sigma, 3), limit=round(at.BLUR * scale, 3),
        edge_width_px=None if sigma is None else round(focus.RISE * math.hypot(sigma, 0.3 * step), 2),
        edges=found.points, motion=moved, motion_px=round(across * math.sqrt(12), 1) if moved and across else None,
        motion_deg=found.angle if moved else None)


def exposure_of(pixels: GrayImage, *, noise: float, judged: Judged) -> ExposureResult:
    """Judge brightness of (H, W) uint8."""
    found = light.exposure(pixels)
    blown = found.bright > at.BURNT and (found.clear < 0.05 or found.inner > at.BURNT)
    over = _note(judged, "overexposed", bad=blown and not found.bilevel,
                 doubtful=found.inner > 0.05 and not found.bilevel)
    night = (found.bulk < 50 and found.high < 90) or found.high < at.NIGHT
    under = _note(judged, "underexposed", bad=night, doubtful=found.high < at.SOME_NIGHT or found.dark > 0.6)
    empty = found.spread < 0.8 or (found.high < 26 and found.spread < 5) or found.low > 250
    full = _note(judged, "blank", bad=empty)
    flat = found.high - found.low < at.FAINT
    _note(judged, "low_contrast", bad=flat and noise < 0.6 and not empty, doubtful=flat and not empty)
    return ExposureResult(
        passed=over and under and full, mean=round(found.mean, 2), range_low=found.low, range_high=found.high,
        clipped_bright_share=round(found.bright, 4), clipped_dark_share=round(found.dark, 4),
        black_and_white=found.bilevel)


def coding_of(pixels: GrayImage, *, judged: Judged) -> CodingResult:
    """Judge the steps between JPEG blocks of (H, W) uint8."""
    found = coding.blocks(pixels)
    bad = found.share > at.BLOCKS and found.step > at.BLOCK_STEP
    passed = _note(judged, "compressed", bad=bad, doubtful=found.share > at.SOME_BLOCKS)
    return CodingResult(passed=passed, blockiness=round(found.share, 2), step=round(found.step, 2), limit=at.BLOCKS)


def evenness_of(pixels: GrayImage, *, judged: Judged) -> EvennessResult:
    """Judge how evenly (H, W) uint8 is lit."""
    found = evenness.falloff(pixels)
    ratio = found.ratio if found.explained > at.SMOOTH else 1.0
    _note(judged, "uneven_light", bad=False, doubtful=ratio > at.UNEVEN)
    return EvennessResult(passed=ratio <= at.UNEVEN, ratio=round(ratio, 2), limit=at.UNEVEN)


def resolution_of(part: Patch, sharp: FocusResult, *, smallest_px: float | None, smallest_mm: float | None,
                  scale_known: bool, judged: Judged) -> ResolutionResult:
    """Judge whether the smallest defect would be seen."""
    needed = max(at.DEFECT_PX * _step(part), sharp.edge_width_px or 0.0)
    side = min(part.pixels.shape[:2])
    enough = _note(judged, "too_small", bad=side < 32 or (smallest_px is not None and smallest_px < needed),
                   doubtful=side < 96 or (smallest_px is not None and smallest_px < 1.5 * needed))
    return ResolutionResult(passed=enough, width=part.pixels.shape[1], height=part.pixels.shape[0],
                            smallest_px=None if smallest_px is None else round(smallest_px, 2), smallest_mm=smallest_mm,
                            scale_known=scale_known or smallest_mm is None, needed_px=round(needed, 2))


def check(part: Patch, smallest_px: float | None = None, *, smallest_mm: float | None = None, scale_known: bool = False,
          twins: tuple[TwinResult, ...] = ()) -> CheckImageResult:
    """Judge what a patch shows. All limits are general; none is fitted to a surface.

    Args:
        part: What is looked at.
        smallest_px: Smallest defect that must be seen, pixels of the original.
        smallest_mm: The same as it was asked for in mm; already in `smallest_px` if the scale is known.
        scale_known: Whether the size of a pixel is known.
        twins: Other pictures of the inspection that are the same shot.
    """
    pixels, judged, step = part.pixels, Judged(), _step(part)
    plain = grey(pixels)
    noise = focus.noise_sigma(plain)
    exposure = exposure_of(plain, noise=noise, judged=judged)
    sharp = focus_of(plain, noise=noise, step=step, judged=judged)
    if judged.get("blank"):
        judged.pop("blur", None)
    glare = light.Glare(0.0, ()) if exposure.black_and_white else light.glare(pixels)
    calm = _note(judged, "glare", bad=glare.share > at.GLARE, doubtful=glare.share > at.SOME_GLARE)
    size = resolution_of(part, sharp, smallest_px=smallest_px, smallest_mm=smallest_mm, scale_known=scale_known,
                         judged=judged)
    quiet = _note(judged, "noise", bad=noise > at.NOISE, doubtful=noise > at.SOME_NOISE)
    blocks = coding_of(plain, judged=judged)
    even = evenness_of(plain, judged=judged)
    _note(judged, "same_picture", bad=bool(twins))
    problems = tuple(code for code, bad in judged.items() if bad)
    return CheckImageResult(
        passed=not problems, problems=problems, warnings=tuple(code for code, bad in judged.items() if not bad),
        focus=sharp, exposure=exposure,
        glare=GlareResult(passed=calm, share=round(glare.share, 4), limit=at.GLARE,
                          boxes=tuple(part.box_to_source(box) for box in glare.boxes)),
        resolution=size, noise=NoiseResult(passed=quiet, sigma=round(noise, 2), limit=at.NOISE), coding=blocks,
        evenness=even, twins=twins, limits=tuple(one for one in at.LIMITS if one.code in judged),
        notes=(*_notes(part, sharp, size), *map(_twin_note, twins)))


def _step(part: Patch) -> float:
    """Pixels of the original per pixel of the view, at the middle of the patch."""
    height, width = part.pixels.shape[:2]
    middle = np.array([[width / 2, height / 2]])
    here, right, down = (part.points_to_source(middle + np.array([shift])) for shift in ((0, 0), (1, 0), (0, 1)))
    (ax, ay), (bx, by) = (right - here)[0], (down - here)[0]
    return float(math.sqrt(abs(ax * by - ay * bx)))


def _notes(part: Patch, sharp: FocusResult, size: ResolutionResult) -> tuple[str, ...]:
    notes = []
    if sharp.value is None:
        notes.append("there are too few edges to measure the focus" + (
            "; detail of pixel size is there, so nothing speaks against it" if sharp.passed else ""))
    if part.view.altered:
        notes.append("pixel values of this view were changed; check the original to judge the picture itself")
    if not size.scale_known:
        notes.append(f"no scale is known, so nothing says whether a defect of {size.smallest_mm} mm would be seen")
    return tuple(notes)


def _twin_note(twin: TwinResult) -> str:
    how = "pixel for pixel" if twin.exact else "stored or sized anew"
    good = twin.name.startswith("good ")
    what = f"good sample {twin.name.removeprefix('good ')}" if good else f"reference {twin.name}"
    return f"this is the same picture as {what} ({how}); was it sent twice by mistake?"
