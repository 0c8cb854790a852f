"""The boundary where a call becomes an outcome: done, refused or failed; bugs go through."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest

from agent.toolcall import Call, ToolDone, ToolFailed, ToolRefused, execute
from kenpin.contracts.errors import StoreError, ToolInputError, Unavailable

WHY = {"why": "To see."}


@pytest.fixture
def run(house: ModuleType, desk: Callable[..., Any]) -> Callable[..., Any]:
    """Run one call on a plate."""
    bench = desk(house.plate())
    return lambda tool, args, *more: execute(Call(tool=tool, args=args, id="c1"), lambda: bench, house.real(*more))


def test_a_right_call_is_done(run: Callable[..., Any]) -> None:
    outcome = run("crop", {**WHY, "box": [10, 10, 60, 50]})

    assert isinstance(outcome, ToolDone)
    assert outcome.report.result.model_dump()["box"] == (10, 10, 60, 50) and outcome.ms >= 0


@pytest.mark.parametrize(
    ("tool", "args", "says"),
    [
        ("polish", WHY, "there is no tool 'polish'; tools: check_image, crop, zoom"),
        ("crop", WHY, "box: Field required"),
        ("crop", {"box": [0, 0, 9, 9]}, "why: Field required"),
        ("crop", {"why": "", "box": [0, 0, 9, 9]}, "why:"),
        ("crop", {"why": "x" * 500, "box": [0, 0, 9, 9]}, "why:"),
        ("crop", {**WHY, "box": [50, 0, 10, 9]}, "expected x0 < x1"),
        ("crop", {**WHY, "box": [0, 0, 9]}, "box"),
        ("crop", {**WHY, "box": "upper left"}, "box"),
        ("crop", {**WHY, "box": [0, 0, 9, 9], "verdict": "ok"}, "verdict: Extra inputs are not permitted"),
        ("crop", {**WHY, "box": [500, 500, 600, 600]}, "lies outside view v0"),
        ("crop", {**WHY, "box": [0, 0, 9, 9], "view": "v7"}, "there is no view v7"),
        ("zoom", {**WHY, "box": [0, 0, 9, 9], "factor": 1000}, "factor"),
        ("check_image", {**WHY, "smallest_px": float("nan")}, "smallest_px"),
    ],
)
def test_a_wrong_call_is_refused_with_what_is_wrong(
    run: Callable[..., Any], tool: str, args: dict[str, Any], says: str
) -> None:
    outcome = run(tool, args)

    assert isinstance(outcome, ToolRefused) and says in outcome.reason
    assert "\n" not in outcome.reason and "pydantic" not in outcome.reason


@pytest.mark.parametrize(
    ("raised", "kind"),
    [
        (ToolInputError("too dark; brighten it"), ToolRefused),
        (StoreError("the picture is gone"), ToolFailed),
        (Unavailable("the weights are missing"), ToolFailed),
        (MemoryError("out of memory"), ToolFailed),
        (cv2.error("OpenCV(4)\n bad size"), ToolFailed),
    ],
)
def test_expected_errors_become_outcomes(
    run: Callable[..., Any], house: ModuleType, raised: Exception, kind: type[ToolRefused] | type[ToolFailed]
) -> None:
    outcome = run("detect", WHY, house.raising(lambda: raised))

    assert isinstance(outcome, kind) and outcome.reason and "\n" not in outcome.reason


@pytest.mark.parametrize("bug", [KeyError("x"), ZeroDivisionError(), AssertionError("shape"), TypeError("none")])
def test_a_bug_crashes(run: Callable[..., Any], house: ModuleType, bug: Exception) -> None:
    with pytest.raises(type(bug)):
        run("detect", WHY, house.raising(lambda: bug))


def test_no_tool_writes_to_the_picture(run: Callable[..., Any], house: ModuleType, desk: Callable[..., Any]) -> None:
    bench = desk(house.plate())
    before = bench.picture("v0").pixels.copy()

    for tool, args in (("crop", {"box": [5, 5, 60, 60]}), ("zoom", {"box": [5, 5, 60, 60]}), ("check_image", {})):
        execute(Call(tool=tool, args={**WHY, **args}, id="c"), lambda: bench, house.real())

    assert np.array_equal(bench.picture("v0").pixels, before)
    assert not bench.picture("v0").pixels.flags.writeable
