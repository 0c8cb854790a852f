"""What was added to a pattern of conductors and what is missing from it, and what that does to the conductors."""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from kenpin.contracts.verdict import DefectType
from kenpin.contracts.view import Box, GrayImage, Mask
from tools.comparing.bilevel import Pattern
from tools.comparing.changes import Change, ChangeKind, scored

LEAST = 14.0
"""Pixels beyond the tolerance, each by how far it lies beyond, from which a difference is one."""
LEAST_CUT = 10.0
"""The same for a difference that cuts a conductor or joins two: thin ones have few pixels to lose."""
LINE = 5.0
"""A line along an edge needs this many times as much: another width of etching, not a defect."""
NEAR = 3
"""Parts of one sign this close to each other are one difference, px."""
MOVED = 4
"""A difference of up to this many thresholds is looked at again with the reference moved a little more."""
CONTEXT = 10
"""A difference in a pattern is boxed with this much around it, px, so that the conductors that it touches are seen."""
AROUND = 3
"""How far around a difference conductors are looked at to tell what it does, px."""

CRUMB = 3
"""Gaps inside a difference up to this wide do not count: crumbs of copper left in a cut, px."""

TYPES: dict[ChangeKind, DefectType] = {
    "open": DefectType.MISSING, "mousebite": DefectType.CHIP, "pin-hole": DefectType.PIT, "missing": DefectType.MISSING,
    "short": DefectType.FOREIGN, "spur": DefectType.BURR, "copper": DefectType.FOREIGN}
Bits = NDArray[np.uint8]


@dataclass(frozen=True)
class _Part:
    """A difference of one sign."""

    corner: tuple[int, int]
    region: Mask
    """Its pixels, those within the tolerance included."""
    strength: float
    thin: bool
    """Nowhere deeper than a line of two pixels beyond the tolerance."""
    added: bool

    @property
    def window(self) -> Box:
        x, y = self.corner
        return x, y, x + self.region.shape[1], y + self.region.shape[0]


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
    found = []
    for part in (*_parts(subject, reference, tolerance, seen, added=True),
                 *_parts(subject, reference, tolerance, seen, added=False)):
        if part.strength < LEAST_CUT:
            continue
        kind, sure = _does(subject, reference, part)
        least = LEAST_CUT if kind in ("open", "short") else LEAST * (LINE if part.thin else 1)
        if part.strength < least:
            continue
        if (part.thin or part.strength < MOVED * least) and _only_moved(subject, reference, part.window, tolerance):
            continue
        found.append(_change(part, kind, sure, part.strength / least, subject.shape))
    return sorted(found, key=lambda change: -change.score)


def _change(part: _Part, kind: ChangeKind, sure: float, evidence: float, shape: tuple[int, ...]) -> Change:
    x, y, w, h = cv2.boundingRect(part.region.astype(np.uint8))
    x, y = x + part.corner[0], y + part.corner[1]
    box = (max(x - CONTEXT, 0), max(y - CONTEXT, 0), min(x + w + CONTEXT, shape[1]), min(y + h + CONTEXT, shape[0]))
    return Change(box=box, mask=part.region, corner=part.corner, kind=kind, type=TYPES[kind], type_score=sure,
                  score=scored(evidence))


