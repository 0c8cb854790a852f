"""What a cut-out looks like to a convolutional network in ONNX, with attention to what differs from its border."""

import threading
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from kenpin.cases.handmade import border_plane, centre_weights, ring_of
from kenpin.contracts.errors import StoreError
from kenpin.contracts.view import RgbImage

WORKING_SIDE = 128
STRIDE = 16
ATTENTION, CENTRE_SIGMA = 3, 0.15
"""Cells are weighed by their difference from the border to this power, times a bell of this width."""

GREY = 128.0
DARKEST = 8.0
"""Light that falls on the border is divided out, so that it comes out at `GREY`; less light than this is noise."""

THREADS = 1
"""Fixed, so that the same picture gives the same bits."""

Values = NDArray[np.float64]


class Backbone:
    """An ONNX file that takes (1, H, W, 3) RGB 0 to 255 and gives maps (1, C, H/s, W/s), the last of stride 16."""

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise StoreError(f"backbone {path.name} is not there; install kenpin again")
        self._path = path
        self._lock = threading.Lock()

    def look(self, pixels: RgbImage) -> tuple[Values, Values]:
        """How a cut-out differs from its border, and how it looks, (C,) each.

        Args:
            pixels: (H, W, 3) uint8 RGB of any size. Never written to.

        Uneven light is divided out first. The cut-out is looked at in its eight positions (quarter turns, mirrored),
        since defects lie in any direction.

        Source: attention pooling by local contrast, after ideas of SPADE and PatchCore; features of EfficientNet-Lite.
        """
        work = _evenly_lit(_resized(pixels))
        looks = [self._pooled(np.rot90(side, turn)) for side in (work, work[:, ::-1]) for turn in range(4)]
        differences, plain = (np.mean(values, axis=0) for values in zip(*looks, strict=True))
        return differences, plain

    def _pooled(self, work: NDArray[np.float32]) -> tuple[Values, Values]:
        features = self._map(np.ascontiguousarray(work))
        _, rows, columns = features.shape
        edges = (features[:, [0, -1], :].mean(axis=(1, 2)) + features[:, :, [0, -1]].mean(axis=(1, 2))) / 2
        difference = features - edges[:, None, None]
        strength = np.sqrt((difference**2).sum(axis=0))
        weights = centre_weights(rows, columns, sigma=CENTRE_SIGMA) * strength**ATTENTION + 1e-12
        weights /= weights.sum()
        return (difference * weights).sum(axis=(1, 2)), (features * weights).sum(axis=(1, 2))

    def _map(self, work: NDArray[np.float32]) -> Values:
        with self._lock:
            outputs = self._session.run(None, {self._session.get_inputs()[0].name: work[None]})
        rows = work.shape[0] // STRIDE
        maps = [out[0] for out in outputs if out.ndim == 4 and out.shape[2] == rows]
        if not maps:
            raise StoreError(f"backbone {self._path.name} gives no features of stride {STRIDE}; install kenpin again")
        return np.asarray(maps[-1], dtype=np.float64)

    @cached_property
    def _session(self) -> Any:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = THREADS
        options.log_severity_level = 3
        return onnxruntime.InferenceSession(str(self._path), options, providers=["CPUExecutionProvider"])


def _resized(pixels: RgbImage) -> RgbImage:
    height, width = pixels.shape[:2]
    scale = WORKING_SIDE / max(height, width)
    size = tuple(max(2, round(side * scale / STRIDE)) * STRIDE for side in (width, height))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC))


def _evenly_lit(work: RgbImage) -> NDArray[np.float32]:
    """The picture over the light on its border, taken as a plane; contrast stays, shading and exposure go."""
    grey = work.astype(np.float32).mean(axis=2)
    light = np.maximum(border_plane(grey, ring_of(grey.shape)), DARKEST)
    return np.asarray(np.clip(GREY * work / light[..., None], 0, 255), dtype=np.float32)
