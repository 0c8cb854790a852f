"""QR, DataMatrix and bar codes."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from kenpin.contracts.view import GrayImage, Points
from tools.reading.bars import bars
from tools.reading.checks import Field, check_digit, fields
from tools.reading.matrix import matrices

LINEAR = ("Code128", "Code39", "Code93", "EAN13", "EAN8", "UPCA", "UPCE", "ITF", "Codabar", "DataBar", "DataBarExp")
FORMATS = ("QRCode", "MicroQRCode", "DataMatrix", "Aztec", "PDF417", *LINEAR)

AGREE = 3
"""Of six looks at a turned bar code that must read the same, since one digit sum in ten is right by chance."""

ENLARGED, SHARPER, WIDTH = 1_000_000, 2.0, 2.4
"""Pixels up to which a picture is always looked at enlarged too, by how much edges are raised there, and their sigma in
px of the enlarged picture. Of drawn codes with modules of 2 px under blur 15 in 24 are read so, 7 without it."""

WORKING_SIDE, QUICK_SIDE = 2000, 1000
"""Longest side in px at which codes are looked for; with `hard`, larger pictures are tried whole if that finds none."""

SHORTEST_LINEAR = 4
"""Bar codes without a checksum are seen in stripes of brushed metal; those are shorter than this."""

Effort = Literal["quick", "usual", "hard"]


@dataclass(frozen=True)
class Code:
    """A decoded code: its text, its format, and its corners as (4, 2) points in pixels of the picture."""

    text: str
    format: str
    corners: Points
    checked: bool | None = None
    """Whether its check digit is right; None if it has none."""
    fields: tuple[Field, ...] = ()
    """What the text holds by GS1 application identifiers."""


def read_codes(gray: GrayImage, *, effort: Effort = "usual") -> tuple[Code, ...]:
    """Find and decode codes, from top to bottom.

    Args:
        gray: (H, W) uint8. Never written to.
        effort: `quick` where a code would be a by-catch, `hard` where one is asked for.
    Source: zxing-cpp; OpenCV's QR and bar code detectors for what it misses; bars turned upright and DataMatrix drawn
        anew (`bars`, `matrix`) for what both miss.
    """
    step = max(1.0, max(gray.shape) / (QUICK_SIDE if effort == "quick" else WORKING_SIDE))
    small = gray if step == 1.0 else np.asarray(
        cv2.resize(gray, None, fx=1 / step, fy=1 / step, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    found = _zxing(small, step)
    if effort == "hard":
        found += _new(found, _turned(small, step))
        if small.size <= ENLARGED or not found:
            found += _new(found, _sharper(small, step))
        found = found or _opencv(small, step)
        found = found or (_zxing(gray, 1.0) if step > 1.0 else [])
        found = found or _peened(small, step)
    return tuple(sorted(_complete(found), key=_from_top))


def _new(known: Sequence[Code], more: Sequence[Code]) -> list[Code]:
    """Codes of `more` whose middle lies in none of the known."""
    return [code for code in more if all(
        cv2.pointPolygonTest(other.corners.astype(np.float32), code.corners.mean(axis=0).tolist(), False) < 0
        for other in known) and all(code.text != other.text for other in known)]


def _from_top(code: Code) -> tuple[float, float]:
    return float(code.corners[:, 1].min()), float(code.corners[:, 0].min())


def _complete(found: Sequence[Code]) -> list[Code]:
    """Without parts of longer codes of the same format: ITF has no end of its own that a slanted scan would miss."""
    return [code for code in found if not any(
        code.format == other.format and len(code.text) < len(other.text) and code.text in other.text
        for other in found)]


def _decoded(gray: GrayImage, names: Sequence[str], **options: Any) -> list[Any]:
    import zxingcpp

    formats = [getattr(zxingcpp.BarcodeFormat, name) for name in names]
    return [read for read in zxingcpp.read_barcodes(np.ascontiguousarray(gray), formats=formats, **options)
            if read.valid]


def _code(read: Any, corners: Points) -> Code:
    return Code(text=read.text, format=read.format.name, corners=corners,
                checked=check_digit(read.text, read.format.name),
                fields=fields(read.text) if read.content_type.name == "GS1" else ())


def _zxing(gray: GrayImage, step: float) -> list[Code]:
    codes = []
    for read in _decoded(gray, FORMATS):
        corner = read.position
        points = np.array([(p.x, p.y) for p in (corner.top_left, corner.top_right, corner.bottom_right,
                                                corner.bottom_left)], dtype=np.float64)
        codes.append(_code(read, _grown(points) * step))
    return [code for code in codes if _plausible(code)]


def _turned(gray: GrayImage, step: float) -> list[Code]:
    """Bar codes in areas of parallel bars, each read in several ways of which half must agree."""
    import zxingcpp

    codes = []
    for strip, place in bars(gray):
        low, high = np.quantile(strip, (0.05, 0.95))
        even = np.clip((strip - low) * (255 / max(float(high - low), 1.0)), 0, 255).astype(np.uint8)
        reads: list[Any] = []
        for binarizer in (zxingcpp.Binarizer.FixedThreshold, zxingcpp.Binarizer.LocalAverage):
            for wide in (0.75, 1.0, 1.5):
                looked = cv2.resize(even, None, fx=wide, fy=1.0, interpolation=cv2.INTER_LINEAR)
                reads += _decoded(np.asarray(looked, np.uint8), LINEAR, binarizer=binarizer)[:1]
        votes = Counter((read.text, read.format.name) for read in reads).most_common(1)
        if votes and votes[0][1] >= AGREE:
            first = next(read for read in reads if (read.text, read.format.name) == votes[0][0])
            codes.append(_code(first, place * step))
    return [code for code in codes if _plausible(code)]


def _sharper(gray: GrayImage, step: float) -> list[Code]:
    """Small or blurred codes, read from a picture of twice the size with its edges raised (unsharp mask)."""
    large = cv2.resize(gray, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC).astype(np.float32)
    large += SHARPER * (large - cv2.GaussianBlur(large, (0, 0), WIDTH))
    return _zxing(np.clip(large, 0, 255).astype(np.uint8), step / 2)


def _peened(gray: GrayImage, step: float) -> list[Code]:
    for drawn, place in matrices(gray):
        for read in _decoded(drawn, ("DataMatrix",), is_pure=True):
            if read.text.strip():
                return [_code(read, place * step)]
    return []


def _grown(points: Points) -> Points:
    """Scan lines of linear codes have no height; give them one pixel so that a box can be made."""
    spread = points.max(axis=0) - points.min(axis=0)
    pad = np.where(spread < 1.0, 1.0, 0.0)
    return np.asarray(points + np.array([-pad, [pad[0], -pad[1]], pad, [-pad[0], pad[1]]]), dtype=np.float64)


def _plausible(code: Code) -> bool:
    return bool(code.text.strip()) and not (code.format in LINEAR and len(code.text) < SHORTEST_LINEAR)


def _opencv(gray: GrayImage, step: float) -> list[Code]:
    codes = []
    found, texts, corners, _ = cv2.QRCodeDetector().detectAndDecodeMulti(gray)
    if found:
        codes += _kept(texts, corners, ("QRCode",) * len(texts), step)
    found, texts, kinds, corners = cv2.barcode.BarcodeDetector().detectAndDecodeWithType(gray)
    if found:
        codes += _kept(texts, corners, kinds, step)
    return codes


def _kept(texts: Sequence[str], corners: NDArray[np.float32], kinds: Sequence[str], step: float) -> list[Code]:
    codes = (Code(text=text, format=kind.replace("_", ""), corners=np.asarray(quad, dtype=np.float64) * step)
             for text, quad, kind in zip(texts, corners, kinds, strict=True) if text)
    return [code for code in codes if _plausible(code)]
