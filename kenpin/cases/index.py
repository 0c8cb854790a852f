"""Cases as arrays in this process: every search looks at all of them, so the ranking is exact."""

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from kenpin.cases.baseline import measured, some_of
from kenpin.cases.likeness import (
    LOOKS,
    PARTS,
    WEIGHTS,
    Asked,
    Part,
    Vectors,
    alike,
    baselines,
    passes,
    stretched,
    stretched_all,
)
from kenpin.cases.packing import Rows, SparseRows, compact, dense, joined
from kenpin.contracts.case import CaseHead, CaseQuery
from kenpin.contracts.ports import Embedder

Body = TypeVar("Body")
Scores = NDArray[np.float64]

MOST_FRESH = 64
"""Cases that are scored one by one, at about 0.03 ms each, before all arrays are laid out anew (0.1 s for 10,000)."""

FILTERS = ("product", "defect_type", "disposition", "part")


@dataclass(frozen=True)
class Kept(Generic[Body]):
    """A case in the index: what is filtered by, what is given back, and its vectors."""

    head: CaseHead
    body: Body
    rows: Mapping[Part, Rows]

    @property
    def vectors(self) -> dict[Part, Vectors]:
        """The vectors by which copies are told."""
        return {part: dense(self.rows[part]) for part in LOOKS}


class _Shelf:
    """One part of all cases in a row."""

    def __init__(self, parts: Sequence[Rows]) -> None:
        self._rows = joined(parts)
        ends = np.cumsum([len(rows) for rows in parts])
        self._starts = np.concatenate([[0], ends[:-1]])
        self._slices = [slice(int(a), int(b)) for a, b in zip(self._starts, ends, strict=True)]
        self._sparse: Any = None
        if isinstance(self._rows, SparseRows):
            from scipy.sparse import csr_array

            self._edges = np.concatenate([[0], np.cumsum(self._rows.counts, dtype=np.int64)])
            self._sparse = csr_array((self._rows.values, self._rows.columns.astype(np.int32), self._edges),
                                     shape=(len(self._rows), self._rows.width))

    def cosines(self, wanted: Vectors) -> NDArray[np.float32]:
        """(N,) of each case: of each of (Q, D) vectors asked for with the case's best, on average."""
        found = wanted @ self._rows.T if self._sparse is None else (self._sparse @ wanted.T).T  # type: ignore[union-attr]
        return np.asarray(np.maximum.reduceat(found, self._starts, axis=1).mean(axis=0), dtype=np.float32)

    def part(self, place: int) -> Rows:
        """The rows of one case, as a window on all."""
        chosen, rows = self._slices[place], self._rows
        if not isinstance(rows, SparseRows):
            return rows[chosen]
        inside = slice(int(self._edges[chosen.start]), int(self._edges[chosen.stop]))
        return SparseRows(rows.counts[chosen], rows.columns[inside], rows.values[inside], rows.width)


class _Column:
    """What each case has in one field, as numbers."""

    def __init__(self, values: Sequence[str | None]) -> None:
        self._codes: dict[str | None, int] = {}
        self._numbers = np.array([self._codes.setdefault(value, len(self._codes)) for value in values], dtype=np.int32)

    def equal(self, value: str) -> NDArray[np.bool_]:
        """(N,) whether each has this value."""
        return np.asarray(self._numbers == self._codes.get(value, -1), dtype=np.bool_)


