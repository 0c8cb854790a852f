"""Runs conversations with the embedded planner as teacher, and writes them as a request to vLLM would hold them.

The same step function, the same conclusion and the same request builder as in the loop, over stores in memory and
without checkpoints, so that a thousand conversations take minutes.
"""

import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

import numpy as np
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, SystemMessage, ToolCall, ToolMessage

from agent.conclude import conclude_turn
from agent.desk import StateDesk
from agent.opening import Material, first_scale, opening
from agent.planners.base import Planner
from agent.planners.embedded import embedded_planner
from agent.planners.frames import QWEN3
from agent.planners.vllm_pictures import Encoder
from agent.planners.vllm_request import Edge, build
from agent.planners.vllm_schema import Arguments, strict_tools
from agent.policy import Limits
from agent.record import Recorder
from agent.state import State, first_step
from agent.toolcall import Call
from kenpin.config import Settings
from kenpin.contracts.errors import BadInput, StoreError
from kenpin.contracts.ports import CaseSearch
from kenpin.contracts.view import RgbImage
from tools.catalog import CATALOG, OFFERED
from tools.spec import Report, Tool, ToolArgs, Workbench

LONG_SIDE = 448
"""Of the pictures that the small planner is sent (`KENPIN_VLLM_LONG_SIDE`)."""
PICTURES = 6
TOOLS = strict_tools(OFFERED, "per_mille")
"""As every request names them."""
_PROPERTIES = {tool["function"]["name"]: list(tool["function"]["parameters"]["properties"]) for tool in TOOLS}

Message = dict[str, Any]


class MemoryPictures:
    """Implements `PictureStore` in memory; the name is that of the pixels, and evidence is not kept."""

    def __init__(self) -> None:
        self._kept: dict[str, RgbImage] = {}

    def put(self, pixels: RgbImage, *, lossless: bool = True) -> str:
        name = hashlib.sha256(f"{pixels.shape}".encode() + pixels.tobytes()).hexdigest()
        if lossless and name not in self._kept:
            kept = np.array(pixels)
            kept.flags.writeable = False
            self._kept[name] = kept
        return name

    def get(self, sha256: str) -> RgbImage:
        if sha256 not in self._kept:
            raise StoreError(f"picture {sha256} is missing")
        return self._kept[sha256]

    def read_file(self, sha256: str) -> bytes:
        raise StoreError(f"picture {sha256} is kept as pixels only")


def strict_args(tool: str, args: dict[str, Any]) -> dict[str, Any]:
    """Arguments as a strict schema wants them: every property in its order, null where none is given."""
    return {name: args.get(name) for name in _PROPERTIES.get(tool, args)}


def remembered(tool: Tool, known: dict[str, Report]) -> Tool:
    """The tool, which runs once for what it depends on: tools are deterministic."""

    def run(bench: Workbench, args: ToolArgs) -> Report:
        assert isinstance(bench, StateDesk)
        given = {"tool": tool.name, "args": args.model_dump(mode="json", exclude={"why"}),
                 "views": {key: view.sha256 for key, view in bench.views.items()},
                 "regions": {key: repr(region) for key, region in bench.regions.items()},
                 "scale": repr(bench.scale), "good": bench.setup.good}
        key = hashlib.sha256(json.dumps(given, sort_keys=True).encode()).hexdigest()
        if key not in known:
            known[key] = tool.run(bench, args)
        return known[key]

    return replace(tool, run=run)


@dataclass(frozen=True)
class Open:
    """An inspection that stands open: its state, and the messages so far."""

    state: State
    messages: list[Message]