def _parts(subject: Bits, reference: Bits, tolerance: int, seen: Mask | None, *, added: bool) -> Iterator[_Part]:
    """Differences of one sign, each with how much of it lies beyond the tolerance and how far.

    Source: Borgefors 1986 (distance transform), chessboard distance as a square tolerance has it.
    """
    inner, outer = (subject, reference) if added else (reference, subject)
    whole = cv2.bitwise_and(inner, cv2.bitwise_not(outer))
    # How deep a pixel lies in what the reference has as the other kind (1 is right beside an edge), and in the
    # difference itself: neither a ragged edge nor dust is deep in both.
    free = cv2.bitwise_not(reference) if added else reference
    deep = np.minimum(cv2.distanceTransform(free, cv2.DIST_C, 3) - tolerance,
                      cv2.distanceTransform(whole, cv2.DIST_C, 3))
    if seen is not None:
        deep[~seen] = 0
    # What lies beyond the border is not known, so a piece that moved in from there looks added.
    deep[:2], deep[-2:], deep[:, :2], deep[:, -2:] = 0, 0, 0, 0
    seeds = cv2.compare(deep, 0, cv2.CMP_GT)
    joint = cv2.dilate(seeds, np.ones((2 * (NEAR // 2) + 1,) * 2, np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(joint, connectivity=8)
    for label in range(1, count):
        x, y, w, h = (int(v) for v in stats[label, :4])
        window = (slice(y, y + h), slice(x, x + w))
        own = labels[window] == label
        beyond = deep[window][own & (deep[window] > 0)]
        yield _Part((x, y), own & (whole[window] > 0), float(beyond.sum()), float(beyond.max()) <= 1, added)


def _only_moved(subject: Bits, reference: Bits, box: Box, tolerance: int, *, reach: int = 2) -> bool:
    """Whether a difference disappears when the reference around it is moved a little more."""
    height, width = subject.shape
    square = np.ones((2 * tolerance + 1,) * 2, np.uint8)
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


def _does(subject: Bits, reference: Bits, part: _Part) -> tuple[ChangeKind, float]:
    """What a difference does to the conductors: the pieces around it that it touches."""
    reach = AROUND + 3
    x0, y0, x1, y1 = part.window
    left, top = max(x0 - reach, 0), max(y0 - reach, 0)
    view = (slice(top, min(y1 + reach, subject.shape[0])), slice(left, min(x1 + reach, subject.shape[1])))
    here, golden = (subject[view] > 0).astype(np.uint8), (reference[view] > 0).astype(np.uint8)
    mark = np.zeros_like(here)
    mark[y0 - top:y1 - top, x0 - left:x1 - left] = part.region
    near = cv2.morphologyEx(mark, cv2.MORPH_CLOSE, np.ones((CRUMB, CRUMB), np.uint8))
    around = cv2.dilate(near, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * AROUND + 1,) * 2))
    return _added(here, golden, near, around) if part.added else _gone(here, golden, near, around)


def _added(here: Bits, golden: Bits, near: Bits, around: Bits) -> tuple[ChangeKind, float]:
    """Copper where none should be: the conductors that it is joined to."""
    joined = _touching(here & around, near, connectivity=8)
    pieces = _pieces(joined & golden & (around - near))
    return ("short", 0.8) if pieces >= 2 else ("spur", 0.8) if pieces == 1 else ("copper", 0.9)


def _gone(here: Bits, golden: Bits, near: Bits, around: Bits) -> tuple[ChangeKind, float]:
    """Copper that is not there: what is left around it, and whether the hole reaches the ground."""
    rim = around - near
    conductor = _pieces(here & rim)
    if conductor == 0:
        return "missing", 0.6
    hole = _touching((1 - here) & around, near, connectivity=4)
    if _pieces(hole & (1 - golden) & rim) == 0:
        return "pin-hole", 0.9
    return ("open", 0.8) if conductor >= 2 else ("mousebite", 0.8)


def _touching(mask: Bits, near: Bits, *, connectivity: int) -> Bits:
    """The parts of a mask that `near` reaches."""
    _, labels = cv2.connectedComponents(mask, connectivity=connectivity)
    kept = np.unique(labels[(near > 0) & (mask > 0)])
    return np.isin(labels, kept[kept > 0]).astype(np.uint8)


def _pieces(mask: Bits, least: int = 4) -> int:
    """Number of connected pieces that are no specks."""
    count, _, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    return int(np.count_nonzero(stats[1:count, cv2.CC_STAT_AREA] >= least))
