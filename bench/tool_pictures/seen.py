"""What the pictures of the tools that look share: a photograph, labels, a file below 60 kB."""

from pathlib import Path

import cv2
import numpy as np

from kenpin.contracts.view import RgbImage

ROOT = Path(__file__).parents[2]
REAL = ROOT / "bench/suites/second/images/real"
WHERE = ROOT / "docs/pictures/tools"
MOST = 60_000
"""Bytes."""


def photograph(name: str, width: int = 640) -> RgbImage:
    """One of the bundled photographs, reduced to `width`."""
    pixels = cv2.cvtColor(cv2.imread(str(REAL / name)), cv2.COLOR_BGR2RGB)
    height = round(pixels.shape[0] * width / pixels.shape[1])
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def labelled(pixels: RgbImage, text: str) -> RgbImage:
    """A copy with a line of text on a strip at the top."""
    out = cv2.copyMakeBorder(pixels, 22, 0, 0, 0, cv2.BORDER_CONSTANT, value=(255, 255, 255))
    cv2.putText(out, text, (5, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (0, 0, 0), 1, cv2.LINE_AA)
    return np.asarray(out, dtype=np.uint8)


def save(pixels: RgbImage, tool: str) -> None:
    """Write `docs/pictures/tools/TOOL.webp`, as good as fits."""
    WHERE.mkdir(parents=True, exist_ok=True)
    for quality in (85, 70, 55, 40):
        data = cv2.imencode(".webp", np.ascontiguousarray(pixels[..., ::-1]), [cv2.IMWRITE_WEBP_QUALITY, quality])[1]
        if data.size < MOST:
            break
    (WHERE / f"{tool}.webp").write_bytes(data.tobytes())


def draw_view(tool: str, box: tuple[int, int, int, int] = (120, 250, 260, 390)) -> None:
    """A photograph with a box, and the view that `crop` or `zoom` makes of it."""
    from tools.catalog import CATALOG
    from tools.solo import make_desk

    pixels = photograph("bottles_four.jpg")
    entry = CATALOG[tool]
    report = entry.run(make_desk(pixels), entry.args.model_validate({"why": "documentation", "box": box}))
    assert report.made is not None
    marked = pixels.copy()
    cv2.rectangle(marked, box[:2], box[2:], (255, 60, 0), 2)
    side = min(report.made.pixels.shape[0], pixels.shape[0])
    canvas = np.full((pixels.shape[0], side, 3), 255, np.uint8)
    canvas[:side] = cv2.resize(report.made.pixels, (side, side), interpolation=cv2.INTER_AREA)
    save(np.hstack([labelled(marked, f"box {list(box)} of the upload"), labelled(canvas, "the new view")]), tool)
