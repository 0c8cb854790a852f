"""Inspections that kill their own process with SIGKILL, each at one point. Run as: killed.py FOLDER."""

import importlib.util
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

from agent.planners.scripted import call, conclude
from agent.policy import Limits

SAY = "Look for scratches and zoom in on them."
SCRIPT = [
    call("check_image", "A verdict needs a good picture."),
    call("detect", "Search."),
    [call("zoom", "Show f1.", box=[20, 50, 60, 90]), call("crop", "Show it as it is.", box=[20, 50, 60, 90])],
    call("measure", "How long is f1?", of="f1"),
    conclude("f1 is 12.5 mm long [5], see [3].", about=["f1"]),
]
POINTS = ("plan:1", "plan:2", "plan:4", "plan:5", "tool:2", "tool:4", "tool:5", "put:4", "save")


def house_double() -> ModuleType:
    """The shared double, loaded from its file."""
    file = Path(__file__).parents[1] / "house_double.py"
    spec = importlib.util.spec_from_file_location("house_double", file)
    assert spec and spec.loader
    module = sys.modules.setdefault(spec.name, importlib.util.module_from_spec(spec))
    spec.loader.exec_module(module)
    return module


def die() -> None:
    """End at once, without a chance to clean up."""
    os.kill(os.getpid(), signal.SIGKILL)


def at_call(number: int, run: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, whose n-th call kills the process after its work is done."""
    calls = [0]

    def counted(*args: Any, **kwargs: Any) -> Any:
        result = run(*args, **kwargs)
        calls[0] += 1
        if calls[0] == number:
            die()
        return result

    return counted


def opened(home: Path, point: str = "") -> Any:
    """The installation, with a trap at one point."""
    double = house_double()
    kind, _, number = point.partition(":")
    tools = double.real(double.searching(("scratch", 0.9, (20, 50, 40, 70))), double.measuring(12.5))
    ran = [0]
    for name, tool in tools.items() if kind == "tool" else ():

        def trapped(bench: Any, args: Any, run: Callable[..., Any] = tool.run) -> Any:
            ran[0] += 1
            report = run(bench, args)
            if ran[0] == int(number):
                die()
            return report

        tools[name] = replace(tool, run=trapped)
    house = double.House(home=home, script=SCRIPT, tools=tools, limits=Limits())
    if kind == "plan":
        planner = replace(house.inspector.planner, request=at_call(int(number), house.inspector.planner.request))
        house.inspector = type(house.inspector)(
            planner, house.inspector.recorder, house.traces, house.inspector.checkpointer
        )
    if kind == "put":
        house.pictures.put = at_call(int(number), house.pictures.put)
    return house


def inspect(home: Path, point: str) -> None:
    """Start an inspection, and die in the middle of its first turn."""
    house = opened(home, point)
    house.start(inspection_id="one")
    if point == "save":
        # After the last checkpoint, before the trace of the turn is written.
        house.traces.save = lambda trace: die() if trace.turns[-1].answer else None
    house.events("one", SAY)


def main(folder: str) -> None:
    """Fork a process for each point, so that everything is imported once, and wait for its end."""
    house_double()
    for point in POINTS:
        child = os.fork()
        if child == 0:
            inspect(Path(folder) / point, point)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if os.WTERMSIG(status) != signal.SIGKILL:
            sys.exit(f"{point}: ended with {status} instead of being killed")


if __name__ == "__main__":
    main(sys.argv[1])
