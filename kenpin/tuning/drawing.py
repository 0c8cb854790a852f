"""Drawn surfaces with at most one defect whose kind and box are known: what a model learns to see from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:  # training draws where nothing but torch and OpenCV is installed
    from kenpin.contracts.view import Box, RgbImage

KINDS = ("scratch", "crack", "pit", "stain", "dent", "chip")
SURFACES = ("brushed", "cast", "matte", "weave", "granite")
SHAPE = (352, 448)
"""Rows and columns: multiples of the model's 32 pixels, so that nothing resizes them again."""
Field = NDArray[np.float32]
"""(H, W) float32."""


@dataclass(frozen=True)
class Drawn:
    """A picture (H, W, 3) uint8, and the defect on it: its kind and tight box, or None."""

    pixels: RgbImage
    kind: str | None
    box: Box | None


def drawn(rng: np.random.Generator, *, kind: str | None, shape: tuple[int, int] = SHAPE) -> Drawn:
    """A surface with a defect of a kind, or a clean one."""
    grey = _surface(rng, SURFACES[int(rng.integers(len(SURFACES)))], shape)
    box = None
    if kind is not None:
        mask = _mark(rng, kind, shape)
        strength = float(rng.uniform(45, 90)) * (1 if kind in ("dent",) and rng.random() < 0.5 else -1)
        grey = grey + strength * mask
        rows, columns = np.nonzero(mask > 0.25)
        box = (int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1)
    tint = rng.uniform(0.92, 1.0, 3).astype(np.float32)
    pixels = np.clip(np.round(grey[..., None] * tint), 0, 255).astype(np.uint8)
    return Drawn(pixels, kind, box)


def part_of(box: Box, width: int, height: int) -> str:
    """Which ninth of the picture a box's centre lies in, in English words: `upper left`, `centre`."""
    x, y = (box[0] + box[2]) / 2 / width, (box[1] + box[3]) / 2 / height
    down = "upper" if y < 1 / 3 else "lower" if y > 2 / 3 else ""
    across = "left" if x < 1 / 3 else "right" if x > 2 / 3 else ""
    return " ".join(filter(None, (down, across))) or "centre"


def _surface(rng: np.random.Generator, name: str, shape: tuple[int, int]) -> Field:
    """(H, W) float32 grey levels of a clean surface."""
    noise = rng.normal(0, 1, shape).astype(np.float32)
    kernels = {"brushed": (31, 1), "cast": (5, 5), "matte": (1, 1), "granite": (7, 7)}
    if name == "weave":
        y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
        pitch = float(rng.uniform(6, 10))
        field = np.sin(2 * np.pi * x / pitch) + np.sin(2 * np.pi * y / pitch) + 0.5 * noise
    else:
        field = cv2.blur(noise, kernels[name])
    x = np.linspace(-0.5, 0.5, shape[1], dtype=np.float32)[None, :]
    light = float(rng.uniform(-30, 30)) * x
    return np.asarray(rng.uniform(110, 190) + light + 5 * field / field.std(), np.float32)


def _mark(rng: np.random.Generator, kind: str, shape: tuple[int, int]) -> Field:
    """(H, W) float32 in 0-1: how strongly each pixel belongs to the defect."""
    mask = np.zeros(shape, np.float32)
    across, down = (int(rng.uniform(0.12, 0.88) * side) for side in (shape[1], shape[0]))
    size = float(rng.uniform(0.7, 1.6))
    if kind in ("scratch", "crack"):
        angle, length = float(rng.uniform(0, np.pi)), size * float(rng.uniform(50, 90))
        t = np.linspace(-0.5, 0.5, 24)
        points = np.array([across, down]) + np.column_stack([np.cos(angle) * t, np.sin(angle) * t]) * length
        if kind == "crack":
            points = points + np.cumsum(rng.normal(0, 2.2, (24, 2)), axis=0)
        cv2.polylines(mask, [np.round(points * 16).astype(np.int32)], False, 1.0, 2, cv2.LINE_AA, 4)
    elif kind == "pit":
        for _ in range(int(rng.integers(3, 7))):
            spot = (across + int(rng.normal(0, 12)), down + int(rng.normal(0, 12)))
            cv2.circle(mask, spot, int(rng.integers(2, 5)), 1.0, -1, cv2.LINE_AA)
    elif kind == "chip":
        corners = np.array([across, down]) + rng.uniform(-22, 22, (5, 2)) * size
        cv2.fillConvexPoly(mask, cv2.convexHull(np.round(corners).astype(np.int32)), 1.0, cv2.LINE_AA)
    else:
        axes = (int(size * rng.uniform(14, 30)), int(size * rng.uniform(14, 30)))
        cv2.ellipse(mask, (across, down), axes, float(rng.uniform(0, 180)), 0, 360, 0.8, -1)
        mask = cv2.GaussianBlur(mask, (0, 0), 2 if kind == "stain" else 8)
        if kind == "dent":
            x = (np.arange(shape[1], dtype=np.float32)[None, :] - across) / (axes[0] + 8)
            mask = np.clip(mask * (1 + x), 0, 1)
    mask[:2], mask[-2:], mask[:, :2], mask[:, -2:] = 0, 0, 0, 0
    if not (mask > 0.25).any():
        return _mark(rng, kind, shape)
    return mask
