"""Number words as digits, English and Japanese."""

import re

JA_DIGITS = {"〇": 0, "零": 0, "一": 1, "二": 2, "三": 3, "四": 4, "五": 5, "六": 6, "七": 7, "八": 8, "九": 9}
JA_POWERS = {"十": 10, "百": 100, "千": 1000}
EN_ONES = dict(zip("zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
                   "seventeen eighteen nineteen".split(), range(20), strict=True))
EN_TENS = dict(zip("twenty thirty forty fifty sixty seventy eighty ninety".split(), range(20, 100, 10), strict=True))
EN_DIGITS = {**{word: str(value) for word, value in EN_ONES.items() if value < 10}, "oh": "0", "nought": "0", "naught": "0", "nil": "0"}
SMALL = "|".join(sorted(EN_ONES, key=len, reverse=True))
TENS = "|".join(EN_TENS)
UNDER_100 = rf"(?:(?:{TENS})(?:[- ](?:one|two|three|four|five|six|seven|eight|nine))?|(?:{SMALL}))"
EN_NUMBER = re.compile(rf"\b(?:(?P<h>(?:(?:{SMALL}|a) )?hundred)(?:(?: and)? (?P<r>{UNDER_100})(?! hundred))?|(?P<u>{UNDER_100}))"
                       rf"(?:,? (?:point|dot) (?P<d>(?:{'|'.join(EN_DIGITS)})(?:[ -](?:{'|'.join(EN_DIGITS)}))*))?\b")
EN_POINT = re.compile(rf"\b(?:(?:nought|naught|oh|zero) )?point (?P<d>(?:{'|'.join(EN_DIGITS)}|fifteen|twenty five|seventy five|\d+)(?:[ -](?:{'|'.join(EN_DIGITS)}))*)\b")
NUMBER_WORD = rf"\b(?:{TENS}|{SMALL}|hundred)"
PRONOUN_BEFORE = re.compile(r"(?:\b(?:the|this|that|which|every|each|any|some|no|other|another|good|bad|worst|best|last|first|second|third|"
                            r"longest|shortest|largest|biggest|smallest|single|big|small|new|old|same|right|left|next|golden|can|should|must|would|"
                            r"does|has|another|wrong|lower|upper|top|bottom|middle|reference|perfect|and the|proper|only|or this|long|short) )$")
UNIT_AFTER = re.compile(r" ?(?:mm|milli|mili|um\b|micron|cm|centi|px|pixel|inch|degree|deg\b|thou\b|(?:more|other) |per |or more|[a-z]{3,} (?:allowed|max|is allowed|and it))")
JA_COUNTERS = ("個|コ(?!ン|ー|ネ|ピ|イ)|ヶ|ケ(?=迄|ま|以|。|$|で|な)|つ|本|枚|件|箇所|か所|ヶ所|カ所|点|mm|cm|um|μ|px|度|番|倍|円|パーセント|%|秒|人|台|粒|錠|缶|箱|袋|列|段|行|回|"
               "例|ミリ|ミクロン|マイクロ|ピクセル|センチ|画素|ドット|インチ|平方|目盛|マス|ケン|球|玉|匹|丁|足|山|歯|セット|種類|ヵ所|文字|桁|けた|ケタ|分の")
KANJI = re.compile(rf"(?<![第唯])(?!一番(?!目(?!立)))(?!一度(?![以未を超よまずで]))(?!一(?:点張|本化|つも|切|人|定|連|旦|部|括|環|通り|般|緒|言|応|番手|度に))([〇零一二三四五六七八九十百千]+)(?=\s?(?:{JA_COUNTERS}))")
KANJI_POINT = re.compile(r"([〇零一二三四五六七八九十百千]+|れい|\d+)(?:・|点|てん|コンマ)([〇零一二三四五六七八九]+|\d+)(?=\s?(?:mm|cm|um|px|ミリ|ミクロン|センチ|ピクセル|画素|度|平方|の|と|$|、|。|以|まで|を))")
KANA_DIGITS = {"ぜろ": 0, "れい": 0, "いち": 1, "いっ": 1, "に": 2, "さん": 3, "よん": 4, "ご": 5, "ろく": 6, "ろっ": 6, "なな": 7, "しち": 7, "はち": 8, "はっ": 8, "きゅう": 9}
KANA_POWERS = {"じゅう": 10, "じゅっ": 10, "じっ": 10, "ひゃく": 100, "びゃく": 100, "ぴゃく": 100, "せん": 1000, "ぜん": 1000}
KANA_PART = "|".join(sorted([*KANA_DIGITS, *KANA_POWERS], key=len, reverse=True))
KANA_FRONT = r"(?:(?<![ぁ-ん])|(?<=[はがをでものてとねにイ、]))"
KANA = re.compile(rf"{KANA_FRONT}((?:{KANA_PART})+)(?:てん((?:{KANA_PART})+)|(?=\s?(?:ミリ|ミクロン|マイクロ|ピクセル|センチ|画素|ドット|mm|um|px|cm|個|本|枚|件|箇所|か所|度|分の|こ(?:まで|以|な|ず|ある|の|で|ま)|[ほぼぽ]ん(?!ど|と|も)|まい(?!に))))")
KANA_COUNTERS = ((re.compile(r"(?<=\d)こ(?=まで|以|な|ず|ある|の|で|ま)"), "個"), (re.compile(r"(?<=\d)[ほぼぽ]ん"), "本"), (re.compile(r"(?<=\d)まい"), "枚"))
TSU = {"ひとつ": 1, "いっこ(?!う)": 1, "ふたつ": 2, "みっつ": 3, "みつ(?=まで)": 3, "よっつ": 4, "いつつ": 5, "むっつ": 6, "ななつ": 7, "やっつ": 8, "ここのつ": 9}
TSU_RULES = tuple((re.compile(rf"(?<![もお]う)(?<!い)(?<!ま){word}"), f"{value}つ") for word, value in TSU.items())


