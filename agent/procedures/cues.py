"""Wishes that stand in so many words beside the one that the router is sure of.

The router hears the loudest wish of a long instruction; these phrases catch the others. Each is a phrase that hardly
ever means anything else, and none counts inside a negation.
"""

import re

from agent.language.lexicon import Hit
from agent.language.scope import taken_back

CUES: tuple[tuple[str, re.Pattern[str]], ...] = (
    (
        "zoom",
        re.compile(
            r"\bzoom(?:ed|ing)?\b|\benlarge\b|\bmagnif\w+|\bblow (?:it |that |this |them )?up|\bclose[- ]?up|\bcloser look"
            r"|拡大|ズーム|大写し|アップに(?:し|で)|寄って"
        ),
    ),
    ("crop", re.compile(r"\bcrop\b|\bcut (?:it |that |this )?out\b|\bsnip\b|切り?抜|切り?出|トリミング")),
    (
        "detect",
        re.compile(
            r"\bwhat(?:'s| is) (?:wrong|off|odd)\b|\banything (?:wrong|odd|off|unusual|suspicious|else)\b"
            r"|\b(?:look|search|check|hunt|scan) for (?:any )?(?:\w+ )?(?:defects?|scratch\w*|cracks?|dents?|pits?|stains?|damage|flaws?|marks?)"
            r"|\bis (?:the|this|it|that) (?:\w+ )?(?:damaged|defective|scratched|cracked|chipped)\b"
        r"|\b(?:if|whether) (?:it|this|that|the \w+)(?:'s| is) (?:ok(?:ay)?|good|fine|all right|sound|damaged|defective)(?! enough| to )\b"
            r"|\bfind (?:the |any |all )?(?:scratch\w*|cracks?|dents?|pits?|stains?|defects?)"
            r"|(?:傷|キズ|きず|疵|割れ|クラック|打痕|シミ|汚れ|欠け|バリ|異物|欠陥|異常|不良)(?:など)?(?:が)?(?:を|は|の有無を|がないか)?(?:探|見つけ|検出|調べ|チェック|確認|検査|拾)"
            r"|異常(?:は|が)(?:あり|ない|あれば)|\blook (?:again|closer|harder)\b|\bcheck (?:again|once more)\b|もう(?:一|1)度(?:よく)?(?:見|確認|検査|探)"
        ),
    ),
    (
        "recall",
        re.compile(
            r"\b(?:similar|past|previous|earlier|old|former) (?:cases?|defects?|examples?|incidents?|claims?)\b|\bcase (?:base|history)\b"
            r"|\bseen (?:this|it|that|such|these|anything like)\b.{0,24}\bbefore\b|\bhad (?:this|such|cracks?|it)\b.{0,24}\bbefore\b"
            r"|過去(?:の)?(?:事例|例|不良|ケース|に)|(?:類似|似た|同様の|同じような)(?:.{0,6})(?:事例|例|不良|ケース)|前例"
        ),
    ),
    (
        "compare",
        re.compile(
            r"\bcompare\w*\b|\bagainst the (?:golden|master|reference|good)|(?:良品|見本|マスター|基準品|お手本)(?:見本|サンプル|画像)?(?:と|に)(?:比|照|見比|突き合わせ|違)"
        ),
    ),
    (
        "count",
        re.compile(
            r"\bhow many\b(?! (?:px|mm|cm|um|deg|inch|microns|px2))|\bcount (?:the|them|all|how)\b|数えて|何(?:個|本|枚|箇所|か所|粒|缶|つ)(?!目)"
        ),
    ),
    (
        "read",
        re.compile(
            r"\bread (?:the|me|out|off|what|it)\b|\bwhat does (?:it|the \w+) say\b|読んで|読み取|読みと|なんて書いて|何て書いて|何と書いて"
        ),
    ),
    ("recall", re.compile(r"what did we do about (?:it|that|them)")),
)


def cued(plain: str) -> tuple[str, ...]:
    """Intents that a normalised instruction asks for in so many words, in the order of mention.

    >>> cued("zoom in on the top right and tell me what is wrong there")
    ('zoom', 'detect')
    """
    hits = [Hit(name, m.start(), m.end(), m.group()) for name, pattern in CUES for m in pattern.finditer(plain)]
    standing, _ = taken_back(plain, sorted(hits, key=lambda h: h.start))
    return tuple(dict.fromkeys(h.name for h in standing))


