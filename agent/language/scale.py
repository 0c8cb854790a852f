"""Scales said in an instruction: millimetres per pixel, a marker, a chessboard, something of known size."""

import re
from dataclasses import dataclass

NUM = r"(\d+(?:\.\d+)?)"
LENGTH = r"(mm|um|cm|inch)"
TO_MM = {"mm": 1.0, "um": 0.001, "cm": 10.0, "inch": 25.4}
LINK = r"\s?(?:=|is|are|equals?|makes?|per|/|to|for(?: every| each)?|a|an|each|every|:|は|が|で|あたり|当たり|につき|毎|ごと(?:に)?|→|≒|相当|換算で?|あたりで?|分の|to the|on the|to every|wide|and|,)?\s?(?:every|each|a|the|one|1)?\s?"

MARKER = r"(?:aruco(?: (?:tag|marker))?|markers?|fiducials?|april ?tag|マーカー?|アルコ(?:マーカー?)?|基準マーク|tag)"
BOARD = r"(?:chess ?board|checker ?board|chequer\w*|checker|calibration (?:board|target|plate)|board|チェッカー(?:ボード)?|チェス(?:ボード)?|校正(?:板|ボード)|市松(?:模様)?|格子)"
KNOWN = r"(?P<thing>coin|bolt|nut|cap|card|dowel|gauge block|block gauge|gauge pin|screw(?: head)?|resistor|ruler|lid|token|ball|washer|rivet(?: head)?|key|pin|label|bottle|slot|hole|コイン|硬貨|(?:1|5|10|50|100|500)円玉|ボルト|ナット|キャップ|カード|ブロックゲージ|ゲージ|定規|スケール|物差し|フタ|玉|ワッシャー?|リベット|座金|ラベル|穴|ネジ|ねじ|端子|ピン)"


@dataclass(frozen=True)
class ScaleSaid:
    """A scale in the user's words."""

    kind: str
    """`px`, `marker`, `board` or `known`."""
    mm: float
    """Millimetres per pixel for `px`, otherwise the size of the thing in millimetres."""
    thing: str | None = None
    span: tuple[int, int] = (0, 0)

    @property
    def label(self) -> str:
        """As the instruction store writes it."""
        return f"{self.mm:g}mm/px" if self.kind == "px" else ":".join(filter(None, (self.kind, self.thing, f"{self.mm:g}mm")))


PX_PER_MM = re.compile(rf"{NUM}\s?px{LINK}(?:{NUM}\s?)?{LENGTH}(?![a-z0-9])")
MM_PER_PX = re.compile(rf"{NUM}\s?{LENGTH}{LINK}(?:{NUM}\s?)?px(?![a-z0-9²])")
PX_IS = re.compile(rf"(?:a|one|each|every|1|the|per)?\s?px(?:el)?s? ?(?:size|pitch|spacing|サイズ|ピッチ)?(?: is| are| =|:|=|は|が|あたり|で|about| measures| corresponds to|/| equals?)*\s?(?:of |about |約)?{NUM}\s?{LENGTH}")
RATIO = re.compile(rf"{NUM}\s?px\s?/\s?{LENGTH}(?![a-z0-9])")
PIXEL_SIZE = re.compile(rf"(?:px|画素|解像度)\s?(?:size|pitch|サイズ|ピッチ|寸法)?\D{{0,12}}?{NUM}\s?{LENGTH}\s?(?:/\s?px)?")
MARKER_MM = re.compile(rf"{MARKER}[^.;。\d]{{0,42}}?{NUM}\s?{LENGTH}|{NUM}\s?{LENGTH}[- ]?(?:\w+ ){{0,2}}?(?:の|角の|四方の|square |wide |角)?{MARKER}")
BOARD_MM = re.compile(rf"{BOARD}[^.;。\d]{{0,42}}?(?:1 ?(?:マス|目|升|square)[^\d]{{0,8}})?{NUM}\s?{LENGTH}|{NUM}\s?{LENGTH}[- ]?(?:の)?(?:square )?{BOARD}|(?:1 ?(?:マス|升|目盛)|squares?)[^\d.]{{0,16}}{NUM}\s?{LENGTH}")
KNOWN_MM = re.compile(rf"(?:the |a |an |my |that )?{KNOWN}(?:'s)?\s?(?:beside it |next to it |in (?:the )?(?:shot|picture|frame|view) |there |head )?(?:is|are|measures?|has|=|of|as scale|,|:|\(|for scale|が|は|の(?:直径|外径|幅|長さ|径|頭)?が?|直径|外径|φ){{1,3}}\s?(?:known to be |exactly |a |nominally |about )?{NUM}\s?{LENGTH}"
                      rf"|{NUM}\s?{LENGTH}[- ]?(?:の)?(?P<thing2>coin|ruler|gauge block|block gauge|gauge pin|定規|スケール|ブロックゲージ|ゲージブロック|コイン|ピンゲージ)")
