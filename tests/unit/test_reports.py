"""Reports of one inspection: what they say, in both languages, as HTML and PDF alike."""

import io
import re
from datetime import timedelta, timezone
from html import unescape
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import yaml
from pypdf import PdfReader

from kenpin.contracts.errors import NotAllowed, StoreError
from kenpin.contracts.review import Dossier, Meaning, Revocation, VerdictChange
from kenpin.contracts.verdict import Verdict
from kenpin.reports import ReportFacts, dossier_facts, report_bytes, trace_facts
from kenpin.reports.blocks import GETA
from kenpin.reports.drawing import draw_findings
from kenpin.reports.facts import cited_cases
from kenpin.reports.typeface import BOLD, REGULAR, font_file, registered
from kenpin.reports.words import Words, texts


@pytest.fixture(scope="module")
def pictures(report: ModuleType) -> Any:
    return report.Pictures()


@pytest.fixture(scope="module")
def signed(report: ModuleType, pictures: Any) -> ReportFacts:
    trace = report.make_trace(pictures)
    return facts(report, report.reviewed(trace, *report.rulings(trace), ("sato", report.signature())), pictures)


def facts(report: ModuleType, dossier: Dossier, pictures: Any, **more: Any) -> ReportFacts:
    return dossier_facts(dossier, pictures, **{"head": report.HEAD, "at": report.AT, **more})


def pdf_text(data: bytes) -> str:
    """All text of a PDF without spaces, since lines break where they must. pypdf gives some unified radicals back."""
    text = "".join(page.extract_text() for page in PdfReader(io.BytesIO(data)).pages)
    return re.sub(r"\s+", "", text)


def html_text(data: bytes) -> str:
    body = data.decode().split("<body>")[1]
    return re.sub(r"\s+", "", unescape(re.sub(r"<[^>]+>", "", body)))


def said(data: bytes, kind: str) -> str:
    return pdf_text(data) if kind == "pdf" else html_text(data)


@pytest.fixture(scope="module")
def told(signed: ReportFacts) -> dict[tuple[str, str], str]:
    """All text of the report by kind and language."""
    pairs = [(kind, lang) for kind in ("html", "pdf") for lang in ("en", "ja")]
    return {(kind, lang): said(report_bytes(signed, kind, lang), kind) for kind, lang in pairs}


def squeezed(text: str) -> str:
    return re.sub(r"\s+", "", text)


@pytest.mark.parametrize("lang", ["en", "ja"])
@pytest.mark.parametrize("kind", ["html", "pdf"])
def test_a_report_says_everything_an_auditor_asks_for(
    signed: ReportFacts, told: dict[tuple[str, str], str], kind: str, lang: str
) -> None:
    text = told[kind, lang]
    t, trace = Words(lang, signed.at.tzinfo), signed.trace
    facts = [
        trace.id, "Panel (B)", "L-0815", "P-17", "tanaka", "kenpin-router", "planner/3", "d" * 64, "detect 4",
        "panel.yaml", "scratch.length<=25mm", trace.images[0].sha256, "0.128 mm/px",          # what was inspected
        "28.81 mm", "± 0.31 mm", "[660, 380, 742, 462]", "[676, 396, 724, 444]", "a dent, and larger", "m1",
        "Measure the longest scratch.", "the box lies outside the picture", "about 3 days old",  # steps
        "K-0007", "burr on the conveyor guide", "M. Sato", "K-0012", "loose gripper pad",        # past cases
        "佐藤 美咲", "2026-01-31 09:08:00 +00:00", t("meaning.approved"), t("g.password"),       # 21 CFR 11.50
        "burr on the guide", "scrap", "confirmed with the limit sample", "Conveyor stopped for inspection.",
        "髙橋が見つけた。", signed.content_sha256, signed.trace_sha256, "ab" * 32, signed.entries[-1].sha256,
        *(t(f"d.{decision}") for decision in ("accepted", "corrected", "false_alarm", "missed")),
        *(t(f"sev.{severity}") for severity in ("critical", "major", "minor")), t("f.was"), t("state.signed"),
    ]
    assert [fact for fact in facts if squeezed(str(fact)) not in text] == []


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_html_and_pdf_hold_the_same_texts(
    signed: ReportFacts, told: dict[tuple[str, str], str], lang: str
) -> None:
    from kenpin.reports.blocks import Line
    from kenpin.reports.inspection import inspection_document

    def texts_in(value: Any) -> list[str]:
        if isinstance(value, str):
            return [value]
        if isinstance(value, Line):
            return [value.text]
        if isinstance(value, tuple):
            return [text for item in value for text in texts_in(item)]
        names = set(getattr(type(value), "model_fields", ())) - {"kind", "tone", "picture"}
        return [text for name in names for text in texts_in(getattr(value, name))]

    pages, page = told["pdf", lang], told["html", lang]
    every = texts_in(inspection_document(signed, lang).blocks)
    assert len(every) > 150
    assert [text for text in every if squeezed(text) not in page] == []
    # A table may break between the lines of a cell; every line of it is there.
    parts = [squeezed(line) for text in every for line in text.split("\n")]
    assert [part for part in parts if part not in pages and part[:20] not in pages] == []


