"""One picture against one or several golden samples: what differs from all of them."""

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from kenpin.contracts.view import GrayImage, Mask, RgbImage
from tools.comparing import bilevel, conductors, regions
from tools.comparing.align import Alignment, align
from tools.comparing.changes import Change
from tools.comparing.frames import Field, Homography, shown, warped
from tools.comparing.sure import Likeness
from tools.comparing.tiles import LARGE, Found, in_pieces
from tools.comparing.tones import Difference, differ
from tools.pixels.grey import grey

ReasonCode = Literal["aligned", "turned", "not_aligned", "little_shared", "differs_everywhere"]

ALIKE = 0.7
"""Two patterns agree at least this much, chance taken out, where one is laid over the other without any search."""
ALIKE_FOR_SURE = 0.9
"""From here no better place is looked for: scans of one board with ten defects agree to .94 and more."""
TURNED = 45.0
"""Degrees from which a part lies in another way than its golden sample, whatever else fits."""
SHARED = 0.5
"""Least share of the picture that a reference must show for the absence of differences to mean something."""
EVERYWHERE = 0.35
"""Share of differing area from which two pictures do not show the same thing, however well they lie."""
SAME = 0.3
"""Share of a difference's area that must differ from another reference too."""


@dataclass(frozen=True)
class Compared:
    """What came of comparing with one reference."""

    alignment: Alignment
    changes: tuple[Change, ...]
    aligned: bool
    decided: bool
    code: ReasonCode
    seen: Mask
    """(H, W) bool, where the reference shows something."""
    reference: RgbImage | None
    """(H, W, 3) uint8, the reference in the frame of the compared picture; None if it is not aligned."""
    differs: Mask
    """(H, W) bool, where the two differ."""


def compare(subject: RgbImage, reference: RgbImage, *, whole: RgbImage, place: Homography,
            tolerance: float | None = None) -> Compared:
    """Compare a picture with one reference.

    Args:
        subject: (H, W, 3) uint8 RGB, what is compared.
        reference: (h, w, 3) uint8 RGB.
        whole: (., ., 3) uint8 RGB, the upload that the subject is a part of; the alignment is found on it.
        place: From pixels of `whole` to pixels of `subject`, pixel centres.
        tolerance: Edges may lie this far from where they should, px of the subject; None is about one.
    """
    light, golden = grey(whole), grey(reference)
    patterns = bilevel.is_bilevel(light) and bilevel.is_bilevel(golden)
    ready = _laid(light, golden) if patterns else None
    alignment = _without_search(ready) if ready is not None else align(light, golden)
    if ready is not None and ready.alike < ALIKE_FOR_SURE and (better := _searched(light, golden, ready)) is not None:
        ready, alignment = None, better
    here = Alignment(matrix=place @ alignment.matrix, likeness=alignment.likeness, residual=alignment.residual,
                     points=_moved(place, alignment.points), offsets=alignment.offsets * _scale(place))
    seen = shown(here.matrix, reference.shape, subject.shape)
    if not alignment.aligned:
        nothing = np.zeros(subject.shape[:2], np.bool_)
        return Compared(here, (), False, False, "not_aligned", seen, None, nothing)
    # A part of the upload is laid over once more by itself; the whole of it has been already.
    same = np.array_equal(here.matrix, np.eye(3)) and subject.shape == whole.shape

    def found_in(piece: RgbImage, laid: Alignment) -> Found:
        return (_patterns(piece, reference, laid, tolerance, ready if same else None) if patterns
                else _tones(piece, reference, laid, tolerance))

    large = subject.shape[0] * subject.shape[1] > LARGE
    changes, brought, differs = in_pieces(subject, here, found_in) if large else found_in(subject, here)
    code: ReasonCode = "aligned"
    if np.mean(seen) < SHARED:
        code = "little_shared"
    elif np.count_nonzero(differs) > EVERYWHERE * np.count_nonzero(seen):
        code = "differs_everywhere"
    elif abs(here.similarity(reference.shape)[2]) > TURNED:
        code = "turned"
    return Compared(here, tuple(changes), True, code == "aligned", code, seen, brought, differs)


