"""What a sentence takes back: negation, exclusion, and slips that the speaker corrects."""

import re
from collections.abc import Sequence
from functools import lru_cache

from agent.language.lexicon import Hit

END_EN = r"(?=$|[.,;:!?\n。、]|\b(?:but|just|only|then|because|since|though|although|it'?s|they|those|these are|that's|instead|and (?:just|only|then|find|look|tell|give|measure|count|zoom|show|read|check|say)|from you|for now)\b)"
FORWARD_EN = re.compile(
    r"\b(?:don'?t|do not|dont|didn'?t ask|no need (?:to|for)|not need(?:ed)?(?: to)?|without|w/o|ignor(?:e|es|ing)|disregard(?:ing)?|skip(?:ping)?|except(?:ing)?(?: for)?|exclud(?:e|ing)|"
    r"leav(?:e|ing)(?: out| aside)|not interested in|forget(?: about)?|never ?mind|apart from|other than|rather than|instead of|as opposed to|not bother\w*(?: with)?|besides|"
    r"aside from|bar(?=ring| the)(?:ring)?|no (?=measur|zoom|count|compar|judg|verdict|histor|detect|inspect|search|sharpen|contrast|dims|dimension|scratch search|cases|reading|text|crop)|nothing to do with|"
    r"refrain from|hold off(?: on)?|keep (?:away|off)(?: from)?|paid? no attention to|pay no attention to|not(?= the| yet| for| a (?:measure|zoom|verdict)| any| brighter| sharper| by | in )|minus|"
    r"not include|filter(?:ed|ing)? out|leave(?= the [a-z]+ ?(?:$|[.,;]))|nor|neither|(?<!is it )(?<!it is )(?<!if )(?<!or )\bnot(?= (?:left|right|upper|lower|top|bottom|mm|px|um|cm|inch|length|width|height|area|diameter|dates?|lots?|serials?|measur\w+|zoom\w*|count\w*|crop\w*|stain\w*|scratch\w*|dent\w*|crack\w*|burr\w*|chip\w*)\b))"
    rf"(?P<scope>[^.,;:!?\n。]{{1,60}}?){END_EN}")
AROUND_EN = re.compile(r"\bleav(?:e|ing) (?P<scope>[^.,;:!?\n]{1,44}?) (?:alone|be|aside|out|as (?:it|they) (?:is|are)|untouched|for (?:now|later))\b|\b(?P<scope2>[a-z' -]{3,30}?) aside\b|\bdo not mind (?P<scope3>[a-z ]{3,30})")
BACKWARD_EN = re.compile(
    r"(?P<scope>[^.,;:!?\n。]{1,56}?)\s(?:(?:do(?:es)? ?n[o']t|dont|do not|won'?t) (?:count|matter|interest|need)|(?:are|r) (?:perfectly |all |quite )?(?:fine|ok|okay|normal|irrelevant|expected|known|excluded|tolerated here|design|acceptable)\b|"
    r"(?:can|may|should|could|to) be (?:ignored|left out|disregarded|skipped|omitted|left aside)|(?:is|are) (?:normal|irrelevant|known|not (?:needed|necessary|required|wanted|need|necesary|my concern|of interest|relevant))|"
    r"(?:is|are) ?n'?t (?:needed|necessary|required|wanted)|not (?:needed|necessary|required|wanted|necesary)|out of scope|(?:unwanted|unneeded)|(?:has|have) (?:already )?been (?:done|dealt with|measured|checked|noted)|"
    r"wash(?:es)? off|can ignore|(?:were|was|is|are|been) (?:already )?(?:dispositioned|handled|logged|noted|done|covered)|no thanks|i (?:already )(?:know|have|noted|did)|i know about|(?:is|are) (?:another|a different) (?:team|department)\w*|myself|stays?(?: as (?:it is|is))?(?=$|[.,;])|not(?=$|[.,;!]))")
START_JA = r"(?:^|(?<=[、。,.;!?！？\n・（）()「」 ])|(?<=から)|(?<=ので)|(?<=けど)|(?<=だけね)|(?<=だけ拾って)|(?<=ですが)|(?<=ますが))"
BACKWARD_JA = re.compile(
    rf"{START_JA}(?P<scope>[^、。,;!?！？\n]{{1,26}}?)(?:(?:に|で|と)?は|の方は|のほうは|の件は|も|に|を|が|とか|って)?(?:今回は|もう|別に|一切|全部|すでに|既に|先に|まだ|別途|特に|とりあえず)?(?:の(?:判定|測定|検査)は)?"
    r"(?:無視|むし(?:して|で)|除外|除(?:い|き|く)|対象外|不要|(?:いら|要ら|いり|要り)(?:ん|な|ぬ|ね|ま)|(?:し|見|み|測ら|数え|比べ|触ら|いじら|やら|気にし|含め|考慮し|カウントし|調べ|探さ|読ま|判定し|拡大し)(?:なくて|ないで|んで|んとい|なく)(?!.{0,2}(?:か|すか|大丈夫か))|せんで|せず|"
    r"(?<!で)結構(?:です|だ|や|、|。|$|ので)|抜きで|抜きに|な(?:し|く)で|ナシで|無しで|関係な|どうでも|数に入れな|ノーカン|ええから|もういい|(?:今|いま)(?:は)?いい|いいや|放っと|ほっと(?:い|け)|(?:記載|報告|出力|表示)(?:は)?不要|出力から|もう結構|正常|良否は?問わ|問わ(?:ん|な|ず)|問いま|別工程|別の者|別途|"
    r"承知|了解(?!しました。(?:では|次))|控えて|メモった|(?:確認|調査|測定)?済み|(?:見|測り|調べ)ましたので|先輩が見た|わかって(?:る|い)|分かって(?:る|い)|必要(?:な|あり)(?:い|ま)|こっちで(?:やる|見る|決め)|当方で|私どもで|自分で(?:やる|見る|決め|判断)|あとで(?:やる|見る)|さわら|置いといて|おいといて|除けば)")
