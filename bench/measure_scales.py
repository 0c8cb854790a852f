"""How true millimetres are that come from a marker, a chessboard, a coin or a camera profile, on drawn pictures.

    python -m bench.measure_scales [--trials 60] [--seed 1] [--only marker,board,coin,profile] [--json FILE]

Round holes lie in the plane of the target, which is tilted and seen through a lens with distortion; where a hole lies
on the picture follows from the projection, so that the truth is exact. One row a quantity and source of the scale, as
`bench/measure_drawn.py`.
"""

import argparse
import json
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RectBivariateSpline

from bench.drawn_shapes import FINE, Look, Picture, photographed
from bench.measure_drawn import Row, line, table
from kenpin.contracts.camera import CameraProfile
from kenpin.contracts.errors import ToolInputError
from tools import calibrate, measure
from tools.measuring.lens import Lens
from tools.measuring.plane import as_rows
from tools.measuring.pose import plane_matrix
from tools.solo import make_desk
from tools.spec import Region

Floats = NDArray[np.float64]
Rng = np.random.Generator
SIZE = (720, 540)
SOURCES = ("marker", "board", "coin", "profile")
SQUARE_MM = 6.0


@dataclass(frozen=True)
class Scene:
    """A plane with a target at its origin and holes, as a camera sees it."""

    picture: Picture
    holes: tuple[tuple[Floats, float], ...]
    """Centre (mm in the plane) and diameter (mm)."""
    boxes: tuple[tuple[int, int, int, int], ...]
    lens: Lens
    size_mm: float
    look: Look


def scene(source: str, rng: Rng) -> Scene:
    """A drawn scene; the same for the same random state."""
    width, height = SIZE
    focal = float(rng.uniform(0.9, 1.8)) * width
    bend = float(rng.uniform(-0.25, 0.1)) if source in ("board", "profile") else 0.0
    lens = Lens(np.array([[focal, 0, (width - 1) / 2 + rng.normal(0, 6)], [0, focal, (height - 1) / 2], [0, 0, 1.0]]),
                np.array([bend, 0.0, 0.0, 0.0]))
    tilt = 0.0 if source == "coin" else float(rng.choice([rng.normal(0, 1.0), rng.uniform(8, 35)]))
    axis = rng.uniform(0, 2 * np.pi)
    turn = cv2.Rodrigues(np.array([np.cos(axis), np.sin(axis), 0.0]) * np.radians(tilt))[0] @ cv2.Rodrigues(
        np.array([0, 0, rng.uniform(-0.4, 0.4)]))[0]
    move = np.array([rng.uniform(-3, 3), rng.uniform(-3, 3), 100 * focal / width])
    matrix = plane_matrix(cv2.Rodrigues(turn)[0].ravel(), move, lens)
    mm = _plane(matrix, lens)
    size = {"marker": float(rng.uniform(9, 16)), "board": SQUARE_MM, "coin": 23.5, "profile": float(rng.uniform(9, 16))}
    place = np.array([rng.uniform(-40, -34), rng.uniform(-18, -8)])
    target = {"board": _board, "coin": _disc}.get(source, _marker)(mm, place, size[source], rng)
    holes = tuple((np.array(spot) + rng.uniform(-3, 3, 2), float(rng.uniform(6, 11)))
                  for spot in ((8.0, -15.0), (29.0, -13.0), (18.0, 13.0)))
    cover = target
    for centre, diameter in holes:
        cover = np.maximum(cover, (np.hypot(mm[..., 0] - centre[0], mm[..., 1] - centre[1]) < diameter / 2))
    look = Look(blur=float(rng.uniform(0.5, 1.3)), contrast=float(rng.uniform(90, 170)),
                noise=float(rng.uniform(0.5, 3)), jpeg=int(rng.integers(80, 96)) if rng.random() < 0.5 else None)
    boxes = tuple(_seen(centre, diameter, matrix, lens) for centre, diameter in holes)
    return Scene(photographed(cover.astype(np.float32), look, rng), holes, boxes, lens, size[source], look)


def _plane(matrix: Floats, lens: Lens) -> Floats:
    """(H FINE, W FINE, 2) millimetres at each fine sample."""
    width, height = SIZE
    across, down = np.arange(-8, width + 16, 8.0), np.arange(-8, height + 16, 8.0)
    coarse = np.stack(np.meshgrid(across, down), axis=-1)
    straight = lens.straight(coarse.reshape(-1, 2)).reshape(coarse.shape)
    x, y = ((np.arange(n * FINE) + 0.5) / FINE for n in (width, height))
    # A spline, since OpenCV's remap rounds places to 1/32 of a cell.
    bent = np.stack([RectBivariateSpline(down, across, straight[..., i])(y, x) for i in (0, 1)], axis=-1)
    back = np.linalg.inv(matrix)
    flat = bent @ back[:2, :2].T + back[:2, 2]
    return np.asarray(flat / (bent @ back[2, :2] + back[2, 2])[..., None])


