"""The template in training is the template served, token for token: one newline of difference cost 27 points once."""

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from agent.opening import Material, Photo
from kenpin.tuning.dialogues import Writer
from kenpin.tuning.drawing import drawn
from kenpin.tuning.teacher import TOOLS, Teacher

ROOT = Path(__file__).parents[2]
MODEL = ROOT / "models" / "planner-small"
LOADS = "server-path"

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(300)]


def server() -> tuple[Path, str]:
    """The server's Python, and the path that lets torchvision load on a CPU."""
    try:
        from kenpin.contracts.errors import Unavailable
        from kenpin.serving.command import CPU_PATH
        from kenpin.serving.machine import find_home
    except ImportError:
        python = os.environ.get("KENPIN_VLLM_PYTHON")
        if not python:
            pytest.skip("no environment of a vLLM server; run make vllm, or set KENPIN_VLLM_PYTHON")
        return Path(python), str(Path(python).parents[1] / LOADS)
    try:
        return find_home(None).python, str(CPU_PATH)
    except Unavailable as exc:
        if os.environ.get("KENPIN_REQUIRE_VLLM") == "1":
            raise
        pytest.skip(f"no server: {exc}")


@pytest.mark.parametrize("says", [("Look for scratches.", "Zoom in on it."), ("傷を探して。", "一番大きいものの長さは？")])
def test_every_token_is_the_same(says: tuple[str, ...], tmp_path: Path) -> None:
    python, path = server()
    pixels = drawn(np.random.default_rng(1), kind="scratch").pixels
    messages = Teacher().converse(Material(subject=Photo(pixels=pixels)), says)
    writer = Writer(tmp_path)
    writer.write("known", "en", messages)
    writer.close()
    served = [{**message, "tool_calls": [{**call, "function": {**call["function"], "arguments": json.dumps(
        call["function"]["arguments"])}} for call in message["tool_calls"]]} if "tool_calls" in message else message
              for message in messages]
    done = subprocess.run([str(python), str(ROOT / "tests" / "vllm" / "served_tokens.py"), str(MODEL), str(tmp_path)],
                          input=json.dumps({"served": served, "tools": TOOLS}), capture_output=True, text=True,
                          check=False, env={**os.environ, "PYTHONPATH": f"{path}:{ROOT}", "OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["trained"] == told["served"]
    assert told["text"].count("<|image_pad|>") >= 1 and says[0] in told["text"] and "<tool_call>" in told["text"]
