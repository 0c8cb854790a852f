"""Instructions in one normal form: width, case, kana, number words, units, fillers."""

import re
import unicodedata

JA_DIGITS = {"〇": 0, "零": 0, "一": 1, "二": 2, "三": 3, "四": 4, "五": 5, "六": 6, "七": 7, "八": 8, "九": 9}
JA_POWERS = {"十": 10, "百": 100, "千": 1000}
JA_COUNTERS = "個|つ|本|枚|件|箇所|か所|ヶ所|カ所|mm|cm|um|px|度|番|倍|円|パーセント|%|秒|人|台|粒|錠|缶|箱|袋|点|列|段|行|回|mm2|px2"
EN_ONES = dict(zip("zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
                   "seventeen eighteen nineteen".split(), range(20), strict=True))
EN_TENS = dict(zip("twenty thirty forty fifty sixty seventy eighty ninety".split(), range(20, 100, 10), strict=True))
EN_WORD = "|".join([*EN_TENS, *sorted(EN_ONES, key=len, reverse=True)])
EN_NUMBER = re.compile(rf"\b(?:({'|'.join(EN_TENS)})[- ]?)?({EN_WORD})?(?:[- ](hundred)(?: and)?(?:[- ]({'|'.join(EN_TENS)}))?(?:[- ]?({EN_WORD}))?)?"
                       rf"(?: (?:point|dot) ((?:(?:{EN_WORD}|oh|nought)[ -]?)+))?\b")
POINT_ONLY = re.compile(rf"\b(?:point|nought point|zero point|oh point) ((?:(?:{EN_WORD}|oh|nought)\b ?)+)")

UNITS: tuple[tuple[str, str], ...] = (
    (r"平方ミリ(?:メートル)?|ミリ平米|mm\s?\^?2|mm²|sq\.? ?mm|square (?:mm|millimet(?:er|re)s?|millis?)|㎟", "mm2"),
    (r"平方(?:ピクセル|画素)|(?:px|pixels?)\s?\^?2|px²|sq\.? ?(?:px|pixels?)|square (?:px|pixels?)", "px2"),
    (r"ミリ(?:メートル|メーター|メータ)?(?!秒|グラム|リットル)|㎜|millimet(?:er|re)s?|milimet(?:er|re)s?|(?<=\d)\s?mills?\b|(?<=\d)\s?millis?\b", "mm"),
    (r"ミクロン|マイクロ(?:メートル|メーター|メータ)|㎛|μm|µm|microns?|micromet(?:er|re)s?|μ(?!m)", "um"),
    (r"センチ(?:メートル)?|㎝|centimet(?:er|re)s?", "cm"),
    (r"インチ", "inch"),
    (r"ピクセル|ﾋﾟｸｾﾙ|画素(?!数は)|ドット|pixels?\b|pxls?\b|\bpix\b|(?<=\d)\s?dots?\b", "px"),
    (r"degrees?\b|(?<=\d)\s?degs?\b|(?<=\d)\s?°|(?<=\d)度", " deg"),
)
UNIT_RULES = tuple((re.compile(pattern), unit) for pattern, unit in UNITS)
SPACED_UNIT = re.compile(r"(?<=\d)\s+(mm2|px2|mm|um|cm|px|inch(?:es)?)(?![a-z])")
FILLERS = re.compile(r"\b(?:um+|uh+|er+m*|hmm+|like,|you know|i mean|let'?s see|ok so|right so|so yeah)\b(?<!\dum)[, ]*"
                     r"|(?:えーと|えっと|えー|あのー|あの(?=[、えー])|んーと|うーんと|そのー|まあその)[、\s]*")


def normalise(text: str) -> str:
    """NFKC, lower case, half-width katakana widened, digits and units in one spelling, fillers dropped.

    >>> normalise("２５㎜以上のｷｽﾞ")
    '25mm以上のキズ'
    >>> normalise("twenty five millimetres or zero point five mm")
    '25mm or 0.5mm'
    """
    plain = unicodedata.normalize("NFKC", text).lower().replace("’", "'").replace("−", "-").replace("〜", "~")
    plain = FILLERS.sub(" ", plain)
    plain = _japanese_numbers(_english_numbers(plain))
    for pattern, unit in UNIT_RULES:
        plain = pattern.sub(unit, plain)
    plain = re.sub(r"(?<=\d)てん(?=\d)|(?<=\d)点(?=\d+(?:mm|um|cm|px))", ".", plain)
    plain = SPACED_UNIT.sub(r"\1", plain)
    plain = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", plain) if not re.search(r"\d+,\d+,\d+,\d+", plain) else plain
    return re.sub(r"\s+", " ", plain).strip()


def _english_numbers(text: str) -> str:
    text = POINT_ONLY.sub(lambda m: "0." + _digits(m.group(1)) + " ", text)
    text = re.sub(r"\bhalf a (?=mm|milli|cm|centi|inch|px|pixel)", "0.5 ", text)
    return EN_NUMBER.sub(_english_number, text)


def _english_number(match: re.Match[str]) -> str:
    tens, ones, hundred, more_tens, more_ones, decimals = match.groups()
    if not match.group().strip() or (tens is None and ones is None):
        return match.group()
    value = EN_TENS.get(tens or "", 0) + EN_ONES.get(ones or "", EN_TENS.get(ones or "", 0))
    if hundred:
        value = value * 100 + EN_TENS.get(more_tens or "", 0) + EN_ONES.get(more_ones or "", 0)
    if ones == "one" and not (tens or hundred or decimals):
        return match.group()  # "the other one", "that one": a pronoun far more often than a number
    tail = " " if match.group().endswith(" ") else ""
    return f"{value}.{_digits(decimals)}{tail}" if decimals else f"{value}{tail}"


def _digits(words: str) -> str:
    return "".join(str(EN_ONES.get(w, EN_TENS.get(w, 0))) for w in re.split(r"[ -]+", words.strip()) if w)


def _japanese_numbers(text: str) -> str:
    """Kanji numbers before a counter or a unit, and 「れいてんご」-like decimals, as digits."""
    text = re.sub(r"([〇零一二三四五六七八九十百千]+)(?:・|点|てん)([〇零一二三四五六七八九]+)",
                  lambda m: f"{_kanji(m.group(1))}.{''.join(str(JA_DIGITS[c]) for c in m.group(2))}", text)
    units = r"ミリ|ミクロン|マイクロ|ピクセル|センチ|画素|" + JA_COUNTERS
    return re.sub(rf"(?<!第)([〇零一二三四五六七八九十百千]+)(?=\s?(?:{units}))(?!番(?!目))", lambda m: str(_kanji(m.group(1))), text)


def _kanji(number: str) -> int:
    if not any(c in JA_POWERS for c in number):
        return int("".join(str(JA_DIGITS[c]) for c in number))
    total, digit = 0, 0
    for c in number:
        if c in JA_POWERS:
            total += (digit or 1) * JA_POWERS[c]
            digit = 0
        else:
            digit = JA_DIGITS[c]
    return total + digit