EXCEPT_JA = re.compile(r"(?P<scope>[^、。,;!?\n]{1,16}?)(?:以外|を除(?:い|き|く)|を除外|抜きで|じゃなく(?!ても)|ではなく|でなく(?!ても)|より(?:むしろ))")
NOT_ONLY = re.compile(r"だけ(?:で(?:は)?なく|じゃなく)|のみならず|ばかりでなく|not only|not just|以外に(?:は)?(?:ない|無い)")
ALLOWED = re.compile(r"\s?(?:are|is|r)? ?(?:perfectly |all |quite |still )?(?:fine|ok|okay|acceptable|tolerated|normal|allowed)|(?:を|は|なら|まで)?(?:正常|結構|問題な|無視)")
CORRECTION = re.compile(
    r"[,.…\s-]*\b(?:no+,? (?:wait|sorry|i mean|rather|make that|actually|hang on|not that|sry|my mistake|my bad)|no,? i beg (?:your )?pardon|i beg (?:your )?pardon|cancel that|i misread|sry|my bad|no wait|no,? (?=the |not |it|on |upper|lower|left|right|top|bottom)|oh no|(?:oh |ah )?sorry,?(?: i mean)?|i mean(?:t)?|scratch that|correction|"
    r"make that|actually(?:,? no)?|or rather|rather(?=,? the)|wait(?:,? no)?|oops|whoops|my mistake|err+|strike that|typo)\b[, :.…-]*"
    r"|[、。…\s]*(?:あ+っ?、?違う|いや違う|いや、?違(?:う|った|いました)|違った|違う違う|(?<!も)(?<!が)(?<!は)(?<!に)ちがう|違う(?=[左右上下])|じゃない(?=、|わ|[左右上下])|じゃなくて?|ではなくて?|でなくて?|失礼(?:しました|。)?|訂正(?:します|、|。|し)?|間違え(?:ました|た)|"
    r"(?<=[、…\s])いや(?!な|だ)|いえ(?=、)|もとい|ごめん|ちゃう(?:わ|ねん)?|あ、すみません|すみません、(?=[左右上下])|すまん(?=、?[左右上下]))[、。…\s]*(?:えー|えっと)?[、\s]*")
REACH = 40


@lru_cache(maxsize=256)
def negated(text: str) -> tuple[tuple[int, int], ...]:
    """Stretches of a normalised text that the speaker excludes, does not want, or takes back."""
    spans = [m.span(group) for pattern in (FORWARD_EN, AROUND_EN, BACKWARD_EN, BACKWARD_JA, EXCEPT_JA)
             for m in pattern.finditer(text) for group in m.re.groupindex if m.group(group) is not None]
    spans = [(a, b) for a, b in spans if not (re.search(r"\d", text[a:b]) and ALLOWED.match(text[b:]))]
    kept = [m.span() for m in NOT_ONLY.finditer(text)]
    return tuple(span for span in spans if not any(span[0] - 2 <= end <= span[1] + 24 and start <= span[1] + 8 for start, end in kept))


def taken_back(text: str, hits: Sequence[Hit]) -> tuple[tuple[Hit, ...], tuple[Hit, ...]]:
    """Split words into those that stand and those that the speaker excludes.

    A word in the scope of a negation is excluded. Of two words of one category on both sides of a correction, the
    earlier one is neither: it was a slip.

    Returns:
        (standing, excluded)
    """
    if not hits:
        return (), ()
    spans = negated(text)
    excluded = tuple(h for h in hits if any(a <= h.start and h.end <= b for a, b in spans))
    standing = [h for h in hits if h not in excluded]
    for match in CORRECTION.finditer(text):
        before = [h for h in standing if match.start() - REACH <= h.end <= match.start() + 2]
        after = [h for h in standing if match.end() - 1 <= h.start <= match.end() + REACH]
        if before and after:
            standing = [h for h in standing if h not in before]
            excluded = tuple(h for h in excluded if not match.start() - REACH <= h.end <= match.start() + 2)
    return tuple(standing), excluded
