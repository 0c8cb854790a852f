"""Scales said in an instruction: millimetres per pixel, a marker, a chessboard, something of known size.

Numbers are found first; what they mean is decided by the words between and around them.
"""

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from agent.language.lexicon import find
from agent.language.mentions import TO_MM, Mention, mentions, tidy

LINK_WORD = (r"=|≒|~|→|:|/|,|-|\(|\)|is|are|be|being|equals?|makes?|make|gives?|per|to|for|on|in|a|an|each|every|the|one|1|at|of|about|exactly|corresponds?|"
             r"represents?|measures?|worth|about|roughly|approx|gets?|goes?|has|have|and|that's|で|は|が|も|の|を|と|に|あたり|当たり|当り|につき|毎|ごと|対|分|"
             r"相当|換算|だから|として|なので|です|、|ちょうど|約|とすると|にあたる|とし|とする|分解能|一辺|一|size|pitch|スケール|scale|サイズ")
LINK = re.compile(rf"^(?:\s*(?:{LINK_WORD}))*\s*$")
JOIN = re.compile(r"=|≒|→|:|/|\bis\b|\bare\b|being|equal|make|give|\bper\b|\bto\b|\bfor\b|\bin\b|\bon\b|\ba\b|\ban\b|each|every|one|correspond|represent|worth|"
                  r"あたり|当たり|当り|につき|毎|ごと|相当|換算|[はがで]|対")
BARE_PX = re.compile(r"(?<![\d.])(?<!\d )(?<!何)px(?![a-z0-9])")
BARE_MM = re.compile(r"(?<![\d.])(?<!\d )(?<!何)(?:mm|um|cm)(?![a-z0-9])")
PIXEL_SIZE = re.compile(r"(?:px|pixel|画素|ピクセル|解像度|分解能|resolution)[ ]?(?:size|pitch|サイズ|ピッチ|寸法|spacing|scale)?[^.;。\d]{0,14}$")
PLAIN_RATIO = re.compile(r"mm ?(?:per|/) ?px\s*(?:=|:|is|of|scale)\s*(\d+(?:\.\d+)?)|(?<!何)px(?:は|が|=|あたり)?(0?\.\d+)(?!\d)(?! ?(?:um|cm|px))")
ONE_TO_ONE = re.compile(r"\b(?:a|one) mm (?:per|to (?:the|a)|/|for (?:each|every)) ?px")
REACH = 34
MARKER = re.compile(r"aruco|目印|(?:white|little|printed|black) tag|\bmarkers?\b|fiducials?|april ?tag|black (?:and white )?square|square marker|printed square|マーカ|アルコ(?!ール)|基準マーク|黒い?四角|\bmarker")
BOARD = re.compile(r"chess|checker|chequer|(?:calibration|printed) (?:board|target|plate|grid)|grid board|(?<!key)(?<!mother)\bboard with|チェッカ|チェス|校正(?:板|ボード)|キャリブ(?:レーション)?(?:板|ボード)|校正盤|升目|市松|board squares|格子|1マス|ひとマス|マス目|方眼|\bsquares? (?:on|of) (?:the|it|that|this|my)\b|\bthe squares? (?:is|are|measure)")
BOARD_SQUARE = re.compile(r"(?:squares?|マス|升目|side|目)[^.;。\d]{0,22}$")
THINGS: tuple[tuple[str, str], ...] = (
    ("coin", r"coins?\b|euro\b|cents?\b|コイン|硬貨|円玉"), ("ruler", r"rulers?\b|steel rules?\b|rule lying\b|tape measure|定規|物差し|ものさし|メジャー|スケール(?=を(?:当|添|置|横))|直尺"),
    ("card", r"(?:bank|credit|business|id|visiting|playing) ?cards?\b|クレジットカード|カード|名刺"), ("gauge block", r"(?:gauge|gage) blocks?|ブロックゲージ|ゲージブロック"),
    ("block gauge", r"block (?:gauge|gage)s?"), ("gauge pin", r"(?:gauge|gage) pins?|pin (?:gauge|gage)s?|ピンゲージ"), ("bolt", r"bolts?\b|ボルト"),
    ("nut", r"nuts?\b|ナット"), ("screw", r"screw(?: head)?s?\b|ねじ|ネジ|ビス"), ("cap", r"caps?\b|キャップ|フタ|ふた|蓋"), ("lid", r"lids?\b"),
    ("dowel", r"dowels?\b|ノックピン"), ("clip", r"clips?\b|クリップ"), ("button", r"buttons?\b|ボタン"), ("resistor", r"resistors?\b|抵抗"),
    ("token", r"tokens?\b|トークン"), ("ball", r"balls?\b|玉(?!ねぎ)|ボール"), ("washer", r"washers?\b|ワッシャ|座金"), ("rivet", r"rivets?(?: head)?\b|リベット"),
    ("key", r"keys?\b"), ("pin", r"(?<!header )pins?\b|ピン(?!ホール|ト)"), ("label", r"labels?\b|ラベル"), ("bottle", r"bottles?\b|ボトル"),
    ("connector", r"connectors?\b|コネクタ"), ("terminal", r"terminals?\b|端子"), ("penny", r"penn(?:y|ies)\b|pence\b"), ("pen", r"pens?\b|ペン(?!チ|キ)"), ("pencil", r"pencils?\b|鉛筆"), ("match", r"match(?:stick|es)\b|マッチ棒"),
    ("shim", r"shims?\b|シム"), ("hole", r"holes?\b|穴"), ("slot", r"slots?\b|長穴"), ("tag", r"tags?\b|タグ"), ("block", r"blocks?\b|ブロック"), ("chip", r"chip (?:resistor|capacitor)s?\b"))
