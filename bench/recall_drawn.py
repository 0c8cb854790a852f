"""Five types of drawn defects on drawn grounds, each picture its own part: types must be told apart, not surfaces."""

from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

SIDE = 320
TYPES = ("scratch", "crack", "pit", "stain", "dent")


def drawn_records(each: int = 24, seed: int = 0) -> Iterator[dict[str, Any]]:
    """Records with `id`, `surface`, `type`, `part`, `box` and `pixels` (320, 320, 3) uint8 RGB."""
    rng = np.random.default_rng(seed)
    for kind in TYPES:
        for number in range(each):
            ground, relief, box = _ground(rng), None, None
            while box is None:
                relief = _relief(kind, rng)
                box = _box(relief)
            soft = cv2.GaussianBlur(relief, (0, 0), 0.7)
            pixels = np.clip(ground + soft[..., None], 0, 255).astype(np.uint8)
            name = f"{kind}{number}"
            yield {"id": name, "surface": "drawn", "type": kind, "part": name, "box": box, "pixels": pixels}


def _ground(rng: np.random.Generator) -> NDArray[np.float32]:
    """Noise of some grain (round, brushed, or woven), a tint, and light that falls off to one side."""
    noise = rng.normal(0, 1, (SIDE, SIDE)).astype(np.float32)
    style = int(rng.integers(3))
    if style == 0:
        noise = cv2.GaussianBlur(noise, (0, 0), float(rng.uniform(0.8, 6)))
    elif style == 1:
        noise = cv2.GaussianBlur(noise, (0, 0), sigmaX=float(rng.uniform(8, 20)), sigmaY=1.0)
    else:
        y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32)
        noise = 0.6 * noise + np.sin(x / rng.uniform(1, 2.5)) + np.sin(y / rng.uniform(1, 2.5))
    noise = np.rot90(noise, int(rng.integers(4)))
    slope = np.linspace(-1, 1, SIDE, dtype=np.float32) * rng.uniform(0, 25)
    grey = rng.uniform(70, 170) + rng.uniform(3, 12) * noise / noise.std() + slope
    return np.asarray(grey[..., None] * rng.uniform(0.85, 1.1, 3), dtype=np.float32)


def _relief(kind: str, rng: np.random.Generator) -> NDArray[np.float32]:
    """What the defect adds to the ground, grey levels."""
    mark = np.zeros((SIDE, SIDE), np.float32)
    centre, strength = rng.uniform(60, 260, 2), float(rng.uniform(25, 70))
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    if kind == "scratch":
        angle, length = rng.uniform(0, np.pi), rng.uniform(30, 120)
        half = np.array([np.cos(angle), np.sin(angle)]) * length / 2
        ends = (centre - half).astype(int), (centre + half).astype(int)
        cv2.line(mark, *ends, 1, int(rng.integers(1, 4)), cv2.LINE_AA)
        return strength * mark
    if kind == "crack":
        angle, points = rng.uniform(0, 2 * np.pi), [centre]
        for _ in range(int(rng.integers(8, 20))):
            angle += rng.normal(0, 0.5)
            points.append(points[-1] + np.array([np.cos(angle), np.sin(angle)]) * rng.uniform(5, 10))
        cv2.polylines(mark, [np.array(points).astype(np.int32)], False, 1, int(rng.integers(1, 3)), cv2.LINE_AA)
        return -strength * mark
    if kind == "pit":
        cv2.circle(mark, centre.astype(int), int(rng.integers(3, 11)), 1, -1, cv2.LINE_AA)
        return -strength * mark
    if kind == "stain":
        wobble = cv2.GaussianBlur(rng.normal(0, 1, (SIDE, SIDE)).astype(np.float32), (0, 0), 12)
        edge = rng.uniform(20, 55) + 12 * wobble / wobble.std() - np.hypot(x - centre[0], y - centre[1])
        return np.asarray(-0.6 * strength * np.clip(edge / 10, 0, 1), dtype=np.float32)
    radius, light = rng.uniform(12, 35), rng.uniform(0, 2 * np.pi)
    u, v = (x - centre[0]) / radius, (y - centre[1]) / radius
    shade = np.exp(-1.5 * (u * u + v * v)) * (u * np.cos(light) + v * np.sin(light))
    return np.asarray(2 * strength * shade, dtype=np.float32)


def _box(relief: NDArray[np.float32]) -> tuple[int, int, int, int] | None:
    """Box of what is seen of a relief; None if it lies outside."""
    rows, columns = np.nonzero(np.abs(relief) > 0.15 * max(np.abs(relief).max(), 1.0))
    if len(rows) == 0:
        return None
    return (max(int(columns.min()) - 2, 0), max(int(rows.min()) - 2, 0),
            min(int(columns.max()) + 3, SIDE), min(int(rows.max()) + 3, SIDE))
