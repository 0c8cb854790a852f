"""Numbers of things that an instruction expects or forbids, and numbers that are no limits at all."""

import re
from collections.abc import Sequence

from agent.language.lexicon import Hit
from agent.language.mentions import Mention, mentions
from agent.language.polarity import BAD, NG
from kenpin.contracts.verdict import Criterion, DefectType, Op

COUNTER = r"(?:個|つ|本|枚|件|箇所|か所|ヶ所|カ所|台|粒|錠|缶|箱|袋|点|列|段|匹|玉|巻|足|脚|山|歯|コ|ヶ|球|種類|セット)"
NOT_BEFORE = re.compile(
    r"(?:\b(?:no|nr|number|lot|batch|line|iso|din|jis|astm|section|step|claim|rev|revision|page|fig|figure|type|model|class|grade|room|building|station|cell|tray|part|drawing|item|op|order|shift|channel|camera|"
    r"version|ticket|job|po|site|zone|bay|case|form|table|annex|appendix|chapter|level|quality|wafer|unit|side|point|position|row|column|lane|machine|press|tool|cavity|mould|mold|rs|r|m|v|x|y|q|finding|step)\.? ?|"
    r"#|第|№|ｎｏ|no\.?|ver\.?|ロット|ライン|号機|ステップ|図|表|品番|型番|章|節|[a-z]-|:)$")
NOT_AFTER = re.compile(
    r"\s?(?:年|月(?!産)|日(?!程)|時(?!点)|分(?!割)|秒|円|番|号|%|％|パーセント|倍|回|人|名|週|か月|ヶ月|インチの|行目|つ目|個目|本目|件目|枚目|か所目|箇所目|桁|文字|歳|代|k\b|"
    r"x\b|x\d|times\b|percent\b|hours?\b|hrs?\b|minutes?\b|mins?\b|seconds?\b|days?\b|weeks?\b|months?\b|years?\b|o'?clock\b|euros?\b|dollars?\b|kg\b|g\b|grams?\b|n\b|newton|bar\b|psi\b|volts?\b|v\b|watts?\b|w\b|"
    r"amps?\b|hz\b|khz\b|fps\b|k\b|mp\b|megapixel|am\b|pm\b|st\b|nd\b|rd\b|th\b|hrc\b|hv\b|nm\b|celsius|℃|°c|/\d|-\d{2,}|people\b|colleagues\b|similar\b|past\b|(?:older|old|prior|earlier|previous|former) |cases?\b|examples?\b|precedents?\b|records?\b|photos?\b|pictures?\b|images?\b|things?\b(?! (?:per|in))|questions?\b|"
    r"例|件(?:まで|ほど|くらい)?(?:を|の)?(?:過去|類似|抽出|出|挙|見|検索)|枚の(?:写真|画像)|種類の)")