@dataclass
class CaseIndex(Generic[Body]):
    """Not safe for several threads at once; its owner sees to that.

    Most cases lie in arrays; a few that were put in since lie beside them and are scored one by one.
    """

    embedder: Embedder
    _laid: list[Kept[Body]] = field(default_factory=list)
    """In the order of their ids, as on the shelves."""
    _places: dict[str, int] = field(default_factory=dict)
    _shelves: dict[Part, _Shelf] = field(default_factory=dict)
    _gone: set[int] = field(default_factory=set)
    _fresh: dict[str, Kept[Body]] = field(default_factory=dict)
    _columns: dict[str, _Column] = field(default_factory=dict)
    _baselines: Mapping[Part, float] | None = None
    """As measured in the cases that are there now."""

    def put(self, head: CaseHead, body: Body, vectors: Mapping[Part, Rows]) -> None:
        """Take a case in, replacing one of the same id."""
        self.drop(head.id)
        self._fresh[head.id] = Kept(head, body, {part: compact(rows) if isinstance(rows, np.ndarray) else rows
                                                 for part, rows in vectors.items()})

    def drop(self, case_id: str) -> None:
        """Forget a case; one that is not there is no error."""
        self._baselines = None
        self._fresh.pop(case_id, None)
        if case_id in self._places:
            self._gone.add(self._places[case_id])

    def clear(self) -> None:
        """Forget everything."""
        self._fresh, self._gone = {}, set(range(len(self._laid)))
        self._lay_out()

    def get(self, case_id: str) -> Kept[Body] | None:
        """A case, or None."""
        if case_id in self._fresh:
            return self._fresh[case_id]
        place = self._places.get(case_id)
        return None if place is None or place in self._gone else self._laid[place]

    def all(self) -> list[Kept[Body]]:
        """Every case, by id."""
        laid = (kept for place, kept in enumerate(self._laid) if place not in self._gone)
        return sorted([*laid, *self._fresh.values()], key=lambda kept: kept.head.id)

    def count(self, query: CaseQuery) -> int:
        """How many cases pass the filters."""
        return int(self._passing(query).sum()) + sum(passes(kept.head, query) for kept in self._fresh.values())

    def ordered(self, asked: Asked, query: CaseQuery) -> Iterator[tuple[float, Kept[Body]]]:
        """Cases that pass the filters with their likeness, the best first, then by id."""
        self._tidy()
        laid, fresh = self._laid_in_order(asked, query), self._fresh_in_order(asked, query)
        return heapq.merge(laid, fresh, key=lambda one: (-one[0], one[1].head.id))

    def baselines(self) -> Mapping[Part, float]:
        """Cosines that unrelated cases have: the embedder's own, or measured."""
        if (known := baselines(self.embedder)) is not None:
            return known
        if self._baselines is None:
            cases = [(kept.head, {part: dense(kept.rows[part]) for part in PARTS}) for kept in some_of(self.all())]
            self._baselines = measured(cases, self.embedder.prior)  # type: ignore[attr-defined]
        return self._baselines

    def _tidy(self) -> None:
        if len(self._fresh) > MOST_FRESH or len(self._gone) > max(MOST_FRESH, len(self._laid) // 4):
            self._lay_out()

    def _laid_in_order(self, asked: Asked, query: CaseQuery) -> Iterator[tuple[float, Kept[Body]]]:
        passing = np.flatnonzero(self._passing(query))
        if not len(passing):
            return
        scores, base = np.zeros(len(self._laid)), self.baselines()
        given = asked.given()
        for part, wanted in given:
            scores += WEIGHTS[part] * stretched_all(self._shelves[part].cosines(wanted), base[part])
        scores = np.round(scores / (sum(WEIGHTS[part] for part, _ in given) or 1.0), 4)[passing]
        for chosen in np.argsort(-scores, kind="stable"):
            yield float(scores[chosen]), self._laid[int(passing[chosen])]

    def _fresh_in_order(self, asked: Asked, query: CaseQuery) -> list[tuple[float, Kept[Body]]]:
        given = asked.given()
        total, base = sum(WEIGHTS[part] for part, _ in given) or 1.0, self.baselines()
        scored = []
        for kept in self._fresh.values():
            if passes(kept.head, query):
                score = sum(WEIGHTS[part] * stretched(alike(dense(kept.rows[part]), wanted), base[part])
                            for part, wanted in given)
                scored.append((round(score / total, 4), kept))
        return sorted(scored, key=lambda one: (-one[0], one[1].head.id))

    def _passing(self, query: CaseQuery) -> NDArray[np.bool_]:
        """(N,) whether each case that is laid out is there and passes the filters."""
        passing = np.ones(len(self._laid), dtype=np.bool_)
        if not self._laid:
            return passing
        passing[list(self._gone)] = False
        for name in ("product", "defect_type", "disposition"):
            if (wanted := getattr(query, name)) is not None:
                passing &= self._columns[name].equal(wanted)
        if query.exclude_part is not None:
            passing &= ~self._columns["part"].equal(query.exclude_part)
        return passing

    def _lay_out(self) -> None:
        """Everything into arrays anew."""
        chosen = self.all()
        shelves = {part: _Shelf([kept.rows[part] for kept in chosen]) for part in PARTS} if chosen else {}
        self._laid = [Kept(kept.head, kept.body, {part: shelves[part].part(place) for part in PARTS})
                      for place, kept in enumerate(chosen)]
        self._places = {kept.head.id: place for place, kept in enumerate(self._laid)}
        self._columns = {name: _Column([getattr(kept.head, name) for kept in chosen]) for name in FILTERS}
        self._shelves, self._gone, self._fresh = shelves, set(), {}


__all__ = ["CaseIndex", "Kept"]
