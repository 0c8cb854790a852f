"""Where a reference lies in a picture, to a fraction of a pixel, and how sure that is."""

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from kenpin.contracts.view import GrayImage, Points
from tools.comparing.coarse import guesses
from tools.comparing.frames import Field, Homography, between, even, reduced, shown, warped
from tools.comparing.sure import Likeness, likeness

SIDE = 640
"""Longer side of the pictures on which the alignment is refined, px."""
SURE = 0.8
"""Confidence from which no other guess is tried."""
ENOUGH = 0.55
"""Confidence from which two pictures count as aligned; mirrored parts of a plain outline reach .51."""
MOST_SCALE = 2.0
"""A transform that scales more than this, beside the ratio of the sizes, is no alignment but a mishap."""


@dataclass(frozen=True)
class Alignment:
    """How a reference lies in a subject."""

    matrix: Homography
    """From pixels of the reference to pixels of the subject, both counted by their centres."""
    likeness: Likeness
    residual: float
    """Median distance of matched points from the transform, px of the subject; 0 if no points were matched."""
    points: Points = field(default_factory=lambda: np.zeros((0, 2)))
    """(N, 2) points of the subject at which a match was found."""
    offsets: Points = field(default_factory=lambda: np.zeros((0, 2)))
    """(N, 2) what is left between the transformed reference and the subject at each point, px of the subject."""

    @property
    def aligned(self) -> bool:
        return self.likeness.confidence >= ENOUGH

    def similarity(self, shape: tuple[int, ...]) -> tuple[float, float, float, float]:
        """Shift in x and y at the middle of a reference of (h, w), turn (degrees, clockwise positive), and scale."""
        middle = np.array([(shape[1] - 1) / 2, (shape[0] - 1) / 2])
        (ax, bx), (ay, by) = self._slope(middle)
        here = _apply(self.matrix, middle[None])[0]
        turn = float(np.degrees(np.arctan2(ay - bx, ax + by)))
        x, y = (float(v) for v in here - middle)
        return x, y, turn, float(np.sqrt(abs(ax * by - ay * bx)))

    def _slope(self, at: NDArray[np.float64]) -> NDArray[np.float64]:
        steps = _apply(self.matrix, at + np.array([[0, 0], [1, 0], [0, 1]]))
        return np.column_stack([steps[1] - steps[0], steps[2] - steps[0]])


def _apply(matrix: NDArray[np.floating], points: Points) -> Points:
    return np.asarray(cv2.perspectiveTransform(points.reshape(-1, 1, 2).astype(np.float64), matrix).reshape(-1, 2))


def align(subject: GrayImage, reference: GrayImage) -> Alignment:
    """Find the reference in the subject.

    Args:
        subject: (H, W) uint8.
        reference: (h, w) uint8.
    Returns:
        The best alignment found; `aligned` says whether it is one.
    """
    best: Alignment | None = None
    for stage in guesses(subject, reference):
        for guess in stage:
            found = refined(subject, reference, guess)
            if found is not None and (best is None or _worth(found) > _worth(best)):
                best = found
        if best is not None and best.likeness.confidence >= SURE:
            break
    return best if best is not None else Alignment(np.eye(3), Likeness(0.0, 1.0, 0.0), 0.0)


def _worth(found: Alignment) -> float:
    return found.likeness.confidence * (0.5 + 0.5 * found.likeness.covered)


def _sane(matrix: Homography, subject: GrayImage, reference: GrayImage) -> bool:
    if not np.isfinite(matrix).all() or abs(np.linalg.det(matrix)) < 1e-6:
        return False
    *_, scale = Alignment(matrix, Likeness(0, 0, 0), 0.0).similarity(reference.shape)
    usual = np.sqrt(subject.size / reference.size)
    covered = float(np.mean(shown(matrix, reference.shape, subject.shape)))
    return 1 / MOST_SCALE < scale / usual < MOST_SCALE and covered > 0.2


