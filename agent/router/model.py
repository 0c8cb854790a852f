"""The learned router: which wishes an instruction holds, and whether to act, ask or refuse. Needs numpy only."""

from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agent.router.features import context_features, form_features, text_features

FILE = Path(__file__).with_name("model.npz")
INTENTS = ("calibrate", "quality", "crop", "zoom", "enhance", "compare", "detect", "count", "measure", "judge", "read",
           "recall", "describe", "explain", "sign", "beyond", "chat", "vague")
"""In the order in which a turn carries them out."""
FORM, NEAR = 1.0, 0.2
"""Weight of what the grammar found, and of each feature of the context, beside n-grams of unit length."""
WISHED = 0.4
"""Chance from which an intent counts as wished; see docs/understanding.md."""
ACTS = ("do", "ask", "no")
ALONE = frozenset({"sign", "beyond", "chat", "vague"})


@dataclass(frozen=True)
class Routed:
    """What the router made of an instruction."""

    intents: tuple[str, ...]
    """Wishes in the order of execution."""
    act: str
    """`do`, `ask` or `no`."""
    confidence: float
    scores: dict[str, float]
    act_scores: dict[str, float]


@dataclass(frozen=True)
class Model:
    """A fitted router: weights of hashed features."""

    idf: NDArray[np.float32]
    """(buckets,)"""
    weights: NDArray[np.float32]
    """(intents + acts, buckets)"""
    bias: NDArray[np.float32]
    """(intents + acts,)"""


@cache
def load() -> Model:
    """The shipped model."""
    with np.load(FILE) as data:
        return Model(**{name: data[name].astype(np.float32) for name in ("idf", "weights", "bias")})


@lru_cache(maxsize=512)
def route(text: str, context: str = "") -> Routed:
    """Route an instruction.

    Args:
        text: As the user wrote it.
        context: Letters of `frscmn`: findings, reference, scale, criteria, measured, nothing found.
    """
    model = load()
    buckets, values = vector(text, context, model.idf)
    sums = model.weights[:, buckets] @ values + model.bias
    count = len(INTENTS)
    chances = 1 / (1 + np.exp(-sums[:count]))
    acts = np.exp(sums[count:] - sums[count:].max())
    acts /= acts.sum()
    wished = [i for i in range(count) if chances[i] >= WISHED] or [int(chances.argmax())]
    doable = [i for i in wished if INTENTS[i] not in ALONE]
    wished = doable or [max(wished, key=lambda i: chances[i])]
    act = ACTS[int(acts.argmax())]
    sure = min(float(acts.max()), *(float(max(c, 1 - c)) for c in chances))
    return Routed(intents=tuple(INTENTS[i] for i in wished), act=act, confidence=sure,
                  scores=dict(zip(INTENTS, map(float, chances), strict=True)),
                  act_scores=dict(zip(ACTS, map(float, acts), strict=True)))


def vector(text: str, context: str, idf: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Buckets and weights of an instruction: tf-idf of unit length for its n-grams, the same length for what the
    grammar and the lexicon found, and a little for the context."""
    found, form, near = text_features(text), form_features(text), context_features(context, text)
    buckets = np.fromiter(found, np.int64, len(found))
    values = (1 + np.log(np.fromiter(found.values(), np.float32, len(found)))) * idf[buckets]
    values /= max(float(np.sqrt((values**2).sum())), 1e-6)
    parts = [values, np.full(len(form), FORM / np.sqrt(max(len(form), 1))), np.full(len(near), NEAR)]
    return np.concatenate([buckets, np.array([*form, *near], np.int64)]), np.concatenate(parts).astype(np.float32)
