"""Words of acceptance and rejection, and which of them speaks of a number."""

import re

NG = r"(?<![a-z])ng(?![a-z])|エヌジー|ＮＧ"
BAD = re.compile(
    rf"\b(?:reject\w*|rej\b|fail\w*|scrap\w*|throw|unacceptable|bad|no[- ]?go|nonconform\w*|rework|refus\w*|kick(?:ed|s)? (?:it |them |that |those )?(?:out|back)|kicked|"
    rf"not (?:be )?(?:ok|okay|acceptable|accept|accepted|allowed|good|permitted|tolerated|pass|fine)|can'?t (?:pass|ship|go|be (?:accepted|passed|shipped))|"
    rf"out of (?:spec|tol\w*)|outside (?:spec|tol\w*)|off (?:spec|limits)|bin (?:it|them|that|this)|(?:we|must|to|i|they|gets?) bin|in the bin|hold (?:it|them)|return(?:ed|s)?(?! the| to me| a| me)|is out|are out|is too (?:much|many|long|big)|"
    rf"turned? down|sent? back|goes? back|waste|pulp|downgrad\w*|write[- ]?off|forbidden|prohibited|complain\w*|replac(?:e|ed)|not tolerat\w*|nope|no good|defective|breach\w*|violat\w*|non-?compliant|non-?conforming|not compliant|does ?n[o']t (?:pass|comply|conform)|ditch\w*|toss(?:ed)?|binned|discard\w*|red tag\w*|disqualif\w*|hopeless|useless|not (?:on|go|going)|exceeds? (?:spec|limit)|condemn\w*|quarantin\w*|flag (?:it|them|as)|alarm)\b|"
    rf"{NG}|不良|不合格|不適|異常(?:とみな|フラグ|扱い|判定|と(?:す|し|判))|作り直|抵触|違反|ハネ|はね(?:て|る)|おしゃか|オシャカ|ボツ|没|お釈迦|不採用|回収|弾(?:か|け)|通せ(?:ない|ませ)|通ら(?:ない|ん|ず)|出せ(?:ない|ませ)|出荷(?:不可|停止|でき)|ロットアウト|止め(?:る|て)|保留|特採|不可(?!欠|能|視|分)|アウト|はじ(?:く|い|き|け)(?!め)|弾(?:く|い|け|き|か)|落(?:とす|とし|ちる|と(?:し|せ|さ))|返却|返品|戻し|戻す|だめ|ダメ|アカン|あかん|駄目|却下|廃棄|手直し|許され?(?:ない|ませ)|許容(?:しない|でき|外|され(?:ない|ませ))|"
    rf"あきまへん|選別|認め(?:ない|ませ|られ)|受け?入れ(?:ない|られ|でき)|使えない|リジェクト|スクラップ|除却|交換(?!レンズ)|厳禁|許さ|規格外|引き取り|クレーム対象|差し戻|受け取(?:れ|ら)(?:ない|ませ)|(?:判定|結果)(?:は|を)?[×✕]|[×✕]|外して|やり直し|ペケ|貼り直し")
GOOD = re.compile(
    r"\b(?:accept(?:ed|able|s|ance|ing)?|allow\w*|ok|okay|pass(?:es|ed|able)?|permit\w*|permissible|fine|tolerat\w*|toleranc\w*|good|within (?:spec|limits)|limits?|conform\w*|approv\w*|compl(?:y|ies|iant|iance)|criteri\w+|satisf\w+|qualif\w+|meets?|green|let (?:it|them|this) (?:go|through)|"
    r"go(?= or no)|still go|survive|release|first (?:choise|choice)|can repair|can be repaired|legal|works? for us|all right|alright|no problem|harmless|live with)\b|"
    r"許容|(?<!不)適合|(?<!不)適(?=です|か|と)|(?<!引き)結構|守られ|守って|お受け|正常(?:とみな|扱い|と(?:す|し|判))|であること|要求|満たし|満たす|満たせ|充足|合格(?!ライン)|(?<!不)(?<!許)可(?!能|否|視|動|愛|笑|塑|変|燃|溶)|(?<![a-z])ok(?![a-z])|オッケ|オーケー|良品|良し|(?<![一])よし(?!ろ)|セーフ|問題な|かまわ|構わ|(?<![がに])ええ(?!と|ー|から|っと)|いい(?!え|や|ま|ん)|良い|(?<!不)良(?!く|か|品|否|好|け)|見逃|目こぼし|"
    r"通(?:す|し(?!穴)|る|せ)(?!り)|受け入れる|受入|通過|救済|丸|ＯＫ|認め(?:る|て|ます)|大丈夫|取り決め|合(?=カ|$|。)|補修可|許す|いける|いけます|オケ|平気")
JUDGING = re.compile(
    r"judg|verdict|pass|fail|\bok\b|okay|accept|reject|decide|decision|good enough|good or|conform|spec|toleranc|allowed|permit|limit|\bgo\b|verify|check (?:if|whether|that)|scrap|in or out|complian|comply|does it (?:hold|make|meet)|meet|"
    r"判定|判断|判てい|反定|合否|良否|可否|合格|不良|許容|規格|公差|基準|大丈夫|問題|足り|セーフ|アウト|入って(?:い)?(?:る|ます)|収ま|外れ|どう(?:です|だ|で|か)|ok|ng|良|可|以内か|対象|満た|なる[?？]|該当|適合|守られ|抵触|相違|確認|不適|要求|お受け|結構")
ASKING = re.compile(r"[?？]|\bwhether\b|\bif any\b|ますか|ですか|(?:る|た|い)か(?:$|。|、|を|ど)")


def nearest(before: str, after: str) -> tuple[bool, bool]:
    """Whether the word of acceptance or rejection nearest to a number is a bad one, or a good one.

    Args:
        before: The sentence up to the number.
        after: The sentence from the number on.
    Returns:
        (bad, good), both False where the sentence has neither.
    """
    ranked: list[tuple[int, bool]] = []
    for pattern, bad in ((BAD, True), (GOOD, False)):
        first = pattern.search(after)
        if first:
            ranked.append((first.start(), bad))
        if ends := [match.end() for match in pattern.finditer(before)]:
            ranked.append((len(before) - ends[-1] + 4, bad))
    if not ranked:
        return False, False
    ranked.sort(key=lambda entry: (entry[0], not entry[1]))
    return ranked[0][1], not ranked[0][1]
