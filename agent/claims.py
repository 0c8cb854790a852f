"""What a text claims in numbers: quantities with units, boxes, codes such as serial numbers and dates, and ids."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Family = Literal["mm", "mm2", "px", "px2", "deg", "%"]

CITE = re.compile(r"\[(\d{1,3}(?:\s*[,;、]\s*\d{1,3}){0,2})\]")
"""`[3]`, or `[2, 3]`; four numbers in brackets are a box."""
PLAIN = r"[-+]?\d+(?:\.\d+)?(?:e[-+]?\d{1,2})?"
BOX = re.compile(rf"[\[(]\s*({PLAIN}(?:\s*,\s*{PLAIN}){{3}})\s*[\])]")
POINT = re.compile(rf"[\[(]\s*({PLAIN}(?:\s*,\s*{PLAIN}){{1,2}})\s*[\])]")
MARKER = re.compile(r"^\s*\d{1,2}[.)、]\s+(?=\D)", re.MULTILINE)
"""The number of an item in a list."""
NAMED_STEP = re.compile(r"\bsteps?\s*(\d{1,3})\b|(?:ステップ|手順)\s*(\d{1,3})", re.IGNORECASE)
PER = re.compile(
    r"(?<![\d.])1\s?(?:px|mm|pixel|ピクセル|画素)(?=\s?(?:=|あたり|当たり|につき|は|が))|(?<==)\s?1\s?(?:px|mm)\b"
)
"""The one of "1 px = 0.25 mm"."""
TOKEN = re.compile(r"(?<![A-Za-z0-9_.])(?:\d{1,3}(?:,\d{3})+(?![\d,])(?:\.\d+)?|[A-Za-z0-9][A-Za-z0-9._/:+\-]*)")
"""A run that may be a number, or a serial number, date or code as a whole."""
NUMBER = re.compile(PLAIN, re.IGNORECASE)
IDENTIFIER = re.compile(r"[fotv]\d+", re.IGNORECASE)
ORDINAL = re.compile(r"\d+(?:st|nd|rd|th)", re.IGNORECASE)

UNITS: dict[str, tuple[Family, float]] = {
    "mm2": ("mm2", 1.0), "cm2": ("mm2", 100.0), "m2": ("mm2", 1e6),
    "mm": ("mm", 1.0), "ミリメートル": ("mm", 1.0), "ミリ": ("mm", 1.0), "cm": ("mm", 10.0), "センチ": ("mm", 10.0),
    "um": ("mm", 0.001), "μm": ("mm", 0.001), "ミクロン": ("mm", 0.001), "マイクロメートル": ("mm", 0.001),
    "inches": ("mm", 25.4), "inch": ("mm", 25.4), "インチ": ("mm", 25.4), "thou": ("mm", 0.0254), "m": ("mm", 1000.0),
    "px2": ("px2", 1.0), "pixels": ("px", 1.0), "pixel": ("px", 1.0), "px": ("px", 1.0), "ピクセル": ("px", 1.0),
    "画素": ("px", 1.0), "degrees": ("deg", 1.0), "degree": ("deg", 1.0), "deg": ("deg", 1.0), "°": ("deg", 1.0),
    "度": ("deg", 1.0), "percent": ("%", 1.0), "パーセント": ("%", 1.0), "%": ("%", 1.0),
}  # fmt: skip
"""Spelling after NFKC to family and size in the family's own unit."""
_SPELT = "|".join(re.escape(name) for name in sorted(UNITS, key=len, reverse=True))
GLUED = re.compile(rf"({PLAIN})({_SPELT}|x)", re.IGNORECASE)
BEHIND = re.compile(rf"\s?(?:±\s?[\d.]+\s?)?({_SPELT})(?![A-Za-z0-9])", re.IGNORECASE)

LOOSE = re.compile(
    r"(?<![A-Za-z0-9_.])[-+]?(?:\d{1,3}(?:,\d{3})+(?![\d,])(?:\.\d+)?|\d+(?:\.\d+)?(?:e[-+]?\d{1,2})?)"
    rf"(?=(?:{_SPELT})(?![A-Za-z0-9])|x\d|[^A-Za-z0-9_]|$)",
    re.IGNORECASE,
)
"""A number anywhere in a text. None is read out of a word (`f1`, `LOT12`, a sha256)."""