BEYOND = re.compile(
    r"\b(?:hardness|vickers|rockwell|brinell|hrc|hv\d*|alloy|tensile|yield strength|fatigue|torque|(?:how )?heavy|weigh\w*|mass of"
    r"|temperature|how hot|how cold|(?:plating|coating|paint|film|layer) thickness|thickness of the (?:plating|coating|paint|film|layer)"
    r"|what (?:material|metal|steel|plastic|grade)|which (?:material|metal|steel|plastic|grade|alloy)|material (?:grade|composition)|chemical\w*|composition"
    r"|subsurface|sub-surface|internal(?:ly)?|x-?ray|ultrasonic|roughness|\bra value|shelf life|service life|how long will (?:it|this)"
    r"|how old|who (?:made|did|dropped|packed|signed|is responsible)|which (?:machine|operator|shift) |price|how much does (?:it|this|one|a|the)\b.{0,30}\bcost|costs? (?:us|to)"
    r"|guarantee|warrant\w*|insurance|will (?:it|this) (?:last|hold|fail|break|leak)|leak ?(?:tight|test|rate)|pressure|voltage|resistance of|conductiv\w*"
    r"|retouch|photoshop|airbrush|(?:remove|erase|paint over|hide|delete|edit out) (?:the |that |this |those )?(?:scratch\w*|cracks?|dents?|stains?|defects?|marks?|flaws?)"
    r"|order (?:a |some |new |more |another )|book (?:a|me)|weather|stock price)\b"
    r"|硬度|硬さ|ビッカース|ロックウェル|引張|強度|トルク|重量|重さ|何(?:グラム|キロ|kg|g)(?![a-z])|温度|湿度|めっき厚|メッキ厚|膜厚|塗膜厚|材質|素材は|合金|成分|化学"
    r"|内部(?:欠陥|巣|の)|中の(?:空洞|状態)|粗さ|寿命|耐久性|いつまで(?:持|使)|誰が|誰の(?:ミス|班|責任)|どの(?:機械|ライン|シフト)で|値段|価格|いくらする|原価|保証(?:して|書|でき)"
    r"|天気|発注|注文して|予約して|(?:傷|キズ|きず|欠陥|不良|汚れ|シミ)(?:を|だけ)?(?:消し|消す|消去|なかったこと|修正して|レタッチ)|加工して綺麗|気密|耐圧|導通|電圧"
)
"""Topics that no picture of the outside tells, and deeds that are not an inspection's."""
SIGNS = re.compile(
    r"\bsign(?:ed|s|ing)? (?:it |this |that |them |off|the (?:report|record|sheet|inspection|form|batch|lot|release|cert\w*))|\bsign-?off\b|\bsignature\b|\be-?sign"
    r"|\bapprove (?:it|this|that|them|the)\b|\b(?:final )?approval\b|\brelease (?:it|this|that|them|the (?:batch|lot|part|shipment|goods))\b|\bcertif(?:y|icate)\b"
    r"|\bin my name\b|\bw(?:ith)? my name\b|\bon my behalf\b|\bclose (?:out )?the (?:report|record|inspection|ncr)\b"
    r"|署名|サイン(?:し|を|お願)|ハンコ|はんこ|判子|押印|捺印|承認(?:し|を|印|お願)|合格証|出荷(?:許可|可と|承認)|放行|特採"
)
"""A person's business: signing, approving, releasing."""


def out_of_reach(plain: str) -> str | None:
    """`sign` or `beyond` if a normalised instruction speaks of what the assistant must not or cannot do.

    >>> out_of_reach("what's the vickers number of that tooth flank?")
    'beyond'
    """
    for name, pattern in (("sign", SIGNS), ("beyond", BEYOND)):
        hits = [Hit(name, m.start(), m.end(), m.group()) for m in pattern.finditer(plain)]
        if hits and taken_back(plain, hits)[0]:
            return name
    return None
