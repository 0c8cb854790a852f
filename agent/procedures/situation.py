"""What the embedded planner can know: the set-up and the dialogue, read out of the messages."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage

from kenpin.contracts.verdict import Criteria

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Place:
    """A finding or an object with its sizes."""

    id: str
    label: str
    box: Box
    score: float = 1.0
    area: float = 0.0
    length: float = 0.0
    width: float = 0.0
    step: int | None = None

    @classmethod
    def of(cls, item: dict[str, Any], *, label: str, step: int | None) -> "Place":
        """From an entry of a tool's result."""
        x0, y0, x1, y1 = item["box"]
        long, short = max(x1 - x0, y1 - y0), min(x1 - x0, y1 - y0)
        return cls(
            id=item["id"],
            label=label,
            box=(x0, y0, x1, y1),
            score=float(item.get("score") or 1.0),
            step=step,
            area=float(item.get("area_px") or long * short),
            length=float(item.get("length_px") or long),
            width=float(item.get("width_px") or short),
        )


@dataclass
class PastTurn:
    """A turn as the messages show it."""

    say: str
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    results: list[dict[str, Any]] = field(default_factory=list)
    """Contents of the tool messages, with `tool` and `args`."""
    ending: dict[str, Any] | None = None
    since: int = 0
    """Number of the first step that this planner decided, in a turn that it took over; the others are another's."""

    @property
    def own(self) -> list[dict[str, Any]]:
        """Results of the steps that this planner decided."""
        return [result for result in self.results if result["step"] >= self.since]

    @property
    def found(self) -> list[dict[str, Any]]:
        """Results that this planner found when it took the turn over; what they tell need not be done again."""
        return [r for r in self.results if r["step"] < self.since and r.get("status") == "ok"]


@dataclass(frozen=True)
class Situation:
    """Set-up and history of the conversation at the start of the current turn."""

    width: int
    height: int
    lang: str
    references: int
    good: int
    scale: dict[str, Any] | None
    criteria: Criteria | None
    product: str | None
    regions: dict[str, Place]
    views: dict[str, dict[str, Any]]
    past: tuple[PastTurn, ...]
    verdicts: tuple[dict[str, Any], ...]
    """Verdict, rule and reasons of each earlier turn."""

    @property
    def findings(self) -> list[Place]:
        """Findings of the most recent search of earlier turns, strongest first."""
        for turn in reversed(self.past):
            for result in reversed(turn.results):
                if result["tool"] in ("detect", "compare") and result.get("status") == "ok":
                    ids = [f["id"] for f in result["result"].get("findings", ())]
                    return [self.regions[i] for i in ids if i in self.regions]
        return []

    @property
    def listed(self) -> list[Place]:
        """Findings of earlier turns in the order in which they were last told: "the second one" counts along it."""
        found = self.findings
        for turn in reversed(self.past):
            told = [self.regions[i] for i in (turn.ending or {}).get("about", ()) if i in self.regions]
            if len(told) > 1 and {p.id for p in told} <= {p.id for p in found}:
                return [*told, *(p for p in found if p not in told)]
        return found

    @property
    def focus(self) -> Place | None:
        """What "it" means: the thing that the last turn was about, else the strongest finding."""
        for turn in reversed(self.past):
            for name in (turn.ending or {}).get("about", ()):
                if name in self.regions:
                    return self.regions[name]
        found = self.findings
        return found[0] if found else None

    @property
    def searched(self) -> bool:
        return any(r["tool"] in ("detect", "compare") for turn in self.past for r in turn.results)

    @property
    def measured(self) -> dict[str, Any] | None:
        """The last measurement of earlier turns."""
        return next(
            (
                r
                for turn in reversed(self.past)
                for r in reversed(turn.results)
                if r["tool"] == "measure" and r.get("status") == "ok"
            ),
            None,
        )

    @property
    def lines_read(self) -> list[str]:
        """Text lines that earlier turns read."""
        return [
            line["text"]
            for turn in self.past
            for r in turn.results
            if r["tool"] == "read_text" and r.get("status") == "ok"
            for line in r["result"]["lines"]
        ]

    @property
    def context(self) -> str:
        """Letters that the router knows: found, reference, scale, criteria, measured, nothing found."""
        state = {
            "f": bool(self.findings),
            "r": self.references > 0,
            "s": self.scale is not None,
            "c": self.criteria is not None,
            "m": self.measured is not None,
            "n": self.searched and not self.findings,
        }
        return "".join(sorted(letter for letter, holds in state.items() if holds))


@dataclass(frozen=True)
class Dialogue:
    """The situation, the instruction of this turn, and its steps so far."""

    situation: Situation
    turn: PastTurn
    number: int


def read_dialogue(messages: Sequence[BaseMessage]) -> Dialogue:
    """Read the messages of a request: a system message with the set-up as JSON, then the conversation."""
    setup: dict[str, Any] = {}
    turns: list[PastTurn] = []
    calls: dict[str, tuple[str, dict[str, Any]]] = {}
    for message in messages:
        if isinstance(message, SystemMessage):
            setup = json.loads(str(message.content))
        elif isinstance(message, HumanMessage) and not message.additional_kwargs.get("kenpin"):
            turns.append(PastTurn(say=str(message.content)))
        elif isinstance(message, AIMessage):
            _read_calls(message, turns[-1], calls)
        elif isinstance(message, ToolMessage):
            tool, args = calls[message.tool_call_id]
            turns[-1].results.append({"tool": tool, "args": args, **json.loads(str(message.content))})
    past, current = turns[:-1], turns[-1]
    current.since = int(setup.get("since") or 0)
    return Dialogue(situation=_situation(setup, past), turn=current, number=len(past))


def _read_calls(message: AIMessage, turn: PastTurn, calls: dict[str, tuple[str, dict[str, Any]]]) -> None:
    for call in message.tool_calls:
        calls[call["id"] or ""] = (call["name"], call["args"])
        turn.calls.append((call["name"], call["args"]))
        if call["name"] in ("answer", "ask"):
            turn.ending = {"tool": call["name"], **call["args"]}


def _situation(setup: dict[str, Any], past: list[PastTurn]) -> Situation:
    regions: dict[str, Place] = {}
    for turn in past:
        for result in turn.results:
            found = result.get("result") or {}
            for item in (*found.get("findings", ()), *found.get("items", ())):
                label = item.get("type") or found.get("what", "object")
                regions[item["id"]] = Place.of(item, label=label, step=result["step"])
    criteria = Criteria.model_validate(setup["criteria"]) if setup.get("criteria") else None
    return Situation(
        width=setup["width"],
        height=setup["height"],
        lang=setup["lang"],
        references=setup["references"],
        good=setup["good"],
        scale=setup["scale"],
        criteria=criteria,
        product=setup["product"],
        regions=regions,
        views=setup["views"],
        past=tuple(past),
        verdicts=tuple(setup["verdicts"]),
    )
