"""Reports from the records: who may have one, what of it is logged, and the command."""

import csv
import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pypdf import PdfReader

from kenpin.contracts.errors import BadInput, NotAllowed
from kenpin.contracts.people import Actor, Right, Role
from kenpin.contracts.review import Rules
from kenpin.contracts.verdict import Verdict
from kenpin.database.engine import Database
from kenpin.reports.making import eightd_sheet, inspection_report, lot_report

Kenpin = Callable[..., Any]


@pytest.fixture
def office(office_double: ModuleType, database: Database, tmp_path: Path) -> Any:
    return office_double.Office(database, tmp_path)


def made(office: Any) -> list[tuple[str, str, dict[str, Any]]]:
    return [(e.actor, e.subject, e.detail) for e in reversed(office.audit.events(action="report.made"))]


def test_a_report_is_logged_by_its_hash_and_states_the_head_before_it(office: Any) -> None:
    rina, audit = office.account("rina"), office.account("aud", Role.AUDITOR)
    key = office.inspection(product="panel", lot="L-1")
    office.sign(rina, key)
    head = office.audit.head()

    page = inspection_report(office, audit, key, kind="html", lang="en")
    assert all(text.encode() in page for text in (head.sha256, "Rina", "approved", "Signed.", office.open(rina, key).content_sha256))
    table = inspection_report(office, audit, key, kind="csv")
    sheet = eightd_sheet(office, rina, key, kind="pdf", lang="ja")
    assert made(office) == [
        (actor, f"inspection:{key}", {"kind": kind, "sheet": sheet_kind, "sha256": hashlib.sha256(data).hexdigest()})
        for actor, kind, sheet_kind, data in (
            ("aud", "html", "report", page), ("aud", "csv", "report", table), ("rina", "pdf", "8d", sheet))
    ]
    assert office.audit.verify(head) == []


def test_who_may_not_read_gets_no_report(office: Any) -> None:
    key = office.inspection(lot="L-1")
    nobody, forged = office.account("nia", Role.OPERATOR), Actor(name="mallory", roles=frozenset({Role.ADMINISTRATOR}))
    office.people.accounts.set_roles(Actor(name="console:root", roles=frozenset({Role.OPERATOR, Role.ADMINISTRATOR}),
                                           kind="console"), "nia", ())
    assert Right.READ in nobody.rights
    for actor in (nobody, forged):
        for ask in (lambda a: inspection_report(office, a, key, kind="pdf"), lambda a: eightd_sheet(office, a, key, kind="pdf"),
                    lambda a: lot_report(office, a, "L-1", kind="csv")):
            with pytest.raises(NotAllowed):
                ask(actor)
    assert made(office) == []


def test_blind_review_is_not_got_round_by_a_report(office: Any, office_double: ModuleType) -> None:
    office.reviews.set_rules(office_double.CONSOLE, Rules(product="panel", blind=True))
    rina, aud = office.account("rina"), office.account("aud", Role.AUDITOR)
    hidden, other = office.inspection(product="panel", lot="L-1"), office.inspection(product="cap", lot="L-1")

    for ask in (lambda: inspection_report(office, rina, hidden, kind="pdf"), lambda: eightd_sheet(office, rina, hidden, kind="pdf")):
        with pytest.raises(NotAllowed, match="reviewed blind"):
            ask()
    rows = list(csv.DictReader(io.StringIO(lot_report(office, rina, "L-1", kind="csv").decode("utf-8-sig"))))
    assert [row["id"] for row in rows] == [other]
    assert "reviewed blind" in lot_report(office, rina, "L-1", kind="html").decode()
    sheet = eightd_sheet(office, rina, other, kind="html", lang="en").decode()
    assert hidden not in sheet  # another product's
    office.reviews.set_rules(office_double.CONSOLE, Rules(product="panel", blind=False))
    assert hidden.encode() in lot_report(office, aud, "L-1", kind="html", lang="ja")


def test_a_lot_is_whole_and_by_product(office: Any, office_double: ModuleType) -> None:
    console = office_double.CONSOLE
    keys = [office.inspection(product="panel", lot="L-2", verdict=v) for v in (Verdict.OK, Verdict.NG, Verdict.UNCERTAIN)]
    office.inspection(product="cap", lot="L-2")
    office.inspection(product="panel", lot="L-3")

    rows = list(csv.DictReader(io.StringIO(lot_report(office, console, "L-2", product="panel", kind="csv").decode("utf-8-sig"))))
    assert [row["id"] for row in rows] == keys and [row["verdict"] for row in rows] == ["ok", "ng", "uncertain"]
    assert len(list(csv.DictReader(io.StringIO(lot_report(office, console, "L-2", kind="csv").decode("utf-8-sig"))))) == 4
    with pytest.raises(BadInput, match="no inspection of lot 'L-9'"):
        lot_report(office, console, "L-9", kind="pdf")
    # One picture that was swapped costs its own section, not the report.
    sha256 = office.traces.load(keys[1]).images[0].sha256
    (office.folder / "pictures" / sha256[:2] / sha256).write_bytes(b"swapped")
    page = lot_report(office, console, "L-2", kind="html", lang="en").decode()
    assert f"stored picture {sha256[:12]} is not" in page and page.count("<figure>") == 3


def test_the_command_writes_each_kind(kenpin: Kenpin, folder: Path, tmp_path: Path) -> None:
    plain = tmp_path / "報告.html"
    done = kenpin("inspect", folder / "part.png", "Zoom in on the lower left.", "--lot", "L 7", "--part", "P1", "--json",
                  "--report", plain)
    key = json.loads(done.out)["id"]
    assert done.code == 0 and done.err == f"report: {plain}\n"
    assert "A proposal: not signed by a person." in plain.read_text(encoding="utf-8")
    for name, args in (("a.pdf", (key,)), ("a.html", (key,)), ("a.csv", (key,)), ("lot.pdf", ("--lot", "L 7", "--lang", "ja"))):
        ran = kenpin("report", *args, "--out", tmp_path / name)
        assert (ran.code, ran.out, ran.err.strip()) == (0, "", f"report: {tmp_path / name}")
    assert key in PdfReader(tmp_path / "a.pdf").pages[0].extract_text()
    assert "ロット" in PdfReader(tmp_path / "lot.pdf").pages[0].extract_text()
    for args, line in (
        ((key, "--out", "x.docx"), "expected a file name that ends with .html, .pdf or .csv"),
        ((key, "--out", "x.csv", "--8d"), "ends with .html or .pdf"),
        ((key, "--out", tmp_path / "x.pdf", "--8d"), "is missing; an 8D sheet is made for an ng"),
        ((key, "--lot", "L 7", "--out", "x.pdf"), "not both"),
        (("--out", "x.pdf"), "not both"),
        ((key, "--product", "p", "--out", "x.pdf"), "--product narrows a lot"),
        (("--lot", "L 7", "--8d", "--out", "x.pdf"), "give its id instead of --lot"),
        (("nothing", "--out", "x.pdf"), "there is no inspection 'nothing'"),
        ((key, "--out", tmp_path / "no" / "x.pdf"), "the report cannot be written"),
    ):
        assert line in kenpin("report", *args).line
