"""The bundled fonts: which characters they hold, for pages (reportlab) and for pictures (Pillow)."""

from functools import lru_cache
from importlib import resources
from io import BytesIO

from PIL import ImageFont
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont

REGULAR, BOLD = "KenpinGothic-Regular", "KenpinGothic-Bold"


@lru_cache(maxsize=2)
def font_file(name: str) -> bytes:
    """A font file."""
    return resources.files("kenpin.reports").joinpath("fonts", f"{name}.ttf").read_bytes()


@lru_cache(maxsize=1)
def registered() -> tuple[frozenset[int], frozenset[int]]:
    """Make both fonts known to reportlab; returns the code points of the regular and of the bold one."""
    held = []
    for name in (REGULAR, BOLD):
        font = TTFont(name, BytesIO(font_file(name)))
        pdfmetrics.registerFont(font)
        held.append(frozenset(font.face.charToGlyph))
    pdfmetrics.registerFontFamily(REGULAR, normal=REGULAR, bold=BOLD, italic=REGULAR, boldItalic=BOLD)
    return held[0], held[1]


@lru_cache(maxsize=8)
def drawing_font(size: int) -> ImageFont.FreeTypeFont:
    """The bold font for drawing on pictures, `size` px high.

    The basic layout, so that a picture is the same whether or not the machine has a shaping library.
    """
    return ImageFont.truetype(BytesIO(font_file(BOLD)), size, layout_engine=ImageFont.Layout.BASIC)
