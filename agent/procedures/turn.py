"""One turn of the embedded planner: the gate, then the procedures of all wishes in an order that makes sense."""

from agent.language.slots import Slots
from agent.procedures import counting, knowing, looking, measuring, scaling, searching, talking
from agent.procedures.core import Asks, Job, Procedure, Steps

PROCEDURES: dict[str, Procedure] = {
    "quality": looking.quality,
    "calibrate": scaling.calibrate,
    "enhance": looking.enhance,
    "zoom": looking.zoom,
    "crop": looking.crop,
    "detect": searching.search,
    "compare": knowing.compare,
    "count": counting.count,
    "measure": measuring.measure,
    "judge": searching.judge,
    "read": knowing.read,
    "recall": knowing.recall,
    "describe": looking.describe,
    "explain": talking.explain,
    "beyond": talking.beyond,
    "sign": talking.sign,
    "send": talking.send,
    "chat": talking.chat,
    "vague": talking.vague,
}
"""What carries out each intent, in the order in which a turn takes them."""
CLEAR = 0.85
"""A wish that is this clear, and for which nothing is missing that the procedures know of, is carried out."""
SPEAKING = frozenset({"beyond", "sign", "send"})
UNSURE = 0.6
"""From here on the router's feeling that something is missing is enough to ask; below it, only a missing thing is."""


def run_turn(job: Job) -> Steps:
    """Carry out all wishes of a turn. What is missing is asked for at the end, after everything that can be done."""
    if job.act == "ask" and (question := _question(job)):
        job.pending.append(question)
        return
    if job.act == "no" and not set(job.intents) & SPEAKING:
        job.intents = ("beyond",)
    for intent in ordered(job.intents, job.slots):
        try:
            yield from PROCEDURES[intent](job)
        except Asks as question:
            job.pending.append(question)
    job.refused = bool(job.intents) and set(job.intents) <= SPEAKING
    if not job.sentences and not job.pending:
        job.pending.append(Asks("ask.wish"))


def ordered(intents: tuple[str, ...], slots: Slots) -> list[str]:
    """Intents in the order of the table; a place that the search must find first is shown after the search."""
    order = list(PROCEDURES)
    wished = sorted(set(intents) & set(order), key=order.index)
    finds_first = {"detect", "compare", "count"} & set(intents)
    for show in ("crop", "zoom"):
        if show in wished and finds_first and (slots.pick or not (slots.region or slots.box)):
            wished.remove(show)
            last = max(wished.index(name) for name in finds_first)
            wished.insert(last + 1, show)
    return wished


def _question(job: Job) -> Asks | None:
    """The question that the wish itself raises, or a general one if only the router feels that something is missing."""
    for intent in ordered(job.intents, job.slots):
        steps = PROCEDURES[intent](job)
        try:
            next(steps)
        except Asks as question:
            return question
        except StopIteration:
            continue
        finally:
            steps.close()
    job.sentences.clear()
    if "vague" not in job.intents and (job.ask_sure < UNSURE or job.wish_sure > CLEAR):
        return None
    return Asks("ask.unclear", intents=[job.word(f"i.{intent}") for intent in job.intents])
