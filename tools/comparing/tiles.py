"""Large pictures piece by piece, so that memory does not grow with what is worked out for every pixel."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from kenpin.contracts.view import Mask, RgbImage
from tools.comparing.align import Alignment
from tools.comparing.changes import Change
from tools.comparing.frames import shifted

LARGE = 6_000_000
"""Pixels from which a picture is compared in pieces; a piece of this size takes about 0.8 GB."""
SIDE, MARGIN = 2000, 160
"""Side of a piece, and how far it looks into its neighbours, px."""
Found = tuple[list[Change], RgbImage, Mask]


def in_pieces(subject: RgbImage, here: Alignment, compare: Callable[[RgbImage, Alignment], Found]) -> Found:
    """Compare a large picture piece by piece.

    A difference belongs to the piece in which the middle of its box lies; one that is larger than a piece and its
    margins is reported in parts.

    Args:
        subject: (H, W, 3) uint8 RGB.
        here: How the reference lies in it.
        compare: What to do with a piece and the alignment in its pixels.
    Returns:
        Changes, the reference in the frame of the subject, and where the two differ, as `compare` gives for a piece.
    """
    height, width = subject.shape[:2]
    brought, differs = np.empty((height, width, 3), np.uint8), np.zeros((height, width), np.bool_)
    changes: list[Change] = []
    for x0, x1 in _spans(width):
        for y0, y1 in _spans(height):
            left, top = max(x0 - MARGIN, 0), max(y0 - MARGIN, 0)
            piece = subject[top:y1 + MARGIN, left:x1 + MARGIN]
            found, reference, different = compare(piece, _within(here, left, top, piece.shape))
            core = (slice(y0 - top, y1 - top), slice(x0 - left, x1 - left))
            brought[y0:y1, x0:x1], differs[y0:y1, x0:x1] = reference[core], different[core]
            moved = (_moved(change, left, top) for change in found)
            changes += [c for c in moved
                        if x0 <= (c.box[0] + c.box[2]) / 2 < x1 and y0 <= (c.box[1] + c.box[3]) / 2 < y1]
    return sorted(changes, key=lambda change: -change.score), brought, differs


def _spans(length: int) -> Iterator[tuple[int, int]]:
    count = max(1, round(length / SIDE))
    edges = np.linspace(0, length, count + 1).astype(int)
    return zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)


def _within(here: Alignment, left: int, top: int, shape: tuple[int, ...]) -> Alignment:
    """The same alignment in pixels of a piece, with the matched points that lie in it."""
    points = here.points - np.array([left, top])
    inside = (points >= 0).all(axis=1) & (points[:, 0] < shape[1]) & (points[:, 1] < shape[0])
    return replace(here, matrix=shifted(-left, -top) @ here.matrix, points=points[inside], offsets=here.offsets[inside])


def _moved(change: Change, left: int, top: int) -> Change:
    x0, y0, x1, y1 = change.box
    return replace(change, box=(x0 + left, y0 + top, x1 + left, y1 + top),
                   corner=(change.corner[0] + left, change.corner[1] + top))
