"""Ranges said in an instruction: a nominal value with a tolerance, or two ends."""

import re
from collections.abc import Iterator

from agent.language.mentions import TO_MM, Mention, mentions
from agent.language.polarity import JUDGING

SIGN = re.compile(r"(?:±|\+\s?/?\s?-|\+\s?,\s?-|plus(?: or | ?/ ?| and |-| )?minus|give or take|プラスマイナス|プラマイ|プラ・マイ)\s?(?:of )?(?:a |an )?$")
WORD = re.compile(r"(?:toleranc(?:e|ed)|公差|許容差)(?: of| is| at|:|は|が|で)?\s?(?:±)?$")
EITHER = re.compile(r"\s?(?:(?:either|each|both) (?:way|side|direction)s?|(?:on )?(?:either|each|both) sides?|toleranc\w+|(?:の)?(?:公差|許容差|ばらつきまで)|up or down|in either direction)")
WITHIN = re.compile(r"^,? (?:to )?within (?:a |an )?$")
ONE = re.compile(r"(\d+(?:\.\d+)?)\s?(?P<u>mm|um|cm|deg|px)?,? (?:to )?within an? (?P<v>mm|um|px|deg)\b")
ASYMMETRIC = re.compile(r"\s?[,(]?\s?\+\s?(\d+(?:\.\d+)?)\s?(?:mm|um|deg|px)?\s?[/,、 ]*\s?-\s?(\d+(?:\.\d+)?)\s?(mm|um|deg|px)?")
ENDS_LINK = re.compile(r"^\s?(?:~|から|to|-|and|\.\.\.?|through|upto)\s?$")
RANGED = re.compile(r"(?:の間|以内|以下|なら|まで|の範囲|に入|ok|で合|が(?:規格|合格|良品|基準)|allowed|accept|range|permitted|is fine)")
SQUARE = re.compile(r"直角|\bsquare\b|perpendicular|right angle")
REACH = 100
Range = tuple[Mention, float, float, str, tuple[Mention, ...]]


def tolerances(text: str) -> Iterator[Range]:
    """Ranges in a normalised text.

    Yields:
        The nominal number, lower and upper end, their unit ("" if none is said), and the numbers used up.
    """
    found = mentions(text)
    used: set[Mention] = set()
    for i, m in enumerate(found):
        if m in used:
            continue
        result = _asymmetric(text, found, i) or _plus_minus(text, found, i, used) or _between(text, found, i) or _within_one(text, m)
        if result:
            used.update(result[4])
            yield result


def _plus_minus(text: str, found: tuple[Mention, ...], i: int, used: set[Mention]) -> Range | None:
    m = found[i]
    before = text[max(0, m.start - 26):m.start]
    signed = SIGN.search(before)
    worded = WORD.search(before) or EITHER.match(text[m.end:])
    within = i > 0 and WITHIN.match(text[found[i - 1].end:m.start])
    off = re.search(r"within (?:a |an )?$", before) and i + 1 < len(found) and re.match(r" of (?:the |a |nominal |target )*$", text[m.end:found[i + 1].start]) and found[i + 1].value > m.value
    if off and _alike(found[i + 1], m):
        wide = found[i + 1]
        return wide, wide.value - m.value, wide.value + m.value, wide.unit or m.unit, (m, wide)
    if not (signed or worded or within):
        return None
    nominal = next((n for n in reversed(found[:i]) if n not in used and m.start - n.end <= REACH and not _crossed(text[n.end:m.start]) and _alike(n, m)), None)
    if nominal is None and signed and i + 1 < len(found) and found[i + 1].start - m.end <= 24 and found[i + 1].value > m.value and _alike(found[i + 1], m) \
            and not _crossed(text[m.end:found[i + 1].start]):
        nominal = found[i + 1]
    if nominal is None:
        if signed and m.unit == "deg" and SQUARE.search(text):
            return m, 90 - m.value, 90 + m.value, "deg", (m,)
        return None
    if nominal.value <= m.value:
        return None
    unit = nominal.unit or m.unit
    factor = TO_MM[m.unit] / TO_MM[unit] if m.unit in TO_MM and unit in TO_MM else 1.0
    half = m.value * factor
    return nominal, nominal.value - half, nominal.value + half, unit, (nominal, m)


def _alike(nominal: Mention, m: Mention) -> bool:
    """Whether two numbers can be a value and its tolerance: of one kind of unit, or one without."""
    return not nominal.unit or not m.unit or nominal.unit == m.unit or (nominal.metric and m.metric)


def _crossed(between: str) -> bool:
    return bool(re.search(r"[;!?。\n]|\.(?=\s)", between))


def _asymmetric(text: str, found: tuple[Mention, ...], i: int) -> Range | None:
    m = found[i]
    match = ASYMMETRIC.match(text, m.end)
    if match is None:
        return None
    used = (m, *(n for n in found[i + 1:] if n.start < match.end()))
    return m, m.value - float(match.group(2)), m.value + float(match.group(1)), m.unit or match.group(3) or "", used


def _between(text: str, found: tuple[Mention, ...], i: int) -> Range | None:
    if i + 1 >= len(found):
        return None
    m, n = found[i], found[i + 1]
    if not ENDS_LINK.match(text[m.end:n.start]) or m.value >= n.value or not _alike(m, n) or (m.unit and not n.unit):
        return None
    named = re.search(r"between (?:the )?$", text[:m.start])
    anded = "and" in text[m.end:n.start]
    if not named and (anded or not (RANGED.match(text[n.end:].lstrip()) or (n.unit and JUDGING.search(text)))):
        return None
    if re.match(r"\s?(?:年|月|日|時|分|番|号|%|hours?|minutes?|days?|weeks?|years?|行|ページ|頁)", text[n.end:]):
        return None
    unit = n.unit or m.unit
    return m, m.value, n.value, unit, (m, n)


def _within_one(text: str, m: Mention) -> Range | None:
    """"120 mm to within a millimetre"."""
    match = ONE.match(text, m.start)
    if match is None:
        return None
    unit = m.unit or match.group("v")
    return m, m.value - 1, m.value + 1, unit, (m,)
