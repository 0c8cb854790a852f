"""Drawn test surfaces whose truth is known: a texture, and defects drawn on it. For tests and `detect_dev.py`."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Rgb = NDArray[np.uint8]
Field = NDArray[np.float32]

TEXTURES = ("brushed_h", "brushed_v", "cast", "matte", "gradient", "weave", "granite", "paper")
DEFECTS = ("scratch", "crack", "pit", "stain", "dent", "foreign", "chip")


@dataclass(frozen=True)
class Drawn:
    """A picture with its defects: type, tight box, and mask (H, W) bool of all of them."""

    pixels: Rgb
    kinds: tuple[str, ...]
    boxes: tuple[tuple[int, int, int, int], ...]
    mask: NDArray[np.bool_]


def _noise(rng: np.random.Generator, shape: tuple[int, int], kernel: tuple[int, int]) -> Field:
    field = cv2.blur(rng.normal(0, 1, shape).astype(np.float32), kernel)
    return np.asarray(field / field.std(), np.float32)


def _weave(rng: np.random.Generator, shape: tuple[int, int]) -> Field:
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    pitch = float(rng.uniform(5, 9))
    wave = np.sin(2 * np.pi * x / pitch) * 0.9 + np.sin(2 * np.pi * y / (pitch * 1.1)) * 0.9
    return np.asarray(wave + 0.6 * _noise(rng, shape, (2, 2)), np.float32)


USUAL = {"brushed_h": 7.0, "brushed_v": 7.0, "cast": 6.0, "matte": 2.0, "gradient": 2.5, "weave": 6.0, "granite": 10.0,
         "paper": 4.0}
"""Standard deviation of each texture, grey levels."""


def texture(name: str, rng: np.random.Generator, *, shape: tuple[int, int] = (480, 640),
            sd: float | None = None) -> Field:
    """(H, W) float32 grey levels of a clean surface with standard deviation `sd` (its usual one if not given)."""
    base = float(rng.uniform(90, 190))
    level = sd if sd is not None else USUAL[name] * float(rng.uniform(0.7, 1.2))
    fields = {"brushed_h": lambda: _noise(rng, shape, (int(rng.integers(25, 60)), int(rng.integers(1, 4)))),
              "brushed_v": lambda: _noise(rng, shape, (int(rng.integers(1, 4)), int(rng.integers(25, 60)))),
              "cast": lambda: _noise(rng, shape, (3, 3)) + 0.7 * _noise(rng, shape, (9, 9)),
              "matte": lambda: _noise(rng, shape, (1, 1)), "gradient": lambda: _noise(rng, shape, (1, 1)),
              "weave": lambda: _weave(rng, shape),
              "granite": lambda: np.tanh(1.5 * _noise(rng, shape, (5, 5))) + 0.4 * _noise(rng, shape, (1, 1)),
              "paper": lambda: _noise(rng, shape, (2, 2)) + 0.8 * _noise(rng, shape, (25, 25))}
    field = fields[name]()
    grey = base + level * field / field.std()
    if name == "gradient":
        y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
        angle, strength = rng.uniform(0, 2 * np.pi), rng.uniform(30, 70)
        ramp = (np.cos(angle) * (x / shape[1] - 0.5) + np.sin(angle) * (y / shape[0] - 0.5)) * strength
        fall = ((x / shape[1] - 0.5) ** 2 + (y / shape[0] - 0.5) ** 2) * -strength
        grey = grey + ramp + fall
    return np.asarray(grey, np.float32)


def _line(rng: np.random.Generator, shape: tuple[int, int], kind: str, size: float) -> tuple[Field, float]:
    mask = np.zeros(shape, np.float32)
    angle = rng.uniform(0, np.pi)
    length = size * rng.uniform(60, 200)
    centre = np.array([rng.uniform(0.3, 0.7) * shape[1], rng.uniform(0.3, 0.7) * shape[0]])
    t = np.linspace(-0.5, 0.5, 40)
    points = centre + np.column_stack([np.cos(angle) * t, np.sin(angle) * t]) * length
    normal = np.array([-np.sin(angle), np.cos(angle)])
    if kind == "crack":
        walk = np.cumsum(rng.normal(0, 1, 40))
        points = points + normal * (walk - np.linspace(walk[0], walk[-1], 40))[:, None] * length * 0.022
    else:
        points = points + normal * (0.25 - t[:, None] ** 2) * length * rng.uniform(-0.1, 0.1)
    width = int(rng.integers(1, 4))
    cv2.polylines(mask, [np.round(points * 16).astype(np.int32)], False, 1.0, width, cv2.LINE_AA, 4)
    return mask, -1.0 if kind == "crack" else float(rng.choice([-1.0, -1.0, 1.0]))


def _blob(rng: np.random.Generator, shape: tuple[int, int], kind: str, size: float) -> Field:
    mask = np.zeros(shape, np.float32)
    radius = size * {"pit": rng.uniform(3, 13), "stain": rng.uniform(15, 40), "dent": rng.uniform(14, 40),
                     "foreign": rng.uniform(6, 16), "chip": rng.uniform(14, 30)}[kind]
    centre = [rng.uniform(0.15, 0.85) * shape[1], rng.uniform(0.15, 0.85) * shape[0]]
    if kind == "chip":
        centre[int(rng.integers(2))] = 0.0
    ratio = rng.uniform(0.8, 1.0) if kind == "pit" else rng.uniform(0.45, 0.9)
    turn = rng.uniform(0, 360)
    if kind in {"stain", "foreign", "chip"}:
        t = np.linspace(0, 2 * np.pi, 60, endpoint=False)
        wobble = 1 + 0.12 * np.sin(3 * t + turn) + 0.08 * np.sin(5 * t + 2 * turn)
        points = np.column_stack([np.cos(t) * wobble, np.sin(t) * wobble * ratio]) * radius + centre
        cv2.fillPoly(mask, [np.round(points * 16).astype(np.int32)], 1.0, cv2.LINE_AA, 4)
    else:
        cv2.ellipse(mask, (tuple(centre), (2 * radius, 2 * radius * ratio), turn), 1.0, -1, cv2.LINE_AA)
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), max(radius * 0.12, 1)) if kind == "stain" else mask, np.float32)


def _draw(rgb: Field, rng: np.random.Generator, kind: str, contrast: float, size: float) -> NDArray[np.bool_]:
    shape = (rgb.shape[0], rgb.shape[1])
    if kind in {"scratch", "crack"}:
        mask, sign = _line(rng, shape, kind, size)
    else:
        mask = _blob(rng, shape, kind, size)
        sign = float(rng.choice([-1.0, 1.0])) if kind in {"foreign", "chip"} else -1.0
    colour = np.array([1.0, 1.0, 1.0], np.float32)
    if kind == "foreign":
        colour = np.asarray(rng.permutation([1.3, 0.9, 0.3]), np.float32)
    rgb += mask[..., None] * sign * contrast * colour
    return np.asarray(mask >= 0.5)


def draw(name: str, seed: int, *, defects: tuple[str, ...] = (), contrast: float | None = None, size: float = 1.0,
         shape: tuple[int, int] = (480, 640), sd: float | None = None) -> Drawn:
    """A surface with defects of a contrast in grey levels (5 to 9 times the texture's, at least 14, if not given)."""
    rng = np.random.default_rng(seed)
    grey = texture(name, rng, shape=shape, sd=sd)
    rgb = np.repeat(grey[..., None], 3, axis=2) * np.asarray(rng.uniform(0.94, 1.0, 3), np.float32)
    level = float(np.std(grey - cv2.GaussianBlur(grey, (0, 0), 20)))
    rgb += rng.normal(0, 0.6, rgb.shape).astype(np.float32)
    taken, boxes, kinds = np.zeros(shape, bool), [], []
    for kind in defects:
        for _attempt in range(30):
            trial = rgb.copy()
            strength = contrast if contrast is not None else max(14.0, level * float(rng.uniform(5, 9)))
            mask = _draw(trial, rng, kind, strength, size)
            near = cv2.dilate(mask.astype(np.uint8), np.ones((31, 31), np.uint8)) > 0
            if mask.any() and not (near & taken).any():
                break
        else:
            continue
        rgb, taken = trial, taken | mask
        ys, xs = np.nonzero(mask)
        boxes.append((int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1))
        kinds.append(kind)
    return Drawn(np.clip(np.round(rgb), 0, 255).astype(np.uint8), tuple(kinds), tuple(boxes), taken)


def write_on(picture: Drawn, text: str, at: tuple[int, int], *, height: float = 1.0, shade: int = 30) -> Drawn:
    """The same picture with printed letters, which are no defect."""
    pixels = picture.pixels.copy()
    thick = max(1, round(2 * height))
    cv2.putText(pixels, text, at, cv2.FONT_HERSHEY_SIMPLEX, height, (shade, shade, shade), thick, cv2.LINE_AA)
    return Drawn(pixels, picture.kinds, picture.boxes, picture.mask)


def dump(picture: Drawn) -> Any:
    """RGB picture with the true boxes in red, for a person to look at."""
    shown = picture.pixels.copy()
    for x0, y0, x1, y1 in picture.boxes:
        cv2.rectangle(shown, (x0 - 3, y0 - 3), (x1 + 2, y1 + 2), (255, 0, 0), 1)
    return shown
