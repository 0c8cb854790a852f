"""Finds out how to talk to a server by asking it, not by the model's name: `kenpin doctor` prints what this says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolCall, ToolMessage

from agent.planners.frames import Family, Frame, Kind, family, is_numbers
from agent.planners.vllm_chat import Line, Served
from agent.planners.vllm_pictures import data_uri
from agent.planners.vllm_ways import Ways, keep, recalled, run_of, ways
from kenpin.config import Settings
from kenpin.contracts.errors import Unavailable
from kenpin.contracts.view import Box, RgbImage

WIDTH, HEIGHT = 672, 448
"""Multiples of both families' factors, so that no server has a reason to resize."""
PLACES: tuple[Box, ...] = ((84, 60, 252, 180), (400, 250, 600, 400))
"""Boxes that overlap little when read in the wrong frame."""
COLOURS = {"red": (200, 30, 30), "green": (30, 160, 40), "blue": (30, 60, 210), "yellow": (230, 220, 40)}
SHOWN = ("blue", "yellow")
OVERLAP = 0.5
KEPT = "vllm-ways.json"
"""In the data folder: what the last server was found to take."""


@dataclass(frozen=True)
class Probe:
    """What a server can do."""

    model: Served
    calls: bool
    """A forced call came back and kept its schema."""
    pictures: bool
    """It says rightly what a picture shows."""
    in_tools: bool
    """Pictures in tool messages reach it: the server counts their tokens, or it says rightly what they show."""
    kind: Kind | None
    """The frame that its boxes are in; None if they fit neither."""
    most_pictures: int | None
    """Pictures that a prompt may hold, if fewer than configured."""
    taken: bool = True
    """The server takes pictures and its template shows them to the model, whether or not the model sees much."""
    advice: tuple[str, ...] = ()
    """What to change, one line each."""

    def family(self, setting: str = "auto") -> Family:
        """How to send pictures and read boxes: as set, else as seen, else by name."""
        return family(self.model.names, self.kind or "auto" if setting == "auto" else setting)


def probe(settings: Settings) -> Probe:
    """Ask a server a few questions whose answers are known.

    Raises:
        Unavailable: Nothing answers at the URL, or it does not serve the model.
    """
    line = Line(settings)
    model = line.served()
    asking = Asking(line, model)
    calls = asking.colour(None) in COLOURS
    kind = asking.frame() if calls else None
    pictures = calls and (kind is not None or all(asking.colour(name) == name for name in SHOWN))
    way = ways(line, model, settings.vllm_pictures)
    if way.counted:
        in_tools, most = way.in_tools, way.most
    else:
        in_tools = pictures and all(asking.colour(name, in_tool=True) == name for name in SHOWN)
        most = asking.most(settings.vllm_pictures) if pictures else None
    return Probe(model=model, calls=calls, pictures=pictures, in_tools=in_tools, kind=kind, most_pictures=most,
                 taken=way.taken if way.counted else pictures,
                 advice=tuple(_advice(line.url, asking, calls=calls, pictures=pictures, kind=kind, most=most)))


def first_use(settings: Settings) -> Ways:
    """How to talk to the server, found out when a planner first uses it, and kept while the server runs.

    Raises:
        Unavailable: Nothing answers, it takes no pictures, or it makes no valid forced calls; one line says what to
            change.
    """
    line = Line(settings)
    model = line.served()
    run = run_of(line, model)
    if (known := recalled(settings.home / KEPT, run)) and (known.kind or settings.vllm_frame != "auto"):
        return known
    found = ways(line, model, settings.vllm_pictures)
    if not found.taken:
        raise Unavailable(f"the model at {line.url} takes no pictures; serve a vision-language model")
    asking = Asking(line, model)
    if asking.colour(None) not in COLOURS:
        raise Unavailable("; ".join(_advice(line.url, asking, calls=False, pictures=False, kind=None, most=None)))
    if settings.vllm_frame == "auto":
        found = replace(found, kind=asking.frame())
    keep(settings.home / KEPT, run, found)
    return found


def _advice(url: str, asking: "Asking", *, calls: bool, pictures: bool, kind: Kind | None,
            most: int | None) -> list[str]:
    said = list(dict.fromkeys(asking.refusals))[:1]
    if not calls:
        return [f"the model at {url} makes no valid forced calls; start vLLM with --enable-auto-tool-choice and the "
                f"--tool-call-parser that fits the model (Qwen2.5-VL and Qwen3-VL: hermes)", *said]
    if not pictures:
        return [f"the model at {url} does not see; serve a vision-language model", *said]
    lines = []
    if kind is None:
        lines.append(f"the boxes of the model at {url} fit no known frame; set KENPIN_VLLM_FRAME to per_mille or "
                     f"resized, or serve a model that was trained to point")
    if most is not None:
        lines.append(f"the server at {url} takes {most} pictures a prompt; start vLLM with --limit-mm-per-prompt or "
                     f"set KENPIN_VLLM_PICTURES={most}")
    return lines


