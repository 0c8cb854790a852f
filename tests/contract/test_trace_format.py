"""The trace, version 1, as other programs read it: held against a file. Run with KENPIN_GOLDEN=write to renew the file."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from agent.planners.scripted import call, conclude
from kenpin.contracts.trace import Trace
from kenpin.contracts.verdict import Criteria, Criterion, Op

GOLDEN = Path(__file__).parent / "golden" / "trace.json"
VARIES = {
    "ms",
    "id",
    "created",
    "sha256",
    "evidence",
    "seals",
    "focus",
    "exposure",
    "glare",
    "resolution",
    "noise",
    "notes",
    "warnings",
}
"""Times, names of files, and figures of `check_image`, which its own tests hold."""
LIMIT = Criterion(of="scratch", quantity="length", op=Op.LE, value=25, unit="mm", revision="B", origin="panel.yaml")


def masked(data: Any, key: str = "", depth: int = 0) -> Any:
    """A trace with everything that varies replaced by its type."""
    if key in VARIES and not (key == "id" and isinstance(data, str) and data[:1] in "fotv"):
        return f"<{type(data).__name__}>"
    if isinstance(data, dict):
        return {name: masked(value, name) for name, value in data.items()}
    return [masked(value) for value in data] if isinstance(data, list) else data


@pytest.fixture
def trace(installed: Callable[..., Any], house: ModuleType) -> dict[str, Any]:
    """A small inspection: two pictures, two turns, a refused step, a limit from a file."""
    script = [
        call("check_image", "A verdict needs a good picture."),
        call("detect", "Search for scratches."),
        call("zoom", "Show f1 larger.", box=[10, 40, 50, 80], factor=2.0),
        call("crop", "Show it as it is.", box=[500, 500, 600, 600]),
        call("crop", "Again, inside the picture.", box=[10, 40, 50, 80]),
        call("measure", "How long is f1?", of="f1"),
        conclude("f1 is a scratch at [20, 50, 40, 70] [2], 28.8 mm ± 0.3 mm long [6].", about=["f1"], judged=True),
        call("ask", "Nothing says where.", question="Which edge?", missing=["target"]),
    ]
    tools = house.real(house.searching(("scratch", 0.93, (20, 50, 40, 70))), house.measuring(28.8, uncertainty=0.3))
    opened = installed(script, tools=tools)
    criteria = Criteria(product="panel A", revision="B", source="panel.yaml", limits=(LIMIT,))
    key = opened.start(references=[house.plate(seed=2)], mm_per_px=0.25, criteria=criteria)
    opened.say(key, "Look for scratches.")
    opened.say(key, "縁のバリは？")
    return dict(json.loads(opened.trace(key).model_dump_json()))


def test_the_trace_is_as_the_file_has_it(trace: dict[str, Any]) -> None:
    text = json.dumps(masked(trace), indent=1, ensure_ascii=False) + "\n"
    if os.environ.get("KENPIN_GOLDEN") == "write":
        GOLDEN.write_text(text, encoding="utf-8")

    assert text == GOLDEN.read_text(encoding="utf-8")


def test_it_keeps_what_the_contract_promises(trace: dict[str, Any]) -> None:
    assert trace["version"] == 1 and trace["created"].endswith(("Z", "+00:00"))
    assert {"backend", "model", "prompt", "adapter"} <= trace["planner"].keys()
    assert {"id", "role", "sha256", "width", "height", "mm_per_px"} <= trace["images"][0].keys()
    step, answer = trace["turns"][0]["steps"][2], trace["turns"][0]["answer"]
    assert {"n", "tool", "why", "args", "status", "result", "boxes", "view", "evidence", "ms"} <= step.keys()
    assert {"kind", "text", "verdict", "rule", "findings", "measures", "cites", "unverified"} <= answer.keys()
    assert {"id", "type", "box", "score", "steps"} <= answer["findings"][0].keys()
    assert {"quantity", "value", "unit", "uncertainty", "of", "step"} <= answer["measures"][0].keys()
    assert (answer["verdict"], answer["rule"], answer["cites"]) == ("ng", "scratch.length<=25mm (rev B)", [2, 6])
    assert trace["images"][0]["mm_per_px"] == 0.25 and trace["images"][1]["mm_per_px"] is None


def test_it_is_read_back_and_refuses_what_it_does_not_know(trace: dict[str, Any]) -> None:
    assert Trace.model_validate(trace).model_dump(mode="json") == trace
    for wrong in ({"version": 2}, {"signed": True}):
        with pytest.raises(ValueError):
            Trace.model_validate({**trace, **wrong})
