"""From evidence of change to regions with their borders, their kind and their score."""

import cv2
import numpy as np

from kenpin.contracts.verdict import DefectType
from kenpin.contracts.view import Mask
from tools.comparing.changes import Change, ChangeKind, scored
from tools.comparing.frames import Field
from tools.comparing.tones import Difference
from tools.detection.kinds import SOFT, kind_of
from tools.detection.shapes import shape_of, softness
from tools.detection.spots import Spot, cut, grown, tight

MOST = 200
"""Regions looked at, strongest first."""
NEAR = 3
"""Parts of a region this close are one, px."""
CLEAR = 1.8
"""One picture has this many times the edges of the other: something was added or is missing."""


def changes(subject: Field, found: Difference) -> list[Change]:
    """Regions in which a subject differs.

    Args:
        subject: (H, W) float32 brightness.
        found: Evidence for each pixel of it.
    """
    low = (found.evidence >= 0.5).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(low, connectivity=8)
    if count < 2:
        return []
    peaks = np.zeros(count, np.float32)
    sure = found.evidence >= 1
    np.maximum.at(peaks, labels[sure], found.evidence[sure])
    peaks[0] = 0
    regions = []
    for label in np.argsort(-peaks, kind="stable")[:MOST]:
        if peaks[label] < 1:
            break
        x, y, w, h = (int(v) for v in stats[label, :4])
        box = grown((x, y, x + w, y + h), NEAR, subject.shape)
        regions += [change for spot in _spots(found, cut(labels, box) == label, box)
                    if (change := _change(subject, found, spot)) is not None]
    return sorted(regions, key=lambda change: -change.score)


def _spots(found: Difference, mask: Mask, box: tuple[int, int, int, int]) -> list[Spot]:
    """Cut a region back to where the difference reaches half of its full size."""
    evidence, change = cut(found.evidence, box), cut(found.change, box)
    colour = cut(found.colour, box)
    size = np.maximum(np.abs(change), colour)
    sure = mask & (evidence >= 1)
    # Evidence at large blurs reaches far around something thin and strong; its own pixels say how strong it is.
    strong = size[sure & (size >= 3 * found.noise)]
    level = float(np.percentile(strong if len(strong) >= 4 else size[sure], 80))
    for blur in (0.6, 1.2, 2.5, 5.0):
        if found.noise / (3 * blur) <= level / 4:
            break
    signed = cv2.GaussianBlur(change, (0, 0), blur)
    shown = np.maximum(np.abs(signed), cv2.GaussianBlur(colour, (0, 0), blur))
    level = min(level, float(np.percentile(shown[sure], 90)))
    near = cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    core = (shown >= level / 2) & near & cut(found.seen, box)
    joint = cv2.morphologyEx(core.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((2 * NEAR + 1,) * 2, np.uint8))
    count, labels = cv2.connectedComponents(joint, connectivity=8)
    spots = []
    for label in range(1, count):
        own = core & (labels == label)
        if not (own & sure).any() or np.count_nonzero(own) < 4:
            continue
        place = tight(own, box[:2])
        if place is not None:
            mean = float(np.mean(signed[own]))
            spots.append(Spot(*place, contrast=mean if abs(mean) > 0.5 else level, strength=float(evidence[own].max()),
                              colour=float(np.percentile(colour[own], 80))))
    return spots


def _change(subject: Field, found: Difference, spot: Spot) -> Change | None:
    if _only_moved(subject, found.reference, spot):
        return None
    kind, ratio = _direction(subject, found, spot)
    shape = shape_of(spot)
    if kind == "missing":
        guess, sure = DefectType.MISSING, min(0.95, 0.4 + 0.1 * ratio)
    elif kind == "changed":
        guess, sure = DefectType.OTHER, 0.4
    else:
        border = softness(found.change, spot, shape)
        guess, sure = kind_of(spot, shape, subject.shape, border)
        if guess is DefectType.DENT and border <= SOFT:
            guess = DefectType.FOREIGN
    return Change(box=spot.box, mask=spot.mask, corner=spot.box[:2], kind=kind, type=guess, type_score=sure,
                  score=scored(spot.strength))


def _direction(subject: Field, found: Difference, spot: Spot) -> tuple[ChangeKind, float]:
    """Which of the two pictures has the edges of the region, and how many times as many."""
    box = grown(spot.box, 4, subject.shape)
    near = np.zeros((box[3] - box[1], box[2] - box[0]), np.uint8)
    dx, dy = spot.box[0] - box[0], spot.box[1] - box[1]
    near[dy:dy + spot.mask.shape[0], dx:dx + spot.mask.shape[1]] = spot.mask
    ring = (cv2.dilate(near, np.ones((7, 7), np.uint8)) > 0) & (cv2.erode(near, np.ones((5, 5), np.uint8)) == 0)
    here, there = (_edges(cut(field, box), ring, found.noise) for field in (subject, found.reference))
    if here > CLEAR * there:
        return "added", here / (there + 1e-3)
    if there > CLEAR * here:
        return "missing", there / (here + 1e-3)
    return "changed", 1.0


def _edges(field: Field, where: Mask, noise: float) -> float:
    smooth = cv2.GaussianBlur(field, (0, 0), 1.0)
    dx, dy = (cv2.Sobel(smooth, cv2.CV_32F, i, 1 - i, scale=0.125) for i in (1, 0))
    size = cv2.magnitude(dx, dy)
    return float(np.maximum(size[where] - 0.5 * noise, 0).sum())


def _only_moved(subject: Field, reference: Field, spot: Spot, *, reach: int = 3) -> bool:
    """Whether the reference, moved a little, explains the region: then it lies crooked, and nothing is wrong."""
    box = grown(spot.box, 2, subject.shape)
    x0, y0, x1, y1 = box
    here = cut(subject, box)
    wide = cv2.copyMakeBorder(reference[max(y0 - reach, 0):y1 + reach, max(x0 - reach, 0):x1 + reach],
                              max(reach - y0, 0), max(y1 + reach - subject.shape[0], 0),
                              max(reach - x0, 0), max(x1 + reach - subject.shape[1], 0), cv2.BORDER_REPLICATE)
    mask = cv2.dilate(np.pad(spot.mask, ((spot.box[1] - y0, y1 - spot.box[3]), (spot.box[0] - x0, x1 - spot.box[2])))
                      .astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    rest = {(dx, dy): float(np.abs(here - wide[reach + dy:reach + dy + here.shape[0],
                                               reach + dx:reach + dx + here.shape[1]])[mask].mean())
            for dx in range(-reach, reach + 1) for dy in range(-reach, reach + 1)}
    return min(rest.values()) < 0.35 * rest[0, 0]
