"""Reports of a lot, 8D sheets, and tables of results."""

import csv
import io
from datetime import timedelta
from types import ModuleType

import pytest
from pypdf import PdfReader

from kenpin.contracts.errors import BadInput
from kenpin.contracts.review import Meaning, State, VerdictChange
from kenpin.contracts.verdict import Verdict
from kenpin.reports import LotFacts, Relative, ReportFacts, dossier_facts, eightd_bytes, report_bytes
from kenpin.reports.lot import counts_of
from kenpin.reports.sheet import COLUMNS, harmless


@pytest.fixture(scope="module")
def lot(report: ModuleType) -> LotFacts:
    """Five inspections: overkill, escape, an agreed ng, an unsigned uncertain one, a rejected one."""
    pictures = report.Pictures()

    def one(n: int, proposed: Verdict, stands: Verdict, meaning: Meaning | None) -> ReportFacts:
        trace = report.make_trace(pictures, key=f"i-{n}", verdict=proposed, part=f"P-{n}")
        acts = [("sato", VerdictChange(old=proposed, verdict=stands, why="looked again"))] if stands != proposed else []
        acts += [("sato", report.signature("Sato", meaning))] if meaning else []
        return dossier_facts(report.reviewed(trace, *acts), pictures, head=report.HEAD, at=report.AT, detail="small")

    approved = Meaning.APPROVED
    found = (
        one(1, Verdict.NG, Verdict.OK, approved), one(2, Verdict.OK, Verdict.NG, approved),
        one(3, Verdict.NG, Verdict.NG, approved), one(4, Verdict.UNCERTAIN, Verdict.UNCERTAIN, None),
        one(5, Verdict.NG, Verdict.OK, Meaning.REJECTED),
    )
    return LotFacts(lot="L-0815", product=None, inspections=found, unshown=(("i-6", "picture ab is missing"),),
                    head=report.HEAD, at=report.AT)


def test_a_lot_is_counted_by_what_was_signed(lot: LotFacts) -> None:
    counts = counts_of(lot.inspections)
    assert counts.verdicts == {Verdict.OK: 2, Verdict.NG: 2, Verdict.UNCERTAIN: 1}
    # The rejected record is neither signed off nor counted as overkill.
    assert (counts.signed, counts.rejected, counts.overkill, counts.escape) == (3, 1, 1, 1)


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_a_lot_report_lists_all_and_shows_each(lot: LotFacts, lang: str) -> None:
    pdf = PdfReader(io.BytesIO(report_bytes(lot, "pdf", lang)))
    pages = [page.extract_text() for page in pdf.pages]
    page = report_bytes(lot, "html", lang).decode()
    assert all(f"i-{n}" in pages[0] and page.count(f"i-{n}") >= 2 for n in range(1, 6))
    assert sum(any(f"i-{n}" in text.split("\n")[:4] for text in pages[1:]) for n in range(1, 6)) == 5
    assert "picture ab is missing" in pages[0] and "picture ab is missing" in page
    assert all(f"/ {len(pages)}" in text and "L-0815" in text for text in pages)
    entries = [entry for entry in pdf.outline[1] if not isinstance(entry, list)]
    for entry in entries[-5:]:
        assert str(entry.title).startswith("i-") and str(entry.title) in pages[pdf.get_destination_page_number(entry)]
    assert page.count("<figure>") == 5 and "<code>" in page


def test_an_8d_sheet_is_filled_from_the_record(report: ModuleType) -> None:
    pictures = report.Pictures()
    trace = report.make_trace(pictures)
    dossier = report.reviewed(trace, *report.rulings(trace), ("sato", report.signature()))
    facts = dossier_facts(dossier, pictures, head=report.HEAD, at=report.AT)
    verdicts = [Verdict.OK, Verdict.OK, Verdict.NG, Verdict.UNCERTAIN, Verdict.NG]
    relatives = [Relative(id=f"other-{i}", created=report.AT + timedelta(hours=i), part=None, verdict=verdict,
                          state=State.WAITING, hidden=i == 4) for i, verdict in enumerate(verdicts)]
    for lang, candidates, counts in (
        ("en", "CANDIDATES ONLY", "2 NG of 5 inspections of the lot"), ("ja", "あくまで候補", "検査5件のうち、この検査を含め2件がNG"),
    ):
        page = eightd_bytes(facts, "html", lang, relatives=relatives).decode()
        text = "".join(p.extract_text() for p in PdfReader(io.BytesIO(eightd_bytes(facts, "pdf", lang, relatives=relatives))).pages)
        for sheet in (page, text.replace("\n", "")):
            assert all(f"D{n}" in sheet for n in range(9)) and candidates in sheet
            assert all(fact in sheet for fact in ("K-0007", "burr on the conveyor guide", "M. Sato", "other-3", "burr on the guide"))
        assert counts in page and "other-4" in page
        # What blind review hides tells neither verdict nor count.
        assert page.split("other-4")[1].split("</tr>")[0].count("NG") == 0


@pytest.mark.parametrize("verdict", [Verdict.OK, Verdict.UNCERTAIN, None])
def test_an_8d_sheet_is_for_an_ng(report: ModuleType, verdict: Verdict | None) -> None:
    pictures = report.Pictures()
    dossier = report.reviewed(report.make_trace(pictures, verdict=verdict))
    facts = dossier_facts(dossier, pictures, head=None, detail="none")
    with pytest.raises(BadInput, match=r"is (ok|uncertain|missing); an 8D sheet is made for an ng"):
        eightd_bytes(facts, "pdf")


def test_the_table_opens_with_one_row_an_inspection(lot: LotFacts) -> None:
    data = report_bytes(lot, "csv")
    assert data.startswith(b"\xef\xbb\xbf") and data.count(b"\r\n") == 6
    rows = list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"))))
    assert tuple(rows[0]) == COLUMNS and [row["id"] for row in rows] == [f"i-{n}" for n in range(1, 6)]
    first, fourth = rows[0], rows[3]
    assert (first["proposed"], first["verdict"], first["signed_by"], first["meaning"]) == ("ng", "ok", "Sato", "approved")
    assert first["signed_at"] == "2026-01-31T09:02:00+00:00" and first["findings"] == "3"
    assert first["types"] == "f1 scratch; f2 pit; f3 stain" and first["measures"] == "f1 length 28.81 mm ± 0.31 mm"
    assert first["content_sha256"] == lot.inspections[0].content_sha256
    assert (fourth["state"], fourth["signed_by"], fourth["meaning"]) == ("waiting", "", "")


@pytest.mark.parametrize("value", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "  =1", "＝1", "\n=cmd|' /C calc'!A0"])
def test_no_cell_is_a_formula(report: ModuleType, value: str) -> None:
    assert harmless(value) == f"'{value}"
    pictures = report.Pictures()
    trace = report.make_trace(pictures, product=value, lot=value, asker=value)
    change = VerdictChange(old=Verdict.NG, verdict=Verdict.NG, why="x", cause=value, disposition=value)
    facts = dossier_facts(report.reviewed(trace, ("sato", change), ("sato", report.signature(value))), pictures,
                          head=None, detail="none")
    row = next(csv.DictReader(io.StringIO(report_bytes(facts, "csv").decode("utf-8-sig"), newline="")))
    for column in ("product", "lot", "asker", "cause", "disposition", "signed_by"):
        assert row[column] == f"'{value}", column
