"""What a sentence takes back: negation, exclusion, and slips that the speaker corrects."""

import re
from collections.abc import Sequence

from agent.language.lexicon import Hit

NEGATED_EN = re.compile(
    r"\b(?:don'?t|do not|no need (?:to|for)|without|ignor\w+|disregard\w*|skip(?:ping)?|except(?:ing)?(?: for)?|exclud\w+|"
    r"leav\w+ out|not interested in|forget(?: about)?|never ?mind|apart from|other than|rather than|instead of|not bother\w*|"
    r"aside from|bar the|no (?=measur|zoom|count|compar|judg|verdict|history|detect|inspect)|nothing to do with|not (?!ok|good|sure|visible|there))"
    r"(?P<scope>[^.,;!?]{1,48}?)(?=$|[.,;!?]|\b(?:but|just|only|and just|then)\b)")
NOT_COUNT_EN = re.compile(
    r"(?P<scope>[^.,;!?]{1,40}?)\s(?:do(?:es)? ?n[o']t (?:count|matter|interest)|are (?:fine|ok|normal|irrelevant|expected|known|excluded)|"
    r"can be ignored|is (?:fine|normal|irrelevant|not (?:needed|necessary|required))|not (?:needed|necessary|required|wanted)|out of scope|aside)")
NEGATED_JA = re.compile(
    r"(?P<scope>[^、。,;!?\s]{1,22}?)(?:に?は|の方は|のほうは|も|を|が|とか)?(?:今回は|もう|別に|一切|全部)?(?:の(?:判定|測定|検査)は)?"
    r"(?:無視|除外|除(?:い|き|く)|対象外|不要|(?:いら|要ら)(?:ん|ない|ぬ)|しなくて|しないで|せんで|見なくて|みなくて|以外|じゃなく|ではなく|でなく|"
    r"(?:は|で)?結構(?!です$)|やらなくて|測らなくて|数えなくて|比べなくて|抜きで|なしで|関係な|気にしな|どうでも|カウントしな|数に入れな|ノーカン|考慮しな|含めな|ええから)")
CORRECTION = re.compile(
    r"[,.…\s]*\b(?:no+,? (?:wait|sorry|i mean|rather|make that)|no wait|no,? (?=the |not |it|on )|oh no|sorry,?(?: i mean)?|i mean(?:t)?|scratch that|correction|"
    r"make that|actually(?: no)?|or rather|wait(?: no)?|oops|whoops|err+)[, ]+"
    r"|[、。…\s]*(?:あ+っ?、?違う|いや違う|いや、?違(?:う|った|いました)|違った|違う違う|ちがう|じゃない(?=、|わ)|じゃなくて?|ではなくて?|でなくて?|失礼(?:しました)?|訂正|間違え(?:ました|た)|"
    r"(?<=[、…\s])いや(?!な)|もとい|すまん(?=、?[左右上下]))[、。…\s]*")


def taken_back(text: str, hits: Sequence[Hit]) -> tuple[tuple[Hit, ...], tuple[Hit, ...]]:
    """Split words into those that stand and those that the speaker excludes.

    A word in the scope of a negation is excluded. Of two words of one category on both sides of a correction, the
    earlier one is neither: it was a slip.

    Returns:
        (standing, excluded)
    """
    scopes = [match.span("scope") for pattern in (NEGATED_EN, NOT_COUNT_EN, NEGATED_JA) for match in pattern.finditer(text)]
    excluded = tuple(h for h in hits if any(a <= h.start and h.end <= b for a, b in scopes))
    standing = [h for h in hits if h not in excluded]
    for match in CORRECTION.finditer(text):
        before = [h for h in standing if match.start() - 30 <= h.end <= match.start() + 2]
        after = [h for h in standing if match.end() - 1 <= h.start <= match.end() + 30]
        if before and after:
            standing = [h for h in standing if h not in before]
            excluded = tuple(h for h in excluded if not match.start() - 30 <= h.end <= match.start() + 2)
    return tuple(standing), excluded
