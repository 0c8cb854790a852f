"""`PYTHONPATH=. python bench/tool_pictures/count.py` draws docs/pictures/tools/count.webp."""

import cv2

from bench.tool_pictures.seen import labelled, photograph, save
from tools.count import TOOL, CountArgs
from tools.solo import make_desk


def draw() -> None:
    """Bottles on a line, their caps counted."""
    pixels = photograph("bottles_four.jpg")
    result = TOOL.run(make_desk(pixels), CountArgs(why="documentation", what="cap")).result
    shown = pixels.copy()
    for item in result.items:  # type: ignore[attr-defined]
        cv2.rectangle(shown, item.box[:2], item.box[2:], (255, 60, 0), 2)
        cv2.putText(shown, item.id, (item.box[0], item.box[1] - 6), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (255, 60, 0), 2)
    line = f"cap: {result.count}, sure: {result.sure}, may be {result.fewest} to {result.most}"  # type: ignore[attr-defined]
    save(labelled(shown, line), "count")


if __name__ == "__main__":
    draw()
