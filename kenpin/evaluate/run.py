"""Runs a suite through an inspector and counts."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from kenpin.contracts.errors import KenpinError
from kenpin.contracts.trace import Trace
from kenpin.contracts.view import View
from kenpin.evaluate.checks import missed, wrong_action
from kenpin.evaluate.suite import Conversation


class Talker(Protocol):
    """One conversation with an inspector."""

    def begin(self, image: Path, reference: Path | None, mm_per_px: float | None) -> str:
        """Start an inspection and return its id."""

    def say(self, inspection: str, text: str) -> None:
        """Run one turn to its end."""

    def trace(self, inspection: str) -> Trace:
        """The trace as it stands."""


@dataclass
class Outcome:
    """What became of a suite."""

    turns: int = 0
    passed: int = 0
    wrong_actions: int = 0
    failures: list[dict[str, Any]] = field(default_factory=list)
    groups: dict[str, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0]))
    """Passed and all turns per group."""

    @property
    def rate(self) -> float:
        return self.passed / self.turns if self.turns else 0.0

    def report(self) -> dict[str, Any]:
        """As the contract has it."""
        return {
            "turns": self.turns,
            "passed": self.passed,
            "rate": round(self.rate, 4),
            "wrong_actions": self.wrong_actions,
            "groups": {name: {"passed": p, "turns": n} for name, (p, n) in sorted(self.groups.items())},
            "failures": self.failures,
        }


def run_suite(
    conversations: list[Conversation], folder: Path, talker: Talker, progress: Callable[[str], None] = lambda _: None
) -> Outcome:
    """Run every conversation; after a failed turn the rest of it still runs."""
    outcome = Outcome()
    for conversation in conversations:
        progress(conversation.id)
        reference = folder / conversation.reference if conversation.reference else None
        inspection = talker.begin(folder / conversation.image, reference, conversation.mm_per_px)
        for number, turn in enumerate(conversation.turns):
            error, before = None, len(talker.trace(inspection).turns)
            try:
                talker.say(inspection, turn.say)
            except KenpinError as exc:
                error = str(exc)
            _score(outcome, conversation, number, talker.trace(inspection), error, before=before)
    return outcome


def _score(
    outcome: Outcome, conversation: Conversation, number: int, trace: Trace, error: str | None, *, before: int
) -> None:
    """Count a turn; `before` turns stand in the trace ahead of it, which are fewer than `number` if one was refused."""
    expect, say = conversation.turns[number].expect, conversation.turns[number].say
    outcome.turns += 1
    groups = sorted(_groups(conversation, number))
    for name in groups:
        outcome.groups[name][1] += 1
    if error or len(trace.turns) <= before:
        misses, wrong = ["error"], False
    else:
        turn = trace.turns[before]
        earlier = [step for past in trace.turns[:before] for step in past.steps]
        scaled = conversation.mm_per_px is not None or any(
            s.tool == "calibrate" and s.status == "ok" for s in (*earlier, *turn.steps)
        )
        views = {view["id"]: View.model_validate(view) for view in trace.views}
        misses = missed(
            expect,
            turn,
            size=(trace.images[0].width, trace.images[0].height),
            scaled=scaled,
            earlier=earlier,
            views=views,
        )
        wrong = wrong_action(expect, turn, misses)
    if not misses:
        outcome.passed += 1
        for name in groups:
            outcome.groups[name][0] += 1
        return
    outcome.wrong_actions += wrong
    outcome.failures.append(
        {
            "id": conversation.id,
            "turn": number + 1,
            "say": say,
            "missed": misses,
            "wrong_action": wrong,
            "error": error,
            "trace": trace.model_dump(mode="json"),
        }
    )


def _groups(conversation: Conversation, number: int) -> Iterator[str]:
    """Groups that a turn is counted in: the suite's own, the language, the tools expected, first or later turn."""
    turn = conversation.turns[number]
    if conversation.group:
        yield conversation.group
    yield "ja" if any(ord(c) > 0x3000 for c in turn.say) else "en"
    yield "follow-up" if number else "first turn"
    yield from turn.expect.tools or ()
    if turn.expect.clarify:
        yield "clarify"
    if turn.expect.honest:
        yield "honest"
