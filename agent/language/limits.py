"""Acceptance limits said in an instruction. They become rules; the model that plans has no say in them."""

import re
from dataclasses import dataclass
from functools import lru_cache

from agent.language.lexicon import Hit, find
from agent.language.normal import normalise
from agent.language.scale import blank_scale
from agent.language.scope import taken_back
from kenpin.contracts.verdict import Criterion, DefectType, Op

NUM = r"(\d+(?:\.\d+)?)"
UNIT = r"(mm2|px2|cm2|mm|um|cm|px|inch(?:es)?|thou|deg)?"
TO_MM = {"um": 0.001, "cm": 10.0, "inch": 25.4, "inches": 25.4, "thou": 0.0254}
CLAUSE = re.compile(r"[.;!?。;\n](?!\d)|、(?=次|まず|また|そ)|, (?:and )?then\b|\bthen\b")

BAD = re.compile(
    r"reject\w*|\bng\b|\bfail\w*|scrap\w*|kick(?:ed)? (?:it |them )?out|throw|not (?:ok|acceptable|allowed|good|permitted)|"
    r"unacceptable|\bbad\b|no[- ]?go|out of (?:spec|tol)|bin (?:it|them)|nonconform\w*|hold (?:it|them)|return\w*|rework|"
    r"不良|不合格|不可|(?<!良)ng|アウト|はじ(?:く|い)|弾(?:く|い|け)|落(?:とす|とし|ちる)|返却|返品|戻し|だめ|ダメ|アカン|あかん|駄目|却下|廃棄|手直し|許され?ない|だめや|あきまへん|選別|否")
GOOD = re.compile(
    r"accept\w*|allow\w*|\bok(?:ay)?\b|pass\w*|permit\w*|\bfine\b|toler\w*|good\b|\blimits?\b|\bspec\b|must|should|need|has to|requir\w*|"
    r"許容|合格|(?<!不)可(?!能)|ok|良品|良し|よし|規格|公差|基準|セーフ|問題な|かまわ|構わ|ええ|いい|良い|見逃|限度|上限|以内|必要|通(?:す|し|る)|なら可|まで")

OVER = (rf"(?:over|above|more than|longer than|greater than|exceed\w*|bigger than|larger than|wider than|beyond|past|upwards? of|deeper than|taller than|>)"
        rf"\s?(?:the |a |an )?{NUM}\s?{UNIT}|{NUM}\s?{UNIT}\s?(?:を)?(?:超(?!音)|越え|こえ|オーバー|より(?:大き|長|上|太|広|でか|高))|{NUM}\s?{UNIT} (?:is |are )?exceeded")
FROM = (rf"(?:from|>=|≥) ?{NUM}\s?{UNIT}(?= (?:up|on|and|or|upwards?|onwards?)|\s*$|,)|{NUM}\s?{UNIT}\s?(?:or|and) (?:more|over|above|longer|larger|bigger|greater|up|wider)|{NUM}\s?{UNIT}\s?(?:以上|から上|\+)")
UNDER = (rf"(?:under|below|less than|shorter than|smaller than|narrower than|<)\s?{NUM}\s?{UNIT}|{NUM}\s?{UNIT}\s?(?:未満|を?下回|より(?:小さ|短|下|細|狭|低)|を?切(?:った|れ|っ))")
UP_TO = (rf"(?:up to|max(?:imum)?\.?(?: (?:is|of|length|size|allowed|dia\w*|width|permitted))?|at most|no (?:more|longer|larger|bigger|wider|greater) than|not (?:exceed\w*|(?:be )?(?:over|more than|longer than|above|exceeding|larger than))|"
         rf"limit(?: is| of| for .{{0,24}}?is|:| =)?|<=|≤|within(?: a)?(?: limit of)?|allow\w*(?: length| size)?(?: is| of| up to|:)?|tolerance is|not to exceed|mustn'?t (?:exceed|be over)|accept(?:ance|able|s)?(?: limit| up to)?(?: is|:)?)\s?(?:the |a |an )?{NUM}\s?{UNIT}|"
         rf"{NUM}\s?{UNIT}\s?(?:max\w*|or (?:less|under|below|fewer|shorter|smaller)|limit|tops|以下|以内|まで|迄|が(?:限度|上限|許容)|を?(?:限度|上限))|"
         rf"(?:許容(?:値|長|限度|量)?|上限|限度|リミット|公差|最大|基準|基準値|規格)(?:値)?(?:は|が|で|:|、)?\s?φ?{NUM}\s?{UNIT}")
