"""An inspection in memory around any planner: stores, small tools and drawn pictures for tests of the loop's edges."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from langgraph.checkpoint.memory import InMemorySaver

from agent.inspector import Inspector, Material, Photo
from agent.planners.base import Planner
from agent.policy import Limits
from agent.record import Recorder
from kenpin.contracts.errors import StoreError, Unavailable
from kenpin.contracts.trace import Answer, Trace
from kenpin.contracts.view import RgbImage
from tools.crop import TOOL as CROP
from tools.endings import ANSWER, ASK
from tools.spec import OnView, Report, Tool, ToolResult, Workbench
from tools.zoom import TOOL as ZOOM


class MemoryPictures:
    """Implements `PictureStore`."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def put(self, pixels: RgbImage, *, lossless: bool = True) -> str:
        file = cv2.imencode(".png" if lossless else ".jpg", pixels[..., ::-1])[1].tobytes()
        key = hashlib.sha256(file).hexdigest()
        self.files[key] = file
        return key

    def get(self, sha256: str) -> RgbImage:
        if sha256 not in self.files:
            raise StoreError(f"picture {sha256} is missing")
        pixels = cv2.imdecode(np.frombuffer(self.files[sha256], np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
        pixels.flags.writeable = False
        return pixels

    def read_file(self, sha256: str) -> bytes:
        return self.files[sha256]


class MemoryTraces:
    """Implements `TraceStore`."""

    def __init__(self) -> None:
        self.traces: dict[str, Trace] = {}

    def save(self, trace: Trace) -> None:
        self.traces[trace.id] = trace

    def load(self, trace_id: str) -> Trace:
        return self.traces[trace_id]

    def ids(self) -> list[str]:
        return list(self.traces)


class Lettering(ToolResult):
    """What `read_text` of these tests finds."""

    text: str


def reading(text: str) -> Tool:
    """A tool that reads the same text off every picture."""
    def run(bench: Workbench, args: Any) -> Report:
        bench.picture(args.view)
        return Report(result=Lettering(text=text))
    return Tool(name="read_text", description="Reads.", args=OnView, run=run)


def failing(name: str = "detect") -> Tool:
    """A tool whose model is missing."""
    def run(bench: Workbench, args: Any) -> Report:
        raise Unavailable("the weights are missing")
    return Tool(name=name, description="Searches for defects.", args=OnView, run=run)


def catalogue(*more: Tool) -> dict[str, Tool]:
    """Tools of a test by name."""
    return {tool.name: tool for tool in (CROP, ZOOM, *more)}


def offered(tools: Mapping[str, Tool]) -> dict[str, Tool]:
    """What a planner is told of."""
    return {**tools, ASK.name: ASK, ANSWER.name: ANSWER}


@dataclass
class Bench:
    """One planner over stores in memory."""

    planner: Planner
    tools: Mapping[str, Tool] = field(default_factory=catalogue)
    limits: Limits = field(default_factory=Limits)
    checkpointer: Any = field(default_factory=InMemorySaver)
    pictures: MemoryPictures = field(default_factory=MemoryPictures)
    traces: MemoryTraces = field(default_factory=MemoryTraces)

    def __post_init__(self) -> None:
        recorder = Recorder(tools=self.tools, pictures=self.pictures, cases=None, limits=self.limits)
        self.inspector = Inspector(self.planner, recorder, self.traces, self.checkpointer)

    def start(self, pixels: RgbImage, **more: Any) -> str:
        """Start an inspection of a picture."""
        references = [Photo(p) for p in more.pop("references", ())]
        good = [Photo(p) for p in more.pop("good", ())]
        return self.inspector.start(Material(subject=Photo(pixels), references=references, good=good, **more))

    def say(self, key: str, text: str) -> Answer:
        """Run a turn to its end."""
        for _ in self.inspector.say(key, text):
            pass
        answer = self.inspector.trace(key).turns[-1].answer
        assert answer
        return answer


def part(width: int = 800, height: int = 600, *, seed: int = 0) -> RgbImage:
    """A grey plate with grain and a dark square, (H, W, 3) uint8."""
    rng = np.random.default_rng(seed)
    pixels = rng.normal(150, 4, (height, width, 1)).clip(0, 255).astype(np.uint8).repeat(3, axis=2)
    pixels[height // 4:height // 2, width // 4:width // 2] = (60, 40 + seed, 40)
    return pixels
