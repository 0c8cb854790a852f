"""What a few good samples look like: their patches, and how far a further good picture strays from them.

Source: nearest neighbour among patches of good samples (PatchCore, Roth et al. 2022), with patches whitened by the
samples' own covariance and mixed with the distance from their mean (Mahalanobis; PaDiM, Defard et al. 2021), and a
threshold from leaving one sample out at a time.
"""

import hashlib
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any
from weakref import ref

import cv2
import numpy as np
from numpy.typing import NDArray

from kenpin.contracts.view import RgbImage
from tools.detection.backbone import Patches, patches, seen
from tools.detection.field import Field
from tools.detection.varied import another_time, variants

SEEN_AREA = 300_000
"""Pixels of the largest good sample as the network sees it. By area and not by side, so that long parts are seen as
sharply as square ones at the same cost. Small pits on turned steel need it: pixel AP .03 with 448 px along the longer
side, .04 with 200,000 px, .10 with these."""
KEPT = (3200, 800)
"""Patches of good samples that are remembered, at full and at half size."""
COARSE = 0.5
"""Weight of the distances at half size, which see large faint areas, beside those at full size."""
SPREAD_FROM = 12000
"""Patches from which the covariance is taken."""
FOLDS = 16
SHRINK = 0.05
OVERALL = 0.3
"""Weight of the distance from the mean of all good patches beside that from the nearest one."""
USUAL_SPREAD, USUAL_WEIGHT = 0.07, 8
"""Spread of the logarithm of good pictures' scores that most surfaces show, and as how many samples it counts."""
MARGIN, FEW = 1.7, 3
"""Spreads above the mean of good pictures at which the threshold lies, and how much further with few of them: on five
real and three drawn surfaces, four choices of samples each, 4, 3 and 6 % of the good pictures lie above it with 4, 8
and 16 samples, and 69, 74 and 74 % of the defective ones (bench/thresholds.py)."""
PLACE_DOUBT = 8
"""As many samples say that all places are alike."""
SIZE_SLACK = 1.25
"""Pictures up to so much larger or smaller than the samples are taken to be laid like them."""
STRANGE = 1.6
"""A picture whose middle patch is this many times as far from the samples as theirs is not of their kind."""


