"""Nothing in a record is markup, an address, or an order to whoever renders it."""

import builtins
import io
import urllib.request
from collections.abc import Sequence
from html.parser import HTMLParser
from types import ModuleType
from typing import Any

import pytest
from pypdf import PdfReader

from kenpin.contracts.review import Comment, Ruling, Severity, VerdictChange
from kenpin.contracts.verdict import Verdict
from kenpin.reports import ReportFacts, dossier_facts, eightd_bytes, report_bytes

ATTACKS = [
    "<script>alert(1)</script>",
    "</td></table><img src=x onerror=alert(1)>",
    "\"><svg onload=alert(1)>",
    "<img src=\"file:///etc/passwd\"/>",
    "<img src='http://127.0.0.1:9/x.png'/>",
    "<a href=\"http://127.0.0.1:9/\">x</a>",
    "<para><font name='nothing'>",
    "<unclosed",
    "&lt;b&gt; & &#x3c; {{ 7*7 }} {0} {title} %s",
    "<onDraw name=\"x\" label=\"y\"/>",
    "<seq id=\"x\"/>",
    "]]> --> <!-- <![CDATA[",
]


def laced(report: ModuleType, pictures: Any, text: str, comments: Sequence[str] = ()) -> Any:
    """A dossier with the same text in every place that a person, a file or a model fills."""
    trace = report.make_trace(pictures, key="i-1", product=text, lot=text, part=text, asker=text, say=text)
    turn = trace.turns[0]
    found = turn.answer.findings[0].model_copy(update={"type": text})
    steps = tuple(step.model_copy(update={
        "why": text, "args": {text: text}, "error": text if step.error else None,
        "result": {"hits": [report.case(text, cause=text, kind=text, signed_by=text)]} if step.tool == "recall"
        else {"text": text, "list": [text]}}) for step in turn.steps)
    answer = turn.answer.model_copy(update={"text": text, "rule": text, "unverified": (text,), "reasons": (text,),
                                            "findings": (found,)})
    image = trace.images[0].model_copy(update={"notes": (text,)})
    info = trace.planner.model_copy(update={"model": text, "prompt": text, "adapter": text})
    criteria = trace.criteria.model_copy(update={"source": text, "revision": text})
    trace = trace.model_copy(update={
        "turns": (turn.model_copy(update={"answer": answer, "steps": steps, "by": text}),), "images": (image,),
        "planner": info, "criteria": criteria, "tools": {text: text}})
    return report.reviewed(
        trace,
        *((text, Comment(text=one)) for one in comments or (text,)),
        (text, Ruling(finding="m1", decision="missed", old=None, type=text[:80], box=(1, 2, 30, 40), why=text,
                      severity=Severity.MINOR)),
        (text, VerdictChange(old=Verdict.NG, verdict=Verdict.NG, why=text, cause=text, disposition=text[:200])),
        (text, report.signature(text)),
    )


class Tags(HTMLParser):
    """Every tag of a page with its attributes, and what stands between tags."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.addresses: list[str] = []
        self.text = ""
        self.comments = 0
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        self.comments += 1


@pytest.fixture(scope="module")
def plain(report: ModuleType) -> ReportFacts:
    pictures = report.Pictures()
    return dossier_facts(laced(report, pictures, "plain"), pictures, head=report.HEAD, at=report.AT)


@pytest.mark.parametrize("text", ATTACKS)
def test_markup_in_a_record_is_text_on_the_page(report: ModuleType, plain: ReportFacts, text: str) -> None:
    pictures = report.Pictures()
    facts = dossier_facts(laced(report, pictures, text), pictures, head=report.HEAD, at=report.AT)

    for made in (report_bytes, eightd_bytes):
        page, same = Tags(made(facts, "html", "en").decode()), Tags(made(plain, "html", "en").decode())
        assert (page.tags, page.attributes, page.comments) == (same.tags, same.attributes, 0)
        assert all(address.startswith("data:image/jpeg;base64,") for address in page.addresses)
        assert "".join(page.text.split()).count("".join(text.split())) > 10


def test_markup_in_a_record_is_text_in_a_pdf_that_opens_nothing(
    report: ModuleType, plain: ReportFacts, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = report.Pictures()
    dossier = laced(report, pictures, "".join(ATTACKS), ATTACKS)
    facts = dossier_facts(dossier, pictures, head=report.HEAD, at=report.AT)
    eightd_bytes(plain, "pdf", "en")  # fonts are read once
    opened: list[object] = []
    real = builtins.open
    monkeypatch.setattr(builtins, "open", lambda *args, **more: (opened.append(args[0]), real(*args, **more))[1])
    monkeypatch.setattr(urllib.request, "urlopen", lambda *args, **more: opened.append(args))

    sheet, data = eightd_bytes(facts, "pdf", "ja"), report_bytes(facts, "pdf", "en")
    assert opened == [] and sheet.startswith(b"%PDF")
    pages = PdfReader(io.BytesIO(data)).pages
    written = "".join("".join(one.extract_text().split()) for one in pages)
    assert [text for text in ATTACKS if "".join(text.split()) not in written] == []
    assert not any("/Annots" in one for one in pages)


def test_the_page_forbids_scripts_and_loading(report: ModuleType) -> None:
    pictures = report.Pictures()
    facts = dossier_facts(report.reviewed(report.make_trace(pictures)), pictures, head=None)
    page = report_bytes(facts, "html", "en").decode()
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    assert f'<meta http-equiv="Content-Security-Policy" content="{policy}">' in page.split("<title>")[0]
