"""Pictures of one kind of surface with several types of defect and several exposures a part.

Every picture of a set shows the same kind of surface under light that is never twice the same, so that only the defect
itself tells its type. A part is photographed several times: other light, other gain, other sharpness, moved a little.
"""

from collections.abc import Callable, Iterator
from typing import Any

import cv2
import numpy as np
import recall_marks as marks
from numpy.typing import NDArray
from recall_marks import Defect, Generator, Plane, grid, smooth


def _ceramic(shape: tuple[int, int], rng: Generator) -> Plane:
    """Dark, sintered and ground: fine grain, faint clouds, now and then grinding marks."""
    ground = rng.uniform(2, 5) * smooth(shape, 0.8, rng) + rng.uniform(1, 5) * smooth(shape, rng.uniform(6, 25), rng)
    if rng.random() < 0.5:
        marks = cv2.GaussianBlur(rng.normal(0, 1, shape).astype(np.float32), (0, 0), sigmaX=40, sigmaY=0.9)
        ground += rng.uniform(0.5, 2.5) * marks / marks.std()
    return np.asarray(ground, np.float32)


def _turned(shape: tuple[int, int], rng: Generator) -> Plane:
    """Metal with tool marks along the picture and bright bands."""
    marks = cv2.GaussianBlur(rng.normal(0, 1, shape).astype(np.float32), (0, 0), sigmaX=rng.uniform(15, 60), sigmaY=0.8)
    bands = cv2.GaussianBlur(rng.normal(0, 1, shape).astype(np.float32), (0, 0), sigmaX=90, sigmaY=12)
    return np.asarray(rng.uniform(3, 8) * marks / marks.std() + rng.uniform(2, 9) * bands / bands.std(), np.float32)


def _cloth(shape: tuple[int, int], rng: Generator) -> Plane:
    """Plain weave: threads both ways, each a little different."""
    x, y = grid(shape)
    pitch = rng.uniform(4, 9)
    warp, weft = (np.sin(2 * np.pi * (v / pitch + 0.06 * smooth(shape, 12, rng))) for v in (x, y))
    threads = cv2.GaussianBlur(rng.normal(0, 1, shape).astype(np.float32), (0, 0), sigmaX=30, sigmaY=1.5)
    weave = rng.uniform(4, 12) * (warp * weft + 0.3 * warp) + 2 * threads / threads.std()
    return np.asarray(weave + 3 * smooth(shape, 1, rng), np.float32)


def _painted(shape: tuple[int, int], rng: Generator) -> Plane:
    """Smooth, with a hint of orange peel."""
    return np.asarray(0.6 * smooth(shape, 1, rng) + rng.uniform(0.3, 2.5) * smooth(shape, rng.uniform(3, 8), rng),
                      np.float32)


def _cast(shape: tuple[int, int], rng: Generator) -> Plane:
    """Coarse and blotched, grain of several sizes."""
    return np.asarray(rng.uniform(3, 7) * smooth(shape, 1.2, rng) + rng.uniform(2, 6) * smooth(shape, 4, rng)
                      + rng.uniform(1, 5) * smooth(shape, 15, rng), np.float32)


Draw = Callable[[tuple[int, int], Generator], Defect]
SETS: dict[str, tuple[Callable[[tuple[int, int], Generator], Plane], dict[str, Draw], tuple[float, float]]] = {
    "ceramic": (_ceramic, {"blowhole": marks.blowhole, "break": marks.chip, "crack": marks.crack, "fray": marks.fray,
                           "uneven": marks.uneven}, (55, 110)),
    "turned": (_turned, {"scratch": marks.scratch, "dent": marks.dent, "rust": marks.rust, "chatter": marks.chatter,
                         "pit": marks.pit}, (90, 170)),
    "cloth": (_cloth, {"hole": marks.hole, "stain": marks.stain, "slub": marks.slub, "fibre": marks.fibre,
                       "fold": marks.fold}, (90, 190)),
    "painted": (_painted, {"bubble": marks.bubble, "grit": marks.grit, "scratch": marks.scratch, "fibre": marks.fibre,
                           "stain": marks.stain, "dent": marks.dent}, (60, 200)),
    "cast": (_cast, {"crack": marks.crack, "pit": marks.pit, "chip": marks.chip, "fold": marks.fold,
                     "rust": marks.rust, "scratch": marks.scratch}, (80, 160)),
}
"""Ground, defect types, and range of the mean grey level of each set."""


def _exposure(surface: Plane, mean: float, rng: Generator) -> NDArray[np.uint8]:
    """One photograph, (H, W, 3) uint8: light that falls off, gain, sharpness and noise of its own."""
    height, width = surface.shape
    x, y = grid((height, width))
    turn = rng.uniform(0, 2 * np.pi)
    slope = ((x / width - 0.5) * np.cos(turn) + (y / height - 0.5) * np.sin(turn)) * rng.uniform(0, 0.7)
    spot = np.hypot(x / width - rng.uniform(0.2, 0.8), y / height - rng.uniform(0.2, 0.8))
    light = (1 + slope) * (1 - rng.uniform(0, 0.6) * spot**2)
    grey = light * (mean + surface) * rng.uniform(0.75, 1.25)
    grey = cv2.GaussianBlur(grey, (0, 0), rng.uniform(0.4, 1.3)) + rng.normal(0, rng.uniform(1, 2.5), grey.shape)
    return np.repeat(np.clip(grey, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def tile_records(name: str, parts: int = 12, exposures: int = 3, seed: int = 0) -> Iterator[dict[str, Any]]:
    """Records of a set with `id`, `surface`, `type`, `part`, `box` and `pixels` (H, W, 3) uint8 RGB."""
    ground, draws, means = SETS[name]
    for number, kind in enumerate(kind for kind in draws for _ in range(parts)):
        rng = np.random.default_rng([seed, number, len(name)])
        shape = (int(rng.integers(220, 380)), int(rng.integers(180, 400)))
        mean, base, where = rng.uniform(*means), ground(shape, rng), np.zeros(shape, bool)
        while where.sum() < 12:
            change, where = draws[kind](shape, rng)
        # Cameras differ: a part fills its picture more or less, so that pixels alone do not give the type away.
        zoom = float(np.exp(rng.uniform(-0.5, 0.5)))
        surface = cv2.resize(base + rng.uniform(0.12, 0.5) * mean * change, None, fx=zoom, fy=zoom)
        where = cv2.resize(where.astype(np.uint8), surface.shape[::-1], interpolation=cv2.INTER_NEAREST) > 0
        for shot in range(exposures):
            dx, dy = (int(d) for d in rng.integers(-6, 7, 2))
            moved = np.roll(surface, (dy, dx), axis=(0, 1)) if shot else surface
            seen = np.roll(where, (dy, dx), axis=(0, 1)) if shot else where
            cut = (slice(8, -8), slice(8, -8))
            rows, columns = np.nonzero(seen[cut])
            if len(rows) == 0:
                continue
            box = (int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1)
            yield {"id": f"{kind}{number}.{shot}", "surface": name, "type": kind, "part": f"{name}/{kind}{number}",
                   "box": box, "pixels": _exposure(np.ascontiguousarray(moved[cut]), mean, rng)}
