"""Makes an answer again from a stored trace alone: no model, no tool, no picture, no checkpoint."""

from typing import Any

from agent.conclude import answer_from
from agent.state import Setup, State
from kenpin.contracts.trace import Answer, Trace, Turn


def can_answer_again(turn: Turn) -> bool:
    """Whether a turn holds what its answer was made from. Those of an earlier Kenpin do not."""
    return turn.answer is not None and (turn.ending is not None or turn.limit is not None)


def answer_again(trace: Trace, number: int) -> Answer:
    """The answer of a turn as the rules of this Kenpin make it from the stored steps and the stored ending.

    Args:
        trace: Any trace.
        number: Index of a turn that `can_answer_again`.
    """
    turn = trace.turns[number]
    return answer_from(_state(trace, number), limit=turn.limit or "limit.unknown")


def _state(trace: Trace, number: int) -> State:
    """The state at the end of a turn, as far as an answer is made from it."""
    turn, earlier = trace.turns[number], trace.turns[:number]
    setup = Setup(
        id=trace.id,
        created=trace.created.isoformat(),
        lang=trace.lang,
        product=trace.product,
        images=trace.images,
        good=trace.good,
        criteria=trace.criteria,
        camera=trace.camera,
    )
    ending: dict[str, Any] | None = turn.ending.model_dump(mode="json") if turn.ending else None
    labels = {key: label for past in (*earlier, turn) for key, label in past.labels.items()}
    return State(
        setup=setup.model_dump(mode="json"),
        messages=[],
        views={str(view["id"]): view for view in trace.views},
        regions={key: {"label": label} for key, label in labels.items()},
        scale=None if turn.scale is None else {"mm_per_px": turn.scale},
        turns=[past.model_dump(mode="json") for past in earlier],
        say=turn.say,
        by=turn.by,
        steps=[step.model_dump(mode="json") for step in turn.steps],
        sent=list(turn.sent),
        spent_ms=turn.ms or 0.0,
        planned=0,
        invalid=0,
        ending=ending,
    )
