"""What a report says, as plain blocks in one language. Both renderers show every block, so that they never differ."""

import unicodedata
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict

GETA = "〓"
"""What printers put where a letter is missing (geta). Stands for every character that cannot be shown."""


def clean(text: str) -> str:
    """Text without what could hide or turn it round on a page: each such character becomes `GETA`.

    Control and format characters (Unicode Cc, Cf: bidirectional overrides, zero-width characters), lone surrogates.

    >>> clean("a\\u202eb")
    'a〓b'
    """
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n"))
    return "".join(
        GETA if unicodedata.category(c) in {"Cc", "Cf", "Cs"} and c not in "\n\t\u00ad" else c for c in text
    )


Said = Annotated[str, AfterValidator(clean)]
Tone = Literal["plain", "dim", "strong", "code", "ok", "ng", "uncertain", "struck"]


class _Block(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True)
class Shown:
    """A picture as a report shows it."""

    jpeg: bytes
    width: int
    """Of `jpeg`, px."""
    height: int
    original: tuple[int, int]
    """Width and height of what it was made from, px."""
    sha256: str
    """Of the stored picture that it was made from."""

    @property
    def reduced(self) -> bool:
        """Whether it has fewer pixels than the stored one."""
        return (self.width, self.height) != self.original


class Line(_Block):
    """One line or paragraph with one look."""

    text: Said
    tone: Tone = "plain"


class Thumb(_Block):
    """A small picture in a cell or a gallery."""

    picture: Shown
    caption: Said = ""


Cell = tuple[Line | Thumb, ...]


class Heading(_Block):
    kind: Literal["heading"] = "heading"
    text: Said
    level: Literal[1, 2, 3] = 2


class Stamp(_Block):
    """Where the record stands, in a box that is not overlooked."""

    kind: Literal["stamp"] = "stamp"
    text: Said
    tone: Literal["ok", "ng", "uncertain"]


class Text(_Block):
    kind: Literal["text"] = "text"
    text: Said
    tone: Tone = "plain"
    quoted: bool = False
    """What a person said."""


class VerdictBlock(_Block):
    """Verdicts side by side, large: what each is, the word, and its tone."""

    kind: Literal["verdict"] = "verdict"
    verdicts: tuple[tuple[Said, Line], ...]


class Items(_Block):
    kind: Literal["items"] = "items"
    items: tuple[Said, ...]


class Pairs(_Block):
    """Labels and what stands beside them."""

    kind: Literal["pairs"] = "pairs"
    rows: tuple[tuple[Said, Cell], ...]


class Table(_Block):
    kind: Literal["table"] = "table"
    head: tuple[Said, ...]
    rows: tuple[tuple[Cell, ...], ...]
    widths: tuple[float, ...]
    """Shares of the page's width."""
    form: bool = False
    """Empty cells are meant to be filled in, so rows are tall and every cell has a border."""


class Figure(_Block):
    kind: Literal["figure"] = "figure"
    picture: Shown
    caption: Said
    tall: float = 0.45
    """At most this share of a page's height."""


class Blank(_Block):
    """A place to be filled in."""

    kind: Literal["blank"] = "blank"
    label: Said
    lines: int = 2


class Ticks(_Block):
    """Boxes to be ticked."""

    kind: Literal["ticks"] = "ticks"
    label: Said
    choices: tuple[Said, ...]


class Break(_Block):
    """A new page."""

    kind: Literal["break"] = "break"


Block = Heading | Stamp | Text | VerdictBlock | Items | Pairs | Table | Figure | Blank | Ticks | Break


class Document(_Block):
    """A report in one language."""

    title: Said
    running: Said
    """What every page is headed with: the id of the inspection, or the lot."""
    lang: Literal["en", "ja"]
    at: datetime
    """When the report was made; times are shown in its zone."""
    blocks: tuple[Block, ...]


def cell(*parts: str | Line | Thumb | None) -> Cell:
    """A cell of lines; plain strings are plain lines, None and empty strings are left out."""
    return tuple(Line(text=part) if isinstance(part, str) else part for part in parts if part)
