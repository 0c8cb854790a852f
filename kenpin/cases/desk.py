"""Past cases for people: each action is held against the actor's rights first."""

from collections.abc import Callable, Iterable, Sequence

from pydantic import BaseModel, ConfigDict
from sqlalchemy import select

from kenpin.contracts.case import Case, CaseHead, CaseHit, CaseQuery
from kenpin.contracts.errors import Locked
from kenpin.contracts.people import Actor, Right
from kenpin.contracts.ports import AuditLog, CaseStore, Guard
from kenpin.contracts.view import RgbImage
from kenpin.database.engine import Database
from kenpin.database.tables import case_queue


class CaseFilter(BaseModel):
    """Which cases to show. Every value is compared as it is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    product: str | None = None
    defect_type: str | None = None
    disposition: str | None = None
    signed: bool | None = None

    def passes(self, case: Case | CaseHead) -> bool:
        """Whether a case passes all of it."""
        pairs = ((self.product, case.product), (self.defect_type, case.defect_type),
                 (self.disposition, case.disposition), (self.signed, case.signed))
        return all(wanted is None or wanted == has for wanted, has in pairs)


class CaseNames(BaseModel):
    """What stands in the case base to filter by."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    products: tuple[str, ...]
    types: tuple[str, ...]
    dispositions: tuple[str, ...]


class CasePage(BaseModel):
    """Cases, newest first, how many there are in all, and what all that there are could be filtered by."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cases: tuple[Case, ...]
    total: int
    names: CaseNames


class CaseDesk:
    """The case base behind `Right.READ` and `Right.CASES`."""

    def __init__(self, guard: Guard, cases: Callable[[], CaseStore], database: Database, audit: AuditLog) -> None:
        self._guard, self._cases, self._database, self._audit = guard, cases, database, audit

    def page(self, actor: Actor, wanted: CaseFilter, *, offset: int = 0, limit: int = 24) -> CasePage:
        """Cases that pass the filter: the newest first, those without a date last.

        Raises:
            NotAllowed: The actor may not read cases.
        """
        self._guard.check(actor, Right.READ)
        store = self._cases()
        everything = store.heads()
        found = [head for head in everything if wanted.passes(head)]
        found.sort(key=lambda head: head.date or "", reverse=True)
        return CasePage(cases=tuple(store.get(head.id) for head in found[offset:offset + limit]), total=len(found),
                        names=_names(everything))

    def search(self, actor: Actor, query: CaseQuery, *, region: RgbImage | None = None,
               picture: RgbImage | None = None) -> Sequence[CaseHit]:
        """Best cases first; `region` is the cut-out of a defect, `picture` the whole picture.

        Raises:
            NotAllowed: As `page`.
        """
        self._guard.check(actor, Right.READ)
        return self._cases().search(query, region=region, picture=picture)

    def get(self, actor: Actor, case_id: str) -> Case:
        """One case.

        Raises:
            NotAllowed: As `page`.
            StoreError: There is none of this id.
        """
        self._guard.check(actor, Right.READ)
        return self._cases().get(case_id)

    def withdraw(self, actor: Actor, case_id: str) -> None:
        """Take a case out of the case base.

        The log is written first: killed in between, the case is still there and can be withdrawn again.

        Raises:
            NotAllowed: The actor may not withdraw cases.
            StoreError: There is none of this id.
            Locked: It stands on a signature of an inspection.
        """
        self._guard.check(actor, Right.CASES)
        case = self._cases().get(case_id)
        if self._stands_on_signature(case_id):
            raise Locked(f"case {case_id} stands on a signed inspection; revoke the signature there to withdraw it")
        with self._database.write() as connection:
            self._audit.append(connection, actor=actor.name, action="case.withdrawn", subject=f"case:{case_id}",
                               picture=case.picture)
        self._cases().remove(case_id)

    def _stands_on_signature(self, case_id: str) -> bool:
        """By the records, never by what the case says of itself."""
        asked = select(case_queue.c.action).where(case_queue.c.case_id == case_id).order_by(case_queue.c.id.desc())
        with self._database.read() as connection:
            return connection.execute(asked.limit(1)).scalar() == "add"


def inspection_of(case: Case) -> str | None:
    """The signed inspection that a case says it was made from."""
    return case.inspection if case.origin == "signed" else None


def _names(cases: Sequence[CaseHead]) -> CaseNames:
    return CaseNames(products=_sorted(case.product for case in cases),
                     types=_sorted(case.defect_type for case in cases),
                     dispositions=_sorted(case.disposition for case in cases))


def _sorted(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({name for name in names if name}, key=str.casefold))
