"""Blocks as reportlab flowables: what stands on a page, and how it breaks over pages."""

from collections.abc import Sequence
from io import BytesIO
from typing import Any

from reportlab.lib.colors import white
from reportlab.platypus import (
    CondPageBreak,
    Flowable,
    Image,
    KeepTogether,
    LongTable,
    PageBreak,
    Paragraph,
    Spacer,
)
from reportlab.platypus import (
    Table as Grid,
)

from kenpin.reports.blocks import (
    Blank,
    Block,
    Break,
    Cell,
    Figure,
    Heading,
    Items,
    Line,
    Pairs,
    Shown,
    Stamp,
    Table,
    Text,
    Ticks,
    VerdictBlock,
)
from kenpin.reports.typesetting import COLOURS, INK, REGULAR, RULE, SHADE, Setter

SIZES = {1: 17.0, 2: 12.0, 3: 9.5}
LABEL = 0.24
"""Share of the width for the labels of `Pairs`."""
PAD = 3.0


class Bookmark(Flowable):  # type: ignore[misc]
    """A line of the outline that a reader shows beside the pages. Takes no room."""

    def __init__(self, text: str, level: int) -> None:
        super().__init__()
        self.width = self.height = 0
        self._text, self._level = text, level

    def draw(self) -> None:
        """Tell the canvas, which knows its pages only at the end."""
        self.canv.mark(self._text, self._level)


class Flow:
    """Makes flowables for a frame of `width` × `height` points."""

    def __init__(self, setter: Setter, *, width: float, height: float) -> None:
        self._set, self._width, self._height = setter, width, height

    def block(self, block: Block) -> list[Flowable]:
        """The flowables of one block."""
        match block:
            case Heading():
                return self._heading(block)
            case Stamp():
                return self._stamp(block)
            case Text():
                return self._text(block)
            case VerdictBlock():
                return self._verdicts(block)
            case Items():
                return [self._set.paragraph(item, indent=12, bullet="・", after=2) for item in block.items]
            case Pairs():
                return self._pairs(block)
            case Table():
                return self._table(block)
            case Figure():
                return self._figure(block)
            case Blank():
                return self._blank(block)
            case Ticks():
                choices = "".join(f"　　□ {choice}" for choice in block.choices)
                return [self._set.paragraph(block.label + choices, before=4, after=6)]
            case Break():
                return [PageBreak()]

    def _heading(self, block: Heading) -> list[Flowable]:
        size = SIZES[block.level]
        before = {1: 0.0, 2: 12.0, 3: 8.0}[block.level]
        # A heading at the foot of a page would stand alone, and a second one below it too.
        room = CondPageBreak({1: 200, 2: 130, 3: 100}[block.level])
        text = self._set.paragraph(block.text, size=size, bold=True, before=before, after=4)
        return [room, *([Bookmark(block.text, block.level - 1)] if block.level < 3 else []), text]

    def _stamp(self, block: Stamp) -> list[Flowable]:
        text = self._set.paragraph(block.text, size=10, tone=block.tone, bold=True)
        colour = COLOURS[block.tone]
        return [Grid([[text]], colWidths=[self._width], style=[
            ("BOX", (0, 0), (-1, -1), 1.2, colour), *_padding(6),
        ]), Spacer(1, 4)]

    def _text(self, block: Text) -> list[Flowable]:
        text = self._set.paragraph(block.text, tone=block.tone, size=9, after=3, indent=8 if block.quoted else 0)
        if not block.quoted:
            return [text]
        return [Grid([[text]], colWidths=[self._width], splitInRow=1, style=[
            ("BACKGROUND", (0, 0), (-1, -1), SHADE), ("LINEBEFORE", (0, 0), (0, -1), 2, COLOURS["dim"]), *_padding(4),
        ]), Spacer(1, 3)]

    def _verdicts(self, block: VerdictBlock) -> list[Flowable]:
        cells, styles = [], []
        for i, (label, said) in enumerate(block.verdicts):
            colour = COLOURS[said.tone]
            word = Grid([[self._set.paragraph(said.text, size=14, tone=said.tone, bold=True)]], colWidths=[140],
                        style=[("BOX", (0, 0), (-1, -1), 1.4, colour), *_padding(4)], hAlign="LEFT")
            cells.append([self._set.paragraph(label, tone="dim", after=3), word])
            styles.append(("VALIGN", (i, 0), (i, 0), "TOP"))
        grid = Grid([cells], colWidths=[175] * len(cells), style=[*styles, *_padding(0)], hAlign="LEFT")
        return [grid, Spacer(1, 6)]

    def _pairs(self, block: Pairs) -> list[Flowable]:
        rows = [[[self._set.paragraph(label, tone="dim")], self._cell(value, self._width * (1 - LABEL))]
                for label, value in block.rows]
        widths = [self._width * LABEL, self._width * (1 - LABEL)]
        made = Grid(rows, colWidths=widths, splitInRow=self._tall(rows, widths), style=_ruled(head=False))
        return [made, Spacer(1, 4)]

    def _table(self, block: Table) -> list[Flowable]:
        widths = [self._width * share for share in block.widths]
        head = [[self._set.paragraph(name, size=7.5, bold=True)] for name in block.head if any(block.head)]
        rows = [[self._cell(value, width) for value, width in zip(row, widths, strict=True)] for row in block.rows]
        rows = [head, *rows] if head else rows
        styles = _ruled(head=bool(head))
        heights: list[float | None] | None = None
        if block.form:
            styles.append(("GRID", (0, 0), (-1, -1), 0.5, COLOURS["dim"]))
            heights = [*([None] if head else []), *(24.0 if _to_fill_in(row) else None for row in block.rows)]
        made = LongTable(rows, colWidths=widths, rowHeights=heights, repeatRows=1 if head else 0,
                         splitInRow=self._tall(rows, widths), style=styles)
        return [made, Spacer(1, 6)]

    def _tall(self, rows: Sequence[Sequence[Sequence[Flowable]]], widths: Sequence[float]) -> int:
        """1 if a row is too tall to be kept on one page, so that rows may break; else 0."""
        limit = self._height * 0.5
        return int(any(
            sum(part.wrap(width - 2 * PAD, 1e6)[1] for part in parts) > limit
            for row in rows for parts, width in zip(row, widths, strict=True)
        ))

    def _cell(self, cell: Cell, width: float) -> list[Flowable]:
        parts: list[Flowable] = []
        for part in cell:
            if isinstance(part, Line):
                size = 6.8 if part.tone == "code" else 8.0
                parts.append(self._set.paragraph(part.text, size=size, tone=part.tone))
            else:
                parts.append(_image(part.picture, width - 2 * PAD, 90.0))
                parts.append(self._set.paragraph(part.caption, size=6.5, tone="dim"))
        return parts

    def _figure(self, block: Figure) -> list[Flowable]:
        image = _image(block.picture, self._width, self._height * block.tall)
        image.hAlign = "LEFT"
        caption = self._set.paragraph(block.caption, size=7.5, tone="dim", before=2, after=6)
        return [KeepTogether([image, caption])]

    def _blank(self, block: Blank) -> list[Flowable]:
        label: Paragraph = self._set.paragraph(block.label, tone="dim", before=2, after=2)
        box = Grid([[""]], colWidths=[self._width], rowHeights=[18.0 * block.lines],
                   style=[("BOX", (0, 0), (-1, -1), 0.5, COLOURS["dim"]), *_padding(0)])
        return [KeepTogether([label, box, Spacer(1, 4)])]


