"""What a noun says about the look of the things that are counted. An unknown noun says nothing and is fine."""

from dataclasses import dataclass

OPENINGS = ("hole", "slot", "opening", "bore", "pit", "pore", "void", "perforation", "cavity", "window",
            "穴", "孔", "スロット", "ピット", "ボイド", "窓", "開口")
TEETH = ("tooth", "teeth", "cog", "prong", "tine", "serration", "歯", "ギザ")
ROUND = ("washer", "coin", "ball", "ring", "pill", "tablet", "bead", "nut", "disc", "disk", "seed", "cap", "bearing",
         "button", "ワッシャ", "座金", "コイン", "硬貨", "玉", "球", "リング", "錠", "ナット",
         "円", "種", "キャップ", "蓋", "ボタン")
LETTERS = ("letter", "character", "digit", "glyph", "text", "文字", "数字")
MARKS = ("marker", "label", "マーカー", "ラベル")
ANYTHING = ("object", "part", "thing", "item", "piece", "component",
            "物", "部品", "個", "もの", "オブジェクト", "ワーク")


@dataclass(frozen=True)
class Hint:
    """What to prefer."""

    opening: bool = False
    """A gap in something: usually darker than what is around it, or enclosed by it."""
    tooth: bool = False
    """Sticks out of one body."""
    round: bool = False
    """Convex and compact, so that a waist means two that touch."""
    letters: bool = False
    marks: bool = False
    anything: bool = False
    """Things of several shapes belong to the count."""


def hint(what: str) -> Hint:
    """Read the hint off a noun in English (singular or plural) or Japanese."""
    word = what.strip().lower()

    def says(names: tuple[str, ...]) -> bool:
        return any(name in word for name in names)

    return Hint(opening=says(OPENINGS), tooth=says(TEETH), round=says(ROUND), letters=says(LETTERS), marks=says(MARKS),
                anything=says(ANYTHING))
