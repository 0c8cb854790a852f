"""What an instruction says besides its intent: target, region, quantity, unit, scale, limits, and so on."""

import re
from functools import lru_cache

from pydantic import BaseModel, ConfigDict

from agent.language.lexicon import Hit, find
from agent.language.limits import said_limits
from agent.language.normal import normalise
from agent.language.scale import ScaleSaid, blank_scale, said_scale
from agent.language.scope import taken_back
from kenpin.contracts.verdict import Criterion, DefectType

DEFECTS = frozenset(DefectType)
BOX = re.compile(r"(?<![\d.])(\d{1,5})\s?[,、\s]\s?(\d{1,5})\s?(?:[,、~–-]|to|and|until|から|より|\s|/|\)\s?[-~(]\s?\(?|,\s)+\s?\(?(\d{1,5})\s?[,、\s]\s?(\d{1,5})(?![\d.])")
AXES = re.compile(r"x\D{0,8}?(\d{1,5})\D{1,8}?(\d{1,5})\D{1,24}?y\D{0,8}?(\d{1,5})\D{1,8}?(\d{1,5})")
BACK_EN = re.compile(
    r"\b(?:it|its|it's|that|that's|those|these|them|this one|that one|there|the (?:same|other|previous|last|first|second|third|worst|biggest|largest) ?(?:one|finding|defect|spot|area|thing)?|"
    r"(?:1st|2nd|3rd) one|again|same (?:one|place|spot|area|thing)|you (?:found|marked|flagged|said|showed|measured|circled)|he|she|earlier|before|above)\b")
BACK_JA = re.compile(r"それ|その|そこ|そいつ|そちら|これ(?!から|は何)|ここ|こいつ|さっき|先ほど|先程|今の|いまの|同じ(?:所|ところ|箇所|やつ|もの)|もう(?:1|一)(?:つ|個|本|方)|前の|あれ|あの(?!、|ー)|上記|\d番|検出(?:した|された)|見つ(?:けた|かった)|もっと|もう少し|もうちょい|出たやつ")
COUNT_K = re.compile(r"(?:(?:top|best|closest|nearest|last|latest|past|similar|the)\s+)(\d{1,2})(?!\s?(?:mm|px|um|cm|month|year|week))|(\d{1,2})\s?(?:similar|past|closest|old|earlier|previous|most similar|comparable|nearest|best|cases?|examples?|precedents?|records?)|(\d{1,2})\s?(?:件|つ|例|個)(?:ほど|くらい|ばかり|だけ)?(?:、|を|の)?(?:類似|過去|事例|出|見|探|教|挙|ください|お願い|ほしい|欲し|ちょうだい|示|頂|いただ|引|検索|$)")


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
    objects, no_objects = taken_back(bare, _outside(find("object", bare), find("defect", bare)))
    regions, no_regions = taken_back(bare, find("region", bare))
    quantities, no_quantities = taken_back(bare, find("quantity", bare))
    ops, _ = taken_back(bare, find("op", bare))
    picks, _ = taken_back(bare, find("pick", bare))
    texts, no_texts = taken_back(bare, find("text", bare))
    aspects, _ = taken_back(bare, find("aspect", bare))
    excluded = (*no_defects, *no_objects, *no_regions, *no_quantities, *no_texts)
    return Slots(
        defects=_unique(defects), objects=_unique(objects), nouns=tuple(dict.fromkeys(h.text for h in objects)),
        region=_region(regions), box=_box(bare), pick=picks[0].name if picks else None, quantities=_unique(quantities),
        unit=_unit(bare), scale=said_scale(plain), limits=said.limits, only=said.only, ignore=said.ignore,
        ops=_unique(ops), aspects=_unique(aspects), text=_text(texts),
        back=bool(BACK_EN.search(bare) or BACK_JA.search(bare)), excluded=_unique(excluded), k=_k(bare))


def _unique(hits: tuple[Hit, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(h.name for h in hits))


def _outside(hits: tuple[Hit, ...], others: tuple[Hit, ...]) -> tuple[Hit, ...]:
    """Words that are not part of another: "pin" in "pinhole"."""
    return tuple(h for h in hits if all(h.end <= o.start or h.start >= o.end for o in others))


def _region(hits: tuple[Hit, ...]) -> str | None:
    names = [h.name for h in hits]
    if not names:
        return None
    halves = {n for n in names if n in ("upper", "lower", "left", "right")}
    if len(names) > 1 and len(halves) == 2 and not {"upper", "lower"} <= halves and not {"left", "right"} <= halves:
        return f"{'upper' if 'upper' in halves else 'lower'} {'left' if 'left' in halves else 'right'}"
    return names[0]


def _box(text: str) -> tuple[int, int, int, int] | None:
    if match := BOX.search(text):
        x0, y0, x1, y1 = map(int, match.groups())
        if x0 < x1 and y0 < y1:
            return (x0, y0, x1, y1)
    if match := AXES.search(text):
        x0, x1, y0, y1 = map(int, match.groups())
        if x0 < x1 and y0 < y1:
            return (x0, y0, x1, y1)
    return None


def _unit(text: str) -> str | None:
    hits = find("unit", text)
    return hits[-1].name if hits else None


def _text(hits: tuple[Hit, ...]) -> str | None:
    """The most telling kind: "the serial on the label" asks for the serial."""
    kinds = {h.name for h in hits}
    return next((kind for kind in ("serial", "lot", "date", "code", "number", "label", "all") if kind in kinds), None)


def _k(text: str) -> int | None:
    match = COUNT_K.search(text)
    return next((int(g) for g in match.groups() if g), None) if match else None