YEAR = re.compile(r"(?:19|20)\d\d$")
NOUN_AFTER = re.compile(rf"\s?(?:{COUNTER}|(?:of (?:them|these|those)|[a-z][a-z-]+))")
EXPECTED = (
    re.compile(r"(?:should|must|shall|ought to|has to|have to|needs? to|supposed to|meant to|expect\w*|calls? (?:out|for)|spec(?:ified|ification)?|drawing|print|contain\w*|holds?|require[sd]?|nominal|verify|confirm|make sure|sure (?:that )?|"
               r"got|have we(?: got)?|has it got|are there|is there|if it isn'?t|sold as|(?:does|do) (?:it|we|they|this|that) have|want|count)(?: [a-z']+){0,6}? (?:exactly |all |full |the full )?$|==\s?$"),
    re.compile(r"(?:\ball|\bexactly|the full|a full|full set of|complete set of|precisely|all the)(?: of)?(?: the)? ?$"),
    re.compile(r"(?:not|n't|isn'?t|aren'?t|other than|different from|less or more than|anything but|unless (?:there are|it'?s|there'?s|you (?:count|find|get|see))|if (?:there are|it'?s|you (?:count|get)) (?:not|n't)|only if (?:there are|it'?s))(?: exactly)? $"),
    re.compile(r"(?:定数|規定数?|図面(?:では|は|上)?|仕様(?:では|は)?|員数|本来(?:は)?|正規(?:は)?|必要数|指示数|入数|全部で|正解は|規格(?:は|では))(?:は|で|が|:|、)?\s?$"),
)
EXPECTED_AFTER = (
    re.compile(r"\s?(?:[a-z-]+ ){0,3}?(?:expected|required|per (?:tray|pack|box|card|sheet|row|carton|unit|kit|set|bag|board|assembly|panel|part|piece)|in (?:all|total)\?|or (?:it'?s |else |it )?(?:reject|rej|ng|fail|scrap|bin|no good|out|goes|gets)|as per|positions|in (?:a|the|each|every) (?:tray|pack|box|carton|row|case)|"
               r"(?:else|otherwise) (?:reject|ng|fail)|and (?:nothing|no (?:more|less|fewer)|not (?:one )?(?:more|less|fewer))|present|on the (?:drawing|print)|(?:is|are) (?:right|correct|what)|(?:[a-z-]+ ){0,2}must (?:have|be)|to be there|there\?|of them\?)"),
    re.compile(rf"\s?(?:{COUNTER}|[ァ-ヶー]{{2,6}})?(?:ちょうど|ぴったり|きっかり|揃|そろ|なければ|無ければ|なきゃ|ない(?:と|なら)|(?:で|が)(?:合格|正|規定|ok|良|定数|正解|仕様|決まり|図面|揃|そろ)|で(?:あ|す)(?:れば|ること|るべき)|あれば(?:合格|ok|良)|じゃな(?:い|ければ|かったら|きゃ)|でな(?:い|ければ|かったら|きゃ)|"
               rf"以外(?:は|なら)|ある(?:はず|べき|か|\?)|のはず|の?入り|仕様|(?:ある|あり)(?:ます)?か|あるか|足り(?!な|ま)|(?:の)?(?:充填|装填|梱包|実装|締め?付?|入って|付いて|取り?付け?)(?:が|で|の)?(?:登録|規定|決まり|仕様|はず|正|指示|こと)|(?:が)?(?:(?:締|付|入|揃)\w{0,6})?(?:な|ん)(?:アカン|あかん|ならん|いかん)|と(?:伺|聞|言われ|なって|あり)|って(?:聞|言わ|書)|入ってい?(?:る|ます)(?:はず|べき|か|\?)|入ってい?るべき|です(?:。|、)?(?:過不足|足り)|必要|を正と|が?期待値|と(?:相違|異な|違)|(?:を|で)(?:確認|確かめ)|ちゃんと|(?:入り)?のはず|パック|(?:全部|ぜんぶ|ちゃんと)?(?:ある|いる)(?:か|\?|はず))"),
)
DOUBT = re.compile(rf"reject\w*|{NG}|fail|short|missing|enough|verdict|pass|(?<![a-z])ok(?![a-z])|okay|right number|correct|confirm|quantity|ちゃんと|一致|期待値|相違|別|足り|過不足|合否|判定|不良|不合格|揃|そろ|間違い|合って|確認|であること|はず|complete|all (?:there|present)|or not|yes or no|conform|judg|expected|supposed|meant|should|must|verify|treat|decide|\bcount|図面|員数|定数|仕様|tell me if|whether|hold the number")
ZERO = re.compile(
    rf"zero[- ]toleran\w+|\b(?:zero|0)[ -](?:[a-z]+[ -]){{0,2}}?(?:allowed|permitted|policy|toleran\w+|accept\w*)|\bno (?:[a-z-]+ ){{1,4}}?(?:is |are |whatsoever |at all )*(?:allow\w*|permit\w*|accept\w*|toler\w*)|(?:permit|allow|accept|tolerat)\w* no (?:[a-z-]+ ?){1,4}|(?:zero|0) (?:[a-z]+ ){0,3}?(?:is|are) (?:the )?(?:criteri|rule|requirement|limit|spec)\w*|none (?:is |are )?(?:allow\w*|permit\w*|accept\w*|toler\w*)|(?:zero|0) (?:cracks?|scratch\w*|dents?|chips?|burrs?|pits?|stains?|defects?|bubbles?)\b(?! found)|"
    rf"(?:\bany|\beven (?:a single|1|one)|\b(?:a )?single|\bone|\b1) (?:[a-z-]+ ){{0,4}}?(?:is|means|=|and|&|->|makes (?:it|this)|gets|equals|here and|on (?:it|there) and|will)(?: [a-z']+){{0,4}}? ?(?:reject\w*|rej\b|{NG}|fail\w*|scrap|out\b|bin\b|pulp|goes)|"
    rf"reject(?:ed)? (?:it |this |the [a-z]+ |outright )?(?:if|when|for|on|at) (?:there(?:'s| is| are| be) |you (?:find|see|spot) |it (?:has|shows) )?(?:any|a single|a|even (?:a|1|one)(?: single)?|one)\b|(?:must|should) (?:be|have) (?:absolutely |completely )?(?:free (?:of|from)|no\b)|"
    rf"(?:not|never|must not have|may not have|mustn'?t have|can'?t have) (?:a single|even (?:one|1|a)|one|1|any) |free (?:of|from) any|(?:if|should|when) any(?:thing)? (?:[a-z]+ ){{0,3}}(?:is|be|are)? ?(?:missing|absent|lacking|found|cracked|chipped)[^.;]{{0,24}}(?:{NG}|reject|turned down|fail|scrap|no good|out\b)|not (?:a single|one|1|even one) (?:[a-z]+ ){{0,4}}?(?:allowed|permitted|permited|accepted|tolerated)|"
    rf"(?:1|一)(?:つ|個|本|箇所|か所|カ所|件|点|コ)?(?:でも|たりとも|もあってはな)|一切(?:不可|認め|許|{NG}|だめ|ダメ|あってはな)|(?:ゼロ|0)(?:が(?:原則|基本|前提|絶対)|を(?:要求|求め))|ゼロ(?:で合格|であること|トレランス|が条件|なら|でない|が(?:合格|必須|基準))|皆無|なきこと|無きこと|(?<!では)(?<!じゃ)ないこと(?=$|。|が条件|、|！|!)|あってはな(?:ら|り)|厳禁|絶対(?:に)?(?:だめ|ダメ|不可|{NG})")
