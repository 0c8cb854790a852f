"""Reports as pages and commands ask for them: through the reviews, which check the reader, and into the audit log."""

import hashlib
from datetime import datetime
from typing import Literal, Protocol

from kenpin.contracts.audit import AuditHead
from kenpin.contracts.errors import BadInput, NotAllowed, StoreError
from kenpin.contracts.people import Actor
from kenpin.contracts.ports import PictureStore
from kenpin.contracts.review import QueueFilter, QueueRow
from kenpin.database.engine import Database
from kenpin.reports import Kind, LotFacts, Relative, ReportFacts, dossier_facts, eightd_bytes, report_bytes
from kenpin.reports.facts import Detail
from kenpin.review.service import Reviews
from kenpin.security.audit import ChainedAudit

PAGE = 200
"""Rows of a lot that are read at a time."""


class Records(Protocol):
    """What of an installation (`kenpin.wiring.Kenpin`) reports are made from."""

    @property
    def reviews(self) -> Reviews:
        """Queue and dossiers, by the rights of the reader."""

    @property
    def pictures(self) -> PictureStore:
        """Pictures by sha256."""

    @property
    def audit(self) -> ChainedAudit:
        """The log that the report is put into, and whose head it states."""

    @property
    def database(self) -> Database:
        """Where the log is."""


def inspection_report(
    kenpin: Records, actor: Actor, inspection: str, *, kind: Kind, lang: str = "auto", at: datetime | None = None
) -> bytes:
    """The report of one inspection as the actor may see it.

    Args:
        kenpin: The installation.
        actor: Who asks; needs the right to read.
        inspection: Id.
        kind: `html`, `pdf` or `csv`.
        lang: `en`, `ja` or `auto`.
        at: Time of the report, in whose zone times are shown; now in the machine's zone if None.
    Raises:
        NotAllowed: The actor may not read it, or blind review hides it.
        StoreError: There is no such inspection, or a picture of it is missing or was changed.
    """
    facts = _facts(kenpin, actor, inspection, at=at, detail="none" if kind == "csv" else "full")
    data = report_bytes(facts, kind, lang)
    _on_record(kenpin, actor, f"inspection:{inspection}", data, kind=kind, sheet="report")
    return data


def eightd_sheet(
    kenpin: Records, actor: Actor, inspection: str, *, kind: Literal["html", "pdf"], lang: str = "auto",
    at: datetime | None = None,
) -> bytes:
    """The 8D starting sheet of an ng.

    Raises:
        BadInput: The verdict as it stands is not ng.
        NotAllowed, StoreError: As `inspection_report`.
    """
    facts = _facts(kenpin, actor, inspection, at=at, detail="full")
    trace = facts.trace
    rows = _rows(kenpin, actor, trace.lot, trace.product) if trace.lot else []
    relatives = [
        Relative(id=row.id, created=row.created, part=row.part, verdict=row.verdict, state=row.state, hidden=row.hidden)
        for row in rows if row.id != trace.id
    ]
    data = eightd_bytes(facts, kind, lang, relatives=relatives)
    _on_record(kenpin, actor, f"inspection:{inspection}", data, kind=kind, sheet="8d")
    return data


def lot_report(
    kenpin: Records, actor: Actor, lot: str, *, product: str | None = None, kind: Kind, lang: str = "auto",
    at: datetime | None = None,
) -> bytes:
    """The report of all inspections of a lot, of one product or of every product.

    What blind review hides, or what cannot be read, is listed with the reason and left out of the counts.

    Raises:
        BadInput: There is no inspection of this lot.
        NotAllowed: The actor may not read.
    """
    at = at or datetime.now().astimezone()
    rows = _rows(kenpin, actor, lot, product)
    if not rows:
        of = f" of product {product!r}" if product else ""
        raise BadInput(f"there is no inspection of lot {lot!r}{of}; look at the lots on the review page")
    head, found, unshown = kenpin.audit.head(), [], []
    for row in rows:
        try:
            found.append(_facts(kenpin, actor, row.id, at=at, detail="none" if kind == "csv" else "small", head=head))
        except (StoreError, NotAllowed) as exc:
            unshown.append((row.id, str(exc)))
    facts = LotFacts(lot=lot, product=product, inspections=tuple(found), unshown=tuple(unshown), head=head, at=at)
    data = report_bytes(facts, kind, lang)
    _on_record(kenpin, actor, f"lot:{lot}"[:200], data, kind=kind, sheet="lot")
    return data


def _facts(
    kenpin: Records, actor: Actor, inspection: str, *, at: datetime | None, detail: Detail,
    head: AuditHead | None = None,
) -> ReportFacts:
    dossier = kenpin.reviews.dossier(actor, inspection)
    return dossier_facts(dossier, kenpin.pictures, head=head or kenpin.audit.head(),
                         at=at or datetime.now().astimezone(), detail=detail)


def _rows(kenpin: Records, actor: Actor, lot: str, product: str | None) -> list[QueueRow]:
    """Every inspection of a lot, oldest first."""
    rows: list[QueueRow] = []
    while True:
        wanted = QueueFilter(lot=lot, product=product, waiting_only=False, offset=len(rows), limit=PAGE)
        page = kenpin.reviews.queue(actor, wanted)
        rows += page.rows
        if not page.rows or len(rows) >= page.total:
            return sorted(rows, key=lambda row: (row.created, row.id))


def _on_record(kenpin: Records, actor: Actor, subject: str, data: bytes, *, kind: Kind, sheet: str) -> None:
    """The event names the file by its hash, so that what was handed out can be told from what was changed later."""
    with kenpin.database.write() as connection:
        kenpin.audit.append(connection, actor=actor.name, action="report.made", subject=subject, kind=kind,
                            sheet=sheet, sha256=hashlib.sha256(data).hexdigest())
