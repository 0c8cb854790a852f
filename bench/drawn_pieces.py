"""Drawn pieces that are hard to inspect: grain, uneven light and exposure, machining marks, faint defects.

Three kinds after real ones: `granular` (sintered metal with speckle; faint thin cracks), `tile` (dark ground ceramic of
changing size, exposure and light; blowholes, breaks, cracks, frayed and uneven areas), `shaft` (a turned screw with
rust that is normal; pitting). `pasted` puts the same faults on real textures.
"""

from collections.abc import Callable
from itertools import pairwise

import cv2
import numpy as np

from bench.drawn_surfaces import Drawn, Field, _noise

Rng = np.random.Generator
Faulty = tuple[Field, Field]
"""A (H, W) float32 picture in grey levels, and where the fault covers it, 0 to 1."""


def _grid(shape: tuple[int, int]) -> tuple[Field, Field]:
    y, x = np.mgrid[:shape[0], :shape[1]].astype(np.float32)
    return y, x


def _granular(rng: Rng) -> Field:
    """Sintered metal: speckle with dark pores, a bright band, dark ends whose place changes."""
    shape = (630, 250)
    y, x = _grid(shape)
    band = np.exp(-((x / shape[1] - rng.uniform(0.42, 0.58)) / rng.uniform(0.35, 0.5)) ** 2)
    base = rng.uniform(95, 130) + rng.uniform(35, 60) * band + 5 * _noise(rng, shape, (81, 81))
    grain = 8 * _noise(rng, shape, (2, 2)) + 6 * _noise(rng, shape, (5, 5)) + 4 * _noise(rng, shape, (11, 11))
    pores = (cv2.GaussianBlur((rng.random(shape) < rng.uniform(0.002, 0.004)).astype(np.float32), (0, 0), 1.1) * 7)
    grey = base + grain - 45 * np.clip(pores, 0, 1.2)
    top, low = rng.uniform(18, 45), shape[0] - rng.uniform(18, 45)
    edge = np.clip((y - top) / 5, 0, 1) * np.clip((low - y) / 5, 0, 1)
    return np.asarray(grey * edge + (1 - edge) * (28 + 3 * _noise(rng, shape, (2, 2))), np.float32)


def _tile(rng: Rng) -> Field:
    """Ground ceramic: size, exposure, light, strength of the grinding marks and blotches differ by piece."""
    shape = (int(rng.integers(230, 400)), int(rng.integers(130, 260)))
    y, x = _grid(shape)
    y, x = y / shape[0] - 0.5, x / shape[1] - 0.5
    turn = rng.uniform(0, 2 * np.pi)
    light = 1 + rng.uniform(0.1, 0.9) * (np.cos(turn) * x + np.sin(turn) * y)
    light = light - rng.uniform(0.2, 1.1) * ((x - rng.uniform(-0.25, 0.25)) ** 2 + (y - rng.uniform(-0.25, 0.25)) ** 2)
    marks = _noise(rng, shape, (1, int(rng.integers(15, 41)))) * 0.035 + _noise(rng, shape, (3, 61)) * 0.02
    blotch = _noise(rng, shape, (31, 31)) * rng.uniform(0.01, 0.03)
    level = rng.uniform(35, 105) * np.clip(light, 0.25, 2)
    grey = level * (1 + rng.uniform(0.7, 1.4) * (marks + blotch))
    return np.asarray(grey + 1.6 * _noise(rng, shape, (1, 1)), np.float32)


def _shaft(rng: Rng) -> Field:
    """A turned screw with grooves, gloss, fine turning marks and rust that is normal; shifted a little."""
    shape = (300, 480)
    y, x = _grid(shape)
    v = y - shape[0] / 2 - rng.uniform(-6, 6)
    phase = (x + rng.uniform(-8, 8) + 0.55 * v) / 118 * 2 * np.pi
    round_ = np.sqrt(np.clip(1 - (v / 190) ** 2, 0, 1))
    groove = np.tanh(2.5 * np.sin(phase))
    gloss = np.exp(-((v + 60 + 18 * groove) / 24) ** 2) * (60 + 25 * np.sin(phase + 0.6))
    marks = cv2.warpAffine(_noise(rng, (600, 960), (41, 1)), cv2.getRotationMatrix2D((480, 300), 29, 1.0),
                           (960, 600))[150:450, 240:720]
    rust = np.clip(_noise(rng, shape, (41, 17)) - 1.3, 0, None) * rng.uniform(0, 16)
    grey = rng.uniform(0.93, 1.07) * (50 + 85 * round_ + 28 * groove * round_ + gloss + 6 * marks - rust)
    return np.asarray(grey + 2 * _noise(rng, shape, (1, 1)), np.float32)


PIECES: dict[str, Callable[[Rng], Field]] = {"granular": _granular, "tile": _tile, "shaft": _shaft}
PIECE_FAULTS = {"granular": ("crack",), "tile": ("blowhole", "break", "crack", "fray", "uneven"),
                "shaft": ("pitting",), "texture": ("crack", "blowhole", "fray", "uneven")}


def _place(rng: Rng, shape: tuple[int, int], margin: float = 0.2) -> tuple[float, float]:
    return float(rng.uniform(margin, 1 - margin) * shape[1]), float(rng.uniform(margin, 1 - margin) * shape[0])