THING_RULES = tuple((name, re.compile(pattern)) for name, pattern in THINGS)
CALIBRATORS = frozenset({"coin", "ruler", "card", "gauge block", "block gauge", "gauge pin", "token", "match", "pencil", "penny", "pen"})
USED = re.compile(
    r"\bscale\b|reference|known|calibrat|yardstick|footing|if (?:that|it) helps|for size|as a (?:ruler|measure)|since the|given (?:that )?the|knowing|use (?:that|it|the|this)|using|by which|to go by|"
    r"master ball|convert|beside|next to|in (?:the )?(?:photo|shot|picture|frame|view)|comes? out|"
    r"換算|スケール|基準(?:に|と|で)|尺度|校正|縮尺|寸法(?:が|は)?(?:既知|分か)|として使|を使|参考に|目安|写り込|写って|写した|横に|並べ|添え|当てて|置い|合わせ|頼り|もとに|元に")
NOT_SCALE = re.compile(r"should|must|\bspec|toleranc|allowed|limit|accept|reject|maxim|minim|at (?:least|most)|exceed|over|under|longer|more than|±|\+/?-|"
                       r"以上|以下|以内|超|未満|まで|許容|公差|規格|不良|合格|\bng\b|上限|下限|狙い|図面|nominal|required|drawing")
MARKER_NUMBER = re.compile(r"^\W{0,3}(?:s|'s)?(?: ?(?:is|=|:|has|of|wide|square|a|are|it's|は|が|side|edge|length|\())*\s*$")


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


@lru_cache(maxsize=256)
def said_scale(text: str) -> ScaleSaid | None:
    """The scale that a normalised instruction states.

    >>> said_scale("1mm=4px").label
    '0.25mm/px'
    >>> said_scale("the black marker is 15mm wide").label
    'marker:15mm'
    """
    found = [m for m in mentions(text) if m.value > 0]
    if not found:
        return _plain_ratio(text)
    return _plain_ratio(text) or _per_pixel(text, found) or _pixel_size(text, found) or _board(text, found) or _marker(text, found) or _known(text, found)


def blank_scale(text: str) -> str:
    """A normalised text with its scale blanked out, so that its numbers are not taken for limits."""
    found = said_scale(text)
    if found is None:
        return text
    start, end = found.span
    return text[:start] + " " * (end - start) + text[end:]


def _per_pixel(text: str, found: Sequence[Mention]) -> ScaleSaid | None:
    """"0.25 mm per pixel", "1mm=4px", "20 px/mm": a length and a number of pixels with nothing but a link between them."""
    for a, b in itertools.pairwise(found):
        lengths = [m for m in (a, b) if m.metric]
        pixels = [m for m in (a, b) if m.unit == "px"]
        between = text[a.end:b.start]
        if len(lengths) == 1 and len(pixels) == 1 and len(between) <= REACH and LINK.match(between) and (not between.strip() or JOIN.search(between)):
            return ScaleSaid("px", tidy(lengths[0].mm / pixels[0].value), span=(a.start, b.end))
    for m in found:
        bare, per = (BARE_PX, True) if m.metric else (BARE_MM, False)
        if not (m.metric or m.unit == "px"):
            continue
        after = bare.search(text, m.end, m.end + REACH)
        if after and JOIN.search(between := text[m.end:after.start()]) and LINK.match(between):
            return ScaleSaid("px", _ratio(m, text[after.start():after.end()], per=per), span=(m.start, after.end()))
        before = next((b for b in reversed(list(bare.finditer(text, max(0, m.start - REACH), m.start)))), None)
        if before and JOIN.search(between := text[before.end():m.start]) and LINK.match(between):
            return ScaleSaid("px", _ratio(m, text[before.start():before.end()], per=per), span=(before.start(), m.end))
    return None


def _plain_ratio(text: str) -> ScaleSaid | None:
    """"mm per px = 0.012", "a millimetre per pixel"."""
    if match := PLAIN_RATIO.search(text):
        return ScaleSaid("px", tidy(float(match.group(1) or match.group(2))), span=match.span())
    if match := ONE_TO_ONE.search(text):
        return ScaleSaid("px", 1.0, span=match.span())
    return None