@dataclass
class Teacher:
    """The embedded planner, or another, over real tools, with a memory for what they found."""

    cases: CaseSearch | None = None
    pictures: MemoryPictures = field(default_factory=MemoryPictures)
    planner: Planner | None = None
    """Another one, to be measured in the teacher's place; None is the embedded planner."""

    def __post_init__(self) -> None:
        known: dict[str, Report] = {}
        tools = {name: remembered(tool, known) for name, tool in CATALOG.items()}
        self._recorder = Recorder(tools=tools, pictures=self.pictures, cases=self.cases, limits=Limits())
        self._planner: Planner = self.planner or embedded_planner(Settings(), OFFERED)
        self._arguments = Arguments(OFFERED)
        encoder = Encoder(family=QWEN3, long_side=LONG_SIDE)
        self._edge = Edge(encoder=encoder, arguments=self._arguments, cap=lambda: PICTURES)

    def converse(self, material: Material, says: Sequence[str], *, ask: str | None = None) -> list[Message]:
        """Run turns one after the other.

        Args:
            material: What the inspection starts from.
            says: What is said, a turn each.
            ask: Said last, and left unanswered.
        Returns:
            The messages of the whole conversation in the form of OpenAI's API, pictures as data URIs.
        """
        state = self._open(material)
        for say in says:
            self._turn(state, say)
        if ask is not None:
            state["messages"] = [*state["messages"], HumanMessage(content=ask)]
            state["say"] = ask
        return self._plain(state)

    def begun(self, material: Material, says: Sequence[str], *, such_as: str) -> Open:
        """Run turns, and keep the inspection open for what could be said next.

        Args:
            material: What the inspection starts from.
            says: What is said, a turn each.
            such_as: What could be said next: the first words choose the language of the system message.
        """
        state = self._open(material)
        for say in says:
            self._turn(state, say)
        going = cast("State", dict(state))
        self._said(going, such_as)
        return Open(state, self._plain(going)[:-1])

    def drilled(self, begun: Open, say: str, preliminary: Collection[str]) -> list[Message]:
        """What is said in an open inspection, and the planner's calls as far as the first that is no preliminary.

        Returns:
            The messages after those of the inspection; what a preliminary call brought is among them.
        Raises:
            BadInput: A message of the inspection would no longer be sent as it was.
        """
        state, calls = self._drill(begun, say, preliminary)
        self._noted(state, calls[-1])
        messages = self._plain(state)
        before = len(begun.messages)
        if messages[:before] != begun.messages:
            raise BadInput("the messages of the inspection changed; expected them as they were sent")
        last = max(i for i, message in enumerate(messages) if message["role"] == "assistant")
        return messages[before:last + 1]

    def calls(self, begun: Open, say: str, preliminary: Collection[str]) -> list[ToolCall]:
        """The planner's calls as far as the first that is no preliminary, places in pixels of the upload.

        Raises:
            BadInput: It called nothing.
        """
        return self._drill(begun, say, preliminary)[1]

    def _drill(self, begun: Open, say: str, preliminary: Collection[str]) -> tuple[State, list[ToolCall]]:
        state = cast("State", dict(begun.state))
        self._said(state, say)
        calls = [self._asked(state)]
        while calls[-1]["name"] in preliminary and not self._recorder.limit(state):
            self._take(state, calls[-1])
            calls.append(self._asked(state))
        return state, calls

    def _plain(self, state: State) -> list[Message]:
        return [plain(message) for message in build(state, self._recorder.desk(state), self._edge).messages]

    def _open(self, material: Material) -> State:
        setup, views = opening(material, "20200101T000000-00000000", pictures=self.pictures,
                               tools=self._recorder.versions, planner=self._planner.info)
        state: dict[str, Any] = {"setup": setup.model_dump(mode="json"), "messages": [], "regions": {}, "turns": [],
                 "scale": first_scale(material.mm_per_px, setup.camera),
                 "views": {view.id: view.model_dump(mode="json") for view in views}}
        return cast("State", state)

    def _turn(self, state: State, say: str) -> None:
        """One turn, as `agent.graph` runs it."""
        self._said(state, say)
        while not state["ending"] and not self._recorder.limit(state):
            self._next(state)
        self._end(state)

    def _said(self, state: State, say: str) -> None:
        clean: dict[str, Any] = {"say": say, "by": None, "steps": [], "sent": [], "spent_ms": 0.0, "planned": 0,
                                 "invalid": 0, "ending": None}
        state.update(cast("State", clean))
        state["messages"] = [*state["messages"], HumanMessage(content=say)]

    def _end(self, state: State) -> None:
        update, _ = conclude_turn(state, self._recorder, self._planner.info)
        state["turns"] = [*state["turns"], *update["turns"]]

    def demonstrate(self, material: Material, say: str, calls: Sequence[tuple[str, dict[str, Any]]]) -> list[Message]:
        """One turn in which given calls are made instead of the planner's own; arguments in pixels of the upload.

        Raises:
            BadInput: A call cannot be carried out, or none of them ends the turn.
        """
        state = self._open(material)
        self._said(state, say)
        for name, args in calls:
            self._take(state, ToolCall(name=name, args=args, id="", type="tool_call"))
        if any(step["status"] != "ok" for step in state["steps"]) or not state["ending"]:
            raise BadInput("the calls cannot be carried out; expected steps that succeed, and an answer")
        self._end(state)
        return self._plain(state)

    def _next(self, state: State) -> None:
        """Ask the planner, and do what it says."""
        self._take(state, self._asked(state))

    def _asked(self, state: State) -> ToolCall:
        """What the planner calls next."""
        desk = self._recorder.desk(state)
        reply = self._planner.model.invoke(self._planner.request(state, desk).messages)
        calls: list[ToolCall] = self._planner.read(reply, state, desk).tool_calls
        if not calls:
            raise BadInput("the planner called nothing; expected a call")
        return calls[0]

    def _noted(self, state: State, call: ToolCall) -> Call:
        """Keep a call in the form in which a model would have made it."""
        desk = self._recorder.desk(state)
        number = sum(len(m.tool_calls) for m in state["messages"] if isinstance(m, AIMessage))
        call = ToolCall(name=call["name"], args=call["args"], id=f"call{number:05d}", type="tool_call")
        place = self._edge.frame(desk, call["args"].get("view"))
        said = strict_args(call["name"], self._arguments.write(call["name"], call["args"], place))
        reply = AIMessage(content="", tool_calls=[call], additional_kwargs={"kenpin": {"said": {call["id"]: said}}})
        state["messages"], state["planned"] = [*state["messages"], reply], state["planned"] + 1
        return Call(tool=call["name"], args=dict(call["args"]), id=call["id"] or "")

    def _take(self, state: State, call: ToolCall) -> None:
        """Keep a call, and carry it out."""
        asked = self._noted(state, call)
        if asked.tool in self._recorder.endings and (ending := self._recorder.ending(asked, state)):
            state["ending"] = ending
            return
        step, answer, learnt = self._recorder.step(asked, state, first_step(state))
        state["messages"] = [*state["messages"], answer]
        state["steps"] = [*state["steps"], step.model_dump(mode="json")]
        state["invalid"] = 0 if step.status == "ok" else state["invalid"] + 1
        state["views"] = {**state["views"], **learnt.get("views", {})}
        state["regions"] = {**state["regions"], **learnt.get("regions", {})}
        if "scale" in learnt:
            state["scale"] = learnt["scale"]


def plain(message: AnyMessage) -> Message:
    """A message of LangChain as OpenAI's API has it, arguments as objects."""
    match message:
        case SystemMessage():
            return {"role": "system", "content": message.content}
        case ToolMessage():
            return {"role": "tool", "tool_call_id": message.tool_call_id, "content": message.content}
        case AIMessage():
            calls = [{"type": "function", "id": c["id"], "function": {"name": c["name"], "arguments": c["args"]}}
                     for c in message.tool_calls]
            return {"role": "assistant", "content": str(message.content), **({"tool_calls": calls} if calls else {})}
        case _:
            return {"role": "user", "content": message.content}