def refined(subject: GrayImage, reference: GrayImage, guess: Homography) -> Alignment | None:
    """Improve a guess by following points, and judge what came of it. None if the guess makes no sense.

    Source: Shi & Tomasi 1994 (good points), Lucas & Kanade 1981 with pyramids and a check backwards.
    """
    share = min(1.0, SIDE / max(subject.shape))
    small, other = reduced(subject, share), reduced(reference, share)
    down_subject, down_reference = between(subject, small), between(reference, other)
    local = down_subject @ guess @ np.linalg.inv(down_reference)
    target = _eight(small)
    start = likeness(small, other, local) if _sane(local, small, other) else None
    best = (local, start) if start is not None else None
    points, offsets = np.zeros((0, 2)), np.zeros((0, 2))
    for turn in range(3):
        if not _sane(local, small, other):
            break
        moved = warped(other, local, small.shape)
        seen = shown(local, other.shape, small.shape, margin=3)
        here, there = _followed(_eight(moved), target, seen, levels=3 - turn)
        if len(here) < 4:
            break
        step = _robust(here, there, loose=turn == 0)
        if step is None:
            break
        local = step @ local
        points, offsets = there, there - _apply(step, here)
    if _sane(local, small, other):
        found = likeness(small, other, local)
        if best is None or found.confidence >= best[1].confidence - 0.02:
            best = (local, found)
        else:
            points, offsets = np.zeros((0, 2)), np.zeros((0, 2))
    if best is None:
        return None
    near = np.hypot(*offsets.T) < 3 if len(offsets) else np.zeros(0, bool)
    back = np.linalg.inv(down_subject)
    rest = float(np.median(np.hypot(*offsets[near].T))) / share if near.any() else 0.0
    return Alignment(matrix=_normal(back @ best[0] @ down_reference), likeness=best[1], residual=rest,
                     points=_apply(back, points[near]) if near.any() else np.zeros((0, 2)),
                     offsets=offsets[near] / share)


def _normal(matrix: Homography) -> Homography:
    return np.asarray(matrix / matrix[2, 2], dtype=np.float64)


def _eight(light: GrayImage) -> GrayImage:
    """Light evened out, as 8 bit."""
    return np.asarray(np.clip(even(light, 12.0) * 48 + 128, 0, 255), dtype=np.uint8)


def _followed(source: GrayImage, target: GrayImage, seen: NDArray[np.bool_], *, levels: int) -> tuple[Points, Points]:
    """Points of one picture found again in another, forwards and backwards alike."""
    inner = cv2.erode(seen.astype(np.uint8), np.ones((9, 9), np.uint8))
    corners = cv2.goodFeaturesToTrack(source, maxCorners=350, qualityLevel=0.02, minDistance=8, mask=inner,
                                      blockSize=5)
    if corners is None:
        return np.zeros((0, 2)), np.zeros((0, 2))
    forth, ok_forth = _tracked(source, target, corners, levels)
    back, ok_back = _tracked(target, source, forth, levels)
    ok = (ok_forth[:, 0] > 0) & (ok_back[:, 0] > 0) & (np.hypot(*(back - corners)[:, 0].T) < 0.7)
    height, width = target.shape
    inside = (forth[:, 0] >= 0).all(axis=1) & (forth[:, 0, 0] < width) & (forth[:, 0, 1] < height)
    keep = ok & inside
    return corners[keep, 0].astype(np.float64), forth[keep, 0].astype(np.float64)


def _tracked(source: GrayImage, target: GrayImage, points: Field, levels: int) -> tuple[Field, NDArray[np.uint8]]:
    stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 25, 0.01)
    found, ok, _ = cv2.calcOpticalFlowPyrLK(source, target, points, np.empty_like(points), winSize=(21, 21),
                                            maxLevel=levels, criteria=stop)
    return found, ok


def _robust(here: Points, there: Points, *, loose: bool) -> Homography | None:
    """The simplest of similarity, affine and perspective that the points ask for."""
    cv2.setRNGSeed(11)
    reach = 4.0 if loose else 1.5
    simple, inliers = cv2.estimateAffinePartial2D(here, there, method=cv2.RANSAC, ransacReprojThreshold=reach,
                                                  maxIters=2000, confidence=0.999)
    if simple is None or np.count_nonzero(inliers) < 4:
        return None
    found = np.vstack([simple, [0, 0, 1]])
    spread = np.ptp(here[inliers[:, 0] > 0], axis=0)
    if loose or len(here) < 12 or spread.min() < 60:
        return found
    cost = _cost(found, here, there, reach, 4)
    affine, _ = cv2.estimateAffine2D(here, there, method=cv2.RANSAC, ransacReprojThreshold=reach, maxIters=2000)
    if affine is not None and (value := _cost(full := np.vstack([affine, [0, 0, 1]]), here, there, reach, 6)) < cost:
        found, cost = full, value
    if len(here) >= 24:
        plane, _ = cv2.findHomography(here, there, method=cv2.RANSAC, ransacReprojThreshold=reach)
        if plane is not None and _cost(plane, here, there, reach, 8) < cost:
            found = plane
    return np.asarray(found, dtype=np.float64)


def _cost(matrix: Homography, here: Points, there: Points, reach: float, parameters: int) -> float:
    """Truncated squared error, with a price on every parameter.

    Source: Torr 1997 (GRIC), simplified to one error scale of a quarter of a pixel.
    """
    error = np.hypot(*(_apply(matrix, here) - there).T) / 0.25
    return float(np.minimum(error**2, (2 * reach / 0.25) ** 2).sum() + 2.5 * parameters * np.log(len(here)))