USED = re.compile(r"scale|reference|known|calibrat|換算|スケール|基準(?:に|として)|尺度|校正|寸法(?:が|は)?(?:既知|分か)|として使|を使って|参考に|use (?:the|it|that)|as a ruler|convert|for size|since the|given (?:that )?the|knowing|目安|写り込ん|校正用")


def said_scale(text: str) -> ScaleSaid | None:
    """The scale that a normalised instruction states.

    >>> said_scale("1mm=4px").label
    '0.25mm/px'
    >>> said_scale("the black marker is 15mm wide").label
    'marker:15mm'
    """
    if (found := _per_pixel(text)) is not None:
        return found
    for kind, pattern in (("board", BOARD_MM), ("marker", MARKER_MM)):
        if match := pattern.search(text):
            number, unit = _number_unit(match)
            return ScaleSaid(kind, _tidy(number * TO_MM[unit]), span=match.span())
    match = KNOWN_MM.search(text)
    if match and (USED.search(text) or match.group("thing2")):
        number, unit = _number_unit(match)
        thing = match.group("thing") or match.group("thing2")
        return ScaleSaid("known", _tidy(number * TO_MM[unit]), thing=thing, span=match.span())
    return None


def blank_scale(text: str) -> str:
    """A normalised text with its scale blanked out, so that its numbers are not taken for limits."""
    found = said_scale(text)
    if found is None:
        return text
    start, end = found.span
    return text[:start] + " " * (end - start) + text[end:]


def _per_pixel(text: str) -> ScaleSaid | None:
    if match := RATIO.search(text):
        return ScaleSaid("px", _tidy(TO_MM[match.group(2)] / float(match.group(1))), span=match.span())
    for match in PX_PER_MM.finditer(text):
        pixels, length = float(match.group(1)), float(match.group(2) or 1)
        joined = re.search(r"=|is|per|/|to|for|あたり|当たり|につき|相当|換算|make|equal|every|each|は|が|で|→|:", match.group())
        if joined and pixels > 0 and length > 0:
            return ScaleSaid("px", _tidy(length * TO_MM[match.group(3)] / pixels), span=match.span())
    for match in MM_PER_PX.finditer(text):
        length, pixels = float(match.group(1)), float(match.group(3) or 1)
        joined = re.search(r"=|is|per|/|to|for|あたり|当たり|につき|相当|換算|make|equal|a |every|each|は|が|で|→|:|一", match.group())
        if joined and pixels > 0 and length > 0:
            return ScaleSaid("px", _tidy(length * TO_MM[match.group(2)] / pixels), span=match.span())
    for pattern in (PX_IS, PIXEL_SIZE):
        if (match := pattern.search(text)) and float(match.group(1)) > 0:
            return ScaleSaid("px", _tidy(float(match.group(1)) * TO_MM[match.group(2)]), span=match.span())
    return None


def _number_unit(match: re.Match[str]) -> tuple[float, str]:
    groups = [g for g in match.groups() if g]
    number = next(g for g in groups if re.fullmatch(r"\d+(?:\.\d+)?", g))
    unit = next(g for g in groups if g in TO_MM)
    return float(number), unit


def _tidy(value: float) -> float:
    return float(f"{value:.6g}")