ZERO_JA_IF = re.compile(rf"(?:が|は|も)?(?:(?:少しでも|1でも|何か|ひとつでも)?(?:あ(?:れば|ったら|っては|った時点で|った場合は?|る(?:場合は?|なら|と|もの(?:は|なら)|やつは))|出(?:れば|たら)|見つか(?:れば|ったら|った場合は?)|入って(?:い)?(?:れば|たら))(?:、)?(?:即|全部|すべて|その時点で)?(?:[^。、]{{0,5}})?)(?:{NG}|不適|ハネ|抵触|不良|不合格|アウト|不可|だめ|ダメ|駄目|返却|却下|廃棄|返品|はじ|弾)")
BARE_BAD_JA = re.compile(rf"^(?:混入|付着|残り|の(?:混入|付着|発生|存在))?(?:は|が|も)?(?:絶対(?:に)?|即|一切|もちろん)?(?:不可|{NG}|厳禁|だめ|ダメ|禁止|認めない|許容しない|認めず|認められ(?:ない|ません)|許(?:さ|され)(?:ない|ません))")
IF_NOT = re.compile(rf"if (?:it'?s |they'?re |there (?:are|is) |that'?s )?not,? (?:then )?(?:it'?s )?(?:rej|{NG}|fail|scrap|bad|out)|any other (?:number|count|amount)|(?:more|less|fewer) or (?:less|more|fewer)|違え?(?:ば|ったら)(?:不良|不合格|{NG}|はじ)|数が(?:合わ|違)")
FROM_NTH = re.compile(rf"(\d+)(?:個|つ|本|件|枚|点|箇所|か所)目(?:から|以降|で)(?:は|が)?(?:即)?(?:{NG}|不良|不合格|不適|アウト|だめ|ダメ|不可)")
SAME = re.compile(rf"(?:相違|差異|差|違い|違う(?:とこ(?:ろ)?|箇所|点))(?:が|は|の)?(?:ゼロ|0|1つもな|いっこもな|なければ|なし|無し|無ければ|一切な)[^。]{{0,8}}(?:合格|ok|良|可|セーフ)|(?:no|zero|without|not (?:one|a single|any)) (?:[a-z]+ ){{0,2}}?differences?[^.]{{0,20}}(?:pass|ok|accept|good|fine)|(?:any|one|a single|1) (?:[a-z]+ ){{0,1}}?difference[^.]{{0,24}}(?:reject|fail|{NG}|scrap|out\b|no good)|(?:相違|差異|違い|差)(?:が|は)?(?:(?:1|一)(?:つ|箇所|点|か所|カ所)でも|あれば)[^。]{{0,10}}(?:不合格|不適|不良|{NG}|アウト|だめ)")
DEFECTS = frozenset(DefectType)


