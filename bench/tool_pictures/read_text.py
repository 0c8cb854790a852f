"""Draw `docs/pictures/tools/read_text.webp`: a real picture and drawn marks, each with what was read.

    python -m bench.tool_pictures.read_text
"""

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from bench import drawn_codes, drawn_labels
from kenpin.security.uploads import read_upload
from tools.read_text import ReadTextArgs, ReadTextResult, run
from tools.solo import make_desk

ROOT = Path(__file__).parents[2]
REAL = ROOT / "bench/suites/second/images/real/bottles_four.jpg"
MARKS = (("engraved", 106), ("dot-peen", 108), ("turned", 101))
CODES = (("DataMatrix, peened, turned", 3), ("bar codes, turned", 1))
SIZE = (320, 240)


def told(pixels: np.ndarray, kind: str = "all") -> np.ndarray:
    """A picture with the boxes of what was read, and the text beside them."""
    args = ReadTextArgs(why="show what is read", kind=kind)  # type: ignore[arg-type]
    result = run(make_desk(pixels), args).result
    assert isinstance(result, ReadTextResult)
    shown = pixels.copy()
    width = max(2, pixels.shape[1] // 200)
    for one in (*result.lines, *result.codes):
        x0, y0, x1, y1 = one.box
        cv2.rectangle(shown, (x0, y0), (x1, y1), (210, 30, 30), width)
    small = cv2.resize(shown, SIZE, interpolation=cv2.INTER_AREA)
    words = "  ".join(one.text for one in (*result.lines, *result.codes))
    cv2.rectangle(small, (0, SIZE[1] - 26), (SIZE[0], SIZE[1]), (255, 255, 255), -1)
    cv2.putText(small, words, (6, SIZE[1] - 7), (20, 20, 20), cv2.FontFace("sans"), 17, 400)
    return np.asarray(small, dtype=np.uint8)


def main() -> None:
    tiles = [told(read_upload(REAL).pixels[160:])]
    tiles += [told(drawn_labels.label(kind, seed).pixels) for kind, seed in MARKS]
    tiles += [told(drawn_codes.marked(kind, seed).pixels, "code") for kind, seed in CODES]
    page = np.vstack([np.hstack(tiles[:3]), np.hstack(tiles[3:])])
    place = ROOT / "docs/pictures/tools/read_text.webp"
    place.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(page).save(place, quality=70)


if __name__ == "__main__":
    cv2.setNumThreads(1)
    main()
