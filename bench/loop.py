"""What the loop itself costs: the same scripted calls through Kenpin's graph and through LangChain's `create_agent`.

    python bench/loop.py [--rounds 7] [--steps 8]

Both run the same model (a script, no thinking time), the same tool functions on the same picture, and the same SQLite
checkpointer. Printed: milliseconds a step over the tool's own time. Kenpin's step also validates, stores the view,
draws and stores the evidence, and writes the trace.
"""

import argparse
import sqlite3
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from langchain.agents import create_agent
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.tools import StructuredTool
from langgraph.checkpoint.sqlite import SqliteSaver

from agent import record
from agent.inspector import Inspector, Material, Photo, answer_of
from agent.planners.scripted import call, conclude, scripted_planner
from agent.policy import Limits
from agent.record import Recorder
from kenpin.database.engine import open_database
from kenpin.security.keyring import Keyring, new_key
from kenpin.security.vault import Vault
from kenpin.traces.pictures import FilePictures
from kenpin.traces.records import DatabaseTraces
from tools import zoom
from tools.overlay import draw_boxes
from tools.spec import Tool


def picture() -> np.ndarray:
    """An 800×600 picture with noise, which compresses as badly as a real surface."""
    return np.random.default_rng(3).integers(90, 160, (600, 800, 3), dtype=np.uint8)


class Clock:
    """Wraps a tool and sums up its own time."""

    def __init__(self, tool: Tool) -> None:
        self.spent = 0.0
        self.tool = Tool(name=tool.name, description=tool.description, args=tool.args, run=self._run)
        self._inner = tool

    def _run(self, bench, args):  # type: ignore[no-untyped-def]
        start = time.perf_counter()
        report = self._inner.run(bench, args)
        self.spent += time.perf_counter() - start
        return report


def saver(folder: Path) -> SqliteSaver:
    connection = sqlite3.connect(folder / "checkpoints.sqlite", check_same_thread=False)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    return SqliteSaver(connection)


def kenpin_round(steps: int) -> tuple[float, float]:
    """Milliseconds a step over the tool's own time: all of it, and without drawing and storing evidence."""
    clock = Clock(zoom.TOOL)
    script = [*(call("zoom", box=(10 * i, 10, 10 * i + 60, 60)) for i in range(steps)), conclude("Done.")]
    with tempfile.TemporaryDirectory() as home:
        pictures = FilePictures(Path(home) / "pictures")
        stored = Stopwatch(pictures)
        record.draw_boxes = stored.timed(draw_boxes)  # type: ignore[attr-defined]
        recorder = Recorder(tools={"zoom": clock.tool}, pictures=stored, cases=None, limits=Limits())
        database = open_database(None, folder=Path(home))
        vault = Vault(database, Keyring((new_key(),), "this run"))
        inspector = Inspector(
            planner=scripted_planner(script),
            recorder=recorder,
            traces=DatabaseTraces(database, vault),
            checkpointer=saver(Path(home)),
        )
        inspection = inspector.start(Material(subject=Photo(picture())))
        stored.spent = 0.0
        start = time.perf_counter()
        answer_of(inspector.say(inspection, "go"))
        total = time.perf_counter() - start
    return 1000 * (total - clock.spent) / steps, 1000 * (total - clock.spent - stored.spent) / steps


class Stopwatch:
    """A picture store that sums up the time of drawing and writing evidence."""

    def __init__(self, inner: FilePictures) -> None:
        self.inner, self.spent = inner, 0.0

    def put(self, pixels, *, lossless=True):  # type: ignore[no-untyped-def]
        start = time.perf_counter()
        sha256 = self.inner.put(pixels, lossless=lossless)
        self.spent += time.perf_counter() - start
        return sha256

    def timed(self, draw):  # type: ignore[no-untyped-def]
        def run(*args, **given):  # type: ignore[no-untyped-def]
            start = time.perf_counter()
            drawn = draw(*args, **given)
            self.spent += time.perf_counter() - start
            return drawn

        return run

    def get(self, sha256):  # type: ignore[no-untyped-def]
        return self.inner.get(sha256)

    def read_file(self, sha256):  # type: ignore[no-untyped-def]
        return self.inner.read_file(sha256)


class Script(BaseChatModel):
    """Answers the n-th request with the n-th call."""

    calls: list[dict]

    @property
    def _llm_type(self) -> str:
        return "script"

    def bind_tools(self, tools, **kwargs):  # type: ignore[no-untyped-def]
        return self

    def _generate(self, messages: list[BaseMessage], stop=None, run_manager=None, **kwargs) -> ChatResult:  # type: ignore[no-untyped-def]
        said = sum(isinstance(m, AIMessage) for m in messages)
        if said < len(self.calls):
            message = AIMessage(content="", tool_calls=[{"name": "zoom", "args": self.calls[said], "id": str(said)}])
        else:
            message = AIMessage(content="Done.")
        return ChatResult(generations=[ChatGeneration(message=message)])


def langchain_round(steps: int) -> float:
    """The same through `create_agent`, which stores no picture, evidence or trace."""
    spent = 0.0
    pixels = picture()

    def zoom_tool(box: list[int], why: str) -> str:
        nonlocal spent
        start = time.perf_counter()
        x0, y0, x1, y1 = box
        zoom.enlarged(pixels[y0:y1, x0:x1], (768, 640)) if hasattr(zoom, "enlarged") else pixels[y0:y1, x0:x1].copy()
        spent += time.perf_counter() - start
        return '{"status": "ok"}'

    tool = StructuredTool.from_function(zoom_tool, name="zoom", description="zoom")
    calls = [{"box": [10 * i, 10, 10 * i + 60, 60], "why": "because"} for i in range(steps)]
    with tempfile.TemporaryDirectory() as home:
        agent = create_agent(Script(calls=calls), [tool], checkpointer=saver(Path(home)))
        start = time.perf_counter()
        agent.invoke({"messages": [("user", "go")]}, {"configurable": {"thread_id": "1"}, "recursion_limit": 200})
        total = time.perf_counter() - start
    return 1000 * (total - spent) / steps


def slope(few: float, many: float, steps: int) -> tuple[float, float]:
    """Milliseconds a step and a turn, from the total over the tool's own time of turns with `steps` and 3 × `steps`."""
    a_step = (many - few) / (2 * steps)
    return a_step, few - steps * a_step


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--steps", type=int, default=8)
    given = parser.parse_args()
    steps = given.steps
    kenpin_round(steps), langchain_round(steps)  # warm up
    names = ("Kenpin, everything", "Kenpin, without evidence pictures", "create_agent")
    rows: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
    for _ in range(given.rounds):
        few, many = kenpin_round(steps), kenpin_round(3 * steps)
        other = (langchain_round(steps), langchain_round(3 * steps))
        for name, (low, high) in zip(rows, [(few[0], many[0]), (few[1], many[1]), other], strict=True):
            rows[name].append(slope(low * steps, high * 3 * steps, steps))
    print(f"turns of {steps} and {3 * steps} steps, median of {given.rounds} rounds, ms over the tools' own time")
    for name, pairs in rows.items():
        a_step, a_turn = (statistics.median(pair[i] for pair in pairs) for i in (0, 1))
        print(f"  {name:34} {a_step:6.2f} a step and {a_turn:6.1f} a turn")


if __name__ == "__main__":
    main()
