"""Pairs made of one photograph: taken again from elsewhere, in other light, and with one thing changed on it.

The golden sample is the middle of a picture; the subject is the whole picture seen through a known transform, so what
comes into view is real too. What was done is known: the transform, and a mask of what was changed.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Rgb = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Matrix = NDArray[np.float64]
Rng = np.random.Generator

SHARE = 0.82
"""Of the picture that the golden sample shows."""
LONGEST = 640
"""Longer side of a golden sample, px."""
LEAST_CHANGE = 22.0
"""Mean difference from which a change counts as one that can be seen, grey levels of the strongest channel."""


@dataclass(frozen=True)
class Taken:
    """A golden sample and a subject, (., ., 3) uint8 RGB each."""

    subject: Rgb
    golden: Rgb
    matrix: Matrix
    """From pixels of the golden sample to pixels of the subject, pixel centres."""
    changed: Mask | None
    """Of the subject, what was changed on it; None if nothing was."""


def golden_of(picture: Rgb) -> tuple[Rgb, tuple[int, int]]:
    """The middle of a picture, and where it begins."""
    height, width = picture.shape[:2]
    h, w = int(height * SHARE), int(width * SHARE)
    y, x = (height - h) // 2, (width - w) // 2
    return picture[y:y + h, x:x + w].copy(), (x, y)


def reduced(picture: Rgb) -> Rgb:
    share = min(1.0, LONGEST / SHARE / max(picture.shape[:2]))
    if share == 1:
        return picture
    size = (round(picture.shape[1] * share), round(picture.shape[0] * share))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


# --- where it is taken from


def pose(rng: Rng, shape: tuple[int, ...], *, turn: float = 0, shift: float = 0, scale: float = 0,
         tilt: float = 0) -> Matrix:
    """A transform about the middle; each limit is drawn from, the first three to at least half of it.

    Args:
        rng: Source of chance.
        shape: Of the golden sample.
        turn: Degrees.
        shift: Share of the width.
        scale: Share.
        tilt: Perspective: change of scale from one side to the other, share.
    """
    def drawn(limit: float) -> float:
        return float(rng.uniform(0.5, 1) * limit * rng.choice([-1, 1]))

    height, width = shape[:2]
    angle, size = np.radians(drawn(turn)), 1 + drawn(scale)
    way = rng.uniform(0, 2 * np.pi)
    far = abs(drawn(shift)) * width
    c, s = size * np.cos(angle), size * np.sin(angle)
    middle = np.array([[1, 0, -(width - 1) / 2], [0, 1, -(height - 1) / 2], [0, 0, 1]])
    turned = np.array([[c, -s, far * np.cos(way)], [s, c, far * np.sin(way)], [0, 0, 1]])
    leaning = np.eye(3)
    leaning[2, :2] = drawn(tilt) / width, drawn(tilt) / height
    return np.asarray(np.linalg.inv(middle) @ turned @ leaning @ middle, np.float64)


# --- how it is taken


def lit(picture: Rgb, rng: Rng, *, gain: float = 0, gamma: float = 0, slope: float = 0, tint: float = 0) -> Rgb:
    """Other light: exposure, gamma, a gradient over the picture, colour temperature."""
    def drawn(limit: float) -> float:
        return float(rng.uniform(0.5, 1) * limit * rng.choice([-1, 1]))

    field = picture.astype(np.float32) / 255
    field = field ** np.float32(np.exp(drawn(gamma)))
    height, width = picture.shape[:2]
    xs, ys = np.linspace(-0.5, 0.5, width, dtype=np.float32), np.linspace(-0.5, 0.5, height, dtype=np.float32)[:, None]
    way = rng.uniform(0, 2 * np.pi)
    ramp = 1 + np.float32(drawn(slope)) * (xs * np.float32(np.cos(way)) + ys * np.float32(np.sin(way)))
    warm = drawn(tint)
    field = field * ramp[..., None] * np.array([1 + warm, 1, 1 - warm], np.float32) * np.float32(1 + drawn(gain))
    return np.asarray(np.clip(255 * field + 0.5, 0, 255), np.uint8)


def rough(picture: Rgb, rng: Rng, *, noise: float = 0, blur: float = 0, jpeg: int | None = None) -> Rgb:
    """Noise of the sensor (grey levels), blur (sigma, px), JPEG of a quality."""
    field = picture.astype(np.float32)
    if blur:
        field = cv2.GaussianBlur(field, (0, 0), float(rng.uniform(0.5, 1) * blur))
    if noise:
        field = field + rng.normal(0, noise, field.shape).astype(np.float32)
    out = np.asarray(np.clip(field + 0.5, 0, 255), np.uint8)
    if jpeg is not None:
        out = np.asarray(cv2.imdecode(cv2.imencode(".jpg", out, [cv2.IMWRITE_JPEG_QUALITY, jpeg])[1], 1), np.uint8)
    return out


# --- what is changed on it


def _spot(rng: Rng, picture: Rgb, margin: float = 0.2) -> tuple[int, int, int]:
    """A place with structure and a radius of 1.5 to 4 % of the picture."""
    height, width = picture.shape[:2]
    radius = max(6, int(rng.uniform(0.015, 0.04) * max(height, width)))
    x = int(rng.uniform(margin, 1 - margin) * width)
    y = int(rng.uniform(margin, 1 - margin) * height)
    return x, y, radius


def _disc(picture: Rgb, x: int, y: int, radius: int, rng: Rng) -> NDArray[np.uint8]:
    mark = np.zeros(picture.shape[:2], np.uint8)
    axes = (radius, max(4, int(radius * rng.uniform(0.6, 1))))
    cv2.ellipse(mark, (x, y), axes, float(rng.uniform(0, 180)), 0, 360, 1, -1)
    return mark


def _missing(picture: Rgb, rng: Rng, other: Rgb) -> tuple[Rgb, NDArray[np.uint8]]:
    """What was there is gone: filled in from around."""
    mark = _disc(picture, *_spot(rng, picture), rng)
    return np.asarray(cv2.inpaint(picture, mark, 4, cv2.INPAINT_TELEA), np.uint8), mark


def _added(picture: Rgb, rng: Rng, other: Rgb) -> tuple[Rgb, NDArray[np.uint8]]:
    """A foreign body of one colour with some shading."""
    mark = _disc(picture, *_spot(rng, picture), rng)
    colour = rng.uniform(10, 245, 3) if rng.random() < 0.5 else np.repeat(rng.uniform(10, 245), 3)
    shade = cv2.GaussianBlur(mark.astype(np.float32), (0, 0), 4)[..., None] * 0.3 + 0.7
    return _blended(picture, colour * shade, mark), mark


def _exchanged(picture: Rgb, rng: Rng, other: Rgb) -> tuple[Rgb, NDArray[np.uint8]]:
    """A piece of another picture stands where this one's own should."""
    x, y, radius = _spot(rng, picture)
    mark = _disc(picture, x, y, radius, rng)
    fit = cv2.resize(other, picture.shape[1::-1], interpolation=cv2.INTER_AREA)
    return _blended(picture, fit[::-1, ::-1].astype(np.float32), mark), mark


