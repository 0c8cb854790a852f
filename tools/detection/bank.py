"""Oriented lines and round spots of several sizes, each judged against the clean surface's own extremes."""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from kenpin.contracts.view import Mask
from tools.detection.field import Field, block_maxima, grid, learn_extremes

ANGLES = 16
LENGTHS = (16, 32)
FLANK = 4
"""Distance from a line to what it is compared with, px of the level."""
PAD = 40
FLOOR = 0.07
"""Smallest spread of block maxima, grey levels: what differs by less than one level on average is never reported."""
LINE_LEVELS = 3
SPOT_LEVELS = 6
TESTS = ANGLES * len(LENGTHS) * LINE_LEVELS + SPOT_LEVELS


@dataclass(frozen=True)
class Evidence:
    """(H, W) float32 maps: minus log of how often a clean block shows as much, by lines and by spots."""

    line: Field
    spot: Field

    @property
    def best(self) -> Field:
        return np.maximum(self.line, self.spot)


def directions() -> list[tuple[float, float]]:
    """Unit vectors (dx, dy) of the lines."""
    return [(float(np.cos(a)), float(np.sin(a))) for a in np.arange(ANGLES) * np.pi / ANGLES]


def line_means(level: Field, direction: tuple[float, float], lengths: tuple[int, ...]) -> Iterator[NDArray[np.float32]]:
    """Mean along a line centred on each pixel, for each length (powers of two), flat arrays of the padded `level`.

    Source: dyadic line sums (beamlets), each of two half lines.
    """
    stride, flat = level.shape[1], level.reshape(-1)
    total, length, reach = flat, 1, 0
    while length < max(lengths):
        offset = round(direction[1] * length) * stride + round(direction[0] * length)
        ahead, behind = max(offset, 0), max(-offset, 0)
        grown = np.zeros_like(flat)
        np.add(total[behind: len(flat) - ahead], total[ahead: len(flat) - behind], out=grown[behind: len(flat) - ahead])
        total, length, reach = grown, length * 2, reach + offset
        if length in lengths:
            half = round(direction[1] * (length - 1) / 2) * stride + round(direction[0] * (length - 1) / 2)
            yield np.roll(total, half) * np.float32(1.0 / length)


def ridge(mean: NDArray[np.float32], across: int) -> NDArray[np.float32]:
    """How far a line's mean stands out from both flanks, to the same side; 0 on edges and slopes."""
    left, right = np.roll(mean, across), np.roll(mean, -across)
    bright = mean - np.maximum(left, right)
    dark = np.minimum(left, right) - mean
    return np.maximum(bright, dark)


def line_evidence(level: Field, hidden: Mask) -> Field:
    """Evidence for lines at one level of the pyramid, (H, W) float32."""
    height, width = level.shape
    padded = cv2.copyMakeBorder(cv2.GaussianBlur(level, (0, 0), 0.7), PAD, PAD, PAD, PAD, cv2.BORDER_REFLECT)
    best = np.full(level.shape, -np.inf, np.float32)
    blocks = grid(level.shape)
    for dx, dy in directions():
        across = round(dx * FLANK) * padded.shape[1] - round(dy * FLANK)
        for mean in line_means(padded, (dx, dy), LENGTHS):
            response = ridge(mean, across).reshape(padded.shape)[PAD:PAD + height, PAD:PAD + width].copy()
            response[hidden] = 0.0
            law = learn_extremes(block_maxima(response, blocks), floor=FLOOR)
            np.maximum(best, law.evidence(response), out=best)
    return best


def spot_evidence(level: Field, hidden: Mask) -> Field:
    """Evidence for round spots of about 3 px radius at one level of the pyramid, (H, W) float32."""
    response = np.abs(cv2.GaussianBlur(level, (0, 0), 1.5) - cv2.GaussianBlur(level, (0, 0), 4.5))
    response[hidden] = 0.0
    return learn_extremes(block_maxima(response, grid(level.shape)), floor=FLOOR).evidence(response)


def examine(field: Field, hidden: Mask) -> Evidence:
    """Search a flattened surface for lines and spots.

    Args:
        field: (H, W) float32, light removed, hidden pixels filled.
        hidden: (H, W) bool, pixels that are known to be something else.
    """
    height, width = field.shape
    lines, spots = np.full((2, height, width), -np.inf, np.float32)
    level, covered = field, hidden
    for depth in range(SPOT_LEVELS):
        if min(level.shape) < 24:
            break
        found = [(spots, spot_evidence(level, covered))]
        if depth < LINE_LEVELS:
            found.append((lines, line_evidence(level, covered)))
        for whole, part in found:
            np.maximum(whole, cv2.resize(part, (width, height), interpolation=cv2.INTER_LINEAR), out=whole)
        level = cv2.resize(level, (level.shape[1] // 2, level.shape[0] // 2), interpolation=cv2.INTER_AREA)
        covered = cv2.resize(hidden.astype(np.uint8), level.shape[::-1], interpolation=cv2.INTER_AREA) > 0
    return Evidence(line=lines, spot=spots)
