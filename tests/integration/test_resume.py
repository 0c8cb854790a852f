"""A process killed with SIGKILL in the middle of a turn goes on from its last step, and its trace is as if nothing was."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from agent.events import StepDone, TurnEnded
from kenpin.contracts.errors import StoreError

CHILD = Path(__file__).parent / "killed.py"
ROOT = Path(__file__).parents[2]


def _child() -> ModuleType:
    spec = importlib.util.spec_from_file_location("kenpin_tests_killed", CHILD)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


KILLED = _child()


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For each point, the data folder of a process that was killed there."""
    folder = tmp_path_factory.mktemp("killed")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, CHILD, folder], env=environment, timeout=100, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def homes(killed: Path, tmp_path: Path) -> dict[str, Path]:
    """Copies of these folders, as the killed processes left them."""
    return {point: shutil.copytree(killed / point, tmp_path / point) for point in KILLED.POINTS}


def timeless(data: Any) -> Any:
    """A trace without times, and without the hashes of steps, which hold them."""
    if isinstance(data, dict):
        return {key: timeless(value) for key, value in data.items() if key not in ("ms", "created", "seals")}
    return [timeless(value) for value in data] if isinstance(data, list) else data


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The trace of a process that nobody killed."""
    house = KILLED.opened(tmp_path_factory.mktemp("whole"))
    house.start(inspection_id="one")
    house.events("one", KILLED.SAY)
    return timeless(house.trace("one").model_dump(mode="json"))


@pytest.mark.parametrize("point", KILLED.POINTS)
def test_a_killed_turn_goes_on_from_its_last_step(homes: dict[str, Path], whole: Any, point: str) -> None:
    house = KILLED.opened(homes[point])
    before = house.trace("one").turns
    kept = len(before[0].steps)

    events = list(house.inspector.resume("one"))

    # Of steps that were checkpointed, none runs again.
    assert [e.step.n for e in events if isinstance(e, StepDone)] == list(range(kept + 1, 6))
    assert before[0].answer or isinstance(events[-1], TurnEnded)
    assert timeless(house.trace("one").model_dump(mode="json")) == whole
    house.inspector._save("one") if point == "save" else None
    assert timeless(house.traces.load("one").model_dump(mode="json")) == whole


def test_the_points_lie_all_over_the_turn(homes: dict[str, Path]) -> None:
    kept = {point: KILLED.opened(home).trace("one") for point, home in homes.items()}

    assert {point: len(trace.turns[0].steps) for point, trace in kept.items()} == {
        "plan:1": 0, "plan:2": 1, "plan:4": 4, "plan:5": 5, "tool:2": 1, "tool:4": 2, "tool:5": 4, "put:4": 2, "save": 5
    }  # fmt: skip
    assert all(trace.turns[0].say == KILLED.SAY for trace in kept.values())


def test_pictures_of_a_step_that_ran_twice_are_stored_once(homes: dict[str, Path]) -> None:
    for point in ("tool:4", "put:4"):
        house = KILLED.opened(homes[point])
        list(house.inspector.resume("one"))
        names = {sha256 for step in house.trace("one").turns[0].steps for sha256 in step.evidence}
        names |= {view["sha256"] for view in house.trace("one").views}

        files = [path.name for path in (homes[point] / "pictures").rglob("*") if path.is_file()]

        assert {name for name in files if re.fullmatch("[0-9a-f]{64}", name)} == names


def test_a_conversation_goes_on_after_the_resumed_turn(homes: dict[str, Path]) -> None:
    house = KILLED.opened(homes["plan:2"])
    list(house.inspector.resume("one"))

    answer = house.say("one", "Anything else?")  # the script is over, so the planner only talks

    assert answer.rule == "limits"
    assert [turn.say for turn in house.trace("one").turns] == [KILLED.SAY, "Anything else?"]


def test_a_turn_that_was_only_put_on_record_is_not_lost(whole: Any, tmp_path: Path) -> None:
    """Killed after the record and before the first checkpoint."""
    house = KILLED.opened(tmp_path)
    house.start(inspection_id="one")
    run = house.inspector._run
    house.inspector._run = lambda *_: iter(())
    list(house.inspector.say("one", KILLED.SAY, by="tanaka"))
    house.inspector._run = run

    assert [(turn.say, turn.by) for turn in house.trace("one").turns] == [(KILLED.SAY, "tanaka")]
    with pytest.raises(StoreError, match="has not ended"):
        next(house.inspector.say("one", "Something else."))
    house.inspector.catch_up("one")
    assert len(house.traces.load("one").turns) == 1  # what is running elsewhere is left alone
    list(house.inspector.resume("one"))

    (turn,) = house.traces.load("one").turns
    assert turn.answer and turn.by == "tanaka"
    assert timeless(turn.answer.model_dump(mode="json")) == whole["turns"][0]["answer"]


def test_a_record_that_was_left_behind_is_brought_up(homes: dict[str, Path]) -> None:
    house = KILLED.opened(homes["save"])
    assert house.traces.load("one").turns == ()

    house.inspector.catch_up("one")

    assert house.traces.load("one") == house.trace("one") and house.trace("one").turns[0].answer
