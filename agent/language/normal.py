"""Instructions in one normal form: width, case, kana, number words, units, fillers."""

import re
import unicodedata
from functools import lru_cache

from agent.language.numerals import english_numbers, japanese_numbers

UNITS: tuple[tuple[str, str], ...] = (
    (r"平方ミリ(?:メートル|メーター)?|ミリ平米|mm ?\^?2|sq(?:uare|\.)? ?(?:mm|millimet(?:er|re)s?|millis?)\b|mm ?sq(?:uared?)?\b", "mm2"),
    (r"平方センチ(?:メートル)?|cm ?\^?2|sq(?:uare|\.)? ?(?:cm|centimet(?:er|re)s?)\b", "cm2"),
    (r"平方(?:ピクセル|画素|ドット)|(?:px|pixels?) ?\^?2|sq(?:uare|\.)? ?(?:px|pixels?)\b|pixels? squared", "px2"),
    (r"ミリ(?:メートル|メーター|メータ)?(?!秒|グラム|リットル|タリ)|\bmill?im(?:et|it)(?:er|re)s?\b|(?<=\d) ?mills?\b|(?<=\d) ?millis?\b|\bmms\b|(?<=\d) ?m\.m\.", "mm"),
    (r"ミクロン|マイクロ(?:メートル|メーター|メータ)?(?!スコープ|クラック|ソフト|ピペット)|μm?|\bmicrons?\b|\bmicromet(?:er|re)s?\b|(?<=\d) ?mics?\b|(?<=\d)u(?![a-z])", "um"),
    (r"センチ(?:メートル)?|\bcentimet(?:er|re)s?\b|\bcms\b", "cm"),
    (r"インチ|\binch(?:es)?\b|(?<=\d)″", "inch"),
    (r"ピクセル|画素(?!数(?:は|が|、|足|と|も|って))数?|(?<=\d)ドット|(?<=何)ドット|\bpixels?\b|\bpxls?\b|\bpix\b|\bpxs\b|(?<=\d) ?dots?\b", "px"),
    (r"(?<=\d)[ -]?degrees?\b|(?<=\d) ?degs?\b\.?|(?<=\d) ?°|(?<=\d)(?<!もう1)(?<!今1)(?<!いま1) ?度(?![目とも々]|数|見|だけ|や|聞|やっ|撮|お願|確)", "deg"),
)
UNIT_RULES = tuple((re.compile(pattern), unit) for pattern, unit in UNITS)
SPACED_UNIT = re.compile(r"(?<=\d)[ -]+(mm2|px2|cm2|mm|um|cm|px|inch|thou|deg)(?![a-z0-9])")
FILLERS = re.compile(
    r"(?<!\d)(?<!\d )\b(?:um+|uh+|erm*|hmm+|ahem)\b[, ]*|\b(?:you know|i mean(?= like)|kinda like)\b[, ]*"
    r"|(?:えーと|えっと|えーっと|ええと|えー(?!ジ|ス)|あのー|あの(?=[、えー])|んーと|うーんと|うーん|そのー|まあその|えとー?(?=[、 ]))[、\s]*")
PLAIN = str.maketrans({"’": "'", "‘": "'", "´": "'", "`": "'", "−": "-", "–": "-", "—": "-", "‐": "-", "‑": "-", "〜": "~", "≦": "≤", "≧": "≥",
                       "Ø": "φ", "ø": "φ", "⌀": "φ", "“": '"', "”": '"', "×": "x", "･": "・", "、": "、"})
