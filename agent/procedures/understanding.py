"""From the words of a turn to a job: intents by the router, slots by the grammar, and what the conversation adds.

A turn is read in the light of those before it: a reply to a question, a correction, and an ellipsis ("and in px?",
「もう一つは？」) take over what they do not say themselves.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from agent.language.normal import normalise
from agent.language.slots import Slots, slots_of
from agent.procedures.core import Job
from agent.procedures.cues import cued, out_of_reach
from agent.procedures.knowing import fields_asked
from agent.procedures.situation import Dialogue, PastTurn, Situation
from agent.router.model import Routed, route
from agent.wording import language

ELLIPTIC = 32
"""Letters (half as many in Japanese) up to which a turn may be an ellipsis."""
TAKEN_OVER = ("defects", "objects", "nouns", "region", "box", "pick", "quantities", "unit", "limits", "ops", "text")
CORRECTS = re.compile(
    r"^(?:oh )?(?:sorry|no[, ]|i meant?\b|not that|wrong|actually|correction|oops|wait)|^(?:いや|違う|ちがう|あ、?違|すみません、?違|ごめん|間違|訂正|じゃなくて|そっちじゃな)|(?:じゃなくて|ではなくて|のつもり|のことです|の間違い)"
)
ASKS_WHICH = re.compile(r"\bwhich (?:one|of|is|finding|defect)|どれ|どっち|どちら")
SENDS = re.compile(
    r"\be-?mails?\b|\bmail (?:it|this|the)|\b(?:send|forward) (?:it|this|that|them|the (?:result|report|picture|answer))|メール|(?:送信|転送)し|送って(?:おいて|ください|くれ)|\bphone\b|電話し"
)
OPEN_JUDGEMENT = re.compile(
    r"spec\b|specs\b|specification|toleranc|limit|drawing|standard|criteri|permitted|allowed|規格|公差|基準|許容|図面|限度|仕様"
)
COMPARATIVES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("longest", re.compile(r"\b(?:the )?longer (?:one|of)|長い(?:方|ほう)(?!から)")),
    ("shortest", re.compile(r"\b(?:the )?shorter (?:one|of)|短い(?:方|ほう)(?!から)")),
    ("largest", re.compile(r"\b(?:the )?(?:bigger|larger) (?:one|of)|大きい(?:方|ほう)(?!から)|でかい(?:方|ほう)")),
    ("smallest", re.compile(r"\b(?:the )?smaller (?:one|of)|小さい(?:方|ほう)(?!から)")),
    ("worst", re.compile(r"\b(?:the )?worse (?:one|of)|(?:ひどい|悪い|やばい)(?:方|ほう)(?!から)")),
)
OK_OR_NG = re.compile(
    r"\b(?:ok(?:ay)?|good|pass) (?:or|/) (?:not? ?(?:ok|good)?|ng|bad|fail|no good)|\bok/ng\b|\b(?:tell|say|give) (?:me )?(?:just )?ok or ng"
    r"|ok(?:か)?(?:、|/|・)?ng|良否|合否(?!基準)|良品か不良|合格(?:に|で|と)し?て?(?:い|よ|良)"
)
CLEAR = 0.85
"""Chance of a wish from which words out of reach in the same sentence are only its circumstances."""
LOST = 0.3
"""Below this chance for every wish the planner asks what is wanted; see docs/understanding.md."""
ALONE = frozenset({"beyond", "sign", "chat", "vague"})
"""Intents beside which nothing else is listened for."""
HOLDS_UP = frozenset({"beyond", "vague", "chat", "judge", "calibrate", "measure", "quality"})
"""Intents that a bare reply to a question is easily mistaken for."""


@dataclass(frozen=True)
class Wish:
    """Intents and slots of a turn, with what it took over from the turns before."""

    intents: tuple[str, ...]
    slots: Slots
    act: str
    confidence: float


def understand(dialogue: Dialogue) -> Job:
    """Read the current instruction in its situation."""
    say, situation = dialogue.turn.say, dialogue.situation
    wish = _read(say, situation.context, _before(situation.past), situation)
    routed = _routed(say, situation.context)
    return Job(
        say=say,
        lang=language(situation.lang, say),
        intents=wish.intents,
        slots=wish.slots,
        situation=situation,
        act=wish.act,
        confidence=wish.confidence,
        ask_sure=routed.act_scores["ask"],
        wish_sure=max(routed.scores.values()),
    )


def _before(past: tuple[PastTurn, ...]) -> tuple[Wish, bool] | None:
    """The wish of the last turn, with what it took over itself, and whether it ended in a question."""
    wish: tuple[Wish, bool] | None = None
    for turn in past:
        read = _read(turn.say, _context_of(turn, wish), wish, None)
        wish = (read, (turn.ending or {}).get("tool") == "ask")
    return wish


def _context_of(turn: PastTurn, wish: tuple[Wish, bool] | None) -> str:
    """A past turn's context as far as it can be told from the turns before it."""
    return "f" if wish and set(wish[0].intents) & {"detect", "compare"} else ""