def _displaced(picture: Rgb, rng: Rng, other: Rgb) -> tuple[Rgb, NDArray[np.uint8]]:
    """A piece stands 6 to 14 px from its place, and its place is filled in from around."""
    x, y, radius = _spot(rng, picture)
    mark = _disc(picture, x, y, radius, rng)
    way, far = rng.uniform(0, 2 * np.pi), rng.uniform(6, 14)
    step = np.array([[1, 0, round(far * np.cos(way))], [0, 1, round(far * np.sin(way))]], np.float64)
    size = picture.shape[1::-1]
    filled = np.asarray(cv2.inpaint(picture, mark, 4, cv2.INPAINT_TELEA), np.uint8)
    moved = cv2.warpAffine(mark, step, size, flags=cv2.INTER_NEAREST)
    return _blended(filled, cv2.warpAffine(picture, step, size).astype(np.float32), moved), mark | moved


def _scratch(picture: Rgb, rng: Rng, other: Rgb) -> tuple[Rgb, NDArray[np.uint8]]:
    """A line of 2 to 3 px, brighter or darker."""
    x, y, radius = _spot(rng, picture, 0.25)
    way, long = rng.uniform(0, np.pi), rng.uniform(2, 4) * radius
    mark = np.zeros(picture.shape[:2], np.uint8)
    points = [(x + t * long * np.cos(way + 0.2 * t), y + t * long * np.sin(way + 0.2 * t)) for t in (-0.5, 0, 0.5)]
    cv2.polylines(mark, [np.round(points).astype(np.int32)], False, 1, int(rng.integers(2, 4)))
    level = float(np.median(picture[mark > 0]))
    step = float(rng.uniform(45, 80)) * (-1 if level > 128 else 1)
    return _blended(picture, picture.astype(np.float32) + step, mark), mark


def _blended(picture: Rgb, paint: NDArray[np.floating], mark: NDArray[np.uint8]) -> Rgb:
    soft = cv2.GaussianBlur(mark.astype(np.float32), (0, 0), 0.7)[..., None]
    return np.asarray(np.clip(picture * (1 - soft) + paint * soft + 0.5, 0, 255), np.uint8)


CHANGES: dict[str, Callable[[Rgb, Rng, Rgb], tuple[Rgb, NDArray[np.uint8]]]] = {
    "missing": _missing, "added": _added, "exchanged": _exchanged, "displaced": _displaced, "scratch": _scratch}


def changed(picture: Rgb, rng: Rng, kind: str, other: Rgb) -> tuple[Rgb, Mask] | None:
    """The picture with one change that can be seen; None if forty places were no good."""
    for _ in range(40):
        out, mark = CHANGES[kind](picture, rng, other)
        step = np.abs(out.astype(np.int16) - picture).max(axis=2)
        seen = (step > 0.5 * LEAST_CHANGE) & (cv2.dilate(mark, np.ones((3, 3), np.uint8)) > 0)
        if np.count_nonzero(seen) >= 40 and step[seen].mean() >= LEAST_CHANGE \
                and np.count_nonzero(seen) >= 0.25 * np.count_nonzero(mark):
            return out, seen
    return None


def take(picture: Rgb, rng: Rng, matrix: Matrix, view: Callable[[Rgb], Rgb],
         change: tuple[Rgb, Mask] | None = None) -> Taken:
    """A subject of the golden sample's size, seen through `matrix` and then `view`.

    Args:
        picture: The whole picture.
        rng: Source of chance.
        matrix: From pixels of the golden sample to pixels of the subject.
        view: Light, blur, noise.
        change: What `changed` gave for the whole picture.
    """
    golden, (x, y) = golden_of(picture)
    whole = matrix @ np.array([[1, 0, -x], [0, 1, -y], [0, 0, 1]], np.float64)
    size = golden.shape[1::-1]
    source = picture if change is None else change[0]
    seen = cv2.warpPerspective(source, whole, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)
    mask = None
    if change is not None:
        mask = cv2.warpPerspective(change[1].astype(np.uint8), whole, size, flags=cv2.INTER_NEAREST) > 0
    return Taken(view(np.asarray(seen, np.uint8)), golden, matrix, mask)
