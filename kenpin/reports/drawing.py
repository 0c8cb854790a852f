"""Pictures as reports show them: reduced where they are large, with the findings as people judged them."""

from collections.abc import Sequence
from io import BytesIO

import numpy as np
from PIL import Image, ImageDraw

from kenpin.contracts.errors import StoreError
from kenpin.contracts.ports import PictureStore
from kenpin.contracts.review import JudgedFinding
from kenpin.contracts.view import Box, RgbImage
from kenpin.reports.blocks import Shown
from kenpin.reports.typeface import drawing_font

LONG_SIDE = 1280
"""Longest side of a picture in a report of one inspection, px: 170 mm on paper at 190 dpi."""
QUALITY = 88
HALO = (16, 16, 16)
ORANGE, RED, VIOLET, GREY = (255, 150, 20), (255, 60, 50), (214, 110, 255), (205, 210, 216)
COLOURS = {"proposed": ORANGE, "accepted": RED, "corrected": RED, "missed": VIOLET, "false_alarm": GREY}


def stored(pictures: PictureStore, sha256: str) -> Shown:
    """A stored picture, reduced to `LONG_SIDE`; a JPEG that is small enough stays as it is.

    Raises:
        StoreError: It is missing, was changed, or cannot be decoded.
    """
    data = pictures.read_file(sha256)
    try:
        with Image.open(BytesIO(data)) as picture:
            size = picture.size
            if picture.format == "JPEG" and picture.mode == "RGB" and max(size) <= LONG_SIDE:
                return Shown(jpeg=data, width=size[0], height=size[1], original=size, sha256=sha256)
            return _shown(_reduced(picture.convert("RGB"), LONG_SIDE), size, sha256)
    except (OSError, ValueError) as exc:
        raise StoreError(f"stored picture {sha256[:12]} cannot be decoded") from exc


def marked(
    pictures: PictureStore, sha256: str, findings: Sequence[JudgedFinding], *, long_side: int = LONG_SIDE
) -> Shown:
    """A stored picture with its findings, on a reduced copy.

    Raises:
        StoreError: As `stored`.
    """
    data = pictures.read_file(sha256)
    try:
        with Image.open(BytesIO(data)) as picture:
            size = picture.size
            reduced = _reduced(picture.convert("RGB"), long_side)
    except (OSError, ValueError) as exc:
        raise StoreError(f"stored picture {sha256[:12]} cannot be decoded") from exc
    return _shown(_drawn(reduced, findings, reduced.width / size[0]), size, sha256)


def draw_findings(pixels: RgbImage, findings: Sequence[JudgedFinding], *, shrink: float = 1.0) -> RgbImage:
    """Draw findings as reviewed.

    Args:
        pixels: (H, W, 3) uint8 RGB. Never written to.
        findings: Boxes in pixels of the original.
        shrink: Size of `pixels` over that of the original.
    Returns:
        (H, W, 3) uint8 RGB: solid boxes; a corrected one's old box dashed; a false alarm crossed out.
    """
    return np.asarray(_drawn(Image.fromarray(pixels), findings, shrink), dtype=np.uint8)


def _drawn(picture: Image.Image, findings: Sequence[JudgedFinding], shrink: float) -> Image.Image:
    canvas = picture.copy()
    draw = ImageDraw.Draw(canvas)
    line = max(1, round(max(canvas.size) / 450))
    for finding in findings:
        colour = COLOURS[finding.decision]
        box = _placed(finding.box, shrink, 2 * line)
        if finding.proposed and finding.proposed.box != finding.box:
            _dashed(draw, _placed(finding.proposed.box, shrink, 2 * line), GREY, line)
        for ink, width, grow in ((HALO, line + 2, 1), (colour, line, 0)):
            draw.rectangle([box[0] - grow, box[1] - grow, box[2] + grow, box[3] + grow], outline=ink, width=width)
            if finding.decision == "false_alarm":
                draw.line([box[0], box[1], box[2], box[3]], fill=ink, width=width)
                draw.line([box[0], box[3], box[2], box[1]], fill=ink, width=width)
        _label(draw, finding.id, box, colour, canvas.size)
    return canvas


def _label(draw: ImageDraw.ImageDraw, text: str, box: Box, colour: tuple[int, int, int], size: tuple[int, int]) -> None:
    """The id above the box, or inside where there is no room; on a dark plate, so that it reads on any surface."""
    font = drawing_font(max(11, round(max(size) / 60)))
    left, top, right, bottom = draw.textbbox((0, 0), text[:12], font=font)
    wide, tall = round(right - left) + 6, round(bottom - top) + 6
    x = min(max(0, box[0]), max(0, size[0] - wide))
    y = box[1] - tall if box[1] >= tall else min(box[3], max(0, size[1] - tall))
    draw.rectangle([x, y, x + wide, y + tall], fill=HALO)
    draw.text((x + 3 - left, y + 3 - top), text[:12], font=font, fill=colour)


def _dashed(draw: ImageDraw.ImageDraw, box: Box, colour: tuple[int, int, int], line: int) -> None:
    x0, y0, x1, y1 = box
    dash = max(4, 5 * line)
    for ink, width in ((HALO, line + 2), (colour, line)):
        for start in range(x0, x1, 2 * dash):
            for y in (y0, y1):
                draw.line([start, y, min(start + dash, x1), y], fill=ink, width=width)
        for start in range(y0, y1, 2 * dash):
            for x in (x0, x1):
                draw.line([x, start, x, min(start + dash, y1)], fill=ink, width=width)


def _placed(box: Box, shrink: float, margin: int) -> Box:
    x0, y0, x1, y1 = (round(edge * shrink) for edge in box)
    return (x0 - margin, y0 - margin, max(x0, x1) + margin, max(y0, y1) + margin)


def _reduced(picture: Image.Image, long_side: int) -> Image.Image:
    shrink = long_side / max(picture.size)
    if shrink >= 1:
        return picture
    size = (max(1, round(picture.width * shrink)), max(1, round(picture.height * shrink)))
    return picture.resize(size, Image.Resampling.BOX if shrink < 0.5 else Image.Resampling.LANCZOS)


def _shown(picture: Image.Image, original: tuple[int, int], sha256: str) -> Shown:
    out = BytesIO()
    picture.save(out, "JPEG", quality=QUALITY, subsampling=0)
    return Shown(jpeg=out.getvalue(), width=picture.width, height=picture.height, original=original, sha256=sha256)
