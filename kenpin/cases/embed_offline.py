"""The offline embedder: no server, no torch, no download."""

from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from kenpin.cases.backbone import Backbone
from kenpin.cases.handmade import SHAPE_DIM, shape_vector
from kenpin.cases.learnt import Learnt, shipped
from kenpin.cases.words import WORDS_DIM, words_vector
from kenpin.contracts.errors import StoreError
from kenpin.contracts.view import RgbImage

LARGEST_SIDE = 1024
"""Pictures are reduced to this before they are described; less is kept of them anyway."""

LEARNT_BASELINE, FORM_BASELINE = 0.25, 0.96
"""Cosines from which on two defects have something in common, with and without a backbone."""

SAME: dict[Literal["region", "picture", "words"], float] = {"picture": 0.95, "region": 0.85}
"""Cosines from which on two cases whose boxes overlap are copies. Of 2,278 pairs of other drawn parts none reached more
than .73 in both; of 18,283 real pairs two passed, frames of one scene. Of 68 drawn copies each, at least 95 % of those
that were brighter or moved by 3 px pass, and over half of those saved again as JPEG of quality 85.
"""

Values = NDArray[np.float64]


class OfflineEmbedder:
    """Implements `Embedder`: the form of the marks by hand, what they look like by an ONNX backbone, words by n-grams.

    Without a backbone the form alone describes a picture. With it, form, look and difference from the surroundings are
    joined and projected so that defects of one type lie closer (`learnt`, bench/recall.py).

    The name says which, so that a case base made with one is not searched with the other.
    """

    words_dim = WORDS_DIM

    def __init__(self, backbone: Path | None = None, *, learnt: Learnt | None = None) -> None:
        self._backbone = Backbone(backbone) if backbone is not None else None
        self._learnt = learnt or shipped() if backbone is not None else None
        self.name = f"kenpin-learnt+{backbone.stem.lower()}/2" if backbone is not None else "kenpin-form/1"
        self.baseline = LEARNT_BASELINE if backbone is not None else FORM_BASELINE
        self.same = SAME if backbone is not None else {}
        self.picture_dim = SHAPE_DIM if self._learnt is None else self._learnt.projection.shape[1]

    def picture(self, pixels: RgbImage) -> NDArray[np.float32]:
        """(D,) float32 unit vector of a picture or a cut-out, (H, W, 3) uint8 RGB. Never written to."""
        work = _reduced(pixels)
        if self._backbone is None or self._learnt is None:
            return shape_vector(work)
        return _projected(self._learnt, describe(self._backbone, work))

    def words(self, text: str) -> NDArray[np.float32]:
        """(1024,) float32 unit vector of a text."""
        return words_vector(text)


def describe(backbone: Backbone, pixels: RgbImage) -> tuple[Values, Values, Values]:
    """Form, difference from the border, and look of a cut-out, before anything learnt."""
    work = _reduced(pixels)
    difference, look = backbone.look(work)
    return shape_vector(work).astype(np.float64), difference, look


def _projected(learnt: Learnt, parts: tuple[Values, Values, Values]) -> NDArray[np.float32]:
    if (wanted := learnt.look_mean.shape) != parts[2].shape:
        raise StoreError(f"the backbone gives {parts[2].shape[0]} features where {wanted[0]} were learnt from; "
                         "take the one that comes with Kenpin")
    return learnt.vector(*parts)


def _reduced(pixels: RgbImage) -> RgbImage:
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8 or 0 in pixels.shape:
        raise StoreError(f"expected (H, W, 3) uint8, got {pixels.shape} {pixels.dtype}")
    height, width = pixels.shape[:2]
    if (scale := LARGEST_SIDE / max(height, width)) >= 1:
        return np.ascontiguousarray(pixels)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
