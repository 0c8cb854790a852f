"""Black and white patterns such as bare boards, brought on top of each other piece by piece."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from kenpin.contracts.view import GrayImage
from tools.comparing.frames import Field

REACH, REACH_FINE = 3, 1
"""Pieces of the pattern may lie this far from where they should, px: at half size, and after that at full size."""
MIDDLE = (60, 195)
"""Grey levels between which a pixel is neither black nor white."""
LONE, LONE_SHARE = 8, 2e-5
"""So many grey pixels away from borders, or this share of the picture, are overlooked."""
CELL = 32
"""Side of the cells whose displacement is found one by one, px."""


@dataclass(frozen=True)
class Pattern:
    """A subject and its reference as 0 or 255, piece by piece on top of each other."""

    subject: GrayImage
    reference: GrayImage
    alike: float
    """How much of what chance leaves open agrees, at most 1."""
    residual: float
    """Mean displacement of the pieces, px."""


def is_bilevel(light: GrayImage) -> bool:
    """Whether a picture is black and white on purpose, with grey at the borders between the two at most."""
    few = light[::3, ::3]
    dark, bright = float(np.mean(few <= 25)), float(np.mean(few >= 230))
    if dark + bright < 0.9 or min(dark, bright) < 0.02:
        return False
    # A grey scratch on a label is no border: it has not both black and white beside it.
    square = np.ones((7, 7), np.uint8)
    border = (cv2.erode(light, square) < MIDDLE[0]) & (cv2.dilate(light, square) > MIDDLE[1])
    grey = (light > MIDDLE[0]) & (light < MIDDLE[1])
    return bool(np.count_nonzero(grey & ~border) <= max(LONE, LONE_SHARE * light.size))


def laid_over(subject: GrayImage, reference: GrayImage) -> Pattern:
    """Bring every piece of a roughly aligned reference onto the subject.

    Args:
        subject: (H, W) uint8, black and white.
        reference: (H, W) uint8, the same size, in the frame of the subject.
    """
    own, height, width = _sharp(subject), *subject.shape
    half = (max(8, width // 2), max(8, height // 2))
    small = [_sharp(cv2.resize(p, half, interpolation=cv2.INTER_AREA)) for p in (subject, reference)]
    flow = 2 * _flow(*_costs(small[0], small[1], REACH, CELL // 2), (height, width))
    moved = _looked_up(reference, flow)
    flow += _flow(*_costs(own, moved, REACH_FINE, CELL), (height, width))
    moved = _looked_up(reference, flow)
    bright, other = own.mean() / 255, moved.mean() / 255
    chance = bright * (1 - other) + other * (1 - bright)
    return Pattern(own, moved, 1 - float(np.mean(own != moved)) / max(chance, 1e-3),
                   float(np.hypot(flow[0], flow[1]).mean()))


def _sharp(light: NDArray[np.uint8]) -> GrayImage:
    return np.asarray(cv2.threshold(light, 127, 255, cv2.THRESH_BINARY)[1], np.uint8)


def _costs(subject: GrayImage, reference: GrayImage, reach: int, cell: int) -> tuple[Field, Field]:
    """Share of differing pixels of each cell under each displacement, (D, h, w), and the displacements, (D, 2)."""
    height, width = subject.shape
    size = (max(2, width // cell), max(2, height // cell))
    wide = cv2.copyMakeBorder(reference, reach, reach, reach, reach, cv2.BORDER_REPLICATE)
    steps = [(dx, dy) for dy in range(-reach, reach + 1) for dx in range(-reach, reach + 1)]
    costs = np.empty((len(steps), size[1], size[0]), np.float32)
    for cost, (dx, dy) in zip(costs, steps, strict=True):
        differs = cv2.bitwise_xor(subject, wide[reach + dy:reach + dy + height, reach + dx:reach + dx + width])
        cost[:] = cv2.resize(differs, size, interpolation=cv2.INTER_AREA)
    return costs, np.array(steps, np.float32)


def _flow(costs: Field, steps: Field, shape: tuple[int, int]) -> Field:
    """(2, H, W) how much further right and down each pixel of the subject is found in the reference."""
    usual = steps[int(np.argmin(costs.mean(axis=(1, 2))))]
    smooth = np.stack([cv2.blur(cost, (3, 3), borderType=cv2.BORDER_REPLICATE) for cost in costs])
    # Empty cells are content with any displacement; a small price keeps them with the others.
    smooth += 0.5 * np.hypot(*(steps - usual).T)[:, None, None]
    best = steps[smooth.argmin(axis=0)]
    return np.stack([cv2.resize(cv2.medianBlur(np.ascontiguousarray(best[..., i]), 3), shape[::-1]) for i in (0, 1)])


def _looked_up(reference: GrayImage, flow: Field) -> GrayImage:
    height, width = flow.shape[1:]
    xs, ys = flow[0] + np.arange(width, dtype=np.float32), flow[1] + np.arange(height, dtype=np.float32)[:, None]
    return _sharp(cv2.remap(reference, xs, ys, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))
