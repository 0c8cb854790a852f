"""A description of a cut-out by a convolutional backbone in ONNX, with attention to what differs from its border."""

import threading
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from kenpin.cases.handmade import centre_weights
from kenpin.contracts.errors import StoreError
from kenpin.contracts.view import RgbImage

WORKING_SIDE = 128
STRIDE = 16
ATTENTION, CENTRE_SIGMA, PLAIN_WEIGHT = 3, 0.15, 0.4
"""Cells are weighed by their difference from the border to this power, times a bell of this width; the plain features
count this much beside the differences."""

THREADS = 1
"""Fixed, so that the same picture gives the same bits."""


class Backbone:
    """An ONNX file that takes (1, H, W, 3) RGB 0 to 255 and gives maps (1, C, H/s, W/s) of several strides s."""

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise StoreError(f"backbone {path.name} is not there; install kenpin again")
        self._path = path
        self._lock = threading.Lock()

    def vector(self, pixels: RgbImage) -> NDArray[np.float32]:
        """(D,) float32 unit vector of a cut-out, (H, W, 3) uint8 RGB of any size. Never written to.

        Rows and columns are looked at once upright and once turned a quarter, since defects lie in any direction.

        Source: attention pooling by local contrast, after ideas of SPADE and PatchCore; features of EfficientNet-Lite.
        """
        upright = self._described(pixels)
        turned = self._described(np.ascontiguousarray(np.rot90(pixels)))
        return np.asarray(_unit(upright + turned), dtype=np.float32)

    @cached_property
    def dim(self) -> int:
        """Length of the vector."""
        return len(self.vector(np.zeros((STRIDE, STRIDE, 3), dtype=np.uint8)))

    def _described(self, pixels: RgbImage) -> NDArray[np.float64]:
        blocks = []
        for features in self._maps(pixels):
            _, rows, columns = features.shape
            edges = (features[:, [0, -1], :].mean(axis=(1, 2)) + features[:, :, [0, -1]].mean(axis=(1, 2))) / 2
            difference = features - edges[:, None, None]
            strength = np.sqrt((difference**2).sum(axis=0))
            weights = centre_weights(rows, columns, sigma=CENTRE_SIGMA) * strength**ATTENTION + 1e-12
            weights /= weights.sum()
            blocks += [_unit((difference * weights).sum(axis=(1, 2))),
                       PLAIN_WEIGHT * _unit((features * weights).sum(axis=(1, 2)))]
        return _unit(np.concatenate(blocks))

    def _maps(self, pixels: RgbImage) -> list[NDArray[np.float64]]:
        height, width = pixels.shape[:2]
        scale = WORKING_SIDE / max(height, width)
        size = tuple(max(2, round(side * scale / STRIDE)) * STRIDE for side in (width, height))
        work = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
        entry = self._session.get_inputs()[0]
        kind = np.uint8 if "uint8" in entry.type else np.float32
        with self._lock:
            outputs = self._session.run(None, {entry.name: work.astype(kind)[None]})
        rows = size[1] // STRIDE
        maps = [np.asarray(out[0], dtype=np.float64) for out in outputs if out.ndim == 4 and out.shape[2] == rows]
        if not maps:
            raise StoreError(f"backbone {self._path.name} gives no features of stride {STRIDE}; install kenpin again")
        return maps

    @cached_property
    def _session(self) -> Any:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = THREADS
        options.log_severity_level = 3
        return onnxruntime.InferenceSession(str(self._path), options, providers=["CPUExecutionProvider"])


def _unit(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    length = float(np.linalg.norm(vector))
    return vector / length if length > 1e-9 else vector
