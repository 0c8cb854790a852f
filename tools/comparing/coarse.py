"""First guesses of how a reference lies in a picture: as it is, shifted, by matched features, or turned and scaled."""

from collections.abc import Iterator

import cv2
import numpy as np

from kenpin.contracts.view import GrayImage
from tools.comparing.frames import Field, Homography, between, even, reduced, scaling, shifted, warped

FEATURE_SIDE = 720
SEARCH_SIDE = 160
TURNS = tuple(range(-18, 19, 3))
"""Degrees tried when nothing else fits."""
SCALES = (0.88, 0.94, 1.0, 1.06, 1.13)


def same_field(subject: GrayImage, reference: GrayImage) -> Homography:
    """Both pictures show the same field of view."""
    return scaling(subject.shape[1] / reference.shape[1], subject.shape[0] / reference.shape[0])


def by_shift(subject: GrayImage, reference: GrayImage, start: Homography, *, side: int = 256) -> Homography:
    """`start` and the shift that is left after it.

    Source: Kuglin & Hines 1975, phase correlation, on pictures whose light is evened out.
    """
    small = reduced(subject, min(1.0, side / max(subject.shape)))
    down = between(subject, small)
    other = warped(reference, down @ start, small.shape)
    a, b = even(small), even(other)
    (x, y), _ = cv2.phaseCorrelate(b, a, cv2.createHanningWindow((a.shape[1], a.shape[0]), cv2.CV_32F))
    return np.asarray(np.linalg.inv(down) @ shifted(x, y) @ down @ start, dtype=np.float64)


def by_features(subject: GrayImage, reference: GrayImage) -> Homography | None:
    """Similarity that most matched features agree on; None if too few do.

    Source: Lowe 2004 (SIFT, ratio test), Chum & Matas (PROSAC) through OpenCV's robust estimator.
    """
    small, other = (reduced(p, min(1.0, FEATURE_SIDE / max(p.shape))) for p in (subject, reference))
    sift = cv2.SIFT.create(nfeatures=1200, contrastThreshold=0.02)
    (keys_a, descriptors_a), (keys_b, descriptors_b) = (sift.detectAndCompute(p, None) for p in (small, other))
    if descriptors_a is None or descriptors_b is None or min(len(keys_a), len(keys_b)) < 6:
        return None
    pairs = cv2.BFMatcher(cv2.NORM_L2).knnMatch(descriptors_b, descriptors_a, k=2)
    clear = (p[0] for p in pairs if len(p) == 2 and p[0].distance < 0.8 * p[1].distance)
    good = sorted(clear, key=lambda match: match.distance)
    if len(good) < 5:
        return None
    source = np.array([keys_b[m.queryIdx].pt for m in good], dtype=np.float64)
    target = np.array([keys_a[m.trainIdx].pt for m in good], dtype=np.float64)
    cv2.setRNGSeed(7)
    found, inliers = cv2.estimateAffinePartial2D(source, target, method=cv2.RANSAC, ransacReprojThreshold=4.0,
                                                 maxIters=3000, confidence=0.999)
    if found is None or np.count_nonzero(inliers) < 5:
        return None
    local = np.vstack([found, [0, 0, 1]])
    return np.asarray(np.linalg.inv(between(subject, small)) @ local @ between(reference, other), dtype=np.float64)


def by_search(subject: GrayImage, reference: GrayImage, *, keep: int = 3) -> list[Homography]:
    """The best of many turns and scales, each with its shift by phase correlation; best first."""
    start = same_field(subject, reference)
    small = reduced(subject, min(1.0, SEARCH_SIDE / max(subject.shape)))
    down = between(subject, small)
    other = warped(reference, down @ start, small.shape)
    window = cv2.createHanningWindow((small.shape[1], small.shape[0]), cv2.CV_32F)
    fixed, found = _edge_field(small), []
    middle = ((small.shape[1] - 1) / 2, (small.shape[0] - 1) / 2)
    for turn in TURNS:
        for scale in SCALES:
            spin = np.vstack([cv2.getRotationMatrix2D(middle, turn, scale), [0, 0, 1]])
            (x, y), response = cv2.phaseCorrelate(_edge_field(warped(other, spin, small.shape)), fixed, window)
            found.append((response, shifted(x, y) @ spin))
    found.sort(key=lambda pair: -pair[0])
    return [np.asarray(np.linalg.inv(down) @ local @ down @ start, dtype=np.float64) for _, local in found[:keep]]


def _edge_field(light: GrayImage) -> Field:
    return even(light, 5.0)


def guesses(subject: GrayImage, reference: GrayImage) -> Iterator[list[Homography]]:
    """Guesses in stages, cheap ones first; a later stage is worked out only if it is asked for."""
    start = same_field(subject, reference)
    yield [start, by_shift(subject, reference, start)]
    features = by_features(subject, reference)
    yield [features] if features is not None else []
    yield by_search(subject, reference)
