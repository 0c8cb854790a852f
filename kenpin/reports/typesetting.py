"""Texts as reportlab paragraphs: escaped, in the bundled fonts, with a mark for each character that they lack."""

from functools import lru_cache
from itertools import groupby
from xml.sax.saxutils import escape

from reportlab.lib.colors import Color, HexColor
from reportlab.lib.styles import ParagraphStyle
from reportlab.platypus import Paragraph

from agent.wording import JAPANESE
from kenpin.reports.blocks import GETA
from kenpin.reports.typeface import BOLD, REGULAR, registered

INK, DIM, RULE, SHADE = (HexColor(code) for code in ("#1b1f24", "#57606a", "#c6cdd5", "#f3f5f7"))
COLOURS = {"ok": HexColor("#116329"), "ng": HexColor("#a40e26"), "uncertain": HexColor("#7d4e00"), "dim": DIM}


class Setter:
    """Sets texts, and remembers which characters it could not."""

    def __init__(self) -> None:
        self._regular, self._bold = registered()
        self.missing: set[int] = set()

    def paragraph(self, text: str, *, size: float = 8.5, tone: str = "plain", bold: bool = False,
                  indent: float = 0.0, bullet: str | None = None, before: float = 0.0, after: float = 0.0) -> Paragraph:
        """A paragraph. `text` is data and never markup."""
        strong = bold or tone == "strong"
        # Hashes and Japanese break anywhere but where Japanese typesetting forbids it; European text between words.
        anywhere = tone == "code" or JAPANESE.search(text) is not None
        style = _style(size, COLOURS.get(tone, INK), anywhere, indent, before, after)
        marked = self._marked(text, bold=strong)
        return Paragraph(f"<strike>{marked}</strike>" if tone == "struck" else marked, style, bulletText=bullet)

    def plain(self, text: str, *, most: int) -> str:
        """One line for drawing directly, in the regular font."""
        line = " ".join(text.split())
        line = line if len(line) <= most else line[: most - 1] + "…"
        return "".join(self._known(c) for c in line)

    def _marked(self, text: str, *, bold: bool) -> str:
        lines = []
        for line in text.expandtabs(4).split("\n"):
            runs = groupby((self._known(c) for c in line), key=lambda c: bold and ord(c) in self._bold)
            # quote=… is not needed: texts stand between tags only, never in an attribute.
            lines.append("".join(
                f'<font name="{BOLD}">{escape("".join(run))}</font>' if strong else escape("".join(run))
                for strong, run in runs
            ))
        return "<br/>".join(lines)

    def _known(self, char: str) -> str:
        """The character, or the mark for one that the font lacks."""
        if ord(char) in self._regular:
            return char
        self.missing.add(ord(char))
        return GETA


@lru_cache(maxsize=128)
def _style(size: float, colour: Color, anywhere: bool, indent: float, before: float, after: float) -> ParagraphStyle:
    return ParagraphStyle(
        "kenpin", fontName=REGULAR, fontSize=size, leading=size * 1.42, textColor=colour, leftIndent=indent,
        bulletFontName=REGULAR, bulletFontSize=size, bulletIndent=max(0.0, indent - 8), spaceBefore=before,
        spaceAfter=after, wordWrap="CJK" if anywhere else None, splitLongWords=1, allowWidows=0, allowOrphans=0,
    )


__all__ = ["COLOURS", "DIM", "INK", "REGULAR", "RULE", "SHADE", "Setter"]
