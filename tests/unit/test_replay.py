"""Replay: an untouched trace is identical, and whatever is changed in it is named."""

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest

from agent.planners.scripted import call, conclude
from agent.policy import Limits
from kenpin.contracts.camera import CameraProfile
from kenpin.contracts.errors import StoreError
from kenpin.contracts.trace import Trace, as_of, trace_sha256
from kenpin.contracts.verdict import Criteria, Criterion, Op
from kenpin.contracts.view import Role, View, ViewKind
from kenpin.replaying.replay import Replay, replay
from tools.enhance import TOOL as ENHANCE
from tools.spec import NewView, OnView, Report, Tool, ToolResult, Workbench

Installed = Callable[..., Any]
SCRATCH = ("scratch", 0.93, (20, 50, 40, 70))
LIMIT = Criterion(of="scratch", quantity="length", op=Op.LE, value=25, unit="mm", revision="B", origin="panel.yaml")
CRITERIA = Criteria(product="panel A", revision="B", source="panel.yaml", limits=(LIMIT,))
SCRIPT = [
    [call("check_image"), call("detect"), call("zoom", box=[10, 40, 50, 80], factor=3.3)],
    [call("crop", box=[500, 500, 600, 600]), call("crop", view="v2", box=[12, 42, 40, 75])],
    [call("enhance", view="v3", operation="sharpen"), call("turn_square"), call("measure", of="f1")],
    conclude("f1 is a scratch at [20, 50, 40, 70] [2], 28.8 mm ± 0.3 mm long [8].", about=["f1"], judged=True),
    call("ask", question="Which edge?", missing=["target"]),
    conclude("Who made it cannot be seen on a picture.", kind="refusal"),
    conclude("f1 had a score of 0.93 [2] and lies 900 mm from the edge.", about=["f1"]),
    [call("calibrate"), call("crop", box=[0, 0, 50, 50])],
    [call("crop", box=[0, 0, 50, 50]) for _ in range(10)],
]
"""Every kind of ending: an answer, a question, a refusal, a follow-up with a claim that nothing supports, a limit."""


class Nothing(ToolResult):
    """No result."""


def turned() -> Tool:
    """A tool that makes a view whose place was estimated."""

    def run(bench: Workbench, args: OnView) -> Report:
        picture = bench.picture(args.view)
        matrix = ((1.01, 0.02, 3.0), (-0.01, 0.99, 1.0), (1e-5, 0.0, 1.0))
        made = NewView(pixels=picture.pixels[::-1].copy(), kind=ViewKind.ALIGN, parent=picture.view, to_parent=matrix)
        return Report(result=Nothing(), made=made)

    return Tool(name="turn_square", description="Turns.", args=OnView, run=run)


