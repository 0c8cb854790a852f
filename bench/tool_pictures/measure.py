"""Draw `docs/pictures/tools/measure.webp` and `calibrate.webp`: a real chessboard with lengths measured on it.

    python -m bench.tool_pictures.measure
"""

from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from tools import calibrate, measure
from tools.measuring.chessboard import find_board
from tools.pixels.grey import grey
from tools.solo import Desk, make_desk

ROOT = Path(__file__).parents[2]
BOARD = ROOT / "tests/data/calibration_board/left12.jpg"
SIZE = (640, 480)


def measured(desk: Desk, shown: np.ndarray, a: np.ndarray, b: np.ndarray) -> None:
    """Draw the distance of two corners with what was measured."""
    points = (tuple(float(v) for v in a), tuple(float(v) for v in b))
    result = measure.TOOL.run(desk, measure.MeasureArgs(why="shown", quantity="distance", points=points)).result
    assert isinstance(result, measure.MeasureResult)
    ends = [tuple(int(v) for v in np.round(p)) for p in points]
    cv2.line(shown, ends[0], ends[1], (220, 30, 30), 2, cv2.LINE_AA)
    text = f"{result.value:.1f} +- {result.uncertainty:.1f} {result.unit}"
    middle = (np.array(ends[0]) + ends[1]) // 2
    place = (int(middle[0]) - 65, int(middle[1]) - 8)
    for colour, width in (((255, 255, 255), 4), ((180, 0, 0), 1)):
        cv2.putText(shown, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.55, colour, width, cv2.LINE_AA)


def main() -> None:
    """Draw both pictures."""
    pixels = cv2.cvtColor(cv2.imread(str(BOARD)), cv2.COLOR_BGR2RGB)
    desk = make_desk(pixels)
    desk.learn(calibrate.TOOL.run(desk, calibrate.CalibrateArgs(why="shown", method="chessboard", size_mm=25.0)))
    board = find_board(grey(pixels))
    assert board is not None
    grid = board.corners.reshape(board.rows, board.columns, 2)
    shown = pixels.copy()
    for a, b in (((0, 0), (0, -1)), ((0, 0), (-1, 0)), ((-1, 0), (-1, -1)), ((5, 1), (5, 2))):
        measured(desk, shown, grid[a], grid[b])
    out = ROOT / "docs/pictures/tools"
    out.mkdir(parents=True, exist_ok=True)
    Image.fromarray(shown).save(out / "measure.webp", quality=70)
    Image.fromarray(desk.picture("v9").pixels).resize(SIZE).save(out / "calibrate.webp", quality=60)


if __name__ == "__main__":
    main()