def _laid(subject: GrayImage, reference: GrayImage) -> bilevel.Pattern | None:
    """Patterns of the same size that lie on top of each other but for a few pixels; None if these do not."""
    if subject.shape != reference.shape or subject.size > LARGE:
        return None
    pattern = bilevel.laid_over(subject, reference)
    return pattern if pattern.alike >= ALIKE else None


def _searched(subject: GrayImage, reference: GrayImage, ready: bilevel.Pattern) -> Alignment | None:
    """An alignment under which two patterns agree better than as they lie; None if there is none."""
    found = align(subject, reference)
    if not found.aligned:
        return None
    pattern = bilevel.laid_over(subject, warped(reference, found.matrix, subject.shape))
    return found if pattern.alike > ready.alike + 0.01 else None


def _without_search(pattern: bilevel.Pattern) -> Alignment:
    return Alignment(np.eye(3), Likeness(pattern.alike, 0.0, 1.0), pattern.residual)


def _scale(place: Homography) -> float:
    return float(np.sqrt(abs(np.linalg.det(place[:2, :2]))))


def _moved(place: Homography, points: NDArray[np.float64]) -> NDArray[np.float64]:
    if not len(points):
        return points
    return np.asarray(cv2.perspectiveTransform(points.reshape(-1, 1, 2), place).reshape(-1, 2))


def _patterns(subject: RgbImage, reference: RgbImage, here: Alignment, tolerance: float | None,
              ready: bilevel.Pattern | None) -> Found:
    light = grey(subject)
    identical = np.allclose(here.matrix, np.eye(3)) and subject.shape == reference.shape
    if ready is None:
        golden = grey(reference) if identical else warped(grey(reference), here.matrix, light.shape)
    pattern = ready or bilevel.laid_over(light, golden)
    seen = None if identical else _inner(shown(here.matrix, reference.shape, subject.shape), 4)
    changes = conductors.changes(pattern, tolerance=max(1, round(tolerance or 1)), seen=seen)
    differs = np.zeros(light.shape, np.bool_)
    for change in changes:
        differs |= change.placed(light.shape)
    return changes, np.dstack([pattern.reference] * 3), differs


def _tones(subject: RgbImage, reference: RgbImage, here: Alignment,
           tolerance: float | None) -> Found:
    found: Difference = differ(subject, reference, here, tolerance=1.0 if tolerance is None else tolerance)
    light: Field = grey(subject).astype(np.float32)
    changes = regions.changes(light, found)
    brought = np.clip(found.reference + 0.5, 0, 255).astype(np.uint8)
    return changes, np.dstack([brought] * 3), found.evidence >= 0.5


def _inner(mask: Mask, margin: int) -> Mask:
    kernel = np.ones((2 * margin + 1,) * 2, np.uint8)
    return np.asarray(cv2.erode(mask.astype(np.uint8), kernel, borderValue=1) > 0)


def surviving(results: list[Compared]) -> tuple[int, tuple[Change, ...]]:
    """The best reference's number, and those of its differences that every other aligned reference shows too.

    A difference that only some golden samples show is a difference between golden samples. If none is aligned, the
    number is that of the likeliest one.
    """
    order = sorted((i for i, r in enumerate(results) if r.aligned),
                   key=lambda i: (not results[i].decided, -results[i].alignment.likeness.confidence))
    if not order:
        return int(np.argmax([r.alignment.likeness.confidence for r in results])), ()
    best, others = order[0], order[1:]
    kept = [change for change in results[best].changes
            if all(_shown_by(change, results[i]) for i in others if results[i].code != "differs_everywhere")]
    return best, tuple(kept)


def _shown_by(change: Change, other: Compared) -> bool:
    x, y = change.corner
    window = (slice(y, y + change.mask.shape[0]), slice(x, x + change.mask.shape[1]))
    seen = change.mask & other.seen[window]
    if np.count_nonzero(seen) < 0.5 * change.area:
        return True
    near = cv2.dilate(other.differs[window].astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    return bool(np.count_nonzero(near & seen) >= SAME * np.count_nonzero(seen))