def _ratio(m: Mention, bare: str, *, per: bool) -> float:
    return m.mm if per else tidy({"mm": 1.0, "um": 0.001, "cm": 10.0}[bare] / m.value)


def _pixel_size(text: str, found: Sequence[Mention]) -> ScaleSaid | None:
    for m in found:
        if m.metric and (head := PIXEL_SIZE.search(text, max(0, m.start - REACH), m.start)):
            return ScaleSaid("px", m.mm, span=(head.start(), m.end))
    return None


def _board(text: str, found: Sequence[Mention]) -> ScaleSaid | None:
    board = BOARD.search(text)
    if board is None:
        return None
    lengths = [m for m in found if m.metric]
    squares = [m for m in lengths if BOARD_SQUARE.search(text[max(0, m.start - 26):m.start]) or re.match(r"[ -]?(?:squares?|角|マス)", text[m.end:m.end + 9])]
    pool = squares or lengths
    if not pool:
        return None
    best = min(pool, key=lambda m: max(m.start - board.end(), board.start() - m.end))
    if max(best.start - board.end(), board.start() - best.end) > 70:
        return None
    return ScaleSaid("board", best.mm, span=(min(best.start, board.start()), max(best.end, board.end())))


def _marker(text: str, found: Sequence[Mention]) -> ScaleSaid | None:
    marker = MARKER.search(text)
    if marker is None:
        return None
    near = [m for m in found if (m.metric or not m.unit) and _apart(m, marker) <= 40 and _one_sentence(text, m, marker)]
    lengths = [m for m in near if m.metric]
    bare = [m for m in near if not m.unit and m.start >= marker.end() and MARKER_NUMBER.match(text[marker.end():m.start])]
    after = [m for m in lengths if m.start >= marker.end() and "." not in text[marker.end():m.start]]
    adjoining = [m for m in lengths if m.end <= marker.start() and re.match(r"[ -]?(?:(?:square|wide|printed|black|aruco|角|四方|角の|の|の角|四方の|an?) ?)*$", text[m.end:marker.start()])]
    pool = adjoining or after or bare or lengths
    if not pool:
        return None
    best = min(pool, key=lambda m: _apart(m, marker))
    return ScaleSaid("marker", best.mm if best.metric else tidy(best.value), span=(min(best.start, marker.start()), max(best.end, marker.end())))


def _known(text: str, found: Sequence[Mention]) -> ScaleSaid | None:
    for name, pattern in THING_RULES:
        for thing in pattern.finditer(text):
            for m in found:
                if not (m.metric or (m.sign == "φ" and not m.unit)) or _apart(m, thing) > 44 or not _one_sentence(text, m, thing):
                    continue
                near = text[max(0, min(m.start, thing.start()) - 6):max(m.end, thing.end()) + 12]
                if not NOT_SCALE.search(near) and _stated(text, name, m, thing):
                    return ScaleSaid("known", m.mm if m.metric else tidy(m.value), thing=name, span=(min(m.start, thing.start()), max(m.end, thing.end())))
    return None


def _stated(text: str, name: str, m: Mention, thing: re.Match[str]) -> bool:
    """Whether the text gives the size of the thing in order to be used."""
    if m.end <= thing.start():
        joined: object = re.match(r"[ -]?(?:(?:master|wide|long|round|tall|の|径の|幅の|長の|玉の|precision|steel|setting|直径の|\d+円|、|いえ) ?){0,4}$", text[m.end:thing.start()])
    else:
        joined = re.match(r"(?:[^.;\d]|\d+(?![\dm.])){0,44}$", text[thing.end():m.start]) and not re.search(
            r"\b(?:if|than|whether|diameter of the|how|what|find|measure|count)\b|測|探|数え", text[thing.end():m.start])
    if not joined:
        return False
    if name in CALIBRATORS or USED.search(text):
        return True
    elsewhere = text[:thing.start()] + " " + text[m.end:]
    declared = re.match(r"(?: (?:head|cap|tip|itself|there))?(?:'s)? ?(?:is|are|has|have|=|:|measures|of|at|が|は)(?: (?:about|exactly|just))? ?$", text[thing.end():m.start])
    return bool(declared and find("quantity", elsewhere))


def _apart(m: Mention, word: re.Match[str]) -> int:
    return max(0, m.start - word.end(), word.start() - m.end)


def _one_sentence(text: str, m: Mention, word: re.Match[str]) -> bool:
    between = text[word.end():m.start] if m.start >= word.end() else text[m.end:word.start()]
    return not re.search(r"[;。!?\n]|\.(?= |$)", between) or bool(re.search(r"(?:です|ます|ました|みました|玉です)。?直?径?$|。直径$", between))


__all__ = ["TO_MM", "ScaleSaid", "blank_scale", "said_scale"]
