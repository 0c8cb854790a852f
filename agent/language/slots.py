"""What an instruction says besides its intent: target, region, quantity, unit, scale, limits, and so on."""

import re
from collections.abc import Sequence
from functools import lru_cache

from pydantic import BaseModel, ConfigDict

from agent.language.lexicon import Hit, find
from agent.language.limits import said_limits
from agent.language.mentions import mentions
from agent.language.normal import normalise
from agent.language.nouns import named_nouns
from agent.language.scale import ScaleSaid, blank_scale, said_scale
from agent.language.scope import taken_back
from agent.language.where import region_of, said_box
from kenpin.contracts.verdict import Criterion, DefectType

DEFECTS = frozenset(DefectType)
BACK_EN = re.compile(
    r"\b(?:it|its|it's|that|that's|those|these|them|this one|that one|there|the (?:same|other|previous|last|first|second|third|worst|biggest|largest) ?(?:one|finding|defect|spot|area|thing)?|"
    r"(?:1st|2nd|3rd) one|again|same (?:one|place|spot|area|thing)|you (?:found|marked|flagged|said|showed|measured|circled|reported|listed|named)|he|she|earlier|before|above)\b")
BACK_JA = re.compile(r"それ|その|そこ|そいつ|そちら|これ(?!から|は何)|ここ|こいつ|さっき|先ほど|先程|今の|いまの|同じ(?:所|ところ|箇所|やつ|もの)|もう(?:1|一)(?:つ|個|本|方)|前の|あれ|あの(?!、|ー)|上記|\d番|検出(?:した|された)|見つ(?:けた|かった)|もっと|もう少し|もうちょい|出たやつ|ご提示|この(?:値|寸法|数値|傷|欠け|汚れ)|当該|該当")
UNIT = re.compile(r"(?<![\d.])(?<!\d )(?<![a-z])(mm2|px2|cm2|mm|um|cm|px|inch|thou|deg)(?![a-z0-9])(?! ?(?:size|pitch|count|peep|scale|/|あたり))")
NOT_UNIT = re.compile(r"(?:to within an? |enough |few |many px|edge |each |every |per |half an? |quarter an? |the |which |single |dead |saturated |hot )$")
ASKED_UNIT = re.compile(r"(?:how many|何|なん|in(?: the)?|as|to|into|give|want|prefer|値を|長さ|幅|径|面積) ?$")
K_AFTER = re.compile(r"^\s?(?:件|例|つ|ケン|個|本|ケース)?[^。.;!?]{0,3}?(?:(?:of the |the |very |most )?(?:last |more |such |other |others|really )*(?:similar|past|old|older|previous|prior|earlier|former|closest|nearest|comparable|like|cases?|examples?|"
                     r"precedents?|records?|claims?|jobs?|complaints?|matches|hits|entries|exemples|incidents?|events?|reports?|recent|best)|(?:件|例|ケン|ケース)(?!目|以|まで|迄|なら|あれば|でも|の(?:過|不)足))")
K_BEFORE = re.compile(r"(?:\bk ?= ?|(?:記録|実績|例)(?:を|の|、)?|\b(?:top|best|last|latest|closest|nearest|past|similar|previous|most recent|first|at least|cases?|precedents?|me|like|hits)[:,]? (?:the )?|類似|直近|過去|事例|前例|上位|最大|先頭|案件(?:を|の)?|似た(?:の|やつ|もの|事例|案件)(?:を|、)?)\s?$")
K_JA = re.compile(r"^\s?(?:件|例|ケン|ケース|つ|個|本)(?!目|以上|以下|以内|まで|迄|なら|あれば|でも|不)")
RECALL = re.compile(r"similar|past|history|histor|precedent|cases?\b|records?\b|previous|before|last (?:year|month|time)|archive|claims?\b|prior|others? like|like (?:this|that|it)|examples?|log\b|jobs\b|"
                    r"事例|過去|類似|前例|似た|案件|履歴|昔|前歴|苦情|実績|記録|以前|前の|ケース|件")
TIME_AFTER = re.compile(r"^\s?(?:mm|px|um|cm|month|year|week|day|hour|minute|o'?clock|x\b|times|%|か月|ヶ月|年|週|日|時|分|倍|回|番|つ目)")


class Slots(BaseModel):
    """Slots of one instruction. Names are canonical; boxes are what the user said, in original pixels."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    defects: tuple[str, ...] = ()
    objects: tuple[str, ...] = ()
    nouns: tuple[str, ...] = ()
    """The objects in the user's own words."""
    region: str | None = None
    box: tuple[int, int, int, int] | None = None
    pick: str | None = None
    quantities: tuple[str, ...] = ()
    unit: str | None = None
    scale: ScaleSaid | None = None
    limits: tuple[Criterion, ...] = ()
    only: frozenset[str] = frozenset()
    ignore: frozenset[str] = frozenset()
    ops: tuple[str, ...] = ()
    aspects: tuple[str, ...] = ()
    text: str | None = None
    back: bool = False
    excluded: tuple[str, ...] = ()
    k: int | None = None


