"""Training material from signed work, as a service: who may take it out, and what the audit log says of it."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from kenpin.contracts.errors import FileRefused
from kenpin.contracts.people import Actor, Right
from kenpin.contracts.review import Dossier, QueueFilter, State
from kenpin.wiring import Kenpin

if TYPE_CHECKING:
    from kenpin.tuning.signed import Exported

PAGE = 200


class Tuning:
    """Export of signed inspections for training."""

    def __init__(self, kenpin: Kenpin) -> None:
        self._kenpin = kenpin

    def export(self, actor: Actor, folder: Path, *, product: str | None = None) -> "Exported":
        """Write the signed inspections that the actor may see into a new folder, pictures unsealed.

        Raises:
            NotAllowed: The actor may not read.
            FileRefused: The folder exists and is not empty, or cannot be written.
        """
        from kenpin.tuning.signed import export

        self._kenpin.people.check(actor, Right.READ)
        try:
            if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
                raise FileRefused(f"{folder}: exists already; name a new or an empty folder")
            done = export(self._signed(actor, product), self._kenpin.pictures, folder)
        except OSError as exc:
            raise FileRefused(f"{folder}: cannot be written ({exc.strerror or exc})") from None
        with self._kenpin.database.write() as connection:
            self._kenpin.audit.append(connection, actor=actor.name, action="tuning.exported", subject="signed",
                                      inspections=list(done.written))
        return done

    def _signed(self, actor: Actor, product: str | None) -> Iterator[Dossier]:
        """Signed inspections, as the actor sees them."""
        reviews, offset = self._kenpin.reviews, 0
        while True:
            page = reviews.queue(actor, QueueFilter(state=State.SIGNED, product=product, waiting_only=False,
                                                    offset=offset, limit=PAGE))
            for row in page.rows:
                yield reviews.dossier(actor, row.id)
            offset += PAGE
            if offset >= page.total:
                return
