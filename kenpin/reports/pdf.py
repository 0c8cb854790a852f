"""A document as PDF: A4, numbered pages, both languages in an embedded font. The same document gives the same bytes.

reportlab's paragraphs are written in a small XML; `Setter` is the only place that makes it, and escapes every text.
"""

from collections.abc import Callable
from functools import partial
from io import BytesIO
from typing import Any

from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import ActionFlowable, BaseDocTemplate, Flowable, Frame, PageTemplate

from kenpin.reports.blocks import GETA, Document, Text
from kenpin.reports.flow import Flow
from kenpin.reports.typesetting import DIM, REGULAR, Setter
from kenpin.reports.words import Words

MARGIN, TOP, BOTTOM = 18 * mm, 22 * mm, 18 * mm
AUTHOR = "Kenpin 検品"


def pdf_bytes(document: Document) -> bytes:
    """The document as PDF. Texts are data: no address or path in them is opened."""
    out, setter, t = BytesIO(), Setter(), Words(document.lang, document.at.tzinfo)
    width, height = A4[0] - 2 * MARGIN, A4[1] - TOP - BOTTOM
    flow = Flow(setter, width=width, height=height)
    story: list[Flowable] = []
    story += [_Later(story, partial(flow.block, block)) for block in document.blocks]
    story.append(_Later(story, lambda: flow.block(_missing(setter, t)) if setter.missing else []))
    template = BaseDocTemplate(
        out, pagesize=A4, title=document.title, author=AUTHOR, subject=document.running, creator="Kenpin",
        lang=document.lang, pageCompression=1, allowSplitting=1,
    )
    frame = Frame(MARGIN, BOTTOM, width, height, leftPadding=0, rightPadding=0, topPadding=0, bottomPadding=0)
    template.addPageTemplates(PageTemplate(frames=[frame]))
    template.build(story, canvasmaker=_numbered(document, setter, t))
    return out.getvalue()


class _Later(ActionFlowable):  # type: ignore[misc]
    """Stands for a block until its turn has come, so that a long report is never in memory as a whole."""

    def __init__(self, story: list[Flowable], make: Callable[[], list[Flowable]]) -> None:
        super().__init__()
        self._story, self._make = story, make

    def apply(self, doc: Any) -> None:
        """Put the block's flowables in front of what is still to come."""
        self._story[:0] = self._make()


def _missing(setter: Setter, t: Words) -> Text:
    which = ", ".join(f"U+{point:04X}" for point in sorted(setter.missing))
    return Text(text=t("missing_glyphs", mark=GETA, which=which), tone="dim")


def _numbered(document: Document, setter: Setter, t: Words) -> Callable[..., Canvas]:
    """Canvases that wait with head and foot of every page until they know how many there are."""
    left = setter.plain(f"{document.title}", most=70)
    made = setter.plain(f"{t('made')}: {t.time(document.at)}", most=90)

    class Numbered(Canvas):  # type: ignore[misc]
        def __init__(self, *args: Any, **more: Any) -> None:
            # Invariant: no random ids and no clock; the date is that of the report.
            super().__init__(*args, **{**more, "invariant": 1, "initialFontName": REGULAR})
            self.setDateFormatter(lambda *_: _pdf_date(document))
            self._pages: list[dict[str, Any]] = []
            self._marks: list[tuple[int, str, int]] = []

        def mark(self, text: str, level: int) -> None:
            """Note a line of the outline for the page that is being set."""
            self._marks.append((len(self._pages) + 1, text, level))

        def showPage(self) -> None:  # noqa: N802 (reportlab's name)
            self._pages.append(dict(self.__dict__))
            self._startPage()

        def save(self) -> None:
            for number, page in enumerate(self._pages, start=1):
                self.__dict__.update(page)
                self._head_and_foot(number, len(self._pages))
                for n, (_, text, level) in enumerate(mark for mark in self._marks if mark[0] == number):
                    self.bookmarkPage(f"p{number}.{n}")
                    self.addOutlineEntry(text, f"p{number}.{n}", level)
                super().showPage()
            super().save()

        def _head_and_foot(self, number: int, of: int) -> None:
            self.setFont(REGULAR, 7.5)
            self.setFillColor(DIM)
            self.setStrokeColor(DIM)
            self.setLineWidth(0.4)
            self.drawString(MARGIN, A4[1] - 13 * mm, left)
            self.line(MARGIN, A4[1] - 15.5 * mm, A4[0] - MARGIN, A4[1] - 15.5 * mm)
            self.drawString(MARGIN, 10 * mm, made)
            self.drawRightString(A4[0] - MARGIN, 10 * mm, t("page", n=number, of=of))

    return Numbered


def _pdf_date(document: Document) -> str:
    """The time of the report as PDF writes dates (ISO 32000-1, 7.9.4)."""
    offset = document.at.strftime("%z") or "+0000"
    return f"D:{document.at:%Y%m%d%H%M%S}{offset[:3]}'{offset[3:5]}'"
