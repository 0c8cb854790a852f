"""`PYTHONPATH=. python bench/tool_pictures/zoom.py` draws docs/pictures/tools/zoom.webp."""

import cv2
import numpy as np

from bench.tool_pictures.seen import labelled, photograph, save
from tools.catalog import CATALOG
from tools.solo import make_desk

BOX = (120, 250, 260, 390)


def draw() -> None:
    """A photograph with a box, and the view that the tool makes of it."""
    pixels = photograph("bottles_four.jpg")
    tool = CATALOG["zoom"]
    report = tool.run(make_desk(pixels), tool.args.model_validate({"why": "documentation", "box": BOX}))
    assert report.made is not None
    marked = pixels.copy()
    cv2.rectangle(marked, BOX[:2], BOX[2:], (255, 60, 0), 2)
    side = min(report.made.pixels.shape[0], pixels.shape[0])
    view = cv2.resize(report.made.pixels, (side, side), interpolation=cv2.INTER_AREA)
    canvas = np.full((pixels.shape[0], side, 3), 255, np.uint8)
    canvas[:side] = view
    save(np.hstack([labelled(marked, f"box {list(BOX)} of the upload"), labelled(canvas, "the new view")]), "zoom")


if __name__ == "__main__":
    draw()