@dataclass(frozen=True)
class Cloud:
    """Patches of good samples at one size, whitened about their mean."""

    mean: NDArray[np.float32]
    whitening: NDArray[np.float32]
    kept: NDArray[np.float32]

    def distances(self, features: Patches) -> Field:
        """(h, w) float32 distance of each patch from the nearest good one, and from the mean of all."""
        flat = (features.reshape(-1, features.shape[2]) - self.mean) @ self.whitening
        square, own = (self.kept**2).sum(axis=1), (flat**2).sum(axis=1)
        nearest = []
        for part in np.array_split(flat, max(1, len(flat) // 1024)):
            apart = part @ self.kept.T
            apart *= -2
            apart += square
            nearest.append(apart.min(axis=1))
        near = np.sqrt(np.maximum(np.concatenate(nearest) + own, 0))
        mixed = (1 - OVERALL) * near + OVERALL * np.sqrt(own)
        return np.asarray(mixed.reshape(features.shape[:2]), np.float32)


Sizes = tuple[Patches, Patches]
"""Features of a picture at full and at half size."""


def features_of(shown: RgbImage) -> Sizes:
    """Features of a picture as the network sees it, at that size and at half of it."""
    return patches(shown), patches(seen(shown, 0.5))


@dataclass(frozen=True)
class Known:
    """Patches of good samples at full and at half size."""

    fine: Cloud
    coarse: Cloud

    def distances(self, features: Sizes) -> Field:
        """(h, w) float32 distance of each cell of the full size from the good samples."""
        near = self.fine.distances(features[0])
        far = cv2.resize(self.coarse.distances(features[1]), near.shape[::-1], interpolation=cv2.INTER_LINEAR)
        return np.asarray(near + COARSE * far, np.float32)


@dataclass(frozen=True)
class Place:
    """How much further from the samples than usual good patches are at each place: at borders, edges, gloss."""

    usual: Field
    """(rows, cols) float32 about 1, stretched over a picture."""
    least: tuple[float, float]
    """Smallest height and width of pictures, cells, that are laid alike."""
    most: tuple[float, float]
    """Largest."""

    def relative(self, apart: Field) -> Field:
        """(h, w) float32 distances over what is usual at their place; as they are if the picture's size is another."""
        shape = apart.shape
        if not all(low <= side <= high for low, side, high in zip(self.least, shape, self.most, strict=True)):
            return apart
        stretched = cv2.resize(self.usual, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR)
        return np.asarray(apart / stretched, np.float32)


@dataclass(frozen=True)
class Memory:
    """What is known of good samples, and the scores that good pictures have."""

    known: Known
    place: Place
    factor: float
    """Size at which the network sees pictures, over their own."""
    threshold: float
    """Of relative distances."""
    middle: float
    """Median distance of a good sample's patches from the others."""
    samples: int


def _some(flat: NDArray[np.float32], most: int) -> NDArray[np.float32]:
    """A fixed random choice of at most `most` patches, in their order."""
    if len(flat) <= most:
        return flat
    return flat[np.sort(np.random.default_rng(0).permutation(len(flat))[:most])]


def _cloud(samples: list[Patches], most: int) -> Cloud:
    flat = np.concatenate([s.reshape(-1, s.shape[2]) for s in samples])
    mean = flat.mean(axis=0)
    spread = np.cov(_some(flat, SPREAD_FROM).T)
    spread = (1 - SHRINK) * spread + (SHRINK * np.trace(spread) / len(spread) + 1e-6) * np.eye(len(spread))
    values, vectors = np.linalg.eigh(spread)
    whitening = ((vectors / np.sqrt(values)) @ vectors.T).astype(np.float32)
    return Cloud(mean, whitening, (_some(flat, most) - mean) @ whitening)


def known_from(samples: list[Sizes]) -> Known:
    """Whitening of the samples' patches, and some of them, whitened."""
    fine, coarse = (_cloud([s[i] for s in samples], KEPT[i]) for i in range(2))
    return Known(fine, coarse)


def limit_of(scores: NDArray[np.float64]) -> float:
    """Score that a further good picture stays below, from those of a few: mean and spread of their logarithms.

    The spread is drawn towards that of most surfaces, since that of a few scores is known badly.
    """
    logs = np.log(np.maximum(scores, 1e-6))
    count = len(logs)
    spread = np.sqrt((((logs - logs.mean()) ** 2).sum() + USUAL_WEIGHT * USUAL_SPREAD**2)
                     / (max(count - 1, 0) + USUAL_WEIGHT))
    return float(np.exp(logs.mean() + MARGIN * spread * np.sqrt(1 + FEW / count)))


def left_out(features: list[list[Sizes]]) -> list[Field]:
    """Distances of samples from what is known without them; a few of them if there are many.

    Args:
        features: For each of two or more samples, those of its variants, the sample itself first.
    """
    chosen = np.unique(np.linspace(0, len(features) - 1, min(FOLDS, len(features))).round().astype(int))
    return [known_from([f for j, of in enumerate(features) if j != i for f in of]).distances(features[i][0])
            for i in chosen]


def place_of(apart: list[Field], samples: int) -> Place:
    """What is usual at each place, from the distances of samples that were left out.

    Args:
        apart: Distances of good pictures, (h, w) float32 each, one or more.
        samples: Good samples behind them; of few of them the map is drawn towards 1.
    """
    rows, cols = apart[0].shape
    mean = np.mean([cv2.resize(d, (cols, rows), interpolation=cv2.INTER_LINEAR) for d in apart], axis=0)
    soft = cv2.GaussianBlur(mean.astype(np.float32), (0, 0), 1.0, borderType=cv2.BORDER_REPLICATE)
    usual = (soft / max(float(soft.mean()), 1e-6)) ** (samples / (samples + PLACE_DOUBT))
    sides = np.array([d.shape for d in apart], np.float64)
    low, high = sides.min(axis=0) / SIZE_SLACK, sides.max(axis=0) * SIZE_SLACK
    return Place(np.asarray(np.maximum(usual, 0.3), np.float32), (float(low[0]), float(low[1])),
                 (float(high[0]), float(high[1])))


def _peaks(apart: list[Field]) -> NDArray[np.float64]:
    """Largest relative distance of each good picture, what is usual at each place taken from the others."""
    peaks = []
    for i, of in enumerate(apart):
        others = apart[:i] + apart[i + 1:] or apart
        peaks.append(float(place_of(others, len(others)).relative(of).max()))
    return np.array(peaks)


def learn(good: tuple[RgbImage, ...]) -> Memory:
    """Learn from good samples.

    Args:
        good: One or more (H, W, 3) uint8 RGB pictures of good pieces, at one scale.
    """
    factor = min(1.0, float(np.sqrt(SEEN_AREA / max(g.shape[0] * g.shape[1] for g in good))))
    features = [[features_of(v) for v in variants(seen(g, factor), len(good))] for g in good]
    known = known_from([f for of in features for f in of])
    if len(good) == 1:
        apart = [known.distances(features_of(v)) for v in another_time(seen(good[0], factor))]
    else:
        apart = left_out(features)
    middle = float(np.median([np.median(d) for d in apart]))
    return Memory(known=known, place=place_of(apart, len(good)), factor=factor, threshold=limit_of(_peaks(apart)),
                  middle=middle, samples=len(good))


_FINGERPRINTS: dict[int, tuple[Any, str]] = {}
_MEMORIES: OrderedDict[tuple[str, ...], Memory] = OrderedDict()
MEMORIES = 8
"""Sets of good samples that are remembered; each takes about 3 MB."""
_LOCK = threading.Lock()


def fingerprint(pixels: RgbImage) -> str:
    """sha256 of a picture's shape and pixels; known again by the array itself while that is not writeable."""
    known = _FINGERPRINTS.get(id(pixels))
    if known is not None and known[0]() is pixels and not pixels.flags.writeable:
        return known[1]
    digest = hashlib.sha256(repr(pixels.shape).encode() + np.ascontiguousarray(pixels).tobytes()).hexdigest()
    if len(_FINGERPRINTS) > 500:
        _FINGERPRINTS.clear()
    _FINGERPRINTS[id(pixels)] = (ref(pixels), digest)
    return digest


def memory_of(good: tuple[RgbImage, ...]) -> Memory:
    """What was learnt from these samples, learnt now if it is not known yet."""
    key = tuple(fingerprint(g) for g in good)
    with _LOCK:
        if key not in _MEMORIES:
            _MEMORIES[key] = learn(good)
            while len(_MEMORIES) > MEMORIES:
                _MEMORIES.popitem(last=False)
        _MEMORIES.move_to_end(key)
        return _MEMORIES[key]