@lru_cache(maxsize=512)
def slots_of(text: str) -> Slots:
    """Read the slots of an instruction.

    >>> s = slots_of("左下を拡大して傷を探して")
    >>> s.region, s.defects
    ('lower left', ('scratch',))
    """
    plain = normalise(text)
    bare = blank_scale(plain)
    said = said_limits(text)
    defects, no_defects = taken_back(plain, find("defect", plain))
    kept: dict[str, tuple[Hit, ...]] = {}
    dropped: list[Hit] = list(no_defects)
    for category in ("object", "region", "quantity", "op", "pick", "text", "aspect"):
        hits = find(category, bare)
        hits = _outside(hits, find("defect", bare)) if category == "object" else hits
        kept[category], excluded = taken_back(bare, hits)
        dropped += excluded if category not in ("op", "pick", "aspect") else ()
    pick = _pick(kept["pick"])
    quantities = _quantities(_unique(kept["quantity"]), kept["object"], pick)
    regions = _outside(kept["region"], tuple(h for h in kept["pick"] if h.name.endswith("most")))
    return Slots(
        defects=_unique(defects), objects=_unique(kept["object"]), nouns=named_nouns(bare, kept["object"], defects),
        region=region_of(regions, bare), box=said_box(bare), pick=pick, quantities=quantities,
        unit=_unit(bare, quantities), scale=said_scale(plain), limits=said.limits, only=said.only, ignore=said.ignore,
        ops=_unique(kept["op"]), aspects=_aspects(kept["aspect"]), text=_text(kept["text"]),
        back=bool(BACK_EN.search(bare) or BACK_JA.search(bare)), excluded=_unique(tuple(dropped)), k=_k(bare))


def _unique(hits: Sequence[Hit]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(h.name for h in hits))


def _outside(hits: tuple[Hit, ...], others: tuple[Hit, ...]) -> tuple[Hit, ...]:
    """Words that are not part of another: "pin" in "pinhole"."""
    return tuple(h for h in hits if all(h.end <= o.start or h.start >= o.end for o in others))


def _pick(hits: Sequence[Hit]) -> str | None:
    """The first word that picks one; "each" only where no other does."""
    names = _unique(hits)
    return next((name for name in names if name != "each"), names[0] if names else None)


def _quantities(names: tuple[str, ...], objects: Sequence[Hit], pick: str | None) -> tuple[str, ...]:
    """Quantities; the size of a gap is its width, and the widest thing is measured across."""
    if any(h.name == "gap" for h in objects):
        return tuple(dict.fromkeys("width" if name == "length" else name for name in names)) or ("width",)
    implied = {"longest": "length", "shortest": "length", "widest": "width", "narrowest": "width"}
    return names or ((implied[pick],) if pick in implied else ())


def _aspects(hits: Sequence[Hit]) -> tuple[str, ...]:
    """Aspects of the picture; "all" only where no single one is named."""
    names = _unique(hits)
    return tuple(name for name in names if name != "all") or names


def _unit(text: str, quantities: Sequence[str]) -> str | None:
    """The unit that the answer is wanted in: a unit without a number."""
    found = [m for m in UNIT.finditer(text) if not NOT_UNIT.search(text[max(0, m.start() - 14):m.start()]) or ASKED_UNIT.search(text[max(0, m.start() - 9):m.start()])]
    hits = [Hit(m.group(1), m.start(), m.end(), m.group()) for m in found]
    standing, _ = taken_back(text, hits)
    if not standing:
        return "deg" if "angle" in quantities and re.search(r"何度", text) else None
    unit = standing[-1].name
    square = {"px": "px2", "mm": "mm2", "cm": "cm2"}
    return square.get(unit, unit) if tuple(quantities) == ("area",) else unit


def _text(hits: Sequence[Hit]) -> str | None:
    """The most telling kind: "the serial on the label" asks for the serial."""
    kinds = {h.name for h in hits}
    return next((kind for kind in ("serial", "lot", "date", "code", "number", "label", "all") if kind in kinds), None)


def _k(text: str) -> int | None:
    """Number of past cases wanted."""
    if not RECALL.search(text):
        return None
    for m in mentions(text):
        if m.unit or m.decimal or not 1 <= m.value <= 50:
            continue
        before, after = text[max(0, m.start - 18):m.start], text[m.end:m.end + 40]
        if TIME_AFTER.match(after) or re.search(r"(?:no|nr|number|#|claim|lot|line)\.? ?$", before):
            continue
        if K_AFTER.match(after) or (K_BEFORE.search(before) and not re.match(r"\s?[a-z]{3,}", after)) or (K_JA.match(after) and K_BEFORE.search(before)):
            return int(m.value)
    return None
