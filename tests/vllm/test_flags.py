"""Every flag that Kenpin prints, deploys or documents, parsed by vLLM's own parser. No server is started."""

import json
import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from kenpin.config import Settings
from kenpin.contracts.errors import Unavailable
from kenpin.serving import machine, planning
from kenpin.serving.cards import Card
from kenpin.serving.command import CPU_PATH, command
from kenpin.serving.machine import Home, find_home

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SERVING = (ROOT / "docs" / "serving.md").read_text(encoding="utf-8")
CARD = Card(index=None, name="NVIDIA H100 80GB HBM3", total_gib=79.6)


@pytest.fixture(scope="module")
def parse() -> Any:
    """Parse many lines in one start of the server's Python, which takes a while."""
    try:
        home = find_home(None)
    except Unavailable as exc:
        if os.environ.get("KENPIN_REQUIRE_VLLM") == "1":
            raise
        pytest.skip(f"no parser to ask: {exc}")

    # A model that ran in this process before has set the libraries offline; the parser looks for the models' names.
    plain = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}

    def run(lines: list[list[str]]) -> list[dict[str, Any]]:
        ran = subprocess.run([home.python, HERE / "parsed_flags.py"], input=json.dumps(lines), capture_output=True,
                             text=True, check=True, env={**plain, "PYTHONPATH": str(CPU_PATH), "OMP_NUM_THREADS": "1"})
        return list(json.loads(ran.stdout))
    return run


def printed(device: Any, cards: int, **more: Any) -> list[str]:
    """Words of `kenpin serve` on a machine, behind the module's name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(machine, "find_home", lambda chosen: Home(Path("python"), device, "0.32.0"))
        patch.setattr(planning, "found", lambda: (CARD,) * cards)
        return command(planning.made(Settings(), "Qwen/Qwen3-VL-8B-Instruct", **more))[3:]


def documented() -> list[list[str]]:
    """Every `vllm serve` of the document."""
    text = SERVING.replace("\\\n", " ")
    return [shlex.split(line)[2:] for line in re.findall(r"^    (vllm serve .*)$", text, re.MULTILINE)]


def deployed() -> list[str]:
    """The compose file's, with its defaults."""
    compose = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())
    return [re.sub(r"\$\{\w+:-([\w.]+)\}", r"\1", word) for word in compose["services"]["vllm"]["command"]]


def test_every_flag_is_one_that_vllm_knows(parse: Any) -> None:
    lines = [printed("cpu", 0), printed("gpu", 1, name="planner"), printed("gpu", 8), deployed(), *documented(),
             ["--model", "m", "--no-such-flag"]]
    cpu, one, eight, compose, *others, wrong = parse(lines)
    assert "no-such-flag" in wrong["wrong"]
    for said, line in zip((cpu, one, eight, compose, *others), lines, strict=False):
        assert "wrong" not in said, (line, said)
    for said in (cpu, one, eight, compose):
        assert said["limit_mm_per_prompt"] == {"image": 6, "video": 0}
        assert said["mm_processor_kwargs"]["size"]["longest_edge"] == 1024**2
        assert said["allowed_media_domains"] == ["none.invalid"]
        assert said["tool_call_parser"] == "hermes"
        assert said["enable_auto_tool_choice"] is True
        assert said["tool_strict_level"] == "parameter"
        assert said["max_model_len"] == 32768
    assert (cpu["host"], cpu["port"], cpu["enforce_eager"]) == ("127.0.0.1", 8000, True)
    assert (one["tensor_parallel_size"], one["served_model_name"]) == (1, ["planner"])
    assert (eight["tensor_parallel_size"], eight["mm_encoder_tp_mode"]) == (8, "data")
    assert len(others) >= 5