@pytest.mark.parametrize(("acts", "key"), [
    ([], "state.waiting"),
    (["sign"], "state.signed"),
    (["reject"], "state.rejected"),
    (["sign", "amend"], "state.amending"),
    (["sign", "revoke"], "state.waiting"),
    (["half"], "state.half_signed"),
])
def test_where_the_record_stands_is_the_first_thing_that_is_read(
    report: ModuleType, pictures: Any, acts: list[str], key: str
) -> None:
    given = {"sign": report.signature(), "reject": report.signature(meaning=Meaning.REJECTED),
             "amend": report.amendment(), "revoke": Revocation(of=1, why="signed by mistake"),
             "half": report.signature().model_copy(update={"needed": 2})}
    dossier = report.reviewed(report.make_trace(pictures), *(("sato", given[act]) for act in acts))

    for lang in ("en", "ja"):
        t = Words(lang, None)
        text = said(report_bytes(facts(report, dossier, pictures), "html", lang), "html")
        stands = squeezed(t(key, needed=2))
        assert text.startswith(squeezed(t("title")) + stands)
        if acts[1:]:
            # What was signed once is still told, and that it stands no longer.
            assert squeezed(t("g.amended" if "amend" in acts else "g.revoked")) in text


def test_a_signature_on_another_content_is_not_passed_off(report: ModuleType, pictures: Any) -> None:
    trace = report.make_trace(pictures)
    dossier = report.reviewed(trace, ("sato", report.signature()))
    changed = trace.model_copy(update={"part": "P-18"})
    swapped = report.reviewed(changed).model_copy(update={
        "entries": dossier.entries, "signatures": dossier.signatures, "state": dossier.state})

    for lang in ("en", "ja"):
        text = said(report_bytes(facts(report, swapped, pictures), "pdf", lang), "pdf")
        words = texts(lang)
        assert squeezed(words["state.foreign"]) in text and squeezed(words["g.foreign"]) in text
        assert squeezed(words["state.signed"]) not in text


def test_a_trace_alone_is_a_proposal(report: ModuleType, pictures: Any) -> None:
    alone = trace_facts(report.make_trace(pictures, verdict=Verdict.UNCERTAIN), pictures, at=report.AT)
    text = said(report_bytes(alone, "html", "auto"), "html")

    assert squeezed(texts("en")["state.unsigned"]) in text and squeezed(texts("en")["g.none"]) in text
    assert squeezed(texts("en")["x.none"]) in text and alone.content_sha256 is None and "UNCERTAIN" in text


def test_times_are_shown_in_the_zone_of_the_report(report: ModuleType, pictures: Any, signed: ReportFacts) -> None:
    tokyo = report.AT.astimezone(timezone(timedelta(hours=9)))
    text = said(report_bytes(facts(report, report.reviewed(signed.trace), pictures, at=tokyo), "html", "ja"), "html")

    assert "2026-01-3118:00:00+09:00" in text and "+00:00" not in text.replace("09:30:00.000000+00:00", "")


def test_the_same_facts_give_the_same_bytes(signed: ReportFacts) -> None:
    for kind in ("html", "pdf"):
        assert report_bytes(signed, kind, "ja") == report_bytes(signed, kind, "ja")
    meta = PdfReader(io.BytesIO(report_bytes(signed, "pdf", "ja")))
    assert meta.metadata and meta.metadata.title == f"検査報告書 {signed.trace.id}"
    assert meta.metadata.author == "Kenpin 検品" and meta.metadata.creation_date == signed.at
    assert meta.trailer["/Root"]["/Lang"] == "ja"
    fonts = {str(f.get_object()["/BaseFont"]) for page in meta.pages for f in page["/Resources"]["/Font"].values()}
    assert {name.split("+")[-1] for name in fonts} == {REGULAR, BOLD}
    pages = [page.extract_text() for page in meta.pages]
    assert all(signed.trace.id in text and f"{i} / {len(pages)}" in text for i, text in enumerate(pages, start=1))


def test_what_blind_review_hides_is_not_reported(report: ModuleType, pictures: Any) -> None:
    hidden = report.reviewed(report.make_trace(pictures)).model_copy(update={"hidden": True})
    with pytest.raises(NotAllowed, match="reviewed blind"):
        facts(report, hidden, pictures)


