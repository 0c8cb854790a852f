"""Acceptance limits said in an instruction. They become rules; the model that plans has no say in them.

Each number is looked at alone: the words that touch it say which comparison is meant, the nearest word of acceptance or
rejection says which side is good, the nearest thing and quantity say what it limits. A number that fits nothing is no limit.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from agent.language.counts import count_limits, is_counted, not_a_limit
from agent.language.lexicon import Hit, find
from agent.language.mentions import AREA_TO_MM2, TO_MM, Mention, mentions, tidy
from agent.language.normal import normalise
from agent.language.polarity import ASKING, BAD, GOOD, JUDGING, NG, nearest
from agent.language.scale import blank_scale
from agent.language.scope import negated, taken_back
from agent.language.tolerances import tolerances
from agent.language.where import blank_box
from kenpin.contracts.verdict import Criterion, DefectType, Op

DEFECTS = frozenset(DefectType)
DEFAULT_QUANTITY = {"scratch": "length", "crack": "length", "burr": "height", "pit": "diameter", "bubble": "diameter",
                    "dent": "diameter", "foreign": "diameter", "hole": "diameter", "gap": "width", "slot": "width", "washer": "diameter"}
COMPARED = ((re.compile(r"(?:wid|thick|narrow|broad)\w*er than|広|太|狭|細"), "width"), (re.compile(r"(?:long|short)\w*er than|長|短"), "length"),
            (re.compile(r"(?:high|tall)\w*er than|高|低"), "height"))
VAGUE_OBJECTS = frozenset({"part", "bracket", "edge", "label", "marker", "bottle", "component"})
ONLY = re.compile(r"\b(?:only|solely|just|exclusively|nothing else)\b|だけ(?:で|を|見|の)|のみ|に限(?:り|って|定)|しか見")
SENTENCE = re.compile(r"[;!?。！？；\n]|(?<!\bmax)(?<!\bmin)(?<!\bdia)(?<!\bno)(?<!\bapprox)(?<!\bincl)\.(?=\s|$)|⇒|→(?!\d)")

ARTICLE = r"(?:(?:the|a|an|about|exactly|only|just|φ|r|roughly|even|some|any|of) )?(?:(?:a |an |the )?(?:length|width|height|diameter|size|area|angle|value|total) of )?(?:(?:the|a|an|about|our|your) )?"
LEFT: tuple[tuple[str, str], ...] = (
    ("at_least", r"(?:at (?:the )?(?:very )?least|at minimum|min(?:imum)?\.?(?: [a-z]+){0,3}?(?: is| of| be|:| =|,)?|no (?:less|fewer|shorter|smaller|narrower|lower|thinner) than|"
                 r"(?:not|never|n't|cannot) (?:be )?(?:less|fewer|shorter|smaller|under|below|narrower|thinner|lower)(?: than)?|≥|at or above|or above|not fall below|"
                 r"(?:下限|最低(?:でも)?|少なくとも|最小|最小限)(?:値)?(?:は|が|で|:|、)?)"),
    ("most", r"(?:up to|upto|can be|may be|max(?:imum)?\.?(?: [a-z]+){0,3}?(?: is| of| be|:| =|,| at)?|at (?:the )?(?:very )?most|no (?:more|longer|larger|bigger|wider|greater|higher|deeper|taller|thicker) than|"
             r"(?:not|never|n't|cannot|nor) (?:be |get |go )?(?:exceed(?:ing)?|over|more than|longer than|above|larger than|bigger than|wider than|greater than|beyond|past|higher than|taller than|deeper than)|"
             r"(?:limit|ceiling|threshold|cut-?off|cap)(?:ed)?(?: [a-z]+){0,4}?(?:'s| is| of|:| =| to| at|,)?|capped at|≤|<=|not to exceed|at or (?:below|under)|equal or (?:less|below|under)|"
             r"(?:allow\w*|permit\w*|tolerat\w*|accept\w*|ok|okay|fine)(?: [a-z]+){0,2}?(?: is| of| up to| to| until| till|:)|(?:allow|permit|tolerat|accept)\w*|can be|may be|(?:stays?|keeps?|remains?|kept|keeping)(?: [a-z]+)? (?:to|within|below|inside|at)|"
             r"(?:許容(?:値|長|限度|量|範囲|差|上限)?|上限|限度|リミット|最大(?:値|でも)?|max|基準(?:値|長)?|規格(?:値|上限)?|しきい値|閾値|判定値|許容は)(?:は|が|で|:|、|=|を)?)"),
    ("soft_most", r"(?:until|till|within(?: a)?(?: (?:limit|maximum) of)?|<=|under or equal(?: to)?)"),
    ("over", r"(?:(?<!not )(?<!never )(?:over|above|exceed\w*|beyond|past|in excess of|upwards? of|>)|(?:more|longer|larger|bigger|wider|greater|deeper|taller|higher|thicker|broader|worse|further|(?!less|short|small|narrow|few|thin|low|fin|tight|clos|oth|rath)[a-z]{3,}er) than)"),
    ("under", r"(?:(?<!not )(?:under|below|<|beneath|short of)|(?:less|shorter|smaller|narrower|fewer|thinner|lower|finer|tighter|closer) than)"),
    ("from", r"(?:from|starting (?:at|from)|>=|as of|(?:if|when) it(?:'s| is) already)"),
    ("held", r"against(?: the| our| your)?|(?:against|by|to)(?: [a-z]+){0,2}?(?: (?:agreed|allowed|max(?:imum)?|limit|permitted|contractual|norm|internal|usual))(?: (?:limit|max(?:imum)?|value|norm))?(?: of)?"),
)
RIGHT: tuple[tuple[str, str], ...] = (
    ("soft_most", r"(?:以下|以内|以か(?=なら)|以ない|程度(?:まで|以内|以下))"),
    ("most", r"(?:まで|迄|が(?:限度|上限|許容(?:限度|値)?)|を?(?:限度|上限)|止まり|マックス|max\b|max(?:imum)?\b|tops?\b|limit\b|at (?:the )?(?:very )?(?:most|max\w*)|(?:[a-z]+ ){1,4}at (?:the )?(?:very )?(?:most|max\w*)|(?:[a-z0-9]+ ){0,3}max(?:imum)?\b|"
             r"(?:(?: ?[a-z]+){1,3} )?is (?:the |our |my |their )?(?:limit|max\w*|most|lid|ceiling|cap|longest|largest|biggest|upper)|(?:,? ?(?:and|or|but),?|,) (?:no|not|never) (?:any )?(?:more|longer|larger|bigger|wider|beyond|above|over)|(?:the|our) (?:max\w*|limit)|[^.;!?。\d]{0,26} not more)"),
    ("soft_most", r"(?:(?:or|and) (?:less|under|below|fewer|shorter|smaller|narrower|lower|thinner))"),
    ("at_least", r"(?:min\b|minimum|at (?:the )?(?:very )?least|(?:[a-z]+ ){1,3}(?:minimum|at least)|が?(?:最低(?:ライン|限)?|下限)|(?:は|も|くらい|ぐらい)?(?:ない|無い)と|なければ|無ければ|必要|(?:は)?ほしい|required minimum)"),
    ("from", r"(?:以上|から上|\+(?!\s?/?\s?[-\d])|(?:or|and|&) (?:more|over|above|longer|greater|larger|bigger|wider|up|higher|upwards?|beyond|taller|thicker)|(?:(?:[a-z]+ ){0,2}(?:and )?(?:up|upwards|onwards))\b)"),
    ("over", r"(?:を|も|が|は)?\s?(?:わずかでも|少しでも|1(?:つ|個|本)でも|ちょっとでも)?(?:超(?!音)|越え|こえ|オーバー|より(?:も)?(?:大|長|上|太|広|でか|高|深|多)|上回|(?:is|are|has been|gets) exceeded)"),
    ("under", r"(?:を|に|が|も)?\s?(?:未満|下回|より(?:も)?(?:小|短|下|細|狭|低|少|浅)|切(?:った|れ|っ|る)|満たな|足らな|届かな)"),
    ("most_if_good", r"(?:(?:[a-z-]+ ){0,4}?(?:is|are|r|was|were|still|be)?\s?(?:still |also |just )?(?:allowed|permitted|permited|tolerated|acceptable|accepted|accept|ok|okay|fine|permissible|allowable)\b|(?:long|wide|deep|across|big|in diameter|diameter)[,]? (?:is |are )?(?:allowed|ok|fine|max)|"
                     r"(?:なら|は|が|の)?(?:許容|セーフ|目こぼし|見逃))"),
)
LEFT_RULES = tuple((kind, re.compile(rf"(?:(?<![a-z])|(?<=\s))(?:{pattern})\s?{ARTICLE}$")) for kind, pattern in LEFT)
COUNTERS = "個|つ|本|枚|件|箇所|か所|ヶ所|カ所|台|粒|錠|缶|箱|袋|点|列|段|匹|玉|コ|こ|ヶ|ケ|名|山|歯"
RIGHT_RULES = tuple((kind, re.compile(rf"(?:'s|\s?(?:{COUNTERS})|(?: (?!max|min|or|and|at|to|is|are|the|in|of|tops|limit)[a-z]+){{1,2}}(?= or (?:fewer|less|more)| max| at (?:the )?most))?\s?(?:の|で|という|[(（][^)）]{{0,12}}[)）])?\s?(?:{pattern})")) for kind, pattern in RIGHT)
GOOD_FIRST = re.compile(r"\W{0,3}(?:なら(?:ば)?|であれば|あれば|で|は|だと|is|are|it is|and it'?s|then it'?s|=|->|→|:)?\s?(?:全部|ぜんぶ|まあ|一応|still |also |all |perfectly )?\s?"
                        r"(?:ok|okay|fine|good|pass\w*|accept\w*|allowed|(?:という|との|が|の|と)?(?:決まり|要求|規定|基準|ルール|約束|取り決め|条件|仕様|要件|指定|指示|規格|決め|(?:\w{0,8}(?:れて|して|あって))?(?:で)?(?:い|あ)?る?こと(?:$|。|、)|ほしい|欲しい|希望|必要|でないと|じゃないと|なければ|なきゃ|ないと)|(?:あ|でし|だっ|入|付|つ)(?:っ|い)?(?:たら|れば|てれば|ていれば|ば)(?:結構|合|ok|可|良|いい|よい)|適合|結構|合格|可(?!能)|良(?!く)|セーフ|いい|よし|問題な|大丈夫|オッケ|許容)")
BAD_FIRST = re.compile(rf"\W{{0,3}}(?:なら(?:ば)?|であれば|あれば|で|は|だと|の場合は?|の(?:もの|傷|キズ|やつ|部品|製品|ワーク)?は|is|are|=|->|→|:|gets?|goes?)?\s?(?:全部|ぜんぶ|即|すべて|全て|all )?\s?"
                       rf"(?:{NG}|不良|不合格|不適|不可|アウト|はじ|弾|ハネ|だめ|ダメ|駄目|却下|返品|廃棄|reject|fail|scrap|bad|not ok|out\b|bin)")
MUST_BE = re.compile(r"(?:must|should|shall|has to|have to|needs? to|ought to|required to)(?: be| have| measure)?(?: [a-z]+)?\s?$")
OTHERWISE = re.compile(r"(?:を)?(?:超え|越え|オーバー|上回)|それ以(?:上|外)|(?:でな|じゃな)(?:け|い)|(?:more|beyond|above|over|exceed|otherwise|else)\b")
GOOD_IF = re.compile(r"(?:ok|okay|pass\w*|accept\w*|good|fine)(?: [a-z]+)? (?:if|when|provided|as long as)\b[^.;]{0,30}$")
ZERO_COUNT = re.compile(r"\s?\w?\w?(?:は|も|くらい)?(?:ない|無い|なければ|無ければ|必要)")
FILTER = re.compile(r"how many|\bcount\b|number of|何[個本件つ枚]|いくつ|数え|\bfind\b|look for|search|list|show|探し|さがし|拾|抽出|リスト|見つけ|ignore|無視|除外|除い|以外")
NO_SUCH = re.compile(r"\bno (?:[a-z-]+ ){1,5}$|\b(?:nothing|none|not a|never a|not any)(?: [a-z]+){0,4} $|nor $")


@dataclass(frozen=True)
class Said:
    """What an instruction says about acceptance."""

    limits: tuple[Criterion, ...] = ()
    only: frozenset[str] = frozenset()
    ignore: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Scene:
    """A normalised instruction, with what is needed to read each of its numbers."""

    text: str
    defects: tuple[Hit, ...]
    objects: tuple[Hit, ...]
    quantities: tuple[Hit, ...]
    starts: tuple[int, ...]
    """Starts of the sentences, and the end of the text."""

    def sentence(self, at: int) -> tuple[int, int]:
        """Start and end of the sentence around a character."""
        start = max(s for s in self.starts if s <= at)
        return start, min((s for s in self.starts if s > at), default=len(self.text))


@lru_cache(maxsize=256)
def said_limits(text: str) -> Said:
    """Limits, exclusive types and ignored types in an instruction.

    >>> [c.name for c in said_limits("25mm以上の傷は不良").limits]
    ['scratch.length<25mm']
    >>> [c.name for c in said_limits("Reject scratches over 25 mm").limits]
    ['scratch.length<=25mm']
    """
    plain = blank_box(blank_scale(normalise(text)))
    defects, excluded = taken_back(plain, find("defect", plain))
    objects, _ = taken_back(plain, find("object", plain))
    objects = tuple(o for o in objects if all(o.end <= d.start or o.start >= d.end for d in defects))
    starts = (0, *(m.end() for m in SENTENCE.finditer(plain)))
    scene = Scene(plain, defects, objects, find("quantity", plain), starts)
    limits = tuple(dict.fromkeys(_limits(scene)))
    types = frozenset(h.name for h in defects)
    only = types if types and ONLY.search(plain) and (limits or re.search(r"判定|judge|verdict", plain)) else frozenset()
    return Said(limits=limits, only=only, ignore=frozenset(h.name for h in excluded) - types)


def _limits(scene: Scene) -> list[Criterion]:
    found: list[Criterion] = []
    taken: set[Mention] = set()
    for nominal, lower, upper, unit, used in tolerances(scene.text):
        if criterion := _range(scene, nominal, lower, upper, unit):
            found.append(criterion)
            taken.update(used)
    for m in mentions(scene.text):
        if m in taken or not_a_limit(scene.text, m) or any(a <= m.start and m.end <= b for a, b in negated(scene.text) if not BAD.search(scene.text[a - 12 if a > 12 else 0:b])):
            continue
        if criterion := _single(scene, m):
            found.append(criterion)
    if not any(c.quantity == "count" for c in found):
        found += count_limits(scene.text, scene.defects, scene.starts, found)
    return found


def _range(scene: Scene, at: Mention, lower: float, upper: float, unit: str) -> Criterion | None:
    of = _target(scene, at)
    quantity = _quantity(scene, at, of, unit)
    if quantity == "count" and (not unit and (lower != int(lower) or upper != int(upper))):
        quantity = DEFAULT_QUANTITY.get(of or "", "length")
    if quantity is None:
        return None
    unit, factor = _unit(unit, quantity)
    return Criterion(of=None if quantity == "count" and of not in DEFECTS else of, quantity=quantity, op=Op.BETWEEN, value=tidy(lower * factor), upper=tidy(upper * factor), unit=unit)


def _single(scene: Scene, m: Mention) -> Criterion | None:
    """The limit that one number states, if it does."""
    start, end = scene.sentence(m.start)
    before, after = scene.text[start:m.start], scene.text[m.end:end]
    kind = _kind(before, after, counted=not m.unit and not m.decimal)
    if kind is None:
        return None
    of = _target(scene, m)
    quantity = _quantity(scene, m, of, m.unit)
    if quantity is None or (m.unit == "px" and quantity == "count"):
        return None
    if quantity == "count" and (m.decimal or not is_counted(scene.text, m, of, kind)):
        return None
    op = _direction(kind, before, after, scene, m, defect=of in DEFECTS)
    if op is None:
        return None
    unit, factor = _unit({"px": "px2", "mm": "mm2"}.get(m.unit, m.unit) if quantity == "area" else m.unit, quantity)
    return Criterion(of=None if quantity == "count" and of not in DEFECTS else of, quantity=quantity, op=op, value=tidy(m.value * factor), unit=unit)


def _kind(before: str, after: str, *, counted: bool) -> str | None:
    """The comparison that the words next to a number state; words behind it come first, as they do in Japanese."""
    near = before[-64:]
    left = next((kind for kind, pattern in LEFT_RULES if pattern.search(near)), None)
    right = next((kind for kind, pattern in RIGHT_RULES if pattern.match(after)), None)
    if right == "at_least" and counted and ZERO_COUNT.match(after):
        right = None
    if left in ("most", "at_least") and right != "at_least":
        return left
    if right == "most_if_good" and left:
        return left
    return right or left


def _direction(kind: str, before: str, after: str, scene: Scene, m: Mention, *, defect: bool) -> Op | None:
    """What is accepted. `most` and `at_least` speak for themselves; the others need a word of acceptance or rejection."""
    rest = after[_cut(after):]
    if kind in ("under", "soft_most") and (other := OTHERWISE.search(rest)):
        rest = rest[:other.start()]
        bad, good = False, True
    else:
        bad, good = nearest(before, rest)
    if not bad and not good:
        bad, good = nearest(scene.text[:m.start], scene.text[m.end + _cut(after):])
    if BAD_FIRST.match(rest):
        bad, good = True, False
    elif GOOD_FIRST.match(rest):
        bad, good = False, True
    judged = bad or good or bool(JUDGING.search(scene.text))
    match kind:
        case "most" | "most_if_good" | "held":
            return Op.LE
        case "at_least":
            return Op.GE
        case "soft_most":
            if BAD_FIRST.match(rest) and not defect:
                return Op.GT
            return Op.LE if judged else None
        case "over":
            if not defect and (GOOD_FIRST.match(rest) or MUST_BE.search(_head(before)) or (GOOD_IF.search(_head(before)) and not BAD.search(before))):
                return Op.GT
            if NO_SUCH.search(_head(before)) or bad or good:
                return Op.LE
            asked = ASKING.search(scene.text[m.start:]) or re.search(r"\bwhether\b|\bif\b|\bany\b|\bexceed", before)
            return Op.LE if (judged or asked) and not FILTER.search(scene.text) else None
        case "from":
            if good and not bad:
                return None if defect and not GOOD_FIRST.match(rest) else Op.GE
            if bad:
                return Op.LT if defect or BAD_FIRST.match(rest) or BAD.search(after) else Op.GE if re.search(r"(?:でな|なけ|ない|足り|欠)", after) else Op.LT
            if not defect and (re.search(r"足り|あります?か|ある[?？か]|必要|enough", after) or MUST_BE.search(_head(before))):
                return Op.GE
            return Op.LT if defect and judged and not FILTER.search(scene.text) else None
        case _:
            if bad:
                return Op.GE
            return Op.LT if good or (judged and not FILTER.search(scene.text)) or MUST_BE.search(_head(before)) else None


def _cut(after: str) -> int:
    """Where the comparison behind a number ends."""
    return next((match.end() for _, pattern in RIGHT_RULES[:-1] if (match := pattern.match(after))), 0)


def _head(before: str) -> str:
    """The words in front of the comparison in front of a number."""
    near = before[-64:]
    found = next((match for _, pattern in LEFT_RULES if (match := pattern.search(near))), None)
    return near[:found.start()] if found else near


def _target(scene: Scene, m: Mention) -> str | None:
    """The nearest thing of the same sentence, defects first; else of the sentences before."""
    start, end = scene.sentence(m.start)
    for pool in (scene.defects, scene.objects):
        inside = [h for h in pool if start <= h.start < end]
        if inside:
            return min(inside, key=lambda h: _gap(scene.text, h, m)).name
    earlier = [h for h in scene.defects if h.end <= start]
    if earlier:
        return earlier[-1].name
    names = {h.name for h in scene.objects} - VAGUE_OBJECTS or {h.name for h in scene.objects}
    if len(names) == 1:
        return next(iter(names))
    return scene.defects[0].name if scene.defects else None


def _gap(text: str, hit: Hit, m: Mention) -> float:
    """Distance of a word to a number; a comma between them counts as ten characters."""
    between = text[hit.end:m.start] if hit.end <= m.start else text[m.end:hit.start]
    return len(between) + 10 * sum(c in ",、" for c in between)


def _quantity(scene: Scene, m: Mention, of: str | None, unit: str) -> str | None:
    if unit in ("mm2", "px2", "cm2"):
        return "area"
    if unit == "deg":
        return "angle"
    if m.sign:
        return "diameter" if m.sign == "φ" else "radius"
    start, end = scene.sentence(m.start)
    inside = [h for h in scene.quantities if start <= h.start < end]
    # A width that another sentence speaks of (that of the marker, say) is not the limit of a defect.
    elsewhere = list(scene.quantities) if (unit or m.decimal) and of not in DEFAULT_QUANTITY else []
    named = inside or elsewhere
    if unit or m.decimal:
        near = min(named, key=lambda h: _gap(scene.text, h, m), default=None)
        if near is not None and near.name == "area" and unit in ("px", "mm") and _gap(scene.text, near, m) <= 4:
            return "area"
        fitting = [h for h in named if h.name not in ("area", "angle")] or [h for h in named if not unit]
        if fitting:
            return min(fitting, key=lambda h: _gap(scene.text, h, m)).name
        touching = scene.text[max(0, m.start - 22):m.start] + scene.text[m.end:m.end + 6]
        return next((name for pattern, name in COMPARED if pattern.search(touching)), None) or DEFAULT_QUANTITY.get(of or "", "length")
    if re.match(r"\s?(?:個|つ|本|枚|件|箇所|か所|カ所|点|コ|ヶ|粒|袋|缶|台|錠|名|山|歯)", scene.text[m.end:]):
        return "count"
    close = [h for h in inside if _gap(scene.text, h, m) <= 22]
    if close and not re.search(r"how many|number of|\bcount\b", scene.text[start:end]):
        return min(close, key=lambda h: _gap(scene.text, h, m)).name
    return "count"


def _unit(unit: str, quantity: str) -> tuple[str, float]:
    """The unit of a limit and the factor to it; a bare number of a length is one of millimetres."""
    if quantity == "count":
        return "", 1.0
    if unit in AREA_TO_MM2:
        return "mm2", AREA_TO_MM2[unit]
    if unit in TO_MM:
        return "mm", TO_MM[unit]
    if unit:
        return unit, 1.0
    return {"angle": "deg", "area": "mm2"}.get(quantity, "mm"), 1.0


__all__ = ["ASKING", "GOOD", "Said", "said_limits"]