def _marker(mm: Floats, place: Floats, size: float, rng: Rng) -> Floats:
    cells = cv2.aruco.generateImageMarker(cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_4X4_50),
                                          int(rng.integers(0, 50)), 6)
    index = np.floor((mm - place) / (size / 6)).astype(int)
    inside = ((index >= 0) & (index < 6)).all(axis=-1)
    index = np.clip(index, 0, 5)
    return np.where(inside & (cells[index[..., 1], index[..., 0]] == 0), 1.0, 0.0)


def _board(mm: Floats, place: Floats, size: float, rng: Rng) -> Floats:
    index = np.floor((mm - place) / size).astype(int)
    inside = (index[..., 0] >= 0) & (index[..., 0] < 5) & (index[..., 1] >= 0) & (index[..., 1] < 6)
    return np.where(inside & (index.sum(axis=-1) % 2 == 0), 1.0, 0.0)


def _disc(mm: Floats, place: Floats, size: float, rng: Rng) -> Floats:
    return np.where(np.hypot(*np.moveaxis(mm - place - 6, -1, 0)) < size / 2, 1.0, 0.0)


def _seen(centre: Floats, diameter: float, matrix: Floats, lens: Lens) -> tuple[int, int, int, int]:
    """Box around a hole on the picture."""
    angle = np.linspace(0, 2 * np.pi, 40)
    rim = centre + diameter / 2 * np.column_stack([np.cos(angle), np.sin(angle)])
    flat = np.column_stack([rim, np.ones(len(rim))]) @ matrix.T
    rays = np.column_stack([flat[:, :2] / flat[:, 2:] - 0.5, np.ones(len(rim))]) @ np.linalg.inv(lens.matrix).T
    seen = lens.ahead(rays)
    low, high = np.floor(seen.min(axis=0)).astype(int) - 1, np.ceil(seen.max(axis=0)).astype(int) + 1
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def asked(source: str, shown: Scene) -> list[tuple[str, float, float, float]]:
    """Name, error, stated half width and truth of each measure.

    Raises:
        ToolInputError: The target was not found.
    """
    desk = make_desk(shown.picture)
    desk.known = {f"o{i + 1}": Region(id=f"o{i + 1}", label="hole", box=box) for i, box in enumerate(shown.boxes)}
    if source == "profile":
        desk.camera = CameraProfile(width=SIZE[0], height=SIZE[1], matrix=as_rows(shown.lens.matrix),
                                    distortion=tuple(float(v) for v in shown.lens.distortion))
    method = {"board": "chessboard", "coin": "known"}.get(source, "marker")
    more: dict[str, Any] = {}
    if source == "coin":
        coin = (60, 90, 350, 450)
        more = {"box": coin}
    call = calibrate.CalibrateArgs(why="drawn", method=method, size_mm=shown.size_mm, **more)  # type: ignore[arg-type]
    desk.learn(calibrate.TOOL.run(desk, call))
    found = []
    for name, truth, args in _questions(shown):
        result = measure.TOOL.run(desk, measure.MeasureArgs(why="drawn", **args)).result
        assert isinstance(result, measure.MeasureResult) and (result.unit.startswith("mm") or result.unit == "deg")
        found.append((f"{source}: {name}", result.value - truth, result.uncertainty, truth))
    return found


def _questions(shown: Scene) -> list[tuple[str, float, dict[str, Any]]]:
    (a, da), (b, _), (c, dc) = shown.holes
    return [("diameter", da, {"quantity": "diameter", "of": "o1"}),
            ("area", np.pi * dc * dc / 4, {"quantity": "area", "of": "o3"}),
            ("distance", float(np.linalg.norm(a - b)),
             {"quantity": "distance", "of": "o1", "to": "o2", "between": "fitted"}),
            ("long distance", float(np.linalg.norm(b - c)),
             {"quantity": "distance", "of": "o2", "to": "o3", "between": "centres"})]


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default=",".join(SOURCES))
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    cv2.setNumThreads(1)
    rows: dict[str, list[Row]] = defaultdict(list)
    refused: dict[str, int] = defaultdict(int)
    for source in given.only.split(","):
        for i in range(given.trials):
            shown = scene(source, np.random.default_rng([given.seed, i, sum(map(ord, source))]))
            try:
                for name, error, half, truth in asked(source, shown):
                    rows[name].append((error, half, truth, False, shown.look.blur, 0.0))
            except ToolInputError:
                refused[source] += 1
    table(rows, refused, by=False)
    print("not found:", dict(refused))
    if given.json:
        given.json.write_text(json.dumps({name: line(found) for name, found in rows.items()}, indent=1))


if __name__ == "__main__":
    main()
