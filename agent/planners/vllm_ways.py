"""What a server says of itself without generating: which pictures it takes and where, how many, how long a context.

vLLM counts the tokens of a chat at `/tokenize`, rendered by the model's own chat template. A picture that a template
passes over adds none.
"""

import json
import os
import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from agent.planners.frames import Kind
from agent.planners.vllm_chat import NO_PICTURES, TOO_MANY, Line, Served
from agent.planners.vllm_pictures import data_uri

OK = 200
SIDE = 256
"""Of the picture that is counted, px: a multiple of 32, and not too small for any processor."""
SLACK = 1
"""Tokens by which a picture's count may differ between two places: its neighbours may join otherwise."""
BEGUN = re.compile(r"^process_start_time_seconds ([0-9.e+]+)$", re.MULTILINE)
CALL = {"id": "call00000", "type": "function", "function": {"name": "look", "arguments": "{}"}}
TEXT = {"type": "text", "text": "Look."}


@dataclass(frozen=True)
class Ways:
    """How to talk to a server."""

    counted: bool
    """It counted tokens; without that the rest is as safe as can be and says nothing."""
    taken: bool = True
    """Pictures in user messages reach the model."""
    in_tools: bool = False
    """Pictures in tool messages do too."""
    most: int | None = None
    """Pictures a prompt may hold, if fewer than wanted."""
    kind: Kind | None = None
    """The frame of its boxes, where it was asked for."""


def ways(line: Line, model: Served, wanted: int) -> Ways:
    """Ask a server what it takes; nothing is generated.

    Args:
        line: To the server.
        model: Which model.
        wanted: Pictures that a request may hold by the settings.
    """
    return ways_by(_Served(line, model), wanted)


def ways_by(count: "Counting", wanted: int) -> Ways:
    """What a model takes, by the tokens of small chats."""
    plain = count.user([])
    seen = count.user([_picture()])
    if plain is None or (seen is None and not NO_PICTURES.search(count.refusal)):
        return Ways(counted=False)
    if seen is None or seen <= plain:
        return Ways(counted=True, taken=False)
    text, picture = count.tool([]), count.tool([_picture()])
    count.user([_picture()] * wanted)
    # Older servers count a picture as its mark alone, but they count it alike in either place.
    alike = text is not None and picture is not None and abs((picture - text) - (seen - plain)) <= SLACK
    return Ways(counted=True, most=count.most, in_tools=alike)


class Counting(ABC):
    """Counts the tokens of small chats."""

    def __init__(self) -> None:
        self.most: int | None = None
        """Pictures a prompt may hold, once that was said."""
        self.refusal = ""
        """What was said when the last chat was refused."""

    def user(self, pictures: Sequence[dict[str, Any]]) -> int | None:
        """Tokens of a user message with these pictures; None if it was refused or nothing counts here."""
        return self.count([{"role": "user", "content": [TEXT, *pictures]}])

    def tool(self, pictures: Sequence[dict[str, Any]]) -> int | None:
        """The same with the pictures in a tool message."""
        return self.count([{"role": "user", "content": "Look."},
                           {"role": "assistant", "content": "", "tool_calls": [CALL]},
                           {"role": "tool", "tool_call_id": CALL["id"], "content": [TEXT, *pictures]}])

    @abstractmethod
    def count(self, messages: list[dict[str, Any]]) -> int | None:
        """Tokens of a chat in the form of a request."""


class _Served(Counting):
    """Asks a server."""

    def __init__(self, line: Line, model: Served) -> None:
        super().__init__()
        self._line, self._model = line, model

    def count(self, messages: list[dict[str, Any]]) -> int | None:
        answer = self._line.raw("/tokenize", {"model": self._model.id, "messages": messages})
        if answer is None:
            return None
        status, said = answer
        if status != OK:
            self.refusal = str(said)
            many = TOO_MANY.search(self.refusal)
            self.most = int(many.group(1)) if many else self.most
        found = said.get("count") if status == OK and isinstance(said, dict) else None
        return found if isinstance(found, int) else None


def _picture() -> dict[str, Any]:
    pixels = np.full((SIDE, SIDE, 3), 190, dtype=np.uint8)
    return {"type": "image_url", "image_url": {"url": data_uri(pixels, width=SIDE, height=SIDE)}}


def run_of(line: Line, model: Served) -> str | None:
    """What names one run of one model on one server, by the time that its process began; None if it does not say."""
    answer = line.raw("/metrics")
    begun = BEGUN.search(answer[1]) if answer and answer[0] == OK and isinstance(answer[1], str) else None
    return f"{line.url} {model.id} {model.root} {begun.group(1)}" if begun else None


def recalled(file: Path, run: str | None) -> Ways | None:
    """What was found out about this run before."""
    with suppress(OSError, ValueError, TypeError, AttributeError, KeyError):
        kept = json.loads(file.read_text(encoding="utf-8"))
        if run and kept.get("run") == run:
            return Ways(**kept["ways"])
    return None


def keep(file: Path, run: str | None, found: Ways) -> None:
    """Keep what was found out, so that the next command need not ask again. Not kept if it cannot be."""
    if run:
        with suppress(OSError):
            part = file.with_name(f"{file.name}.{os.getpid()}")
            part.write_text(json.dumps({"run": run, "ways": asdict(found)}), encoding="utf-8")
            part.replace(file)
