"""The case base in memory, for tests and for trying things out."""

from collections.abc import Sequence

from kenpin.cases.likeness import Part, Vectors, describe_case, describe_query, passes, ranked
from kenpin.contracts.case import Case, CaseHit, CaseQuery
from kenpin.contracts.errors import StoreError
from kenpin.contracts.ports import Embedder
from kenpin.contracts.view import RgbImage


class InMemoryCases:
    """Implements `CaseStore`; forgets everything with the process."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._cases: dict[str, tuple[Case, dict[Part, Vectors]]] = {}

    def add(self, case: Case, *, pixels: RgbImage) -> None:
        """Add or replace a case by its id; `pixels` is the whole picture."""
        self._cases[case.id] = (case, describe_case(self._embedder, case, pixels))

    def remove(self, case_id: str) -> None:
        """Withdraw a case; one that is not there is no error."""
        self._cases.pop(case_id, None)

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
        return ranked(self._cases.values(), asked, query, self._embedder)
