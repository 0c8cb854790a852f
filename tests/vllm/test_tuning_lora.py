"""A LoRA adapter trained on conversations fits the model that it was trained on, and the loss falls.

It needs torch and PEFT, which the extra `local` brings: `make local`, `make test-local`.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from kenpin.adapters.base import layers_of
from kenpin.adapters.checking import CONFIG, WEIGHTS, check
from kenpin.adapters.header import tensors
from kenpin.tuning.dialogues import generate

ROOT = Path(__file__).parents[2]
MODEL = ROOT / "models" / "planner-small"

pytestmark = pytest.mark.local


def test_an_adapter_is_trained_and_can_be_served(tmp_path: Path, local_parts: None) -> None:
    list(generate(tmp_path / "data", seed=3, most=16, by_eyes=0))
    words = [sys.executable, "-m", "kenpin.tuning.lora", str(tmp_path / "data"), str(MODEL), str(tmp_path / "out"),
             "--minutes", "10", "--steps", "8", "--rank", "8", "--tokens", "1500"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False, timeout=800)
    assert done.returncode == 0, done.stderr[-2000:]
    said = done.stdout.splitlines()[-1].split()
    before, after = float(said[said.index("batch") + 1]), float(said[said.index("and") + 1])
    assert after < before, done.stdout
    assert {path.name for path in (tmp_path / "out").iterdir()} >= {CONFIG, WEIGHTS}
    assert check(tmp_path / "out", "out", layers_of(str(MODEL))) == 8
    assert all(".language_model." in name for name in tensors(tmp_path / "out" / WEIGHTS))
