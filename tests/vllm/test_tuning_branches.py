"""Drills behind a shared beginning learn what whole conversations would: the loss is the same."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agent.opening import Material, Photo
from kenpin.contracts.errors import Unavailable
from kenpin.serving.command import CPU_PATH
from kenpin.serving.machine import find_home
from kenpin.tuning import drills
from kenpin.tuning.dialogues import Writer
from kenpin.tuning.drawing import drawn
from kenpin.tuning.teacher import Teacher

ROOT = Path(__file__).parents[2]
SAYS = (((), ("Look for scratches.", "Zoom in on the upper left.")),
        (("Look for scratches.",), ("How long is it?", "Zoom in on it.")))
"""What was said before, and what is drilled behind it."""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What the server's Python finds for the small planner's own weights."""
    try:
        python = find_home(None).python
    except Unavailable as exc:
        if os.environ.get("KENPIN_REQUIRE_VLLM") == "1":
            raise
        pytest.skip(f"no server: {exc}")
    folder, teacher = tmp_path_factory.mktemp("drills"), Teacher()
    material = Material(subject=Photo(pixels=drawn(np.random.default_rng(1), kind="scratch").pixels))
    begin, writer = Writer(folder, name="beginnings"), Writer(folder, name="drills")
    for number, (before, wishes) in enumerate(SAYS):
        begun = teacher.begun(material, before, such_as="Look.")
        begin.write("beginning", "en", begun.messages, context="", number=number)
        for say in wishes:
            writer.write("known", "en", drills.drill(teacher, begun, say), context="", begins=number)
    begin.close()
    writer.close()
    done = subprocess.run([str(python), str(ROOT / "tests" / "vllm" / "branch_losses.py"),
                           str(ROOT / "models" / "planner-small"), str(folder)], capture_output=True, text=True,
                          check=False, env={**os.environ, "PYTHONPATH": f"{CPU_PATH}:{ROOT}", "OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr[-3000:]
    found: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_a_shared_beginning_changes_no_loss(told: list[dict[str, Any]]) -> None:
    assert len(told) == len(SAYS)
    for one in told:
        assert one["shared"] == pytest.approx(one["alone"], rel=1e-3)
        assert one["shared"] > 0
    assert told[0]["again"], "a later start reads what was put into tokens"


def test_without_pictures_every_other_token_stays(told: list[dict[str, Any]]) -> None:
    assert all(one["kept"] for one in told)
    assert any(one["blind"] != pytest.approx(one["shared"], rel=1e-3) for one in told), "the pictures were there"


def test_a_call_counts_and_its_phrases_count_little(told: list[dict[str, Any]]) -> None:
    full, why = (told[0]["counted"][i]["text"] for i in (0, 1))
    assert '{"name": "check_image"' in full and '"types": ["scratch"]' in full and "<|im_end|>" in full
    assert "A verdict needs a picture" in why and "A verdict needs" not in full
    assert "Look for scratches" not in full + why, "what people say is not learnt"
    assert told[0]["first"][0].endswith("<|im_end|>") and '"name": "detect"' not in told[0]["first"][0]
