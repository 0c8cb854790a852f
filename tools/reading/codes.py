"""QR, DataMatrix and bar codes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from kenpin.contracts.view import GrayImage, Points

FORMATS = ("QRCode", "MicroQRCode", "DataMatrix", "Aztec", "PDF417", "Code128", "Code39", "Code93", "EAN13", "EAN8",
           "UPCA", "UPCE", "ITF", "Codabar", "DataBar", "DataBarExp")

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


def read_codes(gray: GrayImage, *, effort: Effort = "usual") -> tuple[Code, ...]:
    """Find and decode codes, from top to bottom.

    Args:
        gray: (H, W) uint8. Never written to.
        effort: `quick` where a code would be a by-catch, `hard` where one is asked for.
    Source: zxing-cpp; OpenCV's QR and bar code detectors for what it misses.
    """
    step = max(1.0, max(gray.shape) / (QUICK_SIDE if effort == "quick" else WORKING_SIDE))
    small = gray if step == 1.0 else np.asarray(
        cv2.resize(gray, None, fx=1 / step, fy=1 / step, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    found = _zxing(small, step)
    if not found and effort == "hard":
        found = _opencv(small, step)
    if not found and effort == "hard" and step > 1.0:
        found = _zxing(gray, 1.0)
    return tuple(sorted(found, key=lambda code: (float(code.corners[:, 1].min()), float(code.corners[:, 0].min()))))


def _zxing(gray: GrayImage, step: float) -> list[Code]:
    import zxingcpp

    formats = [getattr(zxingcpp.BarcodeFormat, name) for name in FORMATS]
    codes = []
    for read in zxingcpp.read_barcodes(np.ascontiguousarray(gray), formats=formats):
        corner = read.position
        points = np.array([(p.x, p.y) for p in (corner.top_left, corner.top_right, corner.bottom_right,
                                                corner.bottom_left)], dtype=np.float64)
        code = Code(text=read.text, format=read.format.name, corners=_grown(points) * step)
        if read.valid and _plausible(code):
            codes.append(code)
    return codes


def _grown(points: Points) -> Points:
    """Scan lines of linear codes have no height; give them one pixel so that a box can be made."""
    spread = points.max(axis=0) - points.min(axis=0)
    pad = np.where(spread < 1.0, 1.0, 0.0)
    return np.asarray(points + np.array([-pad, [pad[0], -pad[1]], pad, [-pad[0], pad[1]]]), dtype=np.float64)


def _plausible(code: Code) -> bool:
    linear = code.format not in {"QRCode", "MicroQRCode", "DataMatrix", "Aztec", "PDF417"}
    return bool(code.text.strip()) and not (linear and len(code.text) < SHORTEST_LINEAR)


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
