"""Fingerprints of embedders: what they make of fixed inputs, so that other weights under the same name are noticed."""

import base64
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

KEPT = 128
"""Numbers of each vector that are kept."""
SAME_WEIGHTS = 0.999
"""Cosine from which on two fingerprints are of the same weights."""


def sketch(vectors: Sequence[NDArray[np.float32]]) -> str:
    """The first numbers of each vector, with its length, as text.

    Args:
        vectors: (D,) each; D may differ.
    """
    return " ".join(f"{len(vector)}:{base64.b64encode(vector[:KEPT].astype('<f2').tobytes()).decode()}"
                    for vector in vectors)


def agreement(one: str, other: str) -> float:
    """The least cosine of the vectors of two fingerprints; 0.0 where their lengths differ or either is none."""
    try:
        pairs = list(zip(_read(one), _read(other), strict=True))
        if any(len(mine) != len(theirs) or size != their_size for (size, mine), (their_size, theirs) in pairs):
            return 0.0
        return min(float(mine @ theirs / (np.linalg.norm(mine) * np.linalg.norm(theirs)))
                   for (_, mine), (_, theirs) in pairs)
    except (ValueError, ZeroDivisionError):
        return 0.0


def _read(text: str) -> list[tuple[int, NDArray[np.float32]]]:
    parts = [part.partition(":") for part in text.split()]
    return [(int(size), np.frombuffer(base64.b64decode(data, validate=True), "<f2").astype(np.float32))
            for size, _, data in parts]
