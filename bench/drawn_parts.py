"""Drawn parts that vary from piece to piece as real ones do: light, place, texture. Good ones, and faulty ones."""

from collections.abc import Callable

import cv2
import numpy as np

from bench.drawn_surfaces import Drawn, Field, _blob, _line, _noise

SHAPE = (360, 480)


def _ceramic(rng: np.random.Generator) -> Field:
    """Dark ground ceramic: fine grinding, light that differs from piece to piece."""
    h, w = SHAPE
    y, x = np.mgrid[:h, :w].astype(np.float32)
    turn = rng.uniform(0, 2 * np.pi)
    ramp = np.cos(turn) * (x / w - 0.5) + np.sin(turn) * (y / h - 0.5)
    fall = (x / w - rng.uniform(0.3, 0.7)) ** 2 + (y / h - rng.uniform(0.3, 0.7)) ** 2
    light = rng.uniform(55, 90) * (1 + rng.uniform(0.1, 0.5) * ramp - rng.uniform(0.2, 0.8) * fall)
    return np.asarray(light + 3 * _noise(rng, SHAPE, (9, 1)) + 2 * _noise(rng, SHAPE, (1, 1)), np.float32)


def _grain(rng: np.random.Generator) -> Field:
    """Granular metal with patches of shade."""
    base = rng.uniform(115, 140) + 6 * _noise(rng, SHAPE, (61, 61))
    return np.asarray(base + 9 * _noise(rng, SHAPE, (3, 3)) + 6 * _noise(rng, SHAPE, (7, 7)), np.float32)


def _screw(rng: np.random.Generator) -> Field:
    """A threaded bar before a dark ground, shifted and turned by a little."""
    h, w = SHAPE
    y, x = np.mgrid[:h, :w].astype(np.float32)
    tilt, shift = rng.uniform(-0.04, 0.04), rng.uniform(-12, 12)
    v = (y - h / 2 - rng.uniform(-10, 10)) - tilt * (x - w / 2)
    inside = np.clip((95 - np.abs(v)) / 1.5, 0, 1)
    round_ = np.sqrt(np.clip(1 - (v / 96) ** 2, 0, 1))
    thread = np.sin(2 * np.pi * (x + shift + 0.25 * v) / 34)
    metal = 60 + 110 * round_ + 45 * thread * round_ + 4 * _noise(rng, SHAPE, (1, 7))
    grey = rng.uniform(0.9, 1.1) * (28 * (1 - inside) + metal * inside)
    return np.asarray(grey + 2 * _noise(rng, SHAPE, (1, 1)), np.float32)


def _plate(rng: np.random.Generator) -> Field:
    """A plate with four holes, a slot and a number, always lying nearly alike."""
    grey = np.asarray(150 + 5 * _noise(rng, SHAPE, (25, 3)), np.float32)
    for cx, cy in ((90, 80), (390, 80), (90, 280), (390, 280)):
        cv2.circle(grey, (cx, cy), 24, 35.0, -1, cv2.LINE_AA)
        cv2.circle(grey, (cx, cy), 30, 190.0, 2, cv2.LINE_AA)
    cv2.rectangle(grey, (180, 160), (300, 200), 40.0, -1)
    ink = np.zeros(SHAPE, np.uint8)
    cv2.putText(ink, "A7-20", (190, 110), cv2.FONT_HERSHEY_SIMPLEX, 0.9, 255, 2, cv2.LINE_AA)
    grey += (60 - grey) * (ink / np.float32(255))
    place = cv2.getRotationMatrix2D((240, 180), float(rng.uniform(-1.5, 1.5)), 1.0)
    place[:, 2] += rng.uniform(-5, 5, 2)
    turned = cv2.warpAffine(grey, place, SHAPE[::-1], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(turned * rng.uniform(0.92, 1.08) + 3 * _noise(rng, SHAPE, (1, 1)), np.float32)


PARTS: dict[str, Callable[[np.random.Generator], Field]] = {
    "ceramic": _ceramic, "grain": _grain, "screw": _screw, "plate": _plate}
FAULTS = ("scratch", "crack", "pit", "stain", "dent", "chip")


def part(name: str, seed: int, *, fault: str | None = None) -> Drawn:
    """One piece, good or with one fault of a contrast of 15 to 45 grey levels."""
    rng = np.random.default_rng(seed)
    grey = PARTS[name](rng)
    mask = np.zeros(SHAPE, np.float32)
    if fault:
        sign = -1.0
        if fault in {"scratch", "crack"}:
            mask, sign = _line(rng, SHAPE, fault, 0.7)
        else:
            mask = _blob(rng, SHAPE, fault, 0.6)
            if name == "screw":
                mask = np.roll(mask, SHAPE[0] // 2 - int(np.mean(np.nonzero(mask.max(axis=1) > 0.5)[0])), axis=0)
        grey = grey + sign * mask * float(rng.uniform(15, 45))
    rgb = np.repeat(grey[..., None], 3, axis=2) + rng.normal(0, 0.6, (*SHAPE, 3))
    truth = mask >= 0.5
    boxes = []
    if truth.any():
        ys, xs = np.nonzero(truth)
        boxes = [(int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1)]
    return Drawn(np.clip(np.round(rgb), 0, 255).astype(np.uint8), (fault,) if fault else (), tuple(boxes), truth)