class Asked(Protocol):
    """Where a model answers: a server (`Line`), or this process (`hf_local.InProcess`)."""

    pictures: int | None

    def bound(self, model: Served, tools: Sequence[Mapping[str, Any]], /) -> Any:
        """Tools to ask with."""

    def ask(self, bound: Any, messages: list[AnyMessage], /) -> AIMessage:
        """One reply."""


class Asking:
    """Questions to one model."""

    def __init__(self, line: Asked, model: Served) -> None:
        self.refusals: list[str] = []
        self._line, self._model = line, model

    def colour(self, name: str | None, *, in_tool: bool = False) -> str | None:
        """What the model says is the colour of a plain picture; with no picture, any answer shows that calls work."""
        tool = _tool("name_colour", {"colour": {"type": "string", "enum": list(COLOURS)}})
        parts = [_image(_plain(COLOURS[name]))] if name else []
        ask = _text("Which colour is the picture? Call name_colour." if name else "Call name_colour with red.")
        if in_tool:
            call = ToolCall(name="look", args={}, id="call00000", type="tool_call")
            messages: list[AnyMessage] = [
                HumanMessage("Look at the picture, then call name_colour with its colour."),
                AIMessage("", tool_calls=[call]),
                ToolMessage([_text("The picture:"), *parts], tool_call_id="call00000", name="look")]
        else:
            messages = [HumanMessage([*parts, ask])]
        said = self._call(tool, messages).get("colour")
        return said if isinstance(said, str) and said in COLOURS else None

    def frame(self) -> Kind | None:
        """The frame in which all the boxes that the model gives fit the things that they name."""
        tool = _tool("mark", {"box": {"type": "array", "items": {"type": "integer"}, "minItems": 4, "maxItems": 4}})
        frames: dict[Kind, Frame] = {"per_mille": Frame(WIDTH, HEIGHT, 1000, 1000),
                                     "resized": Frame(WIDTH, HEIGHT, WIDTH, HEIGHT)}
        fitting = list(frames)
        for place in PLACES:
            ask = _text("Give the bounding box of the red rectangle as [x0, y0, x1, y1]. Call mark.")
            said = self._call(tool, [HumanMessage([_image(_rectangle(place)), ask])]).get("box")
            if not isinstance(said, list) or not is_numbers(said, 4):
                return None
            fitting = [kind for kind in fitting if _overlap(frames[kind].box_in(said), place) >= OVERLAP]
        return fitting[0] if len(fitting) == 1 else None

    def most(self, wanted: int) -> int | None:
        """Pictures a prompt may hold, if they are fewer than wanted."""
        tool = _tool("name_colour", {"colour": {"type": "string", "enum": list(COLOURS)}})
        parts = [_image(_plain(COLOURS["red"])) for _ in range(wanted)]
        self._call(tool, [HumanMessage([*parts, _text("Which colour are they? Call name_colour.")])])
        return self._line.pictures

    def _call(self, tool: dict[str, Any], messages: list[AnyMessage]) -> dict[str, Any]:
        """The arguments of the one forced call; none if there is no such call or the server refuses."""
        try:
            reply = self._line.ask(self._line.bound(self._model, [tool]), messages)
        except Unavailable as exc:
            self.refusals.append(str(exc))
            return {}
        calls = [call for call in reply.tool_calls if call["name"] == tool["function"]["name"]]
        return dict(calls[0]["args"]) if len(calls) == 1 else {}


def _tool(name: str, properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "function", "function": {
        "name": name, "description": "Says what is in the picture.", "strict": True,
        "parameters": {"type": "object", "properties": properties, "required": list(properties),
                       "additionalProperties": False}}}


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def _image(pixels: RgbImage) -> dict[str, Any]:
    height, width = pixels.shape[:2]
    return {"type": "image_url", "image_url": {"url": data_uri(pixels, width=width, height=height)}}


def _plain(colour: Sequence[int]) -> RgbImage:
    return np.full((HEIGHT // 2, WIDTH // 2, 3), colour, dtype=np.uint8)


def _rectangle(place: Box) -> RgbImage:
    pixels = np.full((HEIGHT, WIDTH, 3), 190, dtype=np.uint8)
    x0, y0, x1, y1 = place
    pixels[y0:y1, x0:x1] = COLOURS["red"]
    return pixels


def _overlap(a: Box, b: Box) -> float:
    """Intersection over union."""
    across, down = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    common = max(across, 0) * max(down, 0)
    areas = sum(max(x1 - x0, 0) * max(y1 - y0, 0) for x0, y0, x1, y1 in (a, b))
    return common / (areas - common) if areas > common else 0.0