AT_LEAST = (rf"(?:at least|min(?:imum)?\.?(?: (?:is|of|width|length))?|no (?:less|fewer|shorter|smaller) than|not (?:less|fewer|shorter|smaller|under)(?: than)?)\s?(?:be )?{NUM}\s?{UNIT}|"
            rf"{NUM}\s?{UNIT}\s?(?:min\b|minimum|required)|(?:下限|最低(?:でも)?|少なくとも|最小)(?:値)?(?:は|が|で|:)?\s?{NUM}\s?{UNIT}")
AROUND = (rf"{NUM}\s?{UNIT}\s?[,(]?\s?(?:±|\+/?-|\+ ?/ ?- ?|plus[ -]?(?:or |/ ?)?minus|give or take|(?:with )?(?:a )?tolerance (?:of )?(?:±)?|プラスマイナス|プラマイ|公差±?|に対して?±|でプラマイ)\s?{NUM}\s?{UNIT}|"
          rf"{NUM}\s?{UNIT},? within (?:a |an )?{NUM}\s?{UNIT}(?! of)")
BETWEEN = rf"between\s?{NUM}\s?{UNIT}\s?and\s?{NUM}\s?{UNIT}|{NUM}\s?{UNIT}\s?(?:~|から|to|-|–)\s?{NUM}\s?{UNIT}(?=\s?(?:の間|以内|なら|まで|の範囲|に入|ok|range|is|are|で合|allowed|accept))"
NUMBER_OF = "個|つ|本|枚|件|箇所|か所|ヶ所|カ所|台|粒|錠|缶|箱|袋|点|列|段|匹|玉|巻|丁|足|脚|発|山"
ZERO = re.compile(
    r"zero[- ]toleran\w+|\bzero (?:scratch|crack|dent|defect|pit|burr|chip)\w*|\bno (?:\w+ ){0,3}?(?:allow\w*|permit\w*|accept\w*|toler\w*)|none (?:allow\w*|permit\w*|accept\w*|toler\w*)|"
    r"(?:any|even one|single|one|1) [^.;]{0,30}?(?:is|means|=|and|->|makes it|gets)[^.;]{0,14}?(?:reject\w*|ng\b|fail\w*|scrap|out\b)|reject (?:it |this |the \w+ )?(?:if|when|for|on) (?:there(?:'s| is| are) )?(?:any|a|even 1|even one|one)\b|not 1 |must be free (?:of|from)|0 (?:allowed|permitted|tolerance)|0 \w+ (?:allowed|permitted)|"
    r"(?:1|一)(?:つ|個|本|箇所|か所|件|点)?(?:でも|たりとも)|一切(?:不可|認め|許|ng)|ゼロ(?:で合格|であること|トレランス|が条件|なら)|皆無|あ(?:れば|ったら|っては|った時点で)(?:即)?(?:ng|不良|不合格|アウト|不可|だめ|ダメ|返却|却下)|(?:が)?(?:出|見つか)(?:れば|ったら)(?:即)?(?:ng|不良|不合格|アウト|廃棄)|認めない|許容しない|(?:キズ|傷|クラック|割れ|欠け|異物|バリ)(?:は)?(?:不可|ng)|なきこと|無きこと|ないこと")
