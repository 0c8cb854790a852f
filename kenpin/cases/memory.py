"""The case base in memory, for tests and for trying things out."""

from collections.abc import Sequence

from kenpin.cases.index import CaseIndex
from kenpin.cases.likeness import describe_case, describe_query, folded
from kenpin.contracts.case import Case, CaseHead, CaseHit, CaseQuery
from kenpin.contracts.errors import StoreError
from kenpin.contracts.ports import Embedder
from kenpin.contracts.view import RgbImage


class InMemoryCases:
    """Implements `CaseStore`; forgets everything with the process."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._index: CaseIndex[Case] = CaseIndex(embedder)
        self._notes: set[str] = set()

    def add(self, case: Case, *, pixels: RgbImage) -> None:
        """Add or replace a case by its id; `pixels` is the whole picture."""
        self._index.put(case.head, case, describe_case(self._embedder, case, pixels))

    def remove(self, case_id: str) -> None:
        """Withdraw a case; one that is not there is no error."""
        self._index.drop(case_id)

    def get(self, case_id: str) -> Case:
        """One case."""
        kept = self._index.get(case_id)
        if kept is None:
            raise StoreError(f"there is no case {case_id}; `kenpin cases list` shows all")
        return kept.body

    def all(self) -> Sequence[Case]:
        """Every case, by id."""
        return [kept.body for kept in self._index.all()]

    def heads(self) -> Sequence[CaseHead]:
        """What is kept readable of every case, by id."""
        return [kept.head for kept in self._index.all()]

    def note(self, what: str) -> None:
        """Keep a note."""
        self._notes.add(what)

    def noted(self, what: str) -> bool:
        """Whether there is this note."""
        return what in self._notes

    def count(self, query: CaseQuery) -> int:
        """How many cases pass the filters of a query."""
        return self._index.count(query)

    def search(self, query: CaseQuery, *, region: RgbImage | None = None,
               picture: RgbImage | None = None) -> Sequence[CaseHit]:
        """Best cases first."""
        asked = describe_query(self._embedder, query, region=region, picture=picture)
        found = ((score, kept.body, kept.vectors) for score, kept in self._index.ordered(asked, query))
        return folded(found, asked, query.k, self._embedder)
