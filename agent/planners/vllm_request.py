"""Builds the request for one decision: a prefix that stays as it is, and after it the dialogue with its pictures.

Servers reuse what they computed for the same beginning of a prompt. So the system message depends only on what was
fixed when the inspection started, what was once sent is sent again as it was, and old pictures leave in blocks.
"""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, SystemMessage, ToolCall, ToolMessage

from agent.desk import StateDesk
from agent.planners.base import Request
from agent.planners.frames import Frame, frame
from agent.planners.vllm_pictures import Encoder
from agent.planners.vllm_prompt import system_prompt
from agent.planners.vllm_prune import OPENS
from agent.planners.vllm_results import compact_json, harmless, quiet, told
from agent.planners.vllm_schema import Arguments
from agent.state import State
from kenpin.contracts.view import View, ViewKind
from tools.endings import ENDINGS

Part = dict[str, Any]
LEFT_OUT = "left out to save room; zoom or crop again to see it"
NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_-]")
MOST_SAID = 2000
"""Characters kept of a reply that called nothing."""


@dataclass(frozen=True)
class Edge:
    """What both directions of the planner's edge share."""

    encoder: Encoder
    arguments: Arguments
    cap: Callable[[], int]
    """Pictures that a request may hold."""
    lang: str = "auto"
    in_tools: bool = False
    """Show new views inside tool messages, where the server was seen to take them."""

    def frame(self, desk: StateDesk, view_id: object) -> Frame:
        """The frame of the upload that a view comes from; of the subject if there is no such view."""
        view = desk.views.get(view_id) if isinstance(view_id, str) else None
        upload = desk.views.get(view.source if view else "v0") or desk.views["v0"]
        return frame(upload.width, upload.height, family=self.encoder.family, long_side=self.encoder.long_side)


@dataclass(frozen=True)
class Shown:
    """Which pictures a request carries."""

    uploads: tuple[str, ...]
    made: tuple[str, ...]


