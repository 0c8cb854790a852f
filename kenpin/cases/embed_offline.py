"""The offline embedder: no server, no torch, no download."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from kenpin.cases.backbone import Backbone
from kenpin.cases.handmade import SHAPE_DIM, shape_vector
from kenpin.cases.words import WORDS_DIM, words_vector
from kenpin.contracts.errors import StoreError
from kenpin.contracts.view import RgbImage

LARGEST_SIDE = 1024
"""Pictures are reduced to this before they are described; less is kept of them anyway."""

BACKBONE_BASELINE, FORM_BASELINE = 0.68, 0.96
"""Cosines from which on two defects have something in common, with and without a backbone.

With it, a likeness of 0.7 and more meant the same type in nine of ten hits of bench/recall.py, 0.4 to 0.7 in three of
five, less in one of seven.
"""


class OfflineEmbedder:
    """Implements `Embedder`: the form of the marks by hand, what they look like by an ONNX backbone, words by n-grams.

    Without a backbone the form alone describes a picture. Together, type and surface are both found (bench/recall.py).

    The name says which, so that a case base made with one is not searched with the other.
    """

    words_dim = WORDS_DIM

    def __init__(self, backbone: Path | None = None) -> None:
        self._backbone = Backbone(backbone) if backbone is not None else None
        self.name = f"kenpin-form+{backbone.stem.lower()}/1" if backbone is not None else "kenpin-form/1"
        self.baseline = BACKBONE_BASELINE if backbone is not None else FORM_BASELINE
        self.picture_dim = SHAPE_DIM + (0 if self._backbone is None else self._backbone.dim)

    def picture(self, pixels: RgbImage) -> NDArray[np.float32]:
        """(D,) float32 unit vector of a picture or a cut-out, (H, W, 3) uint8 RGB. Never written to."""
        if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8 or 0 in pixels.shape:
            raise StoreError(f"expected (H, W, 3) uint8, got {pixels.shape} {pixels.dtype}")
        height, width = pixels.shape[:2]
        work = np.ascontiguousarray(pixels)
        if (scale := LARGEST_SIDE / max(height, width)) < 1:
            size = (max(1, round(width * scale)), max(1, round(height * scale)))
            work = np.asarray(cv2.resize(work, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
        form = shape_vector(work)
        if self._backbone is None:
            return form
        both = np.concatenate([form, self._backbone.vector(work)])
        return np.asarray(both / np.linalg.norm(both), dtype=np.float32)

    def words(self, text: str) -> NDArray[np.float32]:
        """(1024,) float32 unit vector of a text."""
        return words_vector(text)
