"""What is handed to customers and auditors: reports of an inspection or a lot, 8D sheets, tables of results.

Facts are gathered first (`facts`), put into words once (`inspection`, `lot`, `eightd`: blocks in English or Japanese),
and the same blocks are rendered as HTML and as PDF. `making` is what pages and commands call.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from kenpin.contracts.errors import FileRefused
from kenpin.contracts.ports import PictureStore
from kenpin.contracts.trace import Trace
from kenpin.reports.blocks import Document
from kenpin.reports.facts import LotFacts, Relative, ReportFacts, dossier_facts, trace_facts

Kind = Literal["html", "pdf", "csv"]
MIME = {"html": "text/html", "pdf": "application/pdf", "csv": "text/csv"}


def report_bytes(facts: ReportFacts | LotFacts, kind: Kind, lang: str = "auto") -> bytes:
    """A report of an inspection or of a lot.

    Args:
        facts: What it says.
        kind: `html`, `pdf`, or `csv` for one row an inspection.
        lang: `en`, `ja`, or `auto` for that of the instruction.
    """
    if kind == "csv":
        from kenpin.reports.sheet import csv_bytes

        return csv_bytes(facts.inspections if isinstance(facts, LotFacts) else (facts,))
    if isinstance(facts, LotFacts):
        from kenpin.reports.lot import lot_document

        return _rendered(lot_document(facts, facts.lang(lang)), kind)
    from kenpin.reports.inspection import inspection_document

    return _rendered(inspection_document(facts, facts.lang(lang)), kind)


def eightd_bytes(
    facts: ReportFacts, kind: Literal["html", "pdf"], lang: str = "auto", *, relatives: Sequence[Relative] = ()
) -> bytes:
    """An 8D starting sheet for an ng.

    Args:
        facts: Of the ng.
        kind: `html` or `pdf`.
        lang: As `report_bytes`.
        relatives: The other inspections of its lot.
    Raises:
        BadInput: The verdict as it stands is not ng.
    """
    from kenpin.reports.eightd import eightd_document

    return _rendered(eightd_document(facts, relatives, facts.lang(lang)), kind)


def write_report(path: Path, trace: Trace, pictures: PictureStore, *, lang: str = "auto") -> None:
    """Write the report of a trace alone, a proposal, as HTML.

    Raises:
        FileRefused: The file cannot be written.
        StoreError: A picture that the trace names is missing or was changed.
    """
    write_file(path, report_bytes(trace_facts(trace, pictures), "html", lang))


def write_file(path: Path, data: bytes) -> None:
    """Write a report.

    Raises:
        FileRefused: The file cannot be written.
    """
    try:
        path.write_bytes(data)
    except OSError as exc:
        raise FileRefused(f"{path}: the report cannot be written ({exc.strerror or exc})") from None


def _rendered(document: Document, kind: Literal["html", "pdf"]) -> bytes:
    if kind == "pdf":
        from kenpin.reports.pdf import pdf_bytes

        return pdf_bytes(document)
    from kenpin.reports.html import html_bytes

    return html_bytes(document)


__all__ = [
    "MIME", "Kind", "LotFacts", "Relative", "ReportFacts", "dossier_facts", "eightd_bytes", "report_bytes",
    "trace_facts", "write_file", "write_report",
]