def shown(uploads: Sequence[str], made: Sequence[str], *, cap: int) -> Shown:
    """Choose the pictures of a request.

    The subject always stays. References get at most half of what is left, the newest views the rest. Once the room is
    full, old views leave half a room at a time, so that the prompt's beginning changes seldom.
    """
    references = min(len(uploads) - 1, (cap - 1) // 2)
    room = max(cap - 1 - references, 0)
    over = len(made) - room
    block = max((room + 1) // 2, 1)
    dropped = min(-(-over // block) * block, len(made)) if over > 0 else 0
    return Shown(uploads=tuple(uploads[:1 + references]), made=tuple(made[dropped:]))


def build(state: State, desk: StateDesk, edge: Edge) -> Request:
    """The request for the next decision, a function of the state alone."""
    uploads = [view for view in desk.views.values() if view.kind is ViewKind.UPLOAD]
    made = _made(state["messages"], desk)
    show = shown([view.id for view in uploads], made, cap=edge.cap())
    dialogue = _Dialogue(state=state, desk=desk, edge=edge, shown={*show.uploads, *show.made}, new=made)
    dialogue.messages.append(SystemMessage(content=system_prompt(state, desk, edge.encoder, edge.lang)))
    for message in state["messages"]:
        dialogue.add(message)
    dialogue.settle()
    return Request(messages=[_plain(message) for message in dialogue.messages], sent=tuple(dialogue.sent))


def _made(messages: Sequence[AnyMessage], desk: StateDesk) -> list[str]:
    """Views that steps made, oldest first. A step's message names its view; the first to name it made it."""
    names = [json.loads(str(m.content)).get("view") for m in messages if isinstance(m, ToolMessage)]
    known = (name for name in names if name in desk.views and desk.views[name].kind is not ViewKind.UPLOAD)
    return list(dict.fromkeys(known))


@dataclass
class _Dialogue:
    """Writes the messages of a conversation as the model gets them."""

    state: State
    desk: StateDesk
    edge: Edge
    shown: set[str]
    new: list[str]
    """Views that no message has shown yet, oldest first."""
    messages: list[AnyMessage] = field(default_factory=list)
    sent: list[dict[str, Any]] = field(default_factory=list)
    waiting: list[ToolCall] = field(default_factory=list)
    """Calls of the last reply that have no answer yet."""
    answered: list[ToolMessage] = field(default_factory=list)
    turn: int = -1
    ended: bool = True

    def __post_init__(self) -> None:
        self.new = list(self.new)

    def add(self, message: AnyMessage) -> None:
        """Write one message of the state. What calls brought is written when the next message shows that it is all."""
        match message:
            case ToolMessage():
                self.answered.append(message)
            case AIMessage():
                self.settle()
                self._reply(message)
            case HumanMessage():
                self.settle()
                self._said(message)

    def _said(self, message: HumanMessage) -> None:
        parts = [_text(harmless(str(message.content)))]
        if "kenpin" in message.additional_kwargs:
            self._user(parts)
            return
        if not self.ended:
            # A limit ended the turn before; the user was told this, so the model is shown it as its own words.
            self.messages.append(AIMessage(content=harmless(self.state["turns"][self.turn]["answer"]["text"])))
        self.turn, self.ended = self.turn + 1, False
        if self.turn == 0:
            for view in self.desk.views.values():
                if view.kind is ViewKind.UPLOAD:
                    parts += self._picture(view)
        self._user(parts, opens=True)

    def _reply(self, message: AIMessage) -> None:
        said = message.additional_kwargs.get("kenpin", {}).get("said", {})
        calls = []
        for call in message.tool_calls:
            place = self.edge.frame(self.desk, call["args"].get("view"))
            args = said.get(call["id"]) or self.edge.arguments.write(call["name"], call["args"], place)
            name = NOT_IN_NAMES.sub("_", call["name"]) or "unnamed"
            calls.append(ToolCall(name=name, args=quiet(args), id=call["id"], type="tool_call"))
        text = "" if calls else harmless(str(message.content))[:MOST_SAID] or "(no call)"
        self.messages.append(AIMessage(content=text, tool_calls=calls))
        self.waiting, self.answered = calls, []

    def settle(self) -> None:
        """Write what the calls of the last reply brought: their messages first, then the new pictures."""
        by_id = {message.tool_call_id: message for message in self.answered}
        pictures: list[Part] = []
        for call in self.waiting:
            message = by_id.get(call["id"] or "")
            parts: list[Part] = []
            if message:
                view_id = json.loads(str(message.content)).get("view")
                text = told(str(message.content), self.edge.frame(self.desk, view_id or call["args"].get("view")))
                if view_id in self.new:
                    self.new.remove(view_id)
                    parts = self._picture(self.desk.views[view_id])
            else:
                text = compact_json(self._unanswered(call))
                self.ended = self.ended or call["name"] in ENDINGS
            inside = parts if self.edge.in_tools else []
            content = [_text(text), *inside] if inside else text
            self.messages.append(ToolMessage(content=content, tool_call_id=call["id"] or "", name=call["name"]))  # type: ignore[arg-type]  # a list of parts is a list of dicts
            pictures += [] if self.edge.in_tools else parts
        if pictures:
            self._user(pictures)
        self.waiting, self.answered = [], []

    def _unanswered(self, call: ToolCall) -> dict[str, Any]:
        """What became of a call that ended its turn, or came after one that did."""
        turns = self.state["turns"]
        if call["name"] not in ENDINGS or not 0 <= self.turn < len(turns):
            return {"status": "not run", "error": "the turn ended before this call"}
        answer = turns[self.turn]["answer"]
        said = {key: answer.get(key) for key in ("kind", "verdict", "rule", "reasons", "unverified")}
        return {"status": "turn ended", **{key: value for key, value in said.items() if value}}

    def _picture(self, view: View) -> list[Part]:
        """A view's caption, and the picture unless it was left out."""
        place = self.edge.frame(self.desk, view.id)
        caption: dict[str, Any] = {"view": view.id, "kind": view.kind.value}
        if view.kind is ViewKind.UPLOAD:
            caption["role"] = view.role.value
        else:
            caption |= {"of": view.source, "shows": list(place.box_out(view.place()))}
        if view.id not in self.shown:
            return [_text(compact_json(caption | {"picture": LEFT_OUT}))]
        width, height = self.edge.encoder.size(view)
        uri = self.edge.encoder.uri(view, lambda: self.desk.picture(view.id).pixels)
        self.sent.append({"view": view.id, "width": width, "height": height})
        return [_text(compact_json(caption)), {"type": "image_url", "image_url": {"url": uri}}]

    def _user(self, parts: list[Part], *, opens: bool = False) -> None:
        """A user message; two in a row become one, since some chat templates insist on taking turns."""
        last, mark = self.messages[-1], {"kenpin": OPENS} if opens else {}
        if isinstance(last, HumanMessage):
            mark = last.additional_kwargs | mark
            self.messages[-1] = HumanMessage(content=[*last.content, *parts], additional_kwargs=mark)
        else:
            self.messages.append(HumanMessage(content=parts, additional_kwargs=mark))  # type: ignore[arg-type]  # a list of dicts is right


def _text(text: str) -> Part:
    return {"type": "text", "text": text}


def _plain(message: AnyMessage) -> AnyMessage:
    """A user message of words only as one string, which every chat template takes."""
    if isinstance(message, HumanMessage) and all(part["type"] == "text" for part in message.content):  # type: ignore[index]
        words = "\n".join(part["text"] for part in message.content)  # type: ignore[index]
        return HumanMessage(content=words, additional_kwargs=message.additional_kwargs)
    return message
