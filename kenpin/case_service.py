"""Past cases as a service: what `CaseDesk` shows, and taking cases in."""

from collections.abc import Mapping
from pathlib import Path

from kenpin.cases.desk import CaseDesk
from kenpin.cases.importing import Plan, carry_out, plan_import
from kenpin.cases.portable import add_picture, export_cases, import_cases
from kenpin.contracts.case import Case
from kenpin.contracts.people import Actor, Right
from kenpin.contracts.view import Box, RgbImage
from kenpin.wiring import Kenpin


class CaseService(CaseDesk):
    """The case base behind `Right.READ` and `Right.CASES`. Each change is in the audit log, and there first."""

    def __init__(self, kenpin: Kenpin) -> None:
        super().__init__(kenpin.people, lambda: kenpin.readable_cases, kenpin.database, kenpin.audit)
        self._kenpin = kenpin

    def everything(self, actor: Actor) -> list[Case]:
        """Every case, by id.

        Raises:
            NotAllowed: The actor may not read cases.
        """
        self._guard.check(actor, Right.READ)
        return list(self._cases().all())

    def add(self, actor: Actor, pixels: RgbImage, *, box: Box | None, **about: str | None) -> Case:
        """Add one picture as a case; see `kenpin.cases.portable.add_picture`.

        Raises:
            NotAllowed: The actor may not change cases.
            FileRefused: The box lies outside the picture.
        """
        self._guard.check(actor, Right.CASES)
        case = add_picture(pixels, self._cases(), self._kenpin.pictures, box=box, **about)
        self._note(actor, "case.added", f"case:{case.id}", picture=case.picture)
        return case

    def take_in(self, actor: Actor, folder: Path) -> int:
        """Add the cases of a folder as `export` writes it, and return how many.

        Raises:
            NotAllowed: As `add`.
            FileRefused: The folder holds no cases, or one of them cannot be one. Nothing was added.
        """
        self._guard.check(actor, Right.CASES)
        number = import_cases(folder, self._cases(), self._kenpin.pictures)
        self._note(actor, "cases.imported", "cases", count=number)
        return number

    def plan(self, actor: Actor, data: bytes, folder: Path, *, name: str, columns: Mapping[str, str] | None = None,
             encoding: str | None = None) -> Plan:
        """Check a list of cases with its pictures, and say what an import would do; see `plan_import`.

        Raises:
            NotAllowed: As `add`.
            FileRefused: The list or the folder cannot be read as such.
        """
        self._guard.check(actor, Right.CASES)
        return plan_import(data, folder, name=name, by=actor.name, columns=columns, encoding=encoding)

    def take_in_list(self, actor: Actor, plan: Plan, *, skip_bad: bool = False) -> int:
        """Carry out a plan, and return how many cases were added.

        Raises:
            NotAllowed: As `add`.
            FileRefused: There are bad lines and they are not to be skipped; nothing was added.
        """
        self._guard.check(actor, Right.CASES)
        number = carry_out(plan, self._cases(), self._kenpin.pictures, skip_bad=skip_bad)
        self._note(actor, "cases.imported", "cases", count=number, skipped=len(plan.bad), list=plan.sha256)
        return number

    def settle(self, actor: Actor) -> int:
        """Carry over what signatures and revocations still owe the case base, and return how much it was.

        Raises:
            NotAllowed: The actor may not read cases.
            StoreError: Some of it cannot be carried over.
        """
        self._guard.check(actor, Right.READ)
        settler = self._kenpin.settler
        return settler.settle()

    def rebuild(self, actor: Actor) -> int:
        """Describe every case anew, and return how many.

        Raises:
            NotAllowed: As `add`.
        """
        self._guard.check(actor, Right.CASES)
        number = self._kenpin.stored_cases.rebuild(self._kenpin.pictures)
        self._note(actor, "cases.rebuilt", "cases", count=number)
        return number

    def export(self, actor: Actor, folder: Path) -> int:
        """Write every case and its picture to a folder, and return how many.

        Raises:
            NotAllowed: The actor may not read cases.
            FileRefused: The folder cannot be written.
        """
        self._guard.check(actor, Right.READ)
        number = export_cases(folder, self._cases(), self._kenpin.pictures)
        self._note(actor, "cases.exported", "cases", count=number)
        return number

    def _note(self, actor: Actor, action: str, subject: str, **detail: object) -> None:
        with self._database.write() as connection:
            self._audit.append(connection, actor=actor.name, action=action, subject=subject, **detail)
