"""Black and white patterns such as bare boards: what was added to the pattern, and what is missing from it."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from kenpin.contracts.verdict import DefectType
from kenpin.contracts.view import GrayImage, Mask
from tools.comparing.changes import Change, ChangeKind, scored
from tools.comparing.frames import Field

REACH, REACH_FINE = 3, 1
"""Pieces of the pattern may lie this far from where they should, px: at half size, and after that at full size."""
CELL = 32
"""Side of the cells whose displacement is found one by one, px."""
LEAST = 14
"""Pixels beyond the tolerance from which a difference is one."""
CONTEXT = 9
"""A difference in a pattern is boxed with this much around it, px, so that the conductors that it touches are seen."""

TYPES: dict[ChangeKind, DefectType] = {
    "open": DefectType.MISSING, "mousebite": DefectType.CHIP, "pin-hole": DefectType.PIT, "missing": DefectType.MISSING,
    "short": DefectType.FOREIGN, "spur": DefectType.BURR, "copper": DefectType.FOREIGN}


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
    """Whether a picture is black and white on purpose."""
    few = light[::3, ::3]
    dark, bright = float(np.mean(few <= 25)), float(np.mean(few >= 230))
    return dark + bright >= 0.9 and min(dark, bright) >= 0.02


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


def conductor_is_dark(reference: GrayImage) -> bool:
    """Binarised boards show copper dark; only where dark clearly fills the picture is it the ground."""
    return float(np.mean(reference < 128)) < 0.7


def changes(pattern: Pattern, *, tolerance: int = 1, seen: Mask | None = None) -> list[Change]:
    """Regions in which the subject's pattern differs, with what that does to the conductors.

    Args:
        pattern: Subject and reference.
        tolerance: Edges may lie this far from where they should, px.
        seen: (H, W) bool, where the reference has pixels; None is everywhere.
    """
    dark = conductor_is_dark(pattern.reference)
    subject, reference = ((255 - p if dark else p) for p in (pattern.subject, pattern.reference))
    square = np.ones((2 * tolerance + 1,) * 2, np.uint8)
    added = cv2.bitwise_and(subject, cv2.bitwise_not(cv2.dilate(reference, square)))
    gone = cv2.bitwise_and(cv2.erode(reference, square), cv2.bitwise_not(subject))
    found = []
    for seeds, whole, on in ((added, cv2.bitwise_and(subject, cv2.bitwise_not(reference)), True),
                             (gone, cv2.bitwise_and(reference, cv2.bitwise_not(subject)), False)):
        if seen is not None:
            seeds[~seen] = 0
        # What lies beyond the border is not known, so a piece that moved in from there looks added.
        seeds[:2], seeds[-2:], seeds[:, :2], seeds[:, -2:] = 0, 0, 0, 0
        joint = cv2.dilate(seeds, np.ones((3, 3), np.uint8))
        count, labels, stats, _ = cv2.connectedComponentsWithStats(joint, connectivity=8)
        for label in range(1, count):
            x, y, w, h = (int(v) for v in stats[label, :4])
            own = labels[y:y + h, x:x + w] == label
            strength = int(np.count_nonzero(seeds[y:y + h, x:x + w][own]))
            if strength < LEAST:
                continue
            if strength < 4 * LEAST and _only_moved(subject, reference, (x, y, x + w, y + h), square):
                continue
            region = own & (whole[y:y + h, x:x + w] > 0)
            kind, sure = _topology(subject, reference, (x, y), own & region, added=on)
            box = (max(x + 1 - CONTEXT, 0), max(y + 1 - CONTEXT, 0),
                   min(x + w - 1 + CONTEXT, subject.shape[1]), min(y + h - 1 + CONTEXT, subject.shape[0]))
            found.append(Change(box=box, mask=region, corner=(x, y), kind=kind, type=TYPES[kind], type_score=sure,
                                score=scored(strength / LEAST)))
    return sorted(found, key=lambda change: -change.score)


def _only_moved(subject: GrayImage, reference: GrayImage, box: tuple[int, int, int, int],
                square: NDArray[np.uint8], *, reach: int = 2) -> bool:
    """Whether a difference disappears when the reference around it is moved a little more."""
    height, width = subject.shape
    x0, y0, x1, y1 = max(box[0] - 4, 0), max(box[1] - 4, 0), min(box[2] + 4, width), min(box[3] + 4, height)
    here = subject[y0:y1, x0:x1]
    wide = cv2.copyMakeBorder(reference, reach, reach, reach, reach, cv2.BORDER_REPLICATE)[
        y0:y1 + 2 * reach, x0:x1 + 2 * reach]
    for dy in range(2 * reach + 1):
        for dx in range(2 * reach + 1):
            there = wide[dy:dy + y1 - y0, dx:dx + x1 - x0]
            rest = cv2.bitwise_and(here, cv2.bitwise_not(cv2.dilate(there, square)))
            rest |= cv2.bitwise_and(cv2.erode(there, square), cv2.bitwise_not(here))
            if np.count_nonzero(rest) <= 3:
                return True
    return False


def _topology(subject: GrayImage, reference: GrayImage, corner: tuple[int, int], mask: Mask, *,
              added: bool) -> tuple[ChangeKind, float]:
    """What a difference does to the conductors: pieces of conductor around what was added or is gone."""
    reach = 4
    x, y = corner
    height, width = mask.shape
    x0, y0 = max(x - reach, 0), max(y - reach, 0)
    x1, y1 = min(x + width + reach, subject.shape[1]), min(y + height + reach, subject.shape[0])
    near = np.zeros((y1 - y0, x1 - x0), np.uint8)
    near[y - y0:y - y0 + height, x - x0:x - x0 + width] = mask
    near = cv2.morphologyEx(near, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (7, 7))
    ring = cv2.dilate(near, disc) - near
    base = (reference if added else subject)[y0:y1, x0:x1]
    conductor = _pieces(ring & (base > 0))
    ground = _pieces(ring & (base == 0))
    if added:
        return ("short", 0.8) if conductor >= 2 else ("spur", 0.8) if conductor == 1 else ("copper", 0.9)
    if conductor == 0:
        return "missing", 0.6
    if ground == 0:
        return "pin-hole", 0.9
    return ("open", 0.8) if conductor >= 2 else ("mousebite", 0.8)


def _pieces(mask: NDArray[np.uint8], least: int = 4) -> int:
    """Number of connected pieces that are no specks."""
    count, _, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    return int(np.count_nonzero(stats[1:count, cv2.CC_STAT_AREA] >= least))
