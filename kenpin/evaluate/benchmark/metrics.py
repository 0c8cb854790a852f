"""Figures over scores and labels, and their intervals. Arrays in, numbers out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from kenpin.contracts.view import Box, Mask

Scores = NDArray[np.float64]
Labels = NDArray[np.bool_]
LEVELS = 16384
"""Steps into which the 65,536 levels of a map are counted: hundreds of pictures then fit into memory at once."""
ROUNDS = 1000
"""Draws of a bootstrap."""


@dataclass(frozen=True)
class Figure:
    """A figure with its 95 % interval, and over how many pictures, boxes or queries it was taken."""

    value: float
    low: float
    high: float
    n: int

    def report(self) -> dict[str, float | int | None]:
        """For JSON; what is not a number becomes null."""
        numbers = {"value": self.value, "low": self.low, "high": self.high}
        return {**{k: round(v, 5) if np.isfinite(v) else None for k, v in numbers.items()}, "n": self.n}


def auroc(scores: Scores, labels: Labels) -> float:
    """Area under the ROC curve, ties counted half; nan without both labels.

    Source: Mann-Whitney U.
    """
    positive = int(labels.sum())
    if positive in (0, len(labels)):
        return float("nan")
    ranks = rankdata(scores)[labels].sum()
    return float((ranks - positive * (positive + 1) / 2) / (positive * (len(labels) - positive)))


def average_precision(scores: Scores, labels: Labels) -> float:
    """Mean precision over the found defects, ties taken together; nan without a defect."""
    if not labels.any():
        return float("nan")
    order = np.argsort(-scores, kind="stable")
    ranked, hits = scores[order], np.cumsum(labels[order])
    ends = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)
    precision = hits[ends] / (ends + 1)
    return float((precision * np.diff(hits[ends], prepend=0)).sum() / hits[-1])


def overkill_at(scores: Scores, labels: Labels, found: float) -> float:
    """Share of good pictures at or above the highest threshold that finds at least `found` of the defective ones."""
    if not labels.any() or labels.all():
        return float("nan")
    ranked = np.sort(scores[labels])[::-1]
    limit = ranked[int(np.ceil(found * len(ranked))) - 1]
    return float((scores[~labels] >= limit).mean())


Histogram = NDArray[np.int32]
"""(2, LEVELS) pixels of a picture by grey level of its map: on good ground, on defects."""


def histogram(levels: NDArray[np.uint16], mask: Mask) -> Histogram:
    """Count a map's pixels.

    Args:
        levels: (H, W) uint16.
        mask: (H, W) bool, True on defects.
    """
    steps = levels >> 2
    return np.asarray([np.bincount(steps[part], minlength=LEVELS) for part in (~mask, mask)], np.int32)


def pixel_figures(histograms: NDArray[Any]) -> tuple[Scores, Scores, Scores]:
    """AUROC, average precision, and IoU at the threshold of the best F1.

    Args:
        histograms: (..., 2, levels) numbers of pixels, levels upwards.
    Returns:
        Three arrays of the leading shape; nan where there is no defect or nothing else.
    """
    good, bad = (np.asarray(histograms[..., i, ::-1], np.float64) for i in (0, 1))
    below = good.sum(axis=-1, keepdims=True) - np.cumsum(good, axis=-1) + good / 2
    hits, alarms = np.cumsum(bad, axis=-1), np.cumsum(good, axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        area = (bad * below).sum(axis=-1) / (hits[..., -1] * alarms[..., -1])
        precision = np.nan_to_num(hits / (hits + alarms))
        mean = (bad * precision).sum(axis=-1) / hits[..., -1]
        union = hits[..., -1:] + alarms
        best = (hits / union).max(axis=-1)
    return area, mean, np.asarray(best, np.float64)


Drawn = list[NDArray[np.intp]]


def draws(labels: Labels, groups: Sequence[str], *, rounds: int = ROUNDS, seed: int = 0) -> Drawn:
    """Indices of each bootstrap draw: parts are drawn, good and defective ones apart, so that both always appear."""
    rng = np.random.default_rng(seed)
    names = np.array([str(g) for g in groups])
    members = [[np.flatnonzero((names == name) & (labels == side)) for name in np.unique(names[labels == side])]
               for side in (False, True)]
    drawn = []
    for _ in range(rounds):
        picked = [side[i] for side in members if side for i in rng.integers(0, len(side), len(side))]
        drawn.append(np.concatenate(picked))
    return drawn


def interval(values: Sequence[float] | Scores) -> tuple[float, float]:
    """2.5 and 97.5 % of drawn values; nan if none is a number."""
    known = np.asarray(values, np.float64)
    known = known[np.isfinite(known)]
    if not len(known):
        return float("nan"), float("nan")
    low, high = np.quantile(known, (0.025, 0.975))
    return float(low), float(high)


def figure(statistic: Callable[[NDArray[np.intp]], float], count: int, drawn: Drawn) -> Figure:
    """A statistic of all indices, with its interval over drawn ones."""
    return Figure(statistic(np.arange(count)), *interval([statistic(d) for d in drawn]), n=count)


def mean_figure(values: Sequence[float], groups: Sequence[str]) -> Figure:
    """Mean with its interval over parts."""
    array = np.asarray(values, np.float64)
    drawn = draws(np.zeros(len(array), np.bool_), groups)
    return figure(lambda i: float(array[i].mean()), len(array), drawn)


def iou(a: Box, b: Box) -> float:
    """Intersection over union of two boxes."""
    wide, high = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    if wide <= 0 or high <= 0:
        return 0.0
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - wide * high
    return wide * high / union


def matched(found: Sequence[Box], wanted: Sequence[Box], *, least: float,
            same: Callable[[int, int], bool] = lambda _f, _w: True) -> list[tuple[int, int]]:
    """Pairs of found and wanted boxes, each used once, the best overlap first.

    Args:
        found: Reported boxes.
        wanted: Labelled boxes.
        least: An overlap above this counts.
        same: Whether two may be paired at all, by index.
    """
    overlaps = sorted(((iou(f, w), i, j) for i, f in enumerate(found) for j, w in enumerate(wanted) if same(i, j)),
                      key=lambda row: (-row[0], row[1], row[2]))
    used: tuple[set[int], set[int]] = (set(), set())
    pairs = []
    for overlap, i, j in overlaps:
        if overlap > least and i not in used[0] and j not in used[1]:
            pairs.append((i, j))
            used[0].add(i)
            used[1].add(j)
    return pairs
