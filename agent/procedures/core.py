"""How the embedded planner carries out a wish: procedures that yield tool calls and say sentences.

A procedure is a generator. It yields a `Need` and receives the `Done` of that call; the planner replays it over the
steps that were already taken to find the next call, so that nothing but the messages has to be stored.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any

from agent.language.slots import Slots
from agent.procedures.situation import Place, Situation
from agent.prompting import render, word

Procedure = Callable[["Job"], "Steps"]


@dataclass(frozen=True)
class Need:
    """A tool call that the procedure wants."""

    tool: str
    args: dict[str, Any]


@dataclass(frozen=True)
class Done:
    """What came of a call."""

    step: int
    tool: str
    args: dict[str, Any]
    status: str
    result: dict[str, Any]
    error: str | None = None
    view: str | None = None

    @property
    def ok(self) -> bool:
        return self.status == "ok"


Steps = Generator[Need, Done, None]
"""A procedure at work: yields calls, receives what came of them."""


class Asks(Exception):  # noqa: N818 (control flow, not an error)
    """The procedure cannot go on without the user."""

    def __init__(self, key: str, **values: Any) -> None:
        super().__init__(key)
        self.key, self.values = key, values


@dataclass
class Job:
    """One turn of the embedded planner."""

    say: str
    lang: str
    intents: tuple[str, ...]
    slots: Slots
    situation: Situation
    act: str = "do"
    """What the router thinks is right: `do`, `ask` or `no`."""
    confidence: float = 1.0
    ask_sure: float = 0.0
    """How sure the router is that something is missing, 0 to 1."""
    wish_sure: float = 1.0
    """How sure the router is of the wish itself, 0 to 1."""
    sentences: list[str] = field(default_factory=list)
    refused: bool = False
    """Nothing but refusals was said so far."""
    about: list[str] = field(default_factory=list)
    judged: bool = False
    view: str = "v0"
    """The view that later parts of the same wish work on: a zoomed or enhanced one, once there is one."""
    area: tuple[int, int, int, int] | None = None
    """The part of the original that later parts of the same wish work on."""
    done: list[Done] = field(default_factory=list)
    searched: Done | None = None
    pending: list[Asks] = field(default_factory=list)

    def tell(self, key: str, **values: Any) -> None:
        """Add a sentence of the answer."""
        self.sentences.append(render(key, self.lang, **values))

    def why(self, key: str, **values: Any) -> str:
        """The reason of a call, for the reviewer."""
        return render(f"why.{key}", self.lang, **values)

    def word(self, name: str) -> str:
        """A defect type, quantity or object in the user's language."""
        return word(name, self.lang)

    def call(self, tool: str, why: str, **args: Any) -> Generator[Need, Done, Done]:
        """Make one call; failures are told in the answer and returned as they are."""
        given = {key: value for key, value in args.items() if value is not None}
        done = yield Need(tool, {"why": why, **given})
        self.done.append(done)
        if not done.ok:
            self.tell("step.failed", tool=self.word(tool), step=done.step, error=done.error or "")
        return done

    def regions(self) -> dict[str, Place]:
        """Findings and objects so far, of earlier turns and of this one."""
        known = dict(self.situation.regions)
        for done in self.done:
            for item in (*done.result.get("findings", ()), *done.result.get("items", ())):
                label = item.get("type") or done.result.get("what", "object")
                known[item["id"]] = Place.of(item, label=label, step=done.step)
        return known
