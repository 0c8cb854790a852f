"""Makes a dialogue fit a server that found it too large. The trace keeps everything; only what is sent shrinks.

A dialogue is cut once and then stays cut at that place: what comes later is added to the same beginning, which the
server has in its prefix cache, until it is too large again and cut anew, with room to grow.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage

from agent.planners.vllm_results import compact_json

GONE = {"type": "text", "text": "(picture left out to save room; zoom or crop again to see it)"}
OPENS = "turn"
"""Mark of a user message that opens a turn: the value of `kenpin` in its `additional_kwargs`, which no server gets."""
RECENT = 6
"""Messages at the end that keep their full text."""
MOST_OLD_TEXT = 240
"""Characters that an older tool message keeps."""
MOST_LINE = 80
"""Characters that are left of a step that is told in one line."""
MOST_LINES, FEWEST_LINES = 32, 8
"""Steps of one turn that are told in a line at most, and where nothing else is left to take away."""
BYTES_A_TOKEN = 3.0
"""Of UTF-8 text, more or less: English has four, Japanese three, digits one. Only shares of a prompt are estimated."""
PICTURE = 700
"""Tokens of a picture, more or less: 1024 × 768 px in squares of 32."""
ROOM_TO_GROW = 0.4
"""Share that a cut leaves free, of what the context holds beside what cannot be cut, so that cuts come seldom."""
STRIDE = 0.15
"""Share that is taken away at least where a server does not say how much is too much."""
MOST_CUTS = 4
"""Times that one request is cut and sent again: what a cut leaves is estimated, and may still be too much."""
KEPT = 256
"""Dialogues whose cut is remembered."""


@dataclass(frozen=True)
class Cut:
    """How much of a dialogue is told in short. Places are indices of its messages, which only grow at the end."""

    blind: int = 0
    """Messages before this one have no pictures, but for the opening of the first turn."""
    brief: int = 0
    """Messages before this one have short results."""
    folded: int = 0
    """Turns that open before this message are told by what was said and what was answered."""
    dropped: int = 0
    """Turns that open before this message are left out, but for the first."""
    steps: int = 0
    """Steps before this message are told in one line each."""
    bare: bool = False
    """Of the pictures only the subject is left, and of the steps that are told in one line the newest few."""


def pictures_in(messages: Sequence[AnyMessage]) -> int:
    """Number of pictures in a request."""
    return sum(_is_picture(part) for message in messages for part in _parts(message))


def pruned(messages: Sequence[AnyMessage], *, pictures: int) -> list[AnyMessage]:
    """A request with no more pictures than a server takes: the subject, which always stays, and the newest."""
    places = [(i, k) for i, message in enumerate(messages)
              for k, part in enumerate(_parts(message)) if _is_picture(part)]
    kept = set(places[:1] + places[1:][-(pictures - 1):]) if pictures > 1 else set(places[:pictures])
    return [_without(message, {k for j, k in places if j == i and (j, k) not in kept})
            for i, message in enumerate(messages)]


def weight(messages: Sequence[AnyMessage]) -> float:
    """Roughly how many tokens a request has, tools left aside."""
    said = sum(len(json.dumps(call["args"], ensure_ascii=False).encode())
               for m in messages if isinstance(m, AIMessage) for call in m.tool_calls)
    return (sum(len(_words(m).encode()) for m in messages) + said) / BYTES_A_TOKEN + PICTURE * pictures_in(messages)


def weight_of_tools(tools: Sequence[Mapping[str, Any]]) -> float:
    """Roughly how many tokens of each prompt are the tools, as templates write them out."""
    return len(json.dumps(list(tools))) / BYTES_A_TOKEN


def cut_at(messages: Sequence[AnyMessage], cut: Cut) -> list[AnyMessage]:
    """A dialogue as it is sent: valid for every server that takes the whole one, and no longer than that."""
    opens = _opens(messages)
    if not opens:
        return list(messages)
    told = [message if i <= opens[0] else _told_of(message, blind=i < cut.blind, brief=i < cut.brief)
            for i, message in enumerate(messages)]
    left_out = sum(0 < begin < cut.dropped for begin in opens[1:])
    out = told[:opens[0]]
    for number, (begin, end) in enumerate(zip(opens, [*opens[1:], len(told)], strict=True)):
        if number and begin < cut.dropped:
            continue
        opening, rest = told[begin], told[begin + 1:end]
        notes = [f"({left_out} later turns are left out to save room)"] if not number and left_out else []
        if begin < cut.folded:
            rest = [AIMessage(content=_ending(rest))]
        elif begin < cut.steps:
            done = [_line(m) for m in messages[begin + 1:min(cut.steps, end)] if isinstance(m, ToolMessage)]
            notes += _in_lines(done, FEWEST_LINES if cut.bare else MOST_LINES)
            rest = told[min(cut.steps, end):end]
        out += [_noted(opening, notes), *rest]
    return pruned(out, pictures=1) if cut.bare else out


class Cuts:
    """Remembers where dialogues are cut, and cuts further where a server says that one is too large."""

    def __init__(self) -> None:
        self._known: dict[str, Cut] = {}

    def of(self, messages: Sequence[AnyMessage]) -> Cut:
        """The cut of a dialogue; one that takes nothing away if there is none."""
        return self._known.get(_name(messages), Cut())

    def further(self, messages: Sequence[AnyMessage], *, over: float | None, fixed: float) -> bool:
        """Cut a dialogue further, at the first place that leaves it room to grow; else as short as can be.

        Args:
            messages: The whole dialogue.
            over: Tokens of the prompt as it was sent, over those that it may have; None if the server did not say.
            fixed: Roughly how many of them no cut can take away: those of the tools.
        Returns:
            Whether there was something to take away.
        """
        now = self.of(messages)
        sent = weight(cut_at(messages, now))
        options = [(weight(cut_at(messages, cut)), cut) for cut in _harder(messages, now)]
        options = [option for option in options if option[0] < sent]
        if not options:
            return False
        least, shortest = options[-1]
        most = (sent + fixed) / over - fixed if over else sent * (1 - STRIDE)
        goal = most - max(most - least, 0.0) * ROOM_TO_GROW if over else most
        chosen = next((cut for size, cut in options if size <= goal), shortest)
        if len(self._known) >= KEPT:
            self._known.pop(next(iter(self._known)))
        self._known[_name(messages)] = chosen
        return True


def _harder(messages: Sequence[AnyMessage], now: Cut) -> list[Cut]:
    """Cuts that take away more and more, the least missed first."""
    opens = _opens(messages)
    if not opens:
        return []
    last = opens[-1]
    newest = max((i for i, m in enumerate(messages) if pictures_in([m])), default=0)
    first = replace(now, blind=max(now.blind, newest), brief=max(now.brief, len(messages) - RECENT))
    cuts = [first, first := replace(first, folded=max(now.folded, last))]
    for share in (0.5, 0.75, 1.0):
        cuts.append(first := replace(first, dropped=max(now.dropped, opens[round((len(opens) - 1) * share)])))
    groups = [i for i, m in enumerate(messages) if i > last and isinstance(m, AIMessage)]
    for keep in (len(groups) // 2, len(groups) // 4, 1):
        if groups and keep:
            cuts.append(first := replace(first, steps=max(now.steps, groups[-keep])))
    cuts.append(first := replace(first, blind=len(messages), brief=len(messages)))
    return [*cuts, replace(first, bare=True)]


def _opens(messages: Sequence[AnyMessage]) -> list[int]:
    """Where turns open: at the marked user messages, and in any case at the first one."""
    users = [i for i, m in enumerate(messages) if isinstance(m, HumanMessage)]
    return [i for i in users if i == users[0] or messages[i].additional_kwargs.get("kenpin") == OPENS]


def _name(messages: Sequence[AnyMessage]) -> str:
    """A dialogue by what never changes: its beginning."""
    opens = _opens(messages)
    begin = [str(message.content) for message in messages[:opens[0] + 1]] if opens else []
    return hashlib.sha256("\n".join(begin).encode("utf-8", "replace")).hexdigest()


def _line(message: AnyMessage) -> str:
    """A step in one line: number, tool, how it went, and the beginning of what came of it."""
    name, step = str(getattr(message, "name", "") or ""), _told(message)
    if step is None:
        return f"{name} {_words(message)}"[:MOST_LINE]
    facts = compact_json(step.get("data") or step.get("error") or "")
    return f"[{step.get('step', '?')}] {name} {step.get('status', '')} {step.get('view', '')} {facts}"[:MOST_LINE]


def _in_lines(done: list[str], most: int) -> list[str]:
    """The note of a turn about its steps that are told in short, if there are any."""
    if not done:
        return []
    more = f"{len(done) - most} before these; " if len(done) > most else ""
    return [f"(steps told in short to save room: {more}{'; '.join(done[-most:])})"]


def _told(message: AnyMessage) -> dict[str, Any] | None:
    """What a message tells of a step; None if it tells it in another way."""
    try:
        step = json.loads(_words(message))
    except ValueError:
        return None
    return step if isinstance(step, dict) else None


def _ending(rest: Sequence[AnyMessage]) -> str:
    """What a turn was answered with."""
    for message in reversed(rest):
        if not isinstance(message, AIMessage):
            continue
        for call in message.tool_calls:
            text = call["args"].get("text") or call["args"].get("question")
            if call["name"] in ("answer", "ask") and isinstance(text, str):
                return text[:MOST_OLD_TEXT * 2]
        if not message.tool_calls and _words(message):
            return _words(message)[:MOST_OLD_TEXT * 2]
    return "(no answer)"


def _noted(message: AnyMessage, notes: list[str]) -> AnyMessage:
    if not notes:
        return message
    if isinstance(message.content, str):
        return message.model_copy(update={"content": "\n".join([message.content, *notes])})
    return message.model_copy(update={"content": [*message.content, *({"type": "text", "text": n} for n in notes)]})


def _told_of(message: AnyMessage, *, blind: bool, brief: bool) -> AnyMessage:
    """A message without pictures, and if it tells a step or is a plain reply, without the most of it."""
    pictures = {k for k, part in enumerate(_parts(message)) if _is_picture(part)}
    bare = _without(message, pictures) if blind else message
    short = len(_words(bare)) <= MOST_OLD_TEXT or isinstance(bare, HumanMessage)
    if not brief or short or pictures_in([bare]) or (isinstance(bare, AIMessage) and bare.tool_calls):
        return bare
    text, step = f"{_words(bare)[:MOST_OLD_TEXT]}… (shortened)", _told(bare)
    if step and "data" in step:
        text = compact_json(step | {"data": f"{compact_json(step['data'])[:MOST_OLD_TEXT]}… (shortened)"})
    return bare.model_copy(update={"content": text})


def _words(message: AnyMessage) -> str:
    """The text of a message."""
    if isinstance(message.content, str):
        return message.content
    return "\n".join(str(part.get("text", "")) if isinstance(part, dict) else str(part) for part in message.content)


def _parts(message: AnyMessage) -> list[Any]:
    return list(message.content) if isinstance(message.content, list) else []


def _is_picture(part: Any) -> bool:
    return isinstance(part, dict) and part.get("type") == "image_url"


def _without(message: AnyMessage, gone: set[int]) -> AnyMessage:
    if not gone:
        return message
    parts = [GONE if k in gone else part for k, part in enumerate(_parts(message))]
    if all(isinstance(part, dict) and part.get("type") == "text" for part in parts):
        # Words only are one string, which every chat template takes.
        return message.model_copy(update={"content": "\n".join(part["text"] for part in parts)})
    return message.model_copy(update={"content": parts})