def test_a_picture_that_is_gone_is_said(report: ModuleType) -> None:
    own = report.Pictures()
    trace = report.make_trace(own)
    own.files[trace.images[0].sha256] = b"not a picture"
    with pytest.raises(StoreError, match="cannot be decoded"):
        trace_facts(trace, own)


def test_cases_of_older_and_newer_traces_are_cited(report: ModuleType, pictures: Any) -> None:
    trace = report.make_trace(pictures)
    steps = list(trace.turns[0].steps)
    hits = [{"case_id": "old-1", "cause": "burr"}, {**report.case("new-1", cause="pad"), "origin": "signed"},
            {"case_id": "odd-1", "likeness": "much"}, "nonsense"]
    steps[3] = steps[3].model_copy(update={"result": {"hits": hits}})
    trace = trace.model_copy(update={"turns": (trace.turns[0].model_copy(update={"steps": tuple(steps)}),)})
    assert [cited.case.case_id for cited in cited_cases(trace)] == ["old-1", "new-1", "odd-1", "?"]
    text = said(report_bytes(trace_facts(trace, pictures), "html", "en"), "html")
    assert all(part in text for part in ("old-1", "burr", "new-1", "pad", "odd-1"))


def test_findings_are_drawn_as_they_were_ruled(report: ModuleType, signed: ReportFacts) -> None:
    plain = np.full((700, 1000, 3), 128, np.uint8)
    plain.flags.writeable = False
    drawn = draw_findings(plain, signed.decision.findings)

    def has(box: tuple[int, int, int, int], red: bool) -> bool:
        x0, y0, x1, y1 = box
        part = drawn[y0 - 8:y1 + 8, x0 - 8:x1 + 8].astype(int)
        return bool(((part[..., 0] > 200) & (part[..., 1] < 120) & red).any())

    by_id = {f.id: f for f in signed.decision.findings}
    assert has(by_id["f1"].box, True) and has(by_id["f2"].box, True) and not has(by_id["f3"].box, True)
    assert (drawn[560, 500] != 128).any() and (drawn[420, 701] == 128).all()  # the cross of f3; inside f2 nothing
    # The old box of f2 is dashed: some of its upper edge is drawn, some is not.
    edge = (drawn[390:397, 676:724] != 128).any(axis=(0, 2))
    assert 0.2 < edge.mean() < 0.95
    small = draw_findings(np.full((7, 5, 3), 9, np.uint8), signed.decision.findings, shrink=0.005)
    assert small.shape == (7, 5, 3)


def test_both_languages_have_the_same_texts() -> None:
    en, ja = texts("en"), texts("ja")
    assert list(en) == list(ja) and all(isinstance(v, str) and v for v in [*en.values(), *ja.values()])
    for key in en:
        assert set(re.findall(r"{(\w+)}", en[key])) == set(re.findall(r"{(\w+)}", ja[key])), key
    assert yaml.safe_load("a: 1") == {"a": 1}


def test_the_fonts_hold_japanese_business_text() -> None:
    regular, bold = registered()
    jis = {ord(c) for a in range(0x81, 0xF0) for b in range(0x40, 0xFD)
           for c in [bytes([a, b]).decode("shift_jis", "ignore")] if len(c) == 1 and ord(c) > 127}
    assert len(jis) > 6800 and not jis - regular
    assert not set(map(ord, "髙﨑①㈱㎜㎡±µ²°≤→–…éß〓□")) - regular and not set(map(ord, "検品合格NG")) - bold
    words = "".join([*texts("en").values(), *texts("ja").values()])
    assert {c for c in words if ord(c) not in regular} == set()
    assert sum(len(font_file(name)) for name in (REGULAR, BOLD)) < 3_000_000


def test_characters_that_no_font_holds_are_marked_and_listed(report: ModuleType, pictures: Any) -> None:
    trace = report.make_trace(pictures, say="Look \U0001f600 here: 検査\U00020bb7 \u202eevil\u202c \x07.")
    text = pdf_text(report_bytes(trace_facts(trace, pictures), "pdf", "en"))
    assert f"Look{GETA}here:検査{GETA}{GETA}evil{GETA}{GETA}." in text
    assert "U+1F600" in text and "U+20BB7" in text
    page = report_bytes(trace_facts(trace, pictures), "html", "en").decode()
    assert "\u202e" not in page and "\x07" not in page and "\U0001f600" in page


def test_long_texts_break_over_pages(report: ModuleType, pictures: Any, signed: ReportFacts) -> None:
    long = "とても長い理由。" * 490 + "終わり"
    change = VerdictChange(old=Verdict.NG, verdict=Verdict.NG, why=long, cause="x" * 3900 + "end")
    dossier = report.reviewed(signed.trace, ("sato", change))
    text = pdf_text(report_bytes(facts(report, dossier, pictures), "pdf", "ja"))
    assert text.count("終わり") == 2 and text.count("end") >= 2
