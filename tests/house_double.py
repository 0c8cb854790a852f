"""An installation in a folder, with its real stores and checkpoints, run by a script instead of a planner."""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from langgraph.checkpoint.sqlite import SqliteSaver

from agent.events import Event
from agent.inspector import Inspector, Material, Photo
from agent.planners.scripted import scripted_planner
from agent.policy import Limits
from agent.record import Recorder
from kenpin.contracts.errors import StoreError, ToolInputError
from kenpin.contracts.trace import Answer, Trace
from kenpin.contracts.view import Box, RgbImage
from kenpin.database.engine import open_database
from kenpin.security.keyring import KeySource
from kenpin.security.vault import Vault
from kenpin.traces.pictures import FilePictures
from kenpin.traces.records import DatabaseTraces
from tools.check_image import TOOL as CHECK_IMAGE
from tools.crop import TOOL as CROP
from tools.spec import OnView, Region, Report, Scale, Tool, ToolArgs, ToolResult, Workbench
from tools.zoom import TOOL as ZOOM


class Search(ToolResult):
    """What the searches of these tests find."""

    findings: tuple[dict[str, Any], ...]
    decided: bool
    reason: str = ""


class Number(ToolResult):
    """What `measure` of these tests says."""

    quantity: str
    value: float
    unit: str
    uncertainty: float
    of: str | None = None


class MeasureArgs(OnView):
    """What to measure."""

    of: str | None = None
    quantity: str = "length"


class Found(ToolResult):
    """What `calibrate` of these tests says."""

    mm_per_px: float
    method: str = "said"


class Lettering(ToolResult):
    """What `read_text` of these tests finds."""

    text: str


def searching(*found: tuple[str, float, Box], decided: bool = True, name: str = "detect") -> Tool:
    """A search that reports these (type, score, box) on every picture."""

    def run(bench: Workbench, args: OnView) -> Report:
        bench.picture(args.view)
        ids = bench.fresh("f", len(found))
        findings: tuple[dict[str, Any], ...] = tuple(
            {"id": i, "type": kind, "score": score, "box": list(box), "area_px": 20.0}
            for i, (kind, score, box) in zip(ids, found, strict=True)
        )
        regions = tuple(Region(id=f["id"], label=f["type"], box=tuple(f["box"]), score=f["score"]) for f in findings)
        boxes = tuple(box for _, _, box in found)
        return Report(result=Search(findings=findings, decided=decided), boxes=boxes, regions=regions)

    return Tool(name=name, description="Searches.", args=OnView, run=run)


def measuring(value: float, unit: str = "mm", *, uncertainty: float = 0.1) -> Tool:
    """A tool that measures the same number everywhere."""

    def run(bench: Workbench, args: MeasureArgs) -> Report:
        if args.of is not None and args.of not in bench.regions:
            raise ToolInputError(f"there is no region {args.of!r}; search first")
        number = Number(quantity=args.quantity, value=value, unit=unit, uncertainty=uncertainty, of=args.of)
        return Report(result=number)

    return Tool(name="measure", description="Measures.", args=MeasureArgs, run=run)


def scaling(mm_per_px: float) -> Tool:
    """A tool that finds the scale."""

    def run(bench: Workbench, args: ToolArgs) -> Report:
        return Report(result=Found(mm_per_px=mm_per_px), scale=Scale(mm_per_px))

    return Tool(name="calibrate", description="Sets the scale.", args=ToolArgs, run=run)


def reading(text: str) -> Tool:
    """A tool that reads the same text off every picture."""

    def run(bench: Workbench, args: OnView) -> Report:
        bench.picture(args.view)
        return Report(result=Lettering(text=text))

    return Tool(name="read_text", description="Reads.", args=OnView, run=run)


def raising(make: Callable[[], BaseException], *, name: str = "detect", times: int = 1000) -> Tool:
    """A tool that raises, for its first `times` calls."""
    left = [times]

    def run(bench: Workbench, args: OnView) -> Report:
        if left[0] > 0:
            left[0] -= 1
            raise make()
        return Report(result=Search(findings=(), decided=True))

    return Tool(name=name, description="Breaks.", args=OnView, run=run)


def plate(width: int = 200, height: int = 150, *, seed: int = 0) -> RgbImage:
    """A grey plate with grain and dark squares, sharp and well exposed: (H, W, 3) uint8."""
    rng = np.random.default_rng(seed)
    pixels = rng.normal(150, 3, (height, width, 1)).clip(0, 255).astype(np.uint8).repeat(3, axis=2)
    for x in range(20, width - 30, 40):
        pixels[height // 3 : height // 3 + 20, x : x + 20] = (60, 50, 40)
    return np.ascontiguousarray(pixels)


def real(*more: Tool) -> dict[str, Tool]:
    """Crop, zoom and check_image as they are, and others by name."""
    return {tool.name: tool for tool in (CHECK_IMAGE, CROP, ZOOM, *more)}


@dataclass
class House:
    """One installation and one script."""

    home: Path
    script: Sequence[Any]
    tools: Mapping[str, Tool] = field(default_factory=real)
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        self.pictures = FilePictures(self.home / "pictures")
        self.database = open_database(None, folder=self.home)
        ring = KeySource(self.home / "master.key", None).find(sealed=False)
        self.vault = Vault(self.database, ring)
        self.traces = DatabaseTraces(self.database, self.vault)
        self.checkpoints = self.home / "checkpoints.sqlite"
        self._connection = sqlite3.connect(self.checkpoints, check_same_thread=False)
        recorder = Recorder(tools=self.tools, pictures=self.pictures, cases=None, limits=self.limits)
        planner = scripted_planner(self.script)
        self.inspector = Inspector(planner, recorder, self.traces, SqliteSaver(self._connection))

    def __del__(self) -> None:
        self._connection.close()
        self.database.close()

    def start(self, pixels: RgbImage | None = None, **more: Any) -> str:
        """Start an inspection of a picture, by default of a plate."""
        subject = Photo(plate() if pixels is None else pixels)
        references = [Photo(p) for p in more.pop("references", ())]
        name = more.pop("inspection_id", None)
        return self.inspector.start(Material(subject=subject, references=references, **more), inspection_id=name)

    def events(self, key: str, text: str) -> list[Event]:
        """Run a turn to its end."""
        return list(self.inspector.say(key, text))

    def say(self, key: str, text: str) -> Answer:
        """Run a turn to its end and return the answer."""
        self.events(key, text)
        answer = self.trace(key).turns[-1].answer
        assert answer
        return answer

    def trace(self, key: str) -> Trace:
        """The trace as it stands."""
        return self.inspector.trace(key)


def broken_store() -> StoreError:
    """What a damaged picture store raises."""
    return StoreError("the picture is not the one that was stored")
