"""Make the fonts that reports are set in from BIZ UDPGothic (SIL Open Font License, no reserved names).

    pip install fonttools
    python bench/report_fonts.py BIZUDPGothic-Regular.ttf BIZUDPGothic-Bold.ttf kenpin/reports/fonts

The regular font keeps what Windows' code page 932 and the European alphabets hold, the bold one, for headings, what
JIS X 0208 level 1 holds. Hints and layout features go: PDF readers smooth outlines, and reportlab uses neither. Since
the result is a modified version, it has a name of its own.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SYMBOLS = "−‖～–—‘’“”…•‰′″€№™ℓΩ←↑→↓⇒⇔∞≒≠≡≤≥≦≧∫√∠⊥∥△▲▽▼◇◆○◎●◯□■☆★♪✓〓〒㈱㈲㎜㎝㎞㎎㎏㏄㎡℃Å×÷±µ°²³¹¼½¾"
LATIN = [*range(0x20, 0x7F), *range(0xA0, 0x180)]
EUROPEAN = [*LATIN, *range(0x370, 0x460)]


def double_bytes(first: int, last: int) -> Iterator[int]:
    """Code points of code page 932 between two lead bytes; its private-use area is left out."""
    for lead in range(first, last + 1):
        for trail in range(0x40, 0xFD):
            try:
                text = bytes([lead, trail]).decode("cp932")
            except UnicodeDecodeError:
                continue
            if len(text) == 1 and not 0xE000 <= ord(text) < 0xF900:
                yield ord(text)


def subset(source: Path, target: Path, wanted: set[int], *, style: str) -> None:
    """Write a subset under a name of its own."""
    from fontTools import subset as cutting
    from fontTools.ttLib import TTFont

    options = cutting.Options()
    options.hinting = False
    options.layout_features = []
    options.name_IDs = ["*"]
    options.notdef_outline = True
    options.glyph_names = False
    options.drop_tables += ["GSUB", "GPOS", "GDEF", "BASE", "vhea", "vmtx", "VORG", "DSIG", "STAT", "meta"]
    font: Any = TTFont(source, recalcTimestamp=False)
    cutter = cutting.Subsetter(options)
    cutter.populate(unicodes=wanted)
    cutter.subset(font)
    for record in list(font["name"].names):
        name = {1: "Kenpin Gothic", 3: f"Kenpin Gothic {style}", 4: f"Kenpin Gothic {style}",
                6: f"KenpinGothic-{style}", 16: None, 17: None, 21: None, 22: None}.get(record.nameID, record)
        if name is None or record.langID not in (0, 0x409):
            font["name"].removeNames(nameID=record.nameID, platformID=record.platformID, langID=record.langID)
        elif name is not record:
            record.string = name
    font.save(target)
    print(f"{target}: {len(font.getBestCmap())} characters, {target.stat().st_size / 1e6:.2f} MB")


def main() -> None:
    """Make both."""
    regular, bold, folder = map(Path, sys.argv[1:4])
    common = {*map(ord, SYMBOLS), *range(0x3000, 0x3100), *range(0xFF01, 0xFFE6)}
    everything = {*EUROPEAN, *common, *double_bytes(0x81, 0xFC)}
    subset(regular, folder / "KenpinGothic-Regular.ttf", everything, style="Regular")
    subset(bold, folder / "KenpinGothic-Bold.ttf", {*LATIN, *common, *double_bytes(0x81, 0x97)}, style="Bold")


if __name__ == "__main__":
    main()
