"""Features of a small network that has seen millions of pictures; run by onnxruntime, no torch.

Source: EfficientNet-Lite0, first eleven blocks, int8; see `bench/export_backbone.py` and `tools/weights/NOTICE.md`.
"""

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from kenpin.contracts.errors import StoreError
from kenpin.contracts.view import RgbImage

WEIGHTS = Path(__file__).parents[1] / "weights" / "efficientnet_lite0_s16.onnx"
SHA256 = "ab4b5da2ade91b7522b065ebead37e7e454b931d9d28eaadb2e5e623a8b1833c"
STRIDE = 16
THREADS = 1
"""Fixed, so that results are the same to the bit on every machine of one kind."""

Patches = NDArray[np.float32]
"""(h, w, 192) float32, one vector a cell of `STRIDE` px."""


@lru_cache(maxsize=1)
def _session() -> Any:
    import onnxruntime as ort

    data = WEIGHTS.read_bytes()
    if (seen := hashlib.sha256(data).hexdigest()) != SHA256:
        raise StoreError(f"{WEIGHTS.name} is not the file that was shipped (sha256 {seen[:12]}); install Kenpin again")
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = THREADS
    return ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])


def _softened(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Vectors divided by the root of their length: half way to taking their direction only."""
    size = np.sqrt(np.linalg.norm(values, axis=2, keepdims=True))
    return np.asarray(values / np.maximum(size, 1e-3), np.float32)


def grid_size(shape: tuple[int, ...], factor: float) -> tuple[int, int]:
    """Width and height that a picture is resized to: `factor` times its own, in whole cells."""
    height, width = (max(4, round(side * factor / STRIDE)) * STRIDE for side in shape[:2])
    return width, height


def seen(pixels: RgbImage, factor: float) -> RgbImage:
    """The picture as the network sees it: `factor` times its size, in whole cells.

    Args:
        pixels: (H, W, 3) uint8 RGB. Never written to.
        factor: Size at which the network sees the picture, over its own.
    """
    size = grid_size(pixels.shape, factor)
    shrinks = size[0] * size[1] < pixels.shape[0] * pixels.shape[1]
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR))


def patches(shown: RgbImage) -> Patches:
    """Features of a picture, one vector a cell.

    Args:
        shown: (H, W, 3) uint8 RGB, both sides multiples of `STRIDE`.
    Raises:
        StoreError: The weights are missing or not those that were shipped.
    """
    _, lower, upper = _session().run(None, {"rgb": shown[None].astype(np.float32)})
    parts = [_softened(np.ascontiguousarray(part[0].transpose(1, 2, 0))) for part in (lower, upper)]
    return np.concatenate(parts, axis=2)
