"""From the words of a turn to a job: intents by the router, slots by the grammar, and what the conversation adds."""

from agent.language.normal import normalise
from agent.language.slots import Slots, slots_of
from agent.procedures.core import Job
from agent.procedures.situation import Dialogue, Situation
from agent.router.model import Routed, route
from agent.wording import language

ELLIPTIC = 26
"""Characters (13 in Japanese) up to which a follow-up without a verb repeats the wish of the turn before."""
REPEATABLE = {"measure": "measure", "zoom": "zoom", "crop": "crop", "recall": "recall", "read_text": "read"}


def understand(dialogue: Dialogue) -> Job:
    """Read one instruction in its situation."""
    say, situation = dialogue.turn.say, dialogue.situation
    routed = route(say, situation.context)
    slots = slots_of(say)
    intents = _elliptic(say, slots, situation, routed) or routed.intents
    return Job(say=say, lang=language(situation.lang, say), intents=intents, slots=slots, situation=situation,
               act="do" if intents != routed.intents else routed.act, confidence=routed.confidence)


def _elliptic(say: str, slots: Slots, situation: Situation, routed: Routed) -> tuple[str, ...]:
    """"And the second one?", 「もう一つは？」: the same wish again, for another thing."""
    plain = normalise(say)
    short = len(plain) <= (ELLIPTIC if plain.isascii() else ELLIPTIC // 2)
    asks_something = slots.quantities or slots.defects or slots.ops or slots.text or slots.limits
    if not (short and slots.pick and situation.findings) or asks_something or routed.confidence >= 0.8:
        return ()
    if not situation.past or not situation.past[-1].calls:
        return ()
    done = [REPEATABLE[tool] for tool, _ in situation.past[-1].calls if tool in REPEATABLE]
    return tuple(dict.fromkeys(done))[-1:]
