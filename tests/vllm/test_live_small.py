"""Picture → vLLM → tool call → loop, with the model that this repository trained: every decision is its own.

Nothing that the model says is replaced. It knows drawn pictures and wording that it was trained on; on photographs it
is lost (`docs/tuning.md`), so the pictures are drawn as in training, from a seed that training does not draw.
"""

from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from PIL import Image

from agent.planners.frames import QWEN3
from agent.planners.vllm_chat import Line
from agent.planners.vllm_pictures import data_uri
from agent.planners.vllm_schema import strict_tools
from kenpin.cli_shared import console_actor
from kenpin.services import Services
from kenpin.session import material
from kenpin.tuning.drawing import drawn
from kenpin.wiring import open_kenpin
from tools.catalog import OFFERED

SCHEMAS = {tool["function"]["name"]: tool["function"]["parameters"] for tool in strict_tools(OFFERED, QWEN3.kind)}
UNSEEN = 100_005


@pytest.fixture
def part(tmp_path: Path) -> Path:
    """A drawn surface with a scratch, 448x352."""
    Image.fromarray(drawn(np.random.default_rng(UNSEEN), kind="scratch").pixels).save(tmp_path / "part.png")
    return tmp_path / "part.png"


def test_it_was_started_without_a_flag(small: Any, home: Path) -> None:
    model = Line(small.settings()).served()
    assert model.context == 8192

    def tokens(*parts: dict[str, Any]) -> int:
        content = [{"type": "text", "text": "Look."}, *parts]
        return int(small.post("/tokenize", model=model.id, messages=[{"role": "user", "content": content}])["count"])

    def shown(width: int, height: int) -> int:
        pixels = np.zeros((height, width, 3), np.uint8)
        return tokens({"type": "image_url", "image_url": {"url": data_uri(pixels, width=width, height=height)}}) - tokens()

    assert shown(448, 352) == 154 + 2, "as in training"
    assert shown(1600, 1200) <= 154 + 2, "a large picture is no more"
    assert shown(128, 128) >= 64, "a small one is enlarged, as in training"


@pytest.mark.parametrize(("say", "box", "then"), [
    ("Zoom in on the upper left.", (0, 0, 224, 176), "Look for scratches."),
    ("右下を拡大して。", (224, 176, 448, 352), "傷を探して。"),
])
def test_it_runs_the_right_tool_on_the_right_place_and_the_dialogue_goes_on(
    small: Any, home: Path, part: Path, overheard: list[Any], say: str, box: tuple[int, ...], then: str,
) -> None:
    actor = console_actor()
    asking = Services(open_kenpin(small.settings(home=home), console=True)).asking
    key = asking.start(actor, material(part))
    list(asking.say(actor, key, say))
    [first] = asking.trace(actor, key).turns
    assert [(step.tool, step.status) for step in first.steps] == [("zoom", "ok")]
    assert tuple(first.steps[0].args["box"]) == box
    assert first.answer
    # Another process would go on from the same records.
    again = Services(open_kenpin(small.settings(home=home), console=True)).asking
    list(again.say(actor, key, then))
    trace = again.trace(actor, key)
    assert [turn.say for turn in trace.turns] == [say, then]
    assert trace.turns[0] == first
    assert (trace.planner.backend, Path(trace.planner.model).name) == ("vllm", "planner-small")
    for turn in trace.turns:
        assert turn.answer
        assert turn.answer.verdict != "ok", "nothing that it says makes a part good"
        assert turn.answer.verdict is None or turn.answer.rule, "a verdict comes from a rule"
    asked = [(messages, reply) for messages, reply in overheard
             if any(call["name"] in SCHEMAS for call in reply.tool_calls)]
    assert len(asked) >= 3
    for _, reply in asked:
        [call] = reply.tool_calls
        jsonschema.validate(call["args"], SCHEMAS[call["name"]])
    assert any(m.type == "tool" and "v1" in str(m.content) for m in asked[1][0]), "what zoom brought went to the model"
    assert then in str(asked[-1][0]) and say in str(asked[-1][0])