def _read(say: str, context: str, before: tuple[Wish, bool] | None, situation: Situation | None) -> Wish:
    routed, slots = _routed(say, context), _compared(slots_of(say), normalise(say))
    intents, act = _plain(say, routed, slots, situation)
    wish = Wish(intents, slots, act, routed.confidence)
    if before is None:
        return wish
    last, asked = before
    if asked and not set(last.intents) <= ALONE and _replies(routed, intents, slots):
        return _merged(last, wish, intents=tuple(dict.fromkeys((*last.intents, *_added(intents, slots)))))
    if CORRECTS.search(normalise(say)) and (slots.pick or slots.region or slots.defects or slots.objects or slots.box):
        return _merged(last, wish, intents=last.intents)
    if _elliptic(say, slots, routed):
        return _merged(last, wish, intents=last.intents)
    if set(intents) & {"measure", "judge", "count"} and not _names_target(slots):
        return _merged(last, wish, intents=intents)
    return wish


def _compared(slots: Slots, plain: str) -> Slots:
    """ "The longer one", 「長い方」: of two, the longer is the longest."""
    if slots.pick:
        return slots
    found = next((pick for pick, pattern in COMPARATIVES if pattern.search(plain)), None)
    return slots.model_copy(update={"pick": found}) if found else slots


@lru_cache(maxsize=256)
def _routed(say: str, context: str) -> Routed:
    return route(say, context)


def _plain(say: str, routed: Routed, slots: Slots, situation: Situation | None) -> tuple[tuple[str, ...], str]:
    """Intents and act of a turn by itself, where the grammar knows better than the router."""
    intents, act = routed.intents, routed.act
    plain = normalise(say)
    best = max(score for intent, score in routed.scores.items() if intent not in ALONE)
    if (
        situation
        and situation.findings
        and ASKS_WHICH.search(plain)
        and not slots.quantities
        and intents != ("measure",)
    ):
        return ("explain",), "do"
    if (
        situation
        and set(intents) <= {*HOLDS_UP, "count"}
        and not _named(slots)
        and fields_asked(say, situation.lines_read)
    ):
        return ("read",), "do"
    if OK_OR_NG.search(plain) and set(intents) <= {"beyond", "vague", "chat", "judge", "sign"}:
        intents, act, best = ("judge",), "do", 1.0
    sends = bool(SENDS.search(plain)) and best >= CLEAR
    if best < CLEAR and not sends and (kind := out_of_reach(plain)):
        return (kind,), "no"
    if best < LOST and not cued(plain) and not set(intents) & ALONE:
        return ("vague",), "ask"
    if (act != "no" or sends) and not set(intents) & ALONE:
        intents = tuple(dict.fromkeys((*intents, *cued(plain))))
    if "judge" in intents and not _has_limit(plain, slots, situation):
        # "OK or NG?" without any limit is a search; only a spec that nobody has said must be asked for.
        intents = tuple(dict.fromkeys("detect" if i == "judge" else i for i in intents))
        act = "do" if act != "ask" or not slots.back else act
    if sends and not set(intents) & {"beyond", "sign"}:
        return (*intents, "send"), "do"
    if (
        slots.scale
        and {"measure"} <= set(intents) <= {"measure", "calibrate"}
        and not slots.quantities
        and not _named(slots)
    ):
        return ("calibrate",), "do"
    return intents, act


def _named(slots: Slots) -> bool:
    """Whether a thing is named, other than the marker or label that a scale or a text is taken from."""
    return bool(slots.defects or [o for o in slots.objects if o not in ("marker", "label")])


def _has_limit(plain: str, slots: Slots, situation: Situation | None) -> bool:
    """Whether there is a limit to judge by, or one is spoken of."""
    known = situation is not None and (situation.criteria is not None or situation.measured is not None)
    return bool(slots.limits or known or OPEN_JUDGEMENT.search(plain))


def _replies(routed: Routed, intents: tuple[str, ...], slots: Slots) -> bool:
    """Whether a turn after a question answers it rather than asking for something new."""
    complete = bool(slots.quantities) and _names_target(slots)
    return not complete and (set(intents) <= HOLDS_UP or routed.confidence < 0.6 or routed.act != "do")


def _added(intents: tuple[str, ...], slots: Slots) -> tuple[str, ...]:
    """Of a reply's intents those that add something: a limit to judge by."""
    return ("judge",) if "judge" in intents and slots.limits else ()


def _elliptic(say: str, slots: Slots, routed: Routed) -> bool:
    """ "And the second one?": short, points somewhere, and has no wish of its own that the router is sure of."""
    plain = normalise(say)
    short = len(plain) <= (ELLIPTIC if plain.isascii() else ELLIPTIC // 2)
    own = cued(plain) or slots.ops or slots.text or slots.limits or (slots.quantities and not slots.pick)
    starts = re.match(r"(?:and|what about|how about|then|same for|ok and)\b|(?:じゃあ|では|で、|もう|次|あと)", plain)
    points = slots.pick or slots.region or slots.unit or slots.defects
    return bool(short and points and not own and (starts or routed.confidence < 0.75 or routed.act == "ask"))


def _names_target(slots: Slots) -> bool:
    return bool(
        slots.defects
        or slots.objects
        or slots.nouns
        or slots.box
        or (slots.back and not slots.quantities and not slots.unit)
    )


def _merged(last: Wish, wish: Wish, *, intents: tuple[str, ...]) -> Wish:
    """The last wish's slots, overridden by what this turn says."""
    own, old = wish.slots, last.slots
    update = {name: getattr(own, name) or getattr(old, name) for name in TAKEN_OVER}
    if own.defects or own.objects or own.nouns or own.box:
        update |= {name: getattr(own, name) for name in ("defects", "objects", "nouns", "box")}
    if own.pick or own.region:
        update |= {"pick": own.pick, "region": own.region}
    return Wish(intents, own.model_copy(update=update), "do", max(wish.confidence, 0.75))
