"""Oriented lines and round spots of several sizes, each judged against the clean surface's own extremes."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from kenpin.contracts.view import Mask
from tools.detection.field import Field, block_maxima, grid, learn_extremes, open_blocks

ANGLES = 16
LENGTH = 16
"""Of a piece of line, px of the level; a power of two."""
FLANK = 4
"""Distance from a line to what it is compared with, px of the level."""
PAD = 40
UNITS = 4
"""Integer steps per grey level while lines are summed: 16 of them, and their difference, fit 16 bits."""
FLOOR = 0.07
"""Smallest spread of block maxima, grey levels: what differs by less than one level on average is never reported."""
LINE_LEVELS = 3
SPOT_LEVELS = 6
TESTS = 2 * ANGLES * LINE_LEVELS + SPOT_LEVELS

Steps = NDArray[np.int16]
"""Grey levels in `UNITS` steps."""


@dataclass(frozen=True)
class Evidence:
    """(H, W) float32 maps: minus log of how often a clean block shows as much, by lines and by spots; at least 0."""

    line: Field
    spot: Field

    @property
    def best(self) -> Field:
        return np.maximum(self.line, self.spot)


def directions() -> list[tuple[float, float]]:
    """Unit vectors (dx, dy) of the lines."""
    return [(float(np.cos(a)), float(np.sin(a))) for a in np.arange(ANGLES) * np.pi / ANGLES]


def line_sums(flat: Steps, stride: int, direction: tuple[float, float]) -> tuple[int, Steps]:
    """Sums along lines of `LENGTH` px that start at each pixel.

    Args:
        flat: Padded level, row by row, `stride` pixels a row.
        stride: Pixels a row.
        direction: Unit vector of the lines.
    Returns:
        Offset from a line's start to its middle, and the sums; those that leave the array are not valid.
    Source: dyadic line sums (beamlets): each of two halves.
    """
    total, length = flat, 1
    while length < LENGTH:
        offset = round(direction[1] * length) * stride + round(direction[0] * length)
        ahead, behind = max(offset, 0), max(-offset, 0)
        grown = np.empty_like(flat)
        grown[:behind], grown[len(flat) - ahead:] = 0, 0
        np.add(total[behind: len(flat) - ahead], total[ahead: len(flat) - behind], out=grown[behind: len(flat) - ahead])
        total, length = grown, length * 2
    return round(direction[1] * (LENGTH - 1) / 2) * stride + round(direction[0] * (LENGTH - 1) / 2), total


def ridge(sums: Steps, first: int, last: int, across: int) -> Steps:
    """How far lines stand out from both flanks, to the same side; negative on edges and slopes."""
    here = sums[first:last]
    left, right = sums[first - across: last - across], sums[first + across: last + across]
    bright = np.maximum(left, right)
    np.subtract(here, bright, out=bright)
    dark = np.minimum(left, right)
    np.subtract(dark, here, out=dark)
    return np.asarray(np.maximum(bright, dark, out=bright), np.int16)


def line_evidence(level: Field, hidden: Mask) -> Field:
    """Evidence for lines at one level of the pyramid, (H, W) float32, at least 0.

    Each angle is asked twice: for one piece of line, and for two pieces in a row that both must show, which a spot
    beside the line's end cannot do.
    """
    height, width = level.shape
    soft = cv2.GaussianBlur(level, (0, 0), 0.7)
    steps = np.rint(np.clip(soft, -127, 127) * UNITS).astype(np.int16)
    padded = cv2.copyMakeBorder(steps, PAD, PAD, PAD, PAD, cv2.BORDER_REFLECT_101)
    stride, flat = padded.shape[1], padded.reshape(-1)
    best = np.zeros(level.shape, np.float32)
    shown = (~hidden).astype(np.int16)
    margin = (LENGTH // 2 + 2) * stride
    known = open_blocks(hidden, grid(level.shape))
    for dx, dy in directions():
        side_x, side_y = round(dy * FLANK), round(dx * FLANK)
        middle, sums = line_sums(flat, stride, (dx, dy))
        first = PAD * stride - margin - middle
        one = ridge(sums, first, first + height * stride + 2 * margin, side_y * stride - side_x)
        shift = round(dy * LENGTH / 2) * stride + round(dx * LENGTH / 2)
        end = len(one) - margin
        two = np.minimum(one[margin - shift: end - shift], one[margin + shift: end + shift])
        for response in (one[margin:end], two):
            seen = response.reshape(height, stride)[:, PAD:PAD + width] * shown
            _clear_border(seen, abs(side_x), abs(side_y))
            _keep_largest(best, seen, known, 1.0 / (LENGTH * UNITS))
    return best


def _clear_border(response: Steps, wide: int, high: int) -> None:
    """Where a flank lies outside the picture nothing is known."""
    if high:
        response[:high], response[-high:] = 0, 0
    if wide:
        response[:, :wide], response[:, -wide:] = 0, 0


def _keep_largest(best: Field, response: Steps, known: Mask, unit: float) -> None:
    """Raise `best` to the evidence of `response`, given in steps of `unit` grey levels."""
    law = learn_extremes(block_maxima(response, grid(response.shape))[known] * np.float32(unit), floor=FLOOR)
    values, flat = response.reshape(-1), best.reshape(-1)
    above = np.flatnonzero(values > np.int16(min(law.place / unit, 32000)))
    flat[above] = np.maximum(flat[above], law.evidence(values[above] * np.float32(unit)))


def spot_evidence(level: Field, hidden: Mask) -> Field:
    """Evidence for round spots of about 3 px radius at one level of the pyramid, (H, W) float32, at least 0."""
    response = np.abs(cv2.GaussianBlur(level, (0, 0), 1.5) - cv2.GaussianBlur(level, (0, 0), 4.5))
    response[hidden] = 0.0
    blocks = grid(level.shape)
    law = learn_extremes(block_maxima(response, blocks)[open_blocks(hidden, blocks)], floor=FLOOR)
    return np.maximum(law.evidence(response), 0)


def examine(field: Field, hidden: Mask) -> Evidence:
    """Search a flattened surface for lines and spots.

    Args:
        field: (H, W) float32, light removed, hidden pixels filled.
        hidden: (H, W) bool, pixels that are known to be something else.
    """
    height, width = field.shape
    lines, spots = np.zeros((2, height, width), np.float32)
    level, covered = field, hidden
    for depth in range(SPOT_LEVELS):
        if min(level.shape) < 24:
            break
        found = [(spots, spot_evidence(level, covered))]
        if depth < LINE_LEVELS:
            found.append((lines, line_evidence(level, covered)))
        for whole, part in found:
            grown = part if depth == 0 else cv2.resize(part, (width, height), interpolation=cv2.INTER_LINEAR)
            np.maximum(whole, grown, out=whole)
        level = cv2.resize(level, (level.shape[1] // 2, level.shape[0] // 2), interpolation=cv2.INTER_AREA)
        covered = cv2.resize(hidden.astype(np.uint8), level.shape[::-1], interpolation=cv2.INTER_AREA) > 0
    return Evidence(line=lines, spot=spots)