@dataclass(frozen=True)
class Quantity:
    """A number as it is written."""

    text: str
    value: float
    """In the unit of its family."""
    half: float
    """Half a step of the last decimal that is written."""
    family: Family | None = None


@dataclass(frozen=True)
class Place:
    """A box as it is written."""

    text: str
    box: tuple[Quantity, Quantity, Quantity, Quantity]


@dataclass(frozen=True)
class Code:
    """Letters and digits that mean something as a whole: `88-0153`, `2026-01-31`, `A12`."""

    text: str


@dataclass(frozen=True)
class Name:
    """The id of a finding, object, text or view."""

    text: str


Claim = Quantity | Place | Code | Name


def plain(text: str) -> str:
    """A text with full-width and compatibility characters in their usual form."""
    return unicodedata.normalize("NFKC", text)


def cited(text: str) -> tuple[int, ...]:
    """Step numbers that a text cites as `[n]` or `[n, m]`, in order of first mention.

    >>> cited("A scratch [2], 12 mm long [3, 4].")
    (2, 3, 4)
    """
    groups = CITE.findall(plain(text))
    return tuple(dict.fromkeys(int(n) for group in groups for n in re.findall(r"\d+", group)))


def claims(sentence: str, *, steps: frozenset[int] = frozenset()) -> Iterator[Claim]:
    """Everything that a sentence claims in numbers.

    Args:
        sentence: After `plain`.
        steps: Numbers of the steps that there are; "step 3" is then a mention, not a claim.
    """
    rest = PER.sub(" ", CITE.sub(" ", sentence))
    rest = NAMED_STEP.sub(lambda m: " " if int(m.group(1) or m.group(2)) in steps else m.group(), rest)
    for match in BOX.finditer(rest):
        x0, y0, x1, y1 = (_quantity(n) for n in match.group(1).split(","))
        yield Place(match.group(), (x0, y0, x1, y1))
    rest = BOX.sub(" ", rest)
    for match in POINT.finditer(rest):
        yield from (_quantity(n, "px") for n in match.group(1).split(","))
    rest = POINT.sub(" ", rest)
    for match in TOKEN.finditer(rest):
        token = match.group().rstrip(".,:/+-")
        if any(c.isdigit() for c in token) and token.lower() not in UNITS and not ORDINAL.fullmatch(token):
            yield from _read(token, rest[match.start() + len(token) :])


def _read(token: str, behind: str) -> Iterator[Claim]:
    parts = re.split(r"[-/+,:]", token)
    if all(IDENTIFIER.fullmatch(part) for part in parts):
        yield from (Name(part.lower()) for part in parts)
    elif glued := GLUED.fullmatch(token):
        yield _quantity(glued.group(1), glued.group(2).lower(), text=token)
    elif NUMBER.fullmatch(token.replace(",", "")):
        unit = BEHIND.match(behind)
        yield _quantity(token, unit.group(1).lower() if unit else "")
    else:
        yield Code(token)


def _quantity(number: str, unit: str = "", *, text: str = "") -> Quantity:
    digits = number.strip().replace(",", "").lower()
    family, size = UNITS.get(unit, (None, 1.0))
    mantissa, _, power = digits.partition("e")
    half = 0.5 * 10.0 ** (int(power or 0) - len(mantissa.partition(".")[2]))
    return Quantity(text or number.strip(), abs(float(digits)) * size, half * size, family)


def quantities(text: str) -> Iterator[Quantity]:
    """Every number of a text with its unit, if it has one.

    >>> [(q.value, q.family) for q in quantities("約28.8mm、3個")]
    [(28.8, 'mm'), (3.0, None)]
    """
    usual = plain(text)
    for match in LOOSE.finditer(usual):
        unit = BEHIND.match(usual[match.end() :])
        yield _quantity(match.group(), unit.group(1).lower() if unit else "")
        if "," in match.group():
            # "100,200" may also be two numbers of a list.
            yield from (_quantity(part) for part in match.group().split(","))