CIRCLED = re.compile("[①-⑨]")
RUN = re.compile(r"([^\d])\1{11,}")
UNBROKEN = re.compile(r"[A-Za-z0-9_]{60,}")
LONGEST, KEPT = 20000, 700
NUMBERED = re.compile(r"(?:\bno\.|#|№)\s?(?=\d)")
FRACTIONS = (
    (re.compile(r"\b(\d+) and a half\b"), lambda m: f"{m.group(1)}.5"),
    (re.compile(r"\bone and a half\b"), lambda m: "1.5"),
    (re.compile(r"\b(?:a )?half (?:of )?(?:a |an )?(?=mm|milli|mili|cm|centi|inch|px|pixel|micron|degree)"), lambda m: "0.5 "),
    (re.compile(r"\b(?:a )?(?:quarter|fourth) (?:of )?(?:a |an )?(?=mm|milli|cm|centi|inch|px|pixel|degree)"), lambda m: "0.25 "),
    (re.compile(r"\b(?:a )?tenth (?:of )?(?:a |an )?(?=mm|milli|cm|centi|inch|px|pixel|degree)"), lambda m: "0.1 "),
    (re.compile(r"\b(\d+) dozen\b"), lambda m: str(12 * int(m.group(1)))),
    (re.compile(r"\bhalf a dozen\b"), lambda m: "6"),
    (re.compile(r"(?<=minus )one\b"), lambda m: "1"),
    (re.compile(r"\ba dozen\b|\bthe dozen\b|(?<![\w])dozen\b"), lambda m: "12"),
    (re.compile(r"半(?=ミリ|mm|センチ|ピクセル|画素)"), lambda m: "0.5"),
    (re.compile(r"(?:コンマ|こんま)(?=\d)"), lambda m: "0."),
)


@lru_cache(maxsize=1024)
def normalise(text: str) -> str:
    """NFKC, lower case, half-width katakana widened, digits and units in one spelling, fillers dropped.

    >>> normalise("２５㎜以上のｷｽﾞ")
    '25mm以上のキズ'
    >>> normalise("twenty five millimetres or zero point five mm")
    '25mm or 0.5mm'
    """
    text = _shortened(text)
    text = CIRCLED.sub(lambda m: f"{ord(m.group()) - 0x245F}番 ", text)
    plain = unicodedata.normalize("NFKC", text).translate(PLAIN).lower().replace("\t", " ")
    plain = FILLERS.sub(" ", NUMBERED.sub("no ", plain))
    plain = japanese_numbers(english_numbers(plain))
    for pattern, replace in FRACTIONS:
        plain = pattern.sub(replace, plain)
    for unit_pattern, unit in UNIT_RULES:
        plain = unit_pattern.sub(unit, plain)
    plain = re.sub(r"\btop-(?=\d)", "top ", plain).replace("mm_per_px", "mm per px")
    plain = SPACED_UNIT.sub(r"\1", plain)
    plain = _decimals(plain)
    return re.sub(r"[^\S\n]+", " ", plain).strip()


def _shortened(text: str) -> str:
    """A text of bearable length: runs of one character cut, and of a very long text its beginning and its end.

    People say what they want first or last; what lies between 700 characters and the last 700 is quoted mail or a log.
    """
    text = RUN.sub(r"\1\1\1", text[:LONGEST])
    text = UNBROKEN.sub(lambda m: m.group()[:40], text)
    return text if len(text) <= 2 * KEPT else f"{text[:KEPT]}\n{text[-KEPT:]}"


def _decimals(text: str) -> str:
    """0,5 mm and .5 mm as 0.5 mm; 1,200 px as 1200 px. Coordinates keep their commas."""
    text = re.sub(r"(?<![\d.a-z])\.(?=\d)", "0.", text)
    text = re.sub(r"(?<=[±])\.(?=\d)", "0.", text)
    text = re.sub(r"(?<![\d,.])(\d{1,3}),(\d{1,2})(?=(?:mm2?|um|cm|deg|inch)(?![a-z]))(?!,)", r"\1.\2", text)
    text = re.sub(r"(?<![\d,.])(\d{1,3}),(\d{3})(?=(?:mm2?|um|px2?|個|本|枚|円|件)(?![a-z]))", r"\1\2", text)
    return text
