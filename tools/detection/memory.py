"""What a few good samples look like: their patches, and how far a further good picture strays from them.

Source: nearest neighbour among patches of good samples (PatchCore, Roth et al. 2022), with patches whitened by the
samples' own covariance, and a threshold from leaving one sample out at a time.
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
from tools.detection.backbone import Patches, patches
from tools.detection.field import Field

LONG_SIDE = 448
"""The longest side of the good samples as the network sees them, px."""
KEPT = 4000
FOLDS = 16
SHRINK = 0.1
USUAL_SPREAD, USUAL_WEIGHT = 0.07, 8
"""Spread of the logarithm of good pictures' scores that most surfaces show, and as how many samples it counts."""
MARGIN = 1.8
"""Spreads above the mean of good pictures at which the threshold lies."""
STRANGE = 1.6
"""A picture whose middle patch is this many times as far from the samples as theirs is not of their kind."""


@dataclass(frozen=True)
class Memory:
    """Patches of good samples, whitened, and the scores that good pictures have."""

    whitening: NDArray[np.float32]
    kept: NDArray[np.float32]
    factor: float
    """Size at which the network sees pictures, over their own."""
    threshold: float
    middle: float
    """Median distance of a good sample's patches from the others."""
    samples: int

    def distances(self, features: Patches) -> Field:
        """(h, w) float32 distance of each patch from the nearest good one."""
        return _distances(features, self.whitening, self.kept)


def _distances(features: Patches, whitening: NDArray[np.float32], kept: NDArray[np.float32]) -> Field:
    flat = features.reshape(-1, features.shape[2]) @ whitening
    square = (kept**2).sum(axis=1)
    nearest = []
    for part in np.array_split(flat, max(1, len(flat) // 1024)):
        apart = part @ kept.T
        apart *= -2
        apart += square
        nearest.append(apart.min(axis=1) + (part**2).sum(axis=1))
    return np.asarray(np.sqrt(np.maximum(np.concatenate(nearest), 0)).reshape(features.shape[:2]), np.float32)


def _whitened(samples: list[Patches]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Whitening of the samples' patches, and a fixed random choice of them, whitened."""
    flat = np.concatenate([s.reshape(-1, s.shape[2]) for s in samples])
    spread = np.cov(flat.T)
    spread = (1 - SHRINK) * spread + (SHRINK * np.trace(spread) / len(spread) + 1e-6) * np.eye(len(spread))
    values, vectors = np.linalg.eigh(spread)
    whitening = ((vectors / np.sqrt(values)) @ vectors.T).astype(np.float32)
    if len(flat) > KEPT:
        flat = flat[np.sort(np.random.default_rng(0).permutation(len(flat))[:KEPT])]
    return whitening, flat @ whitening


def _varied(pixels: RgbImage) -> list[RgbImage]:
    """A single good sample as it might look another time: other light, turned and shifted a little."""
    height, width = pixels.shape[:2]
    varied = []
    for gain, turn, shift in ((0.9, 0.0, 0.013), (1.08, 2.0, 0.0), (1.0, -2.0, -0.009)):
        place = cv2.getRotationMatrix2D((width / 2, height / 2), turn, 1.0)
        place[:, 2] += shift * max(height, width)
        moved = cv2.warpAffine(pixels, place, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
        varied.append(np.clip(moved.astype(np.float32) * gain, 0, 255).round().astype(np.uint8))
    return varied


def _limit(scores: NDArray[np.float64]) -> float:
    """Score that a further good picture stays below, from those of a few: mean and spread of their logarithms.

    The spread is drawn towards that of most surfaces, since that of a few scores is known badly.
    """
    logs = np.log(np.maximum(scores, 1e-6))
    count = len(logs)
    spread = np.sqrt((((logs - logs.mean()) ** 2).sum() + USUAL_WEIGHT * USUAL_SPREAD**2)
                     / (max(count - 1, 0) + USUAL_WEIGHT))
    return float(np.exp(logs.mean() + MARGIN * spread * np.sqrt(1 + 1 / count)))


def learn(good: tuple[RgbImage, ...]) -> Memory:
    """Learn from good samples.

    Args:
        good: One or more (H, W, 3) uint8 RGB pictures of good pieces, at one scale.
    """
    factor = min(1.0, LONG_SIDE / max(max(g.shape[:2]) for g in good))
    features = [patches(g, factor) for g in good]
    whitening, kept = _whitened(features)
    if len(good) == 1:
        left_out = [_distances(patches(v, factor), whitening, kept) for v in _varied(good[0])]
    else:
        left_out = []
        for i in np.unique(np.linspace(0, len(good) - 1, min(FOLDS, len(good))).round().astype(int)):
            fold = _whitened([f for j, f in enumerate(features) if j != i])
            left_out.append(_distances(features[i], *fold))
    scores = np.array([float(d.max()) for d in left_out])
    middle = float(np.median([np.median(d) for d in left_out]))
    return Memory(whitening=whitening, kept=kept, factor=factor, threshold=_limit(scores), middle=middle,
                  samples=len(good))


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
