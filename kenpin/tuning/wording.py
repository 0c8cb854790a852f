"""Wording with slots, beside the free wording of the instruction store; some of it is never trained on."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

KINDS = {"scratch": ("scratch", "傷"), "crack": ("crack", "クラック"), "pit": ("pit", "ピンホール"),
         "stain": ("stain", "シミ"), "dent": ("dent", "打痕"), "chip": ("chip", "欠け")}
PARTS = {"upper left": ("upper left", "左上"), "upper right": ("upper right", "右上"),
         "lower left": ("lower left", "左下"), "lower right": ("lower right", "右下"), "left": ("left half", "左半分"),
         "right": ("right half", "右半分"), "centre": ("centre", "中央")}
TRAINED: dict[str, tuple[str, ...]] = {
    "en": ("Look for {kind}s.", "Is there a {kind} in the {part}?", "Check the {part} for {kind}s.",
           "How long is the {kind}?", "Count the {kind}s.", "Zoom in on the {part}.", "Crop the {part}.",
           "Any {kind} on this surface?", "Read the text in the {part}.", "How many {kind}s are in the {part}?",
           "Is the picture sharp enough?", "Raise the contrast of the {part}."),
    "ja": ("{kind}を探して。", "{part}に{kind}はありますか？", "{part}の{kind}を確認して。", "{kind}の長さは？",
           "{kind}の数を数えて。", "{part}を拡大して。", "{part}を切り出して。", "この面に{kind}はある？",
           "{part}の文字を読んで。", "{part}に{kind}はいくつある？", "ピントは十分？",
           "{part}のコントラストを上げて。"),
}
HELD_OUT: dict[str, tuple[str, ...]] = {
    "en": ("Please inspect the {part} and tell me about any {kind}.", "What is the length of that {kind}?",
           "Give me a closer look at the {part}.", "Number of {kind}s, please."),
    "ja": ("{part}を見て、{kind}があれば教えてください。", "その{kind}は何ピクセルの長さですか？",
           "{part}をもっと大きく見せてください。", "{kind}は全部で何個ですか？"),
}
BY_EYE = {
    "en": ("By eye, without a search: zoom in on the defect.", "Without searching, enlarge the flaw that you see."),
    "ja": ("検索せず目視で、欠陥を拡大して。", "探索なしで、見えている異常を拡大してください。"),
}
SEEN = {"en": "By eye: {kind}, {part}.", "ja": "目視：{part}に{kind}。"}
"""What `why` says of a defect that the model sees for itself."""
NOT_SEEN = {"en": ("By eye: no defect.", "I see no defect; which place shall I enlarge?"),
            "ja": ("目視：欠陥なし。", "欠陥は見えません。どこを拡大しますか？")}
EYE_PARTS = {**PARTS, "left": ("left", "左"), "right": ("right", "右"), "upper": ("upper", "上"),
             "lower": ("lower", "下")}


@dataclass(frozen=True)
class Said:
    """An instruction made from a template."""

    text: str
    lang: str
    template: str


def filled(templates: dict[str, tuple[str, ...]]) -> Iterator[Said]:
    """Every template with every kind and part that it names, in a fixed order."""
    for lang, column in (("en", 0), ("ja", 1)):
        for template in templates[lang]:
            kinds = KINDS.values() if "{kind}" in template else [("", "")]
            parts = PARTS.values() if "{part}" in template else [("", "")]
            for kind, part in itertools.product(kinds, parts):
                yield Said(template.format(kind=kind[column], part=part[column]), lang, template)


def seen(kind: str, part: str, lang: str) -> str:
    """What is said of a defect that was seen."""
    column = 0 if lang == "en" else 1
    return SEEN[lang].format(kind=KINDS[kind][column], part=EYE_PARTS[part][column])