def english_numbers(text: str) -> str:
    """"twenty five" as 25, "zero point five" as 0.5; "the other one" stays a pronoun."""
    if not re.search(r"[a-z]{2}", text):
        return text
    text = EN_POINT.sub(lambda m: m.group() if re.search(r"(?:\d|" + NUMBER_WORD + r") $", text[max(0, m.start() - 12):m.start()]) else "0." + _digits(m.group("d")), text)
    return EN_NUMBER.sub(_english, text)


def _english(match: re.Match[str]) -> str:
    hundred, rest, under, decimals = match.group("h", "r", "u", "d")
    if under == "one" and not decimals:
        before, after = match.string[max(0, match.start() - 24):match.start()], match.string[match.end():match.end() + 24]
        if PRONOUN_BEFORE.search(before) or not UNIT_AFTER.match(after):
            return match.group()  # a pronoun far more often than a number
    value = 100 * EN_ONES.get(hundred.split()[0], 1) + (_under_100(rest) if rest else 0) if hundred else _under_100(under)
    return f"{value}.{_digits(decimals)}" if decimals else str(value)


def _under_100(words: str) -> int:
    return sum(EN_TENS.get(word, EN_ONES.get(word, 0)) for word in re.split(r"[- ]", words))


def _digits(words: str) -> str:
    tens = {"fifteen": "15", "twenty five": "25", "seventy five": "75"}
    return tens.get(words) or "".join(EN_DIGITS.get(w, w) for w in re.split(r"[ -]+", words.strip()) if w)


def japanese_numbers(text: str) -> str:
    """Kanji and kana numbers before a counter or a unit as digits."""
    if text.isascii():
        return text
    text = re.sub(r"(?<=\d)(?:てん|点)(?=\d+\s?(?:mm|um|cm|px|ミリ|ミクロン|センチ|度))", ".", text)
    text = KANJI_POINT.sub(lambda m: f"{_whole(m.group(1))}.{_fraction(m.group(2))}", text)
    text = KANA.sub(lambda m: str(_kana(m.group(1))) + (f".{_kana_digits(m.group(2))}" if m.group(2) else ""), text)
    for pattern, counter in KANA_COUNTERS:
        text = pattern.sub(counter, text)
    for pattern, number in TSU_RULES:
        text = pattern.sub(number, text)
    text = KANJI.sub(lambda m: str(_kanji(m.group(1))), text)
    return re.sub(r"([一二三四五六七八九十百千]+|\d+)の([一二三四五六七八九十百千]+|\d+)から([一二三四五六七八九十百千]+|\d+)の([一二三四五六七八九十百千]+|\d+)",
                  lambda m: "({},{})から({},{})".format(*(_whole(g) for g in m.groups())), text)


def _whole(number: str) -> str:
    return number if number.isdigit() else "0" if number == "れい" else str(_kanji(number))


def _fraction(number: str) -> str:
    return number if number.isdigit() else "".join(str(JA_DIGITS[c]) for c in number)


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


def _kana_digits(number: str) -> str:
    return "".join(str(KANA_DIGITS[part]) for part in re.findall(KANA_PART, number) if part in KANA_DIGITS)


def _kana(number: str) -> int:
    total, digit = 0, 0
    for part in re.findall(KANA_PART, number):
        if part in KANA_POWERS:
            total += (digit or 1) * KANA_POWERS[part]
            digit = 0
        else:
            digit = 10 * digit + KANA_DIGITS[part]
    return total + digit
