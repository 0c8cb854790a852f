"""Who described a case base: the name of an embedder and its fingerprint, which is what it makes of fixed inputs, so
that other weights under the same name are noticed."""

import base64
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kenpin.contracts.ports import Embedder

KEPT = 128
"""Numbers of each vector that are kept."""
SAME_WEIGHTS = 0.995
"""Cosine from which on two fingerprints are of the same weights. The CLIP of the tests in bfloat16 against float32 has
.9989; with each weight off by 0.3 % at random .996, by 1 % .974."""


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


def made_with(embedder: Embedder) -> dict[str, str]:
    """What a case base notes of the embedder that describes its cases."""
    found: str | None = getattr(embedder, "fingerprint", None)
    return {"embedder": embedder.name, **({"fingerprint": found} if found else {})}


def objection(about: Mapping[str, Any], others: Collection[str], embedder: Embedder) -> str | None:
    """Why an embedder may neither search a case base nor add to it; None if it may.

    Args:
        about: What the case base notes of itself.
        others: Names of other embedders that described its cases.
        embedder: Who wants to.
    """
    if about.get("rebuilding"):
        return ("the case base is being described anew, or that was broken off; wait for it, or run "
                "`kenpin cases rebuild`")
    if others:
        return (f"the case base was made with embedder {min(others)}, not {embedder.name}; go back to it, or describe "
                "its cases anew with `kenpin cases rebuild`")
    now = made_with(embedder).get("fingerprint")
    if now is not None and agreement(str(about.get("fingerprint")), now) < SAME_WEIGHTS:
        return (f"the case base was made with other weights than {embedder.name} has now; serve those again, or "
                "describe its cases anew with `kenpin cases rebuild`")
    return None


def _read(text: str) -> list[tuple[int, NDArray[np.float32]]]:
    parts = [part.partition(":") for part in text.split()]
    return [(int(size), np.frombuffer(base64.b64decode(data, validate=True), "<f2").astype(np.float32))
            for size, _, data in parts]