def not_a_limit(text: str, m: Mention) -> bool:
    """Whether a number is a date, an identifier, a magnification, a number of cases, a coordinate, or the like."""
    if m.unit:
        return False
    before, after = text[max(0, m.start - 14):m.start], text[m.end:m.end + 16]
    if YEAR.match(f"{m.value:g}") or m.value > 9999:
        return True
    return bool(NOT_BEFORE.search(before) or NOT_AFTER.match(after))


def is_counted(text: str, m: Mention, of: str | None, kind: str) -> bool:
    """Whether a bare number with a comparison counts things: a counter or a noun follows, or it stands alone with "max"."""
    after = text[m.end:m.end + 24]
    if re.match(rf"\s?{COUNTER}", after):
        return True
    if kind in ("most", "at_least", "most_if_good"):
        return True
    return bool(of and re.match(r"\s?(?:of (?:them|these|those) |[a-z-]+ ){0,2}", after)) or (kind == "soft_most" and bool(re.search(r"\bfewer|count|number|how many", text)))


def count_limits(text: str, defects: Sequence[Hit], starts: Sequence[int], found: Sequence[Criterion]) -> list[Criterion]:
    """Defects that must not be there at all, and numbers of things that must be exact."""
    ends = [*starts[1:], len(text)]
    for start, end in zip(starts, ends, strict=True):
        inside = [h for h in defects if start <= h.start < end]
        sentence = text[start:end]
        if inside and not found and (ZERO.search(sentence) or ZERO_JA_IF.search(sentence) or any(BARE_BAD_JA.match(text[h.end:end]) for h in inside)):
            names = list(dict.fromkeys(h.name for h in inside))[:3]
            return [Criterion(of=name, quantity="count", op=Op.LE, value=0) for name in names]
    if found:
        return []
    if match := FROM_NTH.search(text):
        name = next((h.name for h in defects), None)
        return [Criterion(of=name, quantity="count", op=Op.LT, value=float(match.group(1)))]
    number = _expected(text, defects, starts)
    if number is not None:
        fewer = re.search(r"\b(?:fewer|less)\b(?! or more)", text) and not re.search(r"more or (?:less|fewer)|(?:less|fewer) or more", text)
        return [Criterion(quantity="count", op=Op.GE if fewer else Op.EQ, value=number)]
    return [Criterion(quantity="count", op=Op.LE, value=0)] if SAME.search(text) else []


def _expected(text: str, defects: Sequence[Hit], starts: Sequence[int]) -> float | None:
    if not DOUBT.search(text) and "?" not in text and "か" not in text:
        return None
    for m in mentions(text):
        if m.unit or m.decimal or m.sign or m.value < 1 or not_a_limit(text, m):
            continue
        start = max(s for s in starts if s <= m.start)
        end = min((s for s in starts if s > m.start), default=len(text))
        if any(start <= h.start < end and h.name != "missing" for h in defects):
            continue
        before, after = text[start:m.start], text[m.end:end]
        strict_after = any(pattern.match(after) for pattern in EXPECTED_AFTER)
        strict_before = any(pattern.search(before[-70:]) for pattern in EXPECTED)
        noun = re.match(rf"\s?(?:{COUNTER}|(?!(?:mm|or|and|to|of|is|are|in|on|at|for|if|the|so|but)\b)[a-z]{{3,}})", after)
        if strict_after or (strict_before and (noun or (DOUBT.search(text) and re.match(r"\s?(?:$|[,.;!?。、]|or\b|if\b|and\b)", after)))):
            return m.value
        if noun and (IF_NOT.search(text) or (BAD.search(after) and re.search(r"or reject|otherwise|else|unless", after))):
            return m.value
    return None
