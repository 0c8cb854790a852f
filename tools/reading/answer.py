"""Which of the texts on a part answers the question: its serial number, its lot, its date, a number.

Everything here works on what the recogniser returned, and returns parts of it unchanged. Text is data: what it says
is never followed.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["all", "serial", "lot", "date", "code", "label", "number"]


@dataclass(frozen=True)
class Placed:
    """A text and its upright box in px, x0, y0, x1, y1."""

    text: str
    box: tuple[float, float, float, float]


@dataclass(frozen=True)
class Choice:
    """The text that answers, and the index of the line that it stands in."""

    text: str
    line: int


_SERIAL = (r"S\s?/\s?N|S\.\s?N\.?|SN|SER(?:IAL)?\.?(?:\s?(?:NUMBER|NUM|NO|#))?"
           r"|製造番号|製番|シリアル(?:番号|ナンバー|\s?NO)?|機番|個体番号|機械番号")
_LOT = (r"LOT(?:\s?(?:NUMBER|NUM|NO|ID|#))?|L\s?/\s?N|BATCH(?:\s?(?:NUMBER|NO))?|B\s?/\s?N"
        r"|(?:製造)?ロット(?:番号|ナンバー|\s?NO)?|批号|チャージ(?:番号|\s?NO)?")
_DATE = (r"(?:EXP(?:IRY|IRES?)?|MFG|MFD|MANUFACTURED|PROD(?:UCED)?|PACKED|PKD|BBE?|BEST\s?BEFORE|USE\s?BY|DOM|DATE)"
         r"\.?(?:\s?(?:DATE|ON|BY))?"
         r"|(?:賞味|消費|使用|有効)期限|製造(?:年月日|年月|日)|検査日|出荷日|日付")
_AFTER = r"[\s.:;=\-№#]*"
_VALUE = r"(?=[A-Z0-9\-/_.]*\d)[A-Z0-9](?:[A-Z0-9\-/_.]*[A-Z0-9])?"

_MONTH = r"(?:JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|SEPT|OCT|NOV|DEC)[A-Z]*"
_YEAR, _MON, _DAY = r"(?:19|20)\d\d", r"(?:1[0-2]|0?[1-9])", r"(?:3[01]|[12]\d|0?[1-9])"
_DATES = tuple(re.compile(pattern) for pattern in (
    rf"(?<!\d){_YEAR}\s?年\s?{_MON}\s?月(?:\s?{_DAY}\s?日)?",
    rf"(?:令和|平成|昭和)\s?(?:元|\d{{1,2}})\s?年\s?{_MON}\s?月(?:\s?{_DAY}\s?日)?",
    rf"(?<![A-Z0-9])[RH]\d{{1,2}}\.{_MON}\.{_DAY}(?!\d)",
    rf"(?<!\d){_YEAR}\s?([-/.])\s?{_MON}\s?\1\s?{_DAY}(?!\d)",
    rf"(?<!\d){_DAY}\s?([-/.])\s?{_MON}\s?\1\s?{_YEAR}(?!\d)",
    rf"(?<!\d){_MON}\s?([-/.])\s?{_DAY}\s?\1\s?{_YEAR}(?!\d)",
    rf"(?<![A-Z0-9])(?:{_DAY}[\s\-/.]?)?{_MONTH}[\s\-/.,]{{0,2}}(?:{_DAY}[\s,]{{1,2}})?(?:{_YEAR}|\d\d)(?!\d)",
    rf"(?<!\d){_YEAR}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?!\d)",
    rf"(?<![\d./\-]){_YEAR}[-/.]{_MON}(?![\d./\-])",
    rf"(?<![A-Z0-9./\-])\d\d([-/.]){_MON}\1{_DAY}(?![\d./\-])",
    rf"(?<![A-Z0-9./\-]){_DAY}([-/.]){_MON}\1\d\d(?![\d./\-])",
    r"(?<![A-Z0-9])(?:20)?\d\d\s?[-/]?(?:W|WK|CW|KW)\s?(?:[0-4]\d|5[0-3])(?!\d)",
))
_DATE_VALUE = rf"\d{{6}}(?!\d)|{_MON}[-/.](?:20)?\d\d(?!\d)|\d{{4}}(?!\d)"
_NUMBER = re.compile(r"[-+±]?\d+(?:[.,]\d+)*")
_LABELS = {"serial": (_SERIAL, _VALUE), "lot": (_LOT, _VALUE), "date": (_DATE, _DATE_VALUE)}


def choose(lines: Sequence[Placed], kind: Kind) -> Choice | None:
    """The text that answers `kind`, exactly as it was read, or None if none does.

    Args:
        lines: Lines in reading order.
        kind: `serial`, `lot`, `date` or `number`; for the others the caller shows all lines.
    """
    plain = [_plain(line.text) for line in lines]
    if kind == "date":
        return _dated(lines, plain) or _labelled(lines, plain, "date")
    if kind == "number":
        return _number(lines, plain)
    if kind in {"serial", "lot"}:
        return _labelled(lines, plain, kind) or _shaped(lines, plain, kind)
    return None


def _plain(text: str) -> str:
    """Full width to half width and upper case, one character for one, so that positions stay."""
    return "".join(_plain_character(c) for c in text)


def _plain_character(c: str) -> str:
    narrow = unicodedata.normalize("NFKC", c).upper()
    if narrow in {"‐", "–", "—", "−"}:
        return "-"
    return narrow if len(narrow) == 1 else c


def _labelled(lines: Sequence[Placed], plain: Sequence[str], kind: str) -> Choice | None:
    """What stands behind a label, in its line or in the line right of it or below it."""
    label, value = _LABELS[kind]
    within = re.compile(rf"(?<![A-Z])(?:{label})(?![A-Z]){_AFTER}({value})")
    ends = re.compile(rf"(?<![A-Z])(?:{label}){_AFTER}$")
    for i, text in enumerate(plain):
        if match := within.search(text):
            return Choice(lines[i].text[match.start(1):match.end(1)], i)
    # `SN123456` and `LOT4711` are written without a gap.
    glued = re.compile(rf"(?<![A-Z])(?:{label})({value})")
    for i, text in enumerate(plain):
        if match := glued.search(text):
            return Choice(lines[i].text[match.start(1):match.end(1)], i)
    for i, text in enumerate(plain):
        if ends.search(text):
            for j in _neighbours(lines, i):
                if match := re.match(rf"\s*({value})", plain[j]):
                    return Choice(lines[j].text[match.start(1):match.end(1)], j)
    return None


def _neighbours(lines: Sequence[Placed], i: int) -> list[int]:
    """Lines that may hold the value of a label: the next one in its row, then the next one below."""
    x0, y0, x1, y1 = lines[i].box
    height = y1 - y0
    others = [(j, line.box) for j, line in enumerate(lines) if j != i]
    right = [(box[0], j) for j, box in others
             if box[0] >= x1 - 0.3 * height and min(y1, box[3]) - max(y0, box[1]) > 0.4 * height]
    below = [(box[1], j) for j, box in others
             if y0 < box[1] < y1 + 2.0 * height and min(x1, box[2]) > max(x0, box[0])]
    return [j for group in (right, below) for _, j in sorted(group)[:1]]


def _shaped(lines: Sequence[Placed], plain: Sequence[str], kind: str) -> Choice | None:
    """Without a label: what is written like a serial number (digits, often with letters and hyphens) or a lot."""
    best: tuple[float, Choice] | None = None
    marked = re.compile(r"(?<![A-Z0-9])(?:L|#|№)\s?-?(\d[A-Z0-9\-/]{1,})") if kind == "lot" else None
    for i, text in enumerate(plain):
        if marked is not None and (match := marked.search(text)):
            return Choice(lines[i].text[match.start():match.end()], i)
        if kind == "lot":
            continue
        for match in re.finditer(r"[A-Z0-9][A-Z0-9\-/_.]{2,}[A-Z0-9]", text):
            token = match.group()
            digits = sum(c.isdigit() for c in token)
            if digits < 3 or digits < 0.4 * len(token) or _is_date(token) or _other_label(text, match.start()):
                continue
            score = digits + 2.0 * any(c.isalpha() for c in token) + ("-" in token)
            if best is None or score > best[0]:
                best = (score, Choice(lines[i].text[match.start():match.end()], i))
    return best[1] if best else None


def _other_label(text: str, start: int) -> bool:
    """Whether a lot or date label stands right before a token."""
    return re.search(rf"(?:{_LOT}|{_DATE}){_AFTER}$", text[:start]) is not None


def _is_date(token: str) -> bool:
    spans = (match.span() for pattern in _DATES if (match := pattern.search(token)))
    return any(end - start >= 0.9 * len(token) for start, end in spans)


def _dated(lines: Sequence[Placed], plain: Sequence[str]) -> Choice | None:
    """The first date; one that stands in a line with a date label goes first."""
    found = []
    for i, text in enumerate(plain):
        for rank, pattern in enumerate(_DATES):
            if match := pattern.search(text):
                labelled = re.search(_DATE, text[:match.start()]) is not None
                found.append((not labelled, i, rank, Choice(lines[i].text[match.start():match.end()], i)))
                break
    return min(found, key=lambda one: one[:3])[3] if found else None


def _number(lines: Sequence[Placed], plain: Sequence[str]) -> Choice | None:
    """The number that fills most of its line; of equals, the one written largest."""
    found = []
    for i, text in enumerate(plain):
        for match in _NUMBER.finditer(text):
            share = (match.end() - match.start()) / max(1, len(text.replace(" ", "")))
            height = min(lines[i].box[3] - lines[i].box[1], lines[i].box[2] - lines[i].box[0])
            found.append((-share, -height, i, match.start(), Choice(lines[i].text[match.start():match.end()], i)))
    return min(found, key=lambda one: one[:4])[4] if found else None
