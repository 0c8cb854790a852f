"""Past cases as a service: what `CaseDesk` shows, and taking cases in."""

from pathlib import Path

from kenpin.cases.desk import CaseDesk
from kenpin.cases.portable import add_picture, export_cases, import_cases
from kenpin.contracts.case import Case
from kenpin.contracts.people import Actor, Right
from kenpin.contracts.view import Box, RgbImage
from kenpin.wiring import Kenpin


class CaseService(CaseDesk):
    """The case base behind `Right.READ` and `Right.CASES`. Each change is in the audit log, and there first."""

    def __init__(self, kenpin: Kenpin) -> None:
        super().__init__(kenpin.people, lambda: kenpin.cases, kenpin.database, kenpin.audit)
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
