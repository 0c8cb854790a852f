"""The one place that runs RapidOCR. Its models ship in its wheel; nothing is ever downloaded."""

import re
import threading
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from kenpin.contracts.errors import MissingExtra, ToolInputError
from kenpin.contracts.view import RgbImage

THREADS = 2
"""Fixed, so that the same picture gives the same bits on every machine with two cores or more."""

MODELS = {
    "Det.model_path": "PP-OCRv6_det_small.onnx",
    "Rec.model_path": "PP-OCRv6_rec_small.onnx",
    "Cls.model_path": "ch_ppocr_mobile_v2.0_cls_mobile.onnx",
}

JAPANESE = re.compile(r"[ぁ-んァ-ヶ検済図転単読価絵]")
"""Characters that Japanese uses and Chinese does not."""

SLIPS = str.maketrans("查产质证图单读转济检", "査産質証図単読転済検")

_LOCK = threading.Lock()
"""RapidOCR keeps its switches on the engine, so two threads must not call it at once."""


def model_paths() -> dict[str, str]:
    """Paths of the models inside the installed wheel, keyed by RapidOCR's parameter names.

    Raises:
        MissingExtra: rapidocr is not installed.
        ToolInputError: The wheel does not hold a model that is needed.
    """
    spec = find_spec("rapidocr")
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtra("reading text (rapidocr)", extra="all")
    folder = Path(next(iter(spec.submodule_search_locations))) / "models"
    for name in MODELS.values():
        if not (folder / name).is_file():
            raise ToolInputError(f"text cannot be read: rapidocr's wheel lacks {name}; install rapidocr 3.10 again")
    return {key: str(folder / name) for key, name in MODELS.items()}


@lru_cache(maxsize=1)
def _engine() -> Any:
    paths = model_paths()
    from rapidocr import RapidOCR

    return RapidOCR(params={
        **paths,
        "Global.log_level": "critical",
        # Nothing is resized behind our back: `lines` chooses the working size.
        "Global.max_side_len": 1_000_000,
        "Det.limit_type": "max",
        "Det.limit_side_len": 1_000_000,
        "Det.box_thresh": 0.4,
        "Rec.rec_img_shape": [3, 48, 160],  # narrowest line the recogniser pads to: short lines cost half
        "EngineConfig.onnxruntime.intra_op_num_threads": THREADS,
        "EngineConfig.onnxruntime.inter_op_num_threads": 1,
    })


def locate(pixels: RgbImage) -> NDArray[np.float64]:
    """Find text lines.

    Args:
        pixels: (H, W, 3) uint8 RGB, at the size at which the detector shall look. Never written to.
    Returns:
        (N, 4, 2) float64 corners of the lines in pixels, clockwise from the top left of the slanted box.
    Source: PP-OCRv6 small detector (differentiable binarisation) as packed by RapidOCR.
    """
    with _LOCK:
        found = _engine()(_bgr(pixels), use_det=True, use_cls=False, use_rec=False)
    return np.empty((0, 4, 2)) if found.boxes is None else np.asarray(found.boxes, dtype=np.float64).reshape(-1, 4, 2)


def recognise(line: RgbImage) -> tuple[str, float]:
    """Read one upright line, (H, W, 3) uint8 RGB: its text and a score from 0 to 1; ("", 0.0) if nothing is legible.

    Source: PP-OCRv6 small recogniser (CTC) as packed by RapidOCR.
    """
    with _LOCK:
        read = _engine()(_bgr(line), use_det=False, use_cls=False, use_rec=True)
    if not read.txts:
        return "", 0.0
    return _japanese(str(read.txts[0]).strip()), float(read.scores[0])


def _japanese(text: str) -> str:
    """Where a text is Japanese, forms of characters that only Chinese uses are the recogniser's slips."""
    return text.translate(SLIPS) if JAPANESE.search(text) else text


def _bgr(pixels: RgbImage) -> NDArray[np.uint8]:
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2BGR), dtype=np.uint8)