@pytest.fixture(scope="module")
def made(house: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """An installation, and the trace of a conversation with turns of every kind."""
    tools = house.real(house.searching(SCRATCH), house.measuring(28.8, uncertainty=0.3), house.scaling(0.5), ENHANCE)
    tools["turn_square"] = turned()
    opened = house.House(tmp_path_factory.mktemp("home"), SCRIPT, tools=tools, limits=Limits(steps=9))
    key = opened.start(references=[house.plate(seed=2)], mm_per_px=0.25, criteria=CRITERIA, good=_good(house))
    for text in ("Look for scratches.", "And the burr?", "Who made it?", "How sure is it?", "Crop it all."):
        opened.say(key, text)
    return opened


def _good(house: ModuleType) -> list[Any]:
    from agent.inspector import Photo

    return [Photo(house.plate(seed=3))]


@pytest.fixture
def trace(made: Any) -> Trace:
    stored: Trace = made.traces.load(made.traces.ids()[0])
    return stored


def hashes(trace: Trace) -> dict[int, str]:
    """What the audit log holds of a trace."""
    return {n: trace_sha256(as_of(trace, n)) for n in range(1, len(trace.turns) + 1)}


def changed(trace: Trace, change: Callable[[dict[str, Any]], None]) -> Trace:
    """A copy of a trace with something changed in its JSON."""
    data = json.loads(trace.model_dump_json())
    change(data)
    return Trace.model_validate(data)


def named(outcome: Replay) -> set[str]:
    return {check.what for check in outcome.differences}


def test_turns_of_every_kind_are_made_again(made: Any, trace: Trace) -> None:
    kinds = [(turn.answer.kind, turn.answer.rule) for turn in trace.turns if turn.answer]
    assert kinds == [
        ("answer", "scratch.length<=25mm (rev B)"), ("question", None), ("refusal", None), ("answer", "grounding"),
        ("answer", "limits"),
    ]  # fmt: skip

    outcome = replay(trace, made.pictures, recorded=hashes(trace))

    assert outcome.identical and not outcome.unknown and not outcome.differences
    whats = [check.what for check in outcome.checks]
    assert len(whats) == len(set(whats))
    assert {"picture v0 (subject)", "picture v1 (reference)", "picture good sample 1"} <= set(whats)
    assert {f"view v{n}" for n in range(7)} <= set(whats)
    assert {f"turn {n} {part}" for n in range(1, 6) for part in ("text", "verdict", "cites", "record")} <= set(whats)


def test_nothing_is_run_for_it(made: Any, trace: Trace, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("a tool or a model was called")

    monkeypatch.setattr("agent.toolcall.execute", refuse)
    monkeypatch.setattr("agent.planners.table.planner_named", refuse)
    monkeypatch.setattr(type(made.pictures), "put", refuse)
    made.checkpoints.rename(made.checkpoints.with_suffix(".gone"))
    try:
        assert replay(trace, made.pictures, recorded=hashes(trace)).identical
    finally:
        made.checkpoints.with_suffix(".gone").rename(made.checkpoints)


def _number(data: dict[str, Any]) -> None:
    data["turns"][0]["steps"][7]["result"]["value"] = 28.900000000000002


def _quality(data: dict[str, Any]) -> None:
    data["turns"][0]["steps"][0]["result"]["focus"] = {"score": 0.5}


def _time(data: dict[str, Any]) -> None:
    data["turns"][0]["steps"][1]["ms"] += 0.01


def _matrix(data: dict[str, Any]) -> None:
    data["views"][2]["to_source"][0][2] += 0.125


def _deep(data: dict[str, Any]) -> None:
    data["views"][3]["to_source"][1][1] *= 1.000001


def _estimated(data: dict[str, Any]) -> None:
    data["views"][5]["to_source"][0][0] += 0.001


def _verdict(data: dict[str, Any]) -> None:
    data["turns"][0]["answer"]["verdict"] = "ok"


def _text(data: dict[str, Any]) -> None:
    data["turns"][2]["answer"]["text"] = "Made by nobody."


def _box(data: dict[str, Any]) -> None:
    data["turns"][0]["answer"]["findings"][0]["box"] = [20, 50, 40, 71]


def _claim(data: dict[str, Any]) -> None:
    data["turns"][3]["answer"].update(unverified=[], reasons=[], verdict=None, rule=None)


def _limit(data: dict[str, Any]) -> None:
    data["turns"][4]["limit"] = "limit.steps:8"


def _scale(data: dict[str, Any]) -> None:
    data["images"][0]["mm_per_px"] = 0.26


def _criteria(data: dict[str, Any]) -> None:
    data["criteria"]["limits"][0]["value"] = 30


def _altered(data: dict[str, Any]) -> None:
    data["views"][4]["altered"] = False


def _lost(data: dict[str, Any]) -> None:
    del data["turns"][0]["steps"][7]


def _said(data: dict[str, Any]) -> None:
    data["turns"][1]["say"] = "And the other burr?"


def _ending(data: dict[str, Any]) -> None:
    data["turns"][0]["ending"]["args"]["text"] += " Fine."


def _about(data: dict[str, Any]) -> None:
    data["turns"][3]["ending"]["args"]["about"] = []


RECORDS = {f"turn {n} record" for n in range(1, 6)}
CHANGES: list[tuple[Callable[[dict[str, Any]], None], set[str], int]] = [
    (_number, {"turn 1 step 8 (measure)", "turn 1 measures[0].value", "turn 1 unverified[0]"}, 1),
    (_quality, {"turn 1 step 1 (check_image)"}, 1),
    (_time, {"turn 1 step 2 (detect)"}, 1),
    (_matrix, {"view v2", "view v3"}, 1),
    (_deep, {"view v3", "view v4"}, 1),
    (_estimated, set(), 1),
    (_verdict, {"turn 1 verdict"}, 1),
    (_text, {"turn 3 text"}, 3),
    (_box, {"turn 1 findings[0].box[3]"}, 1),
    (_claim, {"turn 4 verdict", "turn 4 rule", "turn 4 unverified[0]", "turn 4 reasons[0]"}, 4),
    (_limit, {"turn 5 text", "turn 5 reasons[0]"}, 5),
    (_scale, {"turn 1 scale", "turn 4 scale"}, 1),
    (_criteria, {"turn 1 verdict", "turn 1 rule"}, 1),
    (_altered, {"view v4"}, 1),
    (_lost, {"turn 1 steps", "turn 1 unverified[0]"}, 1),
    (_said, set(), 2),
    (_ending, {"turn 1 text"}, 1),
    (_about, {"turn 4 findings[0].id"}, 4),
]


@pytest.mark.parametrize(("change", "expected", "first"), CHANGES, ids=[c[0].__name__[1:] for c in CHANGES])
def test_what_was_changed_is_named(
    made: Any, trace: Trace, change: Callable[[dict[str, Any]], None], expected: set[str], first: int
) -> None:
    outcome = replay(changed(trace, change), made.pictures, recorded=hashes(trace))

    assert not outcome.identical
    # The audit log shows it from the turn on in which it was changed.
    assert named(outcome) & RECORDS == {f"turn {n} record" for n in range(first, 6)}
    assert expected <= named(outcome)
    assert all(check.says for check in outcome.differences)


def test_one_number_is_named_with_both_values(made: Any, trace: Trace) -> None:
    told = {check.what: check.says for check in replay(changed(trace, _number), made.pictures).differences}

    assert told["turn 1 measures[0].value"] == "stored 28.8, made again 28.900000000000002"


def test_a_changed_step_with_a_hash_of_its_own_is_seen_in_the_audit_log(made: Any, trace: Trace) -> None:
    """Somebody who changes a number that no answer uses, and its hash with it."""
    from kenpin.contracts.trace import step_sha256

    def forge(data: dict[str, Any]) -> None:
        _quality(data)
        step = Trace.model_validate(data).turns[0].steps[0]
        data["turns"][0]["seals"][0] = step_sha256(step)

    assert named(replay(changed(trace, forge), made.pictures, recorded=hashes(trace))) == RECORDS


@pytest.fixture
def copy(made: Any, trace: Trace, tmp_path: Path) -> Any:
    """A picture store of its own, with every picture of the trace."""
    from kenpin.contracts.trace import pictures_of
    from kenpin.traces.pictures import FilePictures

    store = FilePictures(tmp_path / "pictures")
    for sha256 in pictures_of(trace):
        store.put_file(made.pictures.read_file(sha256))
    return store


@pytest.mark.parametrize(
    ("which", "expected"),
    [("v0", "picture v0 (subject)"), ("v3", "picture v3 (crop), of step 5"), ("good", "picture good sample 1")],
)
def test_one_pixel_of_a_picture_is_named(trace: Trace, copy: Any, which: str, expected: str) -> None:
    sha256 = trace.good[0] if which == "good" else str(next(v for v in trace.views if v["id"] == which)["sha256"])
    pixels = copy.get(sha256).copy()
    pixels[3, 4, 1] ^= 1
    place = next(p for p in (copy._folder).rglob(sha256))
    place.write_bytes(cv2.imencode(".png", pixels[..., ::-1])[1].tobytes())
    copy._cache.clear()

    outcome = replay(trace, copy)

    assert named(outcome) == {expected}
    assert "is not the one that was stored" in outcome.differences[0].says


def test_a_missing_picture_is_named(trace: Trace, copy: Any) -> None:
    sha256 = trace.turns[0].steps[1].evidence[0]
    next(p for p in copy._folder.rglob(sha256)).unlink()

    (difference,) = replay(trace, copy).differences

    assert "of step 2" in difference.what and "not in the store" in difference.says


def test_a_view_that_shows_another_picture_is_named(made: Any, trace: Trace) -> None:
    other = made.pictures.put(np.zeros((33, 28, 3), np.uint8))

    def swap(data: dict[str, Any]) -> None:
        data["views"][3]["sha256"] = other

    told = replay(changed(trace, swap), made.pictures).differences

    assert [check.what for check in told] == ["view v3"] and "not those of v2" in told[0].says


def test_a_turn_that_has_not_ended_cannot_be_checked(installed: Installed) -> None:
    house = installed([call("crop", box=[0, 0, 50, 50]), conclude("Done [1].")])
    key = house.start()
    running = house.inspector.say(key, "Crop.")
    next(running), next(running)
    running.close()

    outcome = replay(house.trace(key), house.pictures, recorded={})

    assert not outcome.identical and not outcome.differences
    assert {check.what for check in outcome.unknown} == {"turn 1 step 1 (crop)", "turn 1 answer", "turn 1 record"}
    list(house.inspector.resume(key))
    assert replay(house.trace(key), house.pictures).identical


def test_a_trace_of_an_earlier_kenpin_says_what_it_lacks(made: Any, trace: Trace) -> None:
    def older(data: dict[str, Any]) -> None:
        for turn in data["turns"]:
            for name in ("ending", "limit", "scale", "labels", "tools", "seals"):
                del turn[name]

    outcome = replay(changed(trace, older), made.pictures, recorded={})

    assert not outcome.differences and not outcome.identical
    assert {c.what for c in outcome.unknown} >= {"turn 1 answer", "turn 1 step 1 (check_image)", "turn 1 record"}


def test_the_scale_of_a_camera_profile_is_found_again(installed: Installed, house: ModuleType) -> None:
    camera = CameraProfile(width=200, height=150, matrix=((300.0, 0, 100), (0, 300.0, 75), (0, 0, 1.0)), mm_per_px=0.2)
    opened = installed([conclude("1 px is 0.2 mm.")])
    key = opened.start(camera=camera)
    opened.say(key, "What is the scale?")

    outcome = replay(opened.trace(key), opened.pictures)

    assert outcome.identical
    assert ("turn 1 scale", "the camera profile") in {(check.what, check.says) for check in outcome.checks}


def test_a_view_that_is_none_is_named(made: Any, trace: Trace) -> None:
    def spoil(data: dict[str, Any]) -> None:
        data["views"][2]["kind"] = "painting"

    assert "view v2" in named(replay(changed(trace, spoil), made.pictures))


def test_views_are_checked_whatever_their_order(made: Any) -> None:
    """`View` itself keeps the promise that replay rests on: the way back of a crop of a zoom."""
    view = View(id="v1", source="v0", parent="v0", kind=ViewKind.ZOOM, role=Role.SUBJECT, sha256="0" * 64, width=20,
                height=20, to_source=((0.5, 0.0, 10.0), (0.0, 0.5, 20.0), (0.0, 0.0, 1.0)))  # fmt: skip
    assert view.place() == (10, 20, 20, 30)
    with pytest.raises(StoreError):
        made.pictures.read_file("0" * 64)
