"""What cases that have nothing to do with each other have in common, measured in a case base itself.

The cosines of an embedder on a server say nothing by themselves: of unrelated pictures one model gives .2, another .8.
"""

from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from kenpin.cases.likeness import PARTS, Part, Vectors
from kenpin.contracts.case import CaseHead

One = TypeVar("One")

QUANTILE = 0.8
"""Share of unrelated pairs below the baseline. The offline embedder's own baseline lies at .80 of the pairs of other
types (50 drawn defects of 5 types, regions as they are asked for), and the levels of `recall` were measured with it."""
MOST, LEAST_PAIRS = 96, 30
"""Cases that are looked at, evenly over the ids, and pairs below which the measure says nothing."""
ASKED: Mapping[Part, int] = {"region": 2, "picture": 1, "words": 1}
"""Vectors of a case that stand for a query: a region with and without its surroundings; what the defect is called."""


def measured(cases: Sequence[tuple[CaseHead, Mapping[Part, Vectors]]],
             prior: Mapping[Part, float]) -> Mapping[Part, float]:
    """The cosine of each part below which `QUANTILE` of all unrelated pairs lie: other type, other part.

    Args:
        cases: As `some_of`; (N, D) unit vectors of each part.
        prior: Where there are too few pairs.
    """
    unrelated = _unrelated([head for head, _ in cases])
    if int(unrelated.sum()) < LEAST_PAIRS:
        return prior
    cosines = {part: _cosines([vectors[part] for _, vectors in cases], ASKED[part]) for part in PARTS}
    return {part: float(np.quantile(found[unrelated], QUANTILE)) for part, found in cosines.items()}


def some_of(cases: Sequence[One]) -> list[One]:
    """At most `MOST` of all cases, evenly over them."""
    return [cases[len(cases) * place // MOST] for place in range(MOST)] if len(cases) > MOST else list(cases)


def _unrelated(heads: Sequence[CaseHead]) -> NDArray[np.bool_]:
    """(N, N) whether two cases are of other types and of other parts."""
    kinds = np.array([head.defect_type.casefold() for head in heads])
    parts = np.array([head.part or f" {head.id}" for head in heads])
    return np.asarray((kinds[:, None] != kinds) & (parts[:, None] != parts), dtype=np.bool_)


def _cosines(rows: Sequence[Vectors], asked: int) -> NDArray[np.float64]:
    """(N, N) of each case as a query with each as a case: as `likeness.alike`."""
    counts = [len(one) for one in rows]
    starts, everything = np.concatenate([[0], np.cumsum(counts)[:-1]]), np.concatenate(rows).T
    found = [np.maximum.reduceat(one[:asked] @ everything, starts, axis=1).mean(axis=0) for one in rows]
    return np.stack(found).astype(np.float64)
