"""The case base in memory, for tests and for trying things out."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from kenpin.cases.likeness import (
    WEIGHTS,
    Asked,
    Part,
    Vectors,
    describe_case,
    describe_query,
    folded,
    passes,
    ranked,
    stretched,
)
from kenpin.contracts.case import Case, CaseHit, CaseQuery
from kenpin.contracts.errors import StoreError
from kenpin.contracts.ports import Embedder
from kenpin.contracts.view import RgbImage


class InMemoryCases:
    """Implements `CaseStore`; forgets everything with the process."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._cases: dict[str, tuple[Case, dict[Part, Vectors]]] = {}
        self._shelves: dict[Part, tuple[Vectors, NDArray[np.intp]]] = {}

    def add(self, case: Case, *, pixels: RgbImage) -> None:
        """Add or replace a case by its id; `pixels` is the whole picture."""
        self._cases[case.id] = (case, describe_case(self._embedder, case, pixels))
        self._shelves.clear()

    def remove(self, case_id: str) -> None:
        """Withdraw a case; one that is not there is no error."""
        self._cases.pop(case_id, None)
        self._shelves.clear()

    def get(self, case_id: str) -> Case:
        """One case."""
        if case_id not in self._cases:
            raise StoreError(f"there is no case {case_id}; `kenpin cases list` shows all")
        return self._cases[case_id][0]

    def all(self) -> Sequence[Case]:
        """Every case, by id."""
        return [self._cases[key][0] for key in sorted(self._cases)]

    def count(self, query: CaseQuery) -> int:
        """How many cases pass the filters of a query."""
        return sum(passes(case, query) for case, _ in self._cases.values())

    def search(self, query: CaseQuery, *, region: RgbImage | None = None,
               picture: RgbImage | None = None) -> Sequence[CaseHit]:
        """Best cases first."""
        asked = describe_query(self._embedder, query, region=region, picture=picture)
        if not asked.given() or not self._cases:
            return ranked(self._cases.values(), asked, query, self._embedder)
        return folded(self._in_order(asked, query), asked, query.k, self._embedder)

    def _in_order(self, asked: Asked, query: CaseQuery) -> Iterator[tuple[float, Case, dict[Part, Vectors]]]:
        """All cases at once, as `ranked` scores them one by one; the filters are only asked where a case comes up."""
        ids = sorted(self._cases)
        scores = np.zeros(len(ids))
        for part, wanted in asked.given():
            vectors, starts = self._shelf(part)
            cosines = np.maximum.reduceat(wanted @ vectors.T, starts, axis=1).mean(axis=0)
            scores += WEIGHTS[part] * np.array([stretched(float(c), part, self._embedder) for c in cosines])
        scores = np.round(scores / sum(WEIGHTS[part] for part, _ in asked.given()), 4)
        for place in np.argsort(-scores, kind="stable"):
            case, parts = self._cases[ids[place]]
            if passes(case, query):
                yield float(scores[place]), case, parts

    def _shelf(self, part: Part) -> tuple[Vectors, NDArray[np.intp]]:
        """The vectors of one part of all cases in a row, and where each case begins, in the order of their ids."""
        if part not in self._shelves:
            found = [self._cases[key][1][part] for key in sorted(self._cases)]
            starts = np.cumsum([0, *(len(vectors) for vectors in found[:-1])])
            self._shelves[part] = (np.concatenate(found), starts)
        return self._shelves[part]