def _image(picture: Shown, width: float, height: float) -> Image:
    """A picture scaled into `width` × `height` points, never beyond 72 px per 72 points."""
    scale = min(width / picture.width, height / picture.height, 1.0)
    return Image(BytesIO(picture.jpeg), width=picture.width * scale, height=picture.height * scale)


def _to_fill_in(row: Sequence[Cell]) -> bool:
    """Whether nothing but the first cell of a row holds anything, and that little."""
    return not any(row[1:]) and sum(len(part.text) for part in row[0] if isinstance(part, Line)) < 12


def _padding(points: float) -> list[tuple[Any, ...]]:
    every = ((0, 0), (-1, -1))
    # The font of cells without a text too: a table would name one that is not embedded.
    font = ("FONT", *every, REGULAR)
    return [font, *((f"{side}PADDING", *every, points) for side in ("LEFT", "RIGHT", "TOP", "BOTTOM"))]


def _ruled(*, head: bool) -> list[tuple[Any, ...]]:
    styles: list[tuple[Any, ...]] = [
        ("VALIGN", (0, 0), (-1, -1), "TOP"), ("LINEBELOW", (0, 0), (-1, -1), 0.4, RULE), *_padding(PAD),
        ("TEXTCOLOR", (0, 0), (-1, -1), INK),
    ]
    if head:
        styles.append(("BACKGROUND", (0, 0), (-1, 0), SHADE))
    else:
        styles.append(("BACKGROUND", (0, 0), (-1, -1), white))
    return styles