EXPECTED = (
    re.compile(rf"(?:should be|must be|expect\w*|supposed to be|needs? to be|ought to be|there (?:are|is) meant to be|calls? (?:out|for)|spec(?:ified)? (?:is|says)|drawing says|print (?:says|calls?)|want|has to be|verify|confirm|make sure (?:there(?:'s| are)| we have)?|nominal|all|exactly|the full|full) (?:that )?(?:there (?:are|is) |we have |the )?(?:of )?(?:exactly |all )?{NUM}(?! ?(?:mm|um|cm|px|inch|deg|%|\.))"),
    re.compile(rf"{NUM}\s?(?:expected|required|per (?:tray|pack|box|card|sheet)|in (?:all|total)\?|of them\?|pcs|off\b|positions)"),
    re.compile(rf"(?:not|n't|isn't|aren't|other than|different from|less or more than|anything but)(?: exactly)? {NUM}(?! ?(?:mm|um|cm|px|inch|deg|%|\.))"),
    re.compile(rf"{NUM}\s?(?:{NUMBER_OF})?(?:ちょうど|ぴったり|きっかり|揃|そろ|なければ|無ければ|なきゃ|ない(?:と|なら)|(?:で|が)(?:合格|正|規定|ok|良|定数|正解|仕様|決まり|図面)|であ(?:れば|ること|るべき)|あれば(?:合格|ok)|じゃな(?:い|ければ|かったら)|でな(?:い|ければ|かったら)|以外(?:は|なら)|あるはず|のはず|入り|仕様|(?:ある|あり)(?:ます)?か|足り)"),
    re.compile(rf"(?:定数|規定数?|図面(?:では|は|上)?|仕様(?:では|は)?|員数|本来|正規|必要数|指示数|入数)(?:は|で|が|:|、)?\s?{NUM}\s?(?:{NUMBER_OF})?(?!\s?(?:mm|um|cm|px|deg))"))
DEFAULT_QUANTITY = {"scratch": "length", "crack": "length", "burr": "height", "pit": "diameter", "bubble": "diameter", "dent": "diameter"}
ONLY = re.compile(r"\b(?:only|solely|just|exclusively|nothing else)\b|だけ(?:で|を|見|の)|のみ|に限(?:り|って|定)|しか見")


@dataclass(frozen=True)
class Said:
    """What an instruction says about acceptance."""

    limits: tuple[Criterion, ...] = ()
    only: frozenset[str] = frozenset()
    ignore: frozenset[str] = frozenset()


@lru_cache(maxsize=256)
def said_limits(text: str) -> Said:
    """Limits, exclusive types and ignored types in an instruction.

    >>> [c.name for c in said_limits("25mm以上の傷は不良").limits]
    ['scratch.length<25mm']
    >>> [c.name for c in said_limits("Reject scratches over 25 mm").limits]
    ['scratch.length<=25mm']
    """
    plain = blank_scale(normalise(text))
    defects, excluded = taken_back(plain, find("defect", plain))
    limits = tuple(dict.fromkeys(c for clause, offset in _clauses(plain) for c in _clause_limits(clause, offset, plain, defects)))
    # "reject scratches" names a type to judge by only when the sentence says that nothing else counts.
    types = frozenset(h.name for h in defects)
    only = types if types and (ONLY.search(plain) and (limits or re.search(r"判定|judge|verdict", plain))) else frozenset()
    return Said(limits=limits, only=only, ignore=frozenset(h.name for h in excluded) - types)


def _clauses(text: str) -> list[tuple[str, int]]:
    clauses, start = [], 0
    for match in CLAUSE.finditer(text):
        clauses.append((text[start:match.start()], start))
        start = match.end()
    clauses.append((text[start:], start))
    return [(c, o) for c, o in clauses if c.strip()]


def _clause_limits(clause: str, offset: int, text: str, defects: tuple[Hit, ...]) -> list[Criterion]:
    found: list[Criterion] = []
    taken: list[tuple[int, int]] = []
    bad, good = bool(BAD.search(clause)), bool(GOOD.search(clause))
    bad = bad or (not good and bool(BAD.search(text)))
    readings = ((AROUND, "around"), (BETWEEN, "between"), (UP_TO, "<="), (AT_LEAST, ">="), (OVER, "over"), (FROM, "from"), (UNDER, "under"))
    for pattern, kind in readings:
        for match in re.finditer(pattern, clause):
            if any(a < match.end() and match.start() < b for a, b in taken):
                continue
            values = [g for g in match.groups() if g]
            criterion = _criterion(kind, values, clause, match.span(), offset, text, defects, bad=bad, good=good)
            if criterion:
                found.append(criterion)
                taken.append(match.span())
    if not found:
        found += _count_limits(clause, offset, text, defects)
    return found


