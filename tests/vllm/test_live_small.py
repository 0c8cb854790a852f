"""Picture → vLLM → tool call → loop, with the model that this repository trained: every decision is its own.

Nothing that the model says is replaced. The instructions are some that it was trained on; the pictures come with Kenpin.
"""

from pathlib import Path
from typing import Any

import pytest

from agent.planners.frames import QWEN3
from agent.planners.vllm_chat import Line
from agent.planners.vllm_pictures import data_uri
from agent.planners.vllm_schema import strict_tools
from kenpin.cli_shared import console_actor
from kenpin.contracts.trace import Trace
from kenpin.samples import SAMPLES
from kenpin.services import Services
from kenpin.session import material
from kenpin.wiring import open_kenpin
from tools.catalog import OFFERED

SCHEMAS = {tool["function"]["name"]: tool["function"]["parameters"] for tool in strict_tools(OFFERED, QWEN3.kind)}
TALK = ("en", "Look for scratches.", "Zoom in on the upper left.", "Crop the lower right.")
TALK_JA = ("ja", "傷を探して。", "左上を拡大して。", "右下を切り出して。")


def talked(live: Any, home: Path, picture: str, says: tuple[str, ...]) -> Trace:
    """A conversation through a whole installation that asks the server."""
    services = Services(open_kenpin(live.settings(home=home), console=True))
    actor = console_actor()
    key = services.asking.start(actor, material(SAMPLES / picture))
    for say in says:
        list(services.asking.say(actor, key, say))
    trace: Trace = services.asking.trace(actor, key)
    return trace


def test_it_was_started_without_a_flag(small: Any, home: Path) -> None:
    model = Line(small.settings()).served()
    assert model.context == 8192
    import numpy as np

    counts = []
    for width, height in ((448, 352), (1600, 1200), (64, 64)):
        part = {"type": "image_url", "image_url": {"url": data_uri(np.zeros((height, width, 3), np.uint8), width=width,
                                                                   height=height)}}
        body = [{"role": "user", "content": [{"type": "text", "text": "Look."}, part]}]
        counts.append(small.post("/tokenize", model=model.id, messages=body)["count"]
                      - small.post("/tokenize", model=model.id, messages=[{"role": "user", "content": "Look."}])["count"])
    assert counts[0] == 154 + 2, "as in training"
    assert counts[1] <= 154 + 2, "a large picture is no more"
    assert counts[2] >= 64, "a small one is enlarged, as in training"


@pytest.mark.parametrize("talk", [TALK, TALK_JA], ids=["en", "ja"])
def test_it_chooses_the_right_tools_over_several_turns(small: Any, home: Path, overheard: list[Any],
                                                       talk: tuple[str, ...]) -> None:
    trace = talked(small, home, "panel.png", talk[1:])
    first = trace.turns[0]
    assert [step.tool for step in first.steps] == ["check_image", "detect"]
    assert first.steps[1].args["types"] == ["scratch"]
