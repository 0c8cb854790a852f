"""The things that an instruction speaks of, in the user's own words, also those that the lexicon does not know."""

import re
from collections.abc import Sequence

from agent.language.lexicon import Hit

STOP = (r"of|in|on|at|are|is|there|do|does|did|can|you|i|we|they|here|has|have|was|were|to|for|with|from|by|and|or|that|this|which|visible|left|right|upper|lower|top|bottom|within|inside|"
        r"please|should|must|got|fit|altogether|total|all|still|along|across|around|between|per|if|it|its|be|not|then|without|only|just|next|as|so|but|the|a|an|pls|plz|shown|lie|lying|sit|sitting|remain|exactly|now|over|under")
ADJECTIVES = r"(?:the|all|these|those|any|of|my|our|your|its|a|an|every|each|different|visible|individual|separate|total|single|loose|this|that|\d+)"
WORDS = rf"((?:(?!(?:{STOP})\b)[a-z][a-z-]*[ ]?){{1,3}})"
ENGLISH = (
    re.compile(rf"\bhow many (?:{ADJECTIVES} )*{WORDS}"),
    re.compile(rf"\b(?:count|number|tally|quantity|no\.?|amount) (?:up )?(?:{ADJECTIVES} )+{WORDS}"),
    re.compile(rf"\bcount(?: up| me)? {WORDS}"),
    re.compile(rf"\b(?:length|width|height|diameter|dia|radius|area|angle|pitch|perimeter|roundness|size|spacing|distance|thickness|depth|circumference)s? (?:of|between|for|across) (?:{ADJECTIVES} )*{WORDS}"),
    re.compile(rf"\bhow (?:long|wide|tall|high|thick|big|large|round|deep|far apart)(?:'s| is| are|s) (?:{ADJECTIVES} )+{WORDS}"),
    re.compile(rf"\bmeasure (?:{ADJECTIVES} )*{WORDS}"),
    re.compile(rf"\b{WORDS}(?:count|length|width|height|diameter|dia|radius|area|angle|pitch|spacing|roundness)\b"),
)
RUN = r"([ァ-ヶー]{2,14}|[一-龥々ー]{1,6}(?:[ぁ-ん]{1,2}[一-龥]{1,3})?|[a-z][a-z0-9-]{1,12})"
JAPANESE = (
    re.compile(rf"{RUN}(?:の(?:個数|本数|枚数|数|員数|点数|総数|合計))"),
    re.compile(rf"{RUN}(?:って|は|が|を|、)?(?:全部で|いったい|いま|今|ぜんぶで)?(?:何|なん)(?:個|本|枚|つ|箇所|か所|カ所|粒|袋|台|缶|点|錠|列|段|匹|玉|ヶ所|こ|コ|ぼん|まい)"),
    re.compile(rf"{RUN}(?:を|、)?(?:全部|ぜんぶ|正確に|ざっと)?(?:数え|カウント|かぞえ|数を)"),
    re.compile(rf"{RUN}(?:は|って|が)?(?:いくつ|幾つ)"),
    re.compile(rf"{RUN}の(?:直径|半径|内径|外径|径|長さ|全長|幅|高さ|面積|角度|間隔|距離|ピッチ|周囲長|真円度|厚み|厚さ|太さ|寸法|大きさ|サイズ)"),
)
NOT_NOUN_JA = frozenset("左 右 上 下 中央 画像 写真 全部 全体 一番 最大 最小 最長 過去 類似 何 数 今 前 先 次 他 件 個 不良 欠陥 異常 部分 箇所 場所 これ それ 最後 最初 長 幅 短 大 小 細 太 検出 結果".split())
NOT_NOUN_EN = frozenset("more many them it defects defect findings times pixels px mm things thing one ones everything anything result results picture image photo total "
                        "length width height diameter area angle distance pitch size scale same and how what when cases case pass fail per how far go max min".split())


def named_nouns(text: str, objects: Sequence[Hit], defects: Sequence[Hit]) -> tuple[str, ...]:
    """Things in the order of their telling, as singular nouns: what is counted or measured first, then other known things.

    >>> named_nouns("how many gizmos are there", (), ())
    ('gizmo',)
    """
    found: list[str] = []
    taken = [(h.start, h.end) for h in defects]
    for pattern in (*ENGLISH, *JAPANESE):
        for match in pattern.finditer(text):
            if any(a < match.end(1) and match.start(1) < b for a, b in taken):
                continue
            known = next((h for h in objects if h.start < match.end(1) and match.start(1) < h.end), None)
            noun = singular((known.text if known else match.group(1)).strip())
            if noun and noun not in NOT_NOUN_JA and noun not in NOT_NOUN_EN and len(noun) > 1:
                found.append(noun)
    return tuple(dict.fromkeys([*found, *(singular(h.text) for h in objects)]))


def singular(noun: str) -> str:
    """An English plural as singular; anything else as it is.

    >>> singular("bosses"), singular("holes"), singular("glass")
    ('boss', 'hole', 'glass')
    """
    if not noun.isascii():
        return noun
    irregular = {"teeth": "tooth", "feet": "foot", "dice": "die", "leaves": "leaf", "knives": "knife", "vertices": "vertex", "radii": "radius", "series": "series", "lens": "lens"}
    head, _, last = noun.rpartition(" ")
    last = irregular.get(last) or (
        last[:-3] + "y" if last.endswith("ies") and len(last) > 4 else
        last[:-2] if last.endswith(("sses", "xes", "ches", "shes", "zes")) else
        last if last.endswith(("ss", "us", "is")) else
        last[:-1] if last.endswith("s") and len(last) > 3 else last)
    return f"{head} {last}".strip()
