"""The one place that runs RapidOCR's models. They ship in its wheel; nothing is ever downloaded."""

import re
import threading
from collections.abc import Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from kenpin.contracts.errors import MissingExtra, ToolInputError
from kenpin.contracts.view import RgbImage
from tools.reading.decode import Glyph, Probabilities, glyphs, told

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

LINE_HEIGHT, LEAST_WIDTH = 48, 160
"""Px: what the recogniser was trained on, and the narrowest line that it is given; short lines cost less than with the
320 px that RapidOCR pads to, and read alike."""

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


@lru_cache(maxsize=1)
def _recogniser() -> tuple[Any, tuple[str, ...]]:
    """The recogniser's session and its alphabet, the blank first and the space last."""
    path = model_paths()["Rec.model_path"]
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads, options.log_severity_level = THREADS, 1, 4
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    letters = session.get_modelmeta().custom_metadata_map["character"].splitlines()
    return session, ("", *letters, " ")


def recognise_all(lines: Sequence[RgbImage]) -> list[tuple[Glyph, ...]]:
    """Read upright lines, each (H, W, 3) uint8 RGB, together: their characters. Never written to.

    RapidOCR runs the same model, but gives away no more than a line's text and its mean score.

    Source: PP-OCRv6 small recogniser (CTC) as packed by RapidOCR; its own preparation of a line.
    """
    return [glyphs(steps, _recogniser()[1]) for steps in probabilities(lines)]


def probabilities(lines: Sequence[RgbImage]) -> list[Probabilities]:
    """What the recogniser makes of upright lines, each (H, W, 3) uint8 RGB: (T, C) probabilities of its alphabet."""
    session, _ = _recogniser()
    widths = [max(1, int(np.ceil(LINE_HEIGHT * line.shape[1] / line.shape[0]))) for line in lines]
    batch = np.zeros((len(lines), 3, LINE_HEIGHT, max(LEAST_WIDTH, *widths)), dtype=np.float32)
    for row, line, width in zip(batch, lines, widths, strict=True):
        small = cv2.resize(_bgr(line), (width, LINE_HEIGHT))
        row[:, :, :width] = small.astype(np.float32).transpose(2, 0, 1) / 127.5 - 1
    with _LOCK:
        steps = session.run(None, {session.get_inputs()[0].name: batch})[0]
    return list(np.asarray(steps, dtype=np.float32))


def alphabet() -> tuple[str, ...]:
    """The recogniser's classes: the blank, an empty text, is the first."""
    return _recogniser()[1]


def recognise(line: RgbImage) -> tuple[str, float]:
    """Read one upright line, (H, W, 3) uint8 RGB: its text and a score from 0 to 1; ("", 0.0) if nothing is legible."""
    text, score = told(recognise_all([line])[0])
    return japanese(text.strip()), score


def japanese(text: str) -> str:
    """Where a text is Japanese, forms of characters that only Chinese uses are the recogniser's slips."""
    return text.translate(SLIPS) if JAPANESE.search(text) else text


def _bgr(pixels: RgbImage) -> NDArray[np.uint8]:
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2BGR), dtype=np.uint8)