def _criterion(kind: str, values: list[str], clause: str, span: tuple[int, int], offset: int, text: str,
               defects: tuple[Hit, ...], *, bad: bool, good: bool) -> Criterion | None:
    numbers = [float(v) for v in values if v[0].isdigit()]
    units = [v for v in values if not v[0].isdigit()]
    unit = units[-1] if units else ""
    factor = TO_MM.get(unit, 1.0)
    unit = "mm" if unit in TO_MM else unit
    numbers = [round(n * factor, 6) for n in numbers]
    of = _target(clause, span, offset, text, defects)
    quantity = _quantity(clause, span, text, of, unit)
    if quantity is None:
        return None
    if quantity == "count" and of is None and unit:
        return None
    if not unit and quantity not in ("count", "roundness"):
        unit = "deg" if quantity == "angle" else "mm2" if quantity == "area" else "mm"
    if quantity == "count":
        of = of if of in set(DefectType) else None
    common = {"of": of, "quantity": quantity, "unit": unit}
    if kind == "around" and len(numbers) >= 2:
        return Criterion(op=Op.BETWEEN, value=round(numbers[0] - numbers[1], 6), upper=round(numbers[0] + numbers[1], 6), **common)
    if kind == "between" and len(numbers) >= 2:
        return Criterion(op=Op.BETWEEN, value=min(numbers), upper=max(numbers), **common)
    op = _direction(kind, bad=bad, good=good, defect=of in set(DefectType), near=clause[span[1]:span[1] + 24])
    return Criterion(op=op, value=numbers[0], **common)


def _direction(kind: str, *, bad: bool, good: bool, defect: bool, near: str) -> Op:
    """Turn "over 25 is bad" into what is accepted. Words right behind the number decide before those further away."""
    if BAD.search(near) and not GOOD.match(near.strip()):
        bad, good = True, False
    elif GOOD.search(near) and not BAD.search(near):
        bad, good = False, True
    match kind:
        case "<=":
            return Op.GT if bad and not good and not defect else Op.LE
        case ">=":
            return Op.GE
        case "over":
            return Op.GT if good and not bad and not defect else Op.LE
        case "from":
            return Op.GE if good and not bad and not defect else Op.LT
        case _:
            return Op.GE if bad and not good else Op.LT


def _target(clause: str, span: tuple[int, int], offset: int, text: str, defects: tuple[Hit, ...]) -> str | None:
    inside = [h for h in defects if offset <= h.start < offset + len(clause)]
    pool = inside or [h for h in defects if h.end <= offset] or list(defects)
    if pool:
        middle = offset + (span[0] + span[1]) / 2
        return min(pool, key=lambda h: min(abs(h.start - middle), abs(h.end - middle))).name
    objects, _ = taken_back(text, find("object", text))
    names = [h for h in objects if h.name not in ("part", "edge", "bracket") or len(objects) == 1]
    return names[0].name if len({h.name for h in names}) == 1 else None


def _quantity(clause: str, span: tuple[int, int], text: str, of: str | None, unit: str) -> str | None:
    if unit in ("mm2", "px2", "cm2"):
        return "area"
    if unit == "deg":
        return "angle"
    named = find("quantity", clause) or (find("quantity", text) if unit else ())
    if (not unit and re.match(rf"\s?(?:{NUMBER_OF})", clause[span[1]:])) or re.search(rf"\d\s?(?:{NUMBER_OF})", clause[span[0]:span[1] + 2]):
        return "count"
    if named:
        middle = sum(span) / 2
        return min(named, key=lambda h: abs(h.start - middle)).name
    if unit:
        return DEFAULT_QUANTITY.get(of or "", "length")
    if of in set(DefectType) and re.search(r"\d+\.\d", clause[span[0]:span[1]]):
        return DEFAULT_QUANTITY.get(of or "", "length")
    return "count" if not re.search(r"\d\.\d", clause[span[0]:span[1]]) else None


def _count_limits(clause: str, offset: int, text: str, defects: tuple[Hit, ...]) -> list[Criterion]:
    inside = [h for h in defects if offset <= h.start < offset + len(clause)]
    if ZERO.search(clause) and inside:
        return [Criterion(of=h.name, quantity="count", op=Op.LE, value=0) for h in inside[:3]]
    for pattern in EXPECTED:
        if match := pattern.search(clause):
            number = next(float(g) for g in match.groups() if g)
            if number == int(number) and not inside:
                return [Criterion(quantity="count", op=Op.EQ, value=number)]
    return []
