"""A surface cell by cell: brightness, colour and texture of each, and how unlike its own surface any part of it is.

A surface is even if no group of cells stands out from the others, and if the means of large areas differ no more than
the means of small ones let expect. Wear, stains and changes of texture break one or the other.

Source: variance of block means under stationarity; robust z-scores; iteratively reweighted least squares.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from kenpin.contracts.view import Mask
from tools.detection.field import DARK, Field, powers

ACROSS = 40
"""Cells along the longer side."""
SMALLEST = 8
"""Side of a cell, px."""
POOLS = (1, 2, 4, 8)
"""Sides of the groups of cells that are compared, cells."""
CALM = 0.15
"""Grey levels that count as no contrast."""
LEAST = {"mean": 0.002, "sum": 0.002, "fine": 0.03, "mid": 0.03, "aniso": 0.03, "diag": 0.03, "red": 0.06, "blue": 0.06}
"""Smallest deviation between cells that is believed: below it 8-bit rounding shows."""
WIDTHS = (1, 3, 9, 25)
"""Of bands of rows and columns, px."""
LEAST_BAND = 0.08
"""Smallest deviation between bands that is believed, grey levels."""
TEXTURE = ("fine", "mid", "aniso", "diag")


@dataclass(frozen=True)
class Cells:
    """What was measured in each cell, (h, w) float32 each, and which cells count."""

    maps: dict[str, Field]
    known: Mask


def _average(array: Field, size: tuple[int, int]) -> Field:
    return np.asarray(cv2.resize(array, size, interpolation=cv2.INTER_AREA), np.float32)


def _gap(field: Field, framed: Field, across: int, down: int) -> Field:
    """Absolute difference of each pixel and one `across` and `down` from it; `framed` has a border of one px."""
    height, width = field.shape
    return np.asarray(cv2.absdiff(field, framed[1 + down:1 + down + height, 1 + across:1 + across + width]), np.float32)


def cells_of(grey: Field, fields: tuple[Field, Field, Field], covered: Mask, *, light_only: bool = False) -> Cells:
    """Measure the cells of a surface.

    Args:
        grey: (H, W) float32 grey levels as they are.
        fields: Brightness and two colour differences without light, (H, W) float32 each.
        covered: (H, W) bool, what does not count: findings, what belongs there, background.
        light_only: Leave out texture and colour, which take most of the time.
    """
    bright, red, blue = fields
    height, width = grey.shape
    side = max(float(SMALLEST), max(height, width) / ACROSS)
    size = (max(4, round(width / side)), max(4, round(height / side)))
    mean = _average(grey, size)
    maps = {"mean": np.log(mean + DARK), "sum": mean / max(float(np.median(mean)), 1.0)}
    known = np.asarray(_average((~covered).astype(np.float32), size) > 0.6)
    if light_only:
        return Cells(maps, known)
    soft = cv2.GaussianBlur(bright, (0, 0), 0.7)
    framed = np.asarray(cv2.copyMakeBorder(bright, 1, 1, 1, 1, cv2.BORDER_REPLICATE), np.float32)
    band = cv2.absdiff(cv2.GaussianBlur(bright, (0, 0), 1.5), cv2.GaussianBlur(bright, (0, 0), 4.0))

    def contrast(values: Field) -> Field:
        return np.asarray(np.log(_average(values, size) + np.float32(CALM)), np.float32)

    maps |= {"fine": contrast(np.abs(cv2.Laplacian(soft, cv2.CV_32F))), "mid": contrast(band),
            "aniso": contrast(_gap(bright, framed, 1, 0)) - contrast(_gap(bright, framed, 0, 1)),
            "diag": contrast(_gap(bright, framed, 1, 1)) - contrast(_gap(bright, framed, -1, 1)),
            "red": _average(red, size), "blue": _average(blue, size)}
    return Cells(maps, known)


def levelled(values: Field, known: Mask) -> NDArray[np.float64]:
    """`values` without a surface of second degree, which a lamp or a lens may cause; most known cells decide it."""
    terms = powers(values.shape[0], values.shape[1], 2)
    target, counts = values.reshape(-1).astype(np.float64), known.reshape(-1).astype(np.float64)
    weights, rest = counts, target
    for _ in range(5):
        scaled = terms * weights[:, None]
        rest = target - terms @ np.linalg.solve(scaled.T @ terms + 1e-9 * np.eye(6), scaled.T @ target)
        usual = 1.4826 * _middle(np.abs(rest[counts > 0])) + 1e-6
        weights = counts * (np.clip(1 - (rest / usual / 5) ** 2, 0, 1) ** 2 + 1e-3)
    return np.asarray(rest.reshape(values.shape))


def _middle(values: NDArray[np.float64]) -> float:
    """The upper one of the middle values."""
    return float(np.partition(values, values.size // 2)[values.size // 2])


def deviation(values: NDArray[np.float64]) -> float:
    """Standard deviation that the middle half of the values suggests."""
    return 1.4826 * _middle(np.abs(values - _middle(values)))


@dataclass(frozen=True)
class Spread:
    """How much one measure differs over a surface."""

    out: float
    """Largest distance of a group of cells from the middle one, in robust deviations of such groups."""
    wide: float
    """Deviation of the means of large groups over what small groups let expect if they were independent."""
    large: float
    """Standard deviation of the largest groups' means, in the measure's own unit."""


def spread_of(values: Field, known: Mask, least: float) -> Spread:
    """Compare groups of cells of one measure."""
    if float(np.ptp(values[known])) < least:
        return Spread(0.0, 0.0, 0.0)
    rest = levelled(values, known)
    base = max(deviation(rest[known]), least)
    counted = known.astype(np.float64)
    out, wide, large = 0.0, 0.0, 0.0
    for pool in POOLS:
        share = cv2.blur(counted, (pool, pool), borderType=cv2.BORDER_CONSTANT)
        total = cv2.blur(rest * counted, (pool, pool), borderType=cv2.BORDER_CONSTANT)
        full = share > 0.5
        if np.count_nonzero(full) < 10:
            continue
        means = total[full] / share[full]
        means = means - _middle(means)
        if pool > 1:
            out = max(out, float(np.abs(means).max()) / max(deviation(means), base / pool))
        if pool == 2:
            # Long grains make neighbouring cells alike; what pairs of cells show is what large groups are held against.
            base = max(base, 2 * deviation(means))
        if pool > 2:
            wide = max(wide, float(means.std()) * pool / base)
        large = float(means.std())
    return Spread(out, wide, large)


def banding(bright: Field, covered: Mask) -> tuple[float, float]:
    """How far any band of rows or columns, and any along the border, lies from the others, in robust deviations.

    Streaks, strips and lost threads show there.

    Args:
        bright: (H, W) float32 flattened surface.
        covered: (H, W) bool, what does not count.
    """
    open_ = (~covered).astype(np.float32)
    worst, edge = 0.0, 0.0
    for axis in (0, 1):
        count = open_.sum(axis=axis)
        profile = (bright * open_).sum(axis=axis)[count > 0.3 * open_.shape[axis]]
        count = count[count > 0.3 * open_.shape[axis]]
        for width in WIDTHS:
            if len(profile) < 8 * width:
                break
            kernel = np.ones(width)
            means = np.convolve(profile, kernel, "valid") / np.convolve(count, kernel, "valid")
            means = means - _middle(means)
            usual = max(deviation(means), LEAST_BAND)
            worst = max(worst, float(np.abs(means).max()) / usual)
            # A strip breaks off where light fades: each band is held against what the next two let expect.
            broken = means[:-2 * width] - 2 * means[width:-width] + means[2 * width:]
            usual = max(deviation(broken), LEAST_BAND)
            edge = max(edge, float(max(abs(broken[0]), abs(broken[-1]))) / usual)
    return worst, edge