def _crack(grey: Field, rng: Rng) -> Faulty:
    """A jagged thin dark line that fades in and out along its way."""
    shape = (grey.shape[0], grey.shape[1])
    cx, cy = _place(rng, shape)
    count, angle = int(rng.integers(14, 40)), rng.uniform(0, 2 * np.pi)
    turns = angle + np.cumsum(rng.normal(0, 0.28, count)) * 0.6 + rng.normal(0, 0.3, count)
    steps = np.column_stack([np.cos(turns), np.sin(turns)]) * rng.uniform(2.5, 4.5)
    points = np.cumsum(steps, axis=0)
    points = np.round((points - points.mean(axis=0) + (cx, cy)) * 16).astype(np.int32)
    mask = np.zeros(shape, np.float32)
    for a, b in pairwise(points):
        part = np.zeros(shape, np.float32)
        cv2.line(part, a.tolist(), b.tolist(), 1.0, int(rng.integers(1, 3)), cv2.LINE_AA, 4)
        mask = np.maximum(mask, part * np.float32(rng.uniform(0.45, 1)))
    mask = cv2.GaussianBlur(mask, (0, 0), 0.6)
    depth = rng.uniform(0.2, 0.42) * float(np.median(grey))
    return np.asarray(grey - depth * mask, np.float32), np.asarray(mask, np.float32)


def _patch(rng: Rng, shape: tuple[int, int], radius: float, ratio: float, rough: float) -> Field:
    """An irregular area: a noisy ellipse."""
    y, x = _grid(shape)
    cx, cy = _place(rng, shape)
    turn = rng.uniform(0, np.pi)
    a = np.cos(turn) * (x - cx) + np.sin(turn) * (y - cy)
    b = -np.sin(turn) * (x - cx) + np.cos(turn) * (y - cy)
    size = int(max(3, radius * 0.7)) | 1
    far = np.sqrt((a / radius) ** 2 + (b / (radius * ratio)) ** 2) + rough * _noise(rng, shape, (size, size))
    return np.asarray(np.clip((1.1 - far) * radius / 3, 0, 1), np.float32)


def _blowhole(grey: Field, rng: Rng) -> Faulty:
    mask = _patch(rng, (grey.shape[0], grey.shape[1]), rng.uniform(1.6, 5), rng.uniform(0.6, 1), 0.12)
    rim = np.clip(cv2.GaussianBlur(mask, (0, 0), 2.5) - mask, 0, 1)
    depth = rng.uniform(0.22, 0.5)
    return np.asarray(grey * (1 - depth * mask + 0.2 * rim), np.float32), mask


def _break(grey: Field, rng: Rng) -> Faulty:
    shape = (grey.shape[0], grey.shape[1])
    mask = _patch(rng, shape, rng.uniform(18, 45), rng.uniform(0.4, 0.9), 0.3)
    inside = float(np.median(grey)) * rng.uniform(0.45, 1.5) * (1 + 0.15 * _noise(rng, shape, (7, 7)))
    return np.asarray(grey * (1 - mask) + inside * mask, np.float32), mask


def _fray(grey: Field, rng: Rng) -> Faulty:
    shape = (grey.shape[0], grey.shape[1])
    mask = _patch(rng, shape, rng.uniform(14, 40), rng.uniform(0.2, 0.6), 0.35)
    rough = 0.07 * _noise(rng, shape, (3, 3)) + rng.choice([-0.07, 0.07])
    return np.asarray(grey * (1 + mask * rough), np.float32), mask


def _uneven(grey: Field, rng: Rng) -> Faulty:
    shape = (grey.shape[0], grey.shape[1])
    mask = cv2.GaussianBlur(_patch(rng, shape, rng.uniform(35, 70), rng.uniform(0.4, 0.9), 0.3), (0, 0), 4)
    return np.asarray(grey * (1 + mask * rng.choice([-1, 1]) * rng.uniform(0.08, 0.2)), np.float32), mask


def _pitting(grey: Field, rng: Rng) -> Faulty:
    shape = (grey.shape[0], grey.shape[1])
    mask = _patch(rng, shape, rng.uniform(6, 24), rng.uniform(0.4, 0.9), 0.35)
    rough = rng.uniform(0.55, 0.8) + 0.12 * _noise(rng, shape, (3, 3))
    return np.asarray(grey * (1 - mask) + grey * rough * mask, np.float32), mask


FAULTS: dict[str, Callable[[Field, Rng], Faulty]] = {
    "crack": _crack, "blowhole": _blowhole, "break": _break, "fray": _fray, "uneven": _uneven, "pitting": _pitting}


def _finished(grey: Field, mask: Field, fault: str | None, rng: Rng) -> Drawn:
    rgb = np.repeat(grey[..., None], 3, axis=2) + rng.normal(0, 0.5, (*grey.shape, 3))
    truth = np.asarray(mask >= 0.4)
    boxes = []
    if truth.any():
        ys, xs = np.nonzero(truth)
        boxes = [(int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1)]
    return Drawn(np.clip(np.round(rgb), 0, 255).astype(np.uint8), (fault,) if fault else (), tuple(boxes), truth)


def piece(name: str, seed: int, *, fault: str | None = None) -> Drawn:
    """One piece, good or with one fault."""
    rng = np.random.default_rng(seed)
    grey = PIECES[name](rng)
    mask = np.zeros(grey.shape, np.float32)
    if fault:
        grey, mask = FAULTS[fault](grey, rng)
    return _finished(grey, mask, fault, rng)


def pasted(grey: Field, seed: int, *, fault: str | None = None) -> Drawn:
    """A real picture of a surface, (H, W) float32, with one drawn fault or none."""
    rng = np.random.default_rng(seed)
    mask = np.zeros(grey.shape, np.float32)
    if fault:
        grey, mask = FAULTS[fault](grey, rng)
    return _finished(grey, mask, fault, rng)
