"""A few kills at random moments of asking, reviewing and signing; `bench/crash.py` makes 200 of them."""

import json
import os
import subprocess
import sys
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
CRASH = ROOT / "bench" / "crash.py"
SEED = "5"
"""Three of the ten lives of this one last until something is signed, and one ends while the installation is opened."""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def ran() -> subprocess.CompletedProcess[str]:
    """Ten kills, in lives of up to ten lines."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.run([sys.executable, CRASH, "--kills", "10", "--longest-life", "10", "--seed", SEED], env=environment, timeout=400,
                          capture_output=True, text=True, check=False)


@pytest.mark.timeout(500)
def test_nothing_is_lost_and_nothing_is_half(ran: subprocess.CompletedProcess[str]) -> None:
    assert ran.returncode == 0, ran.stdout + ran.stderr
    counts = {line.strip().partition(" ")[2]: int(line.split()[0]) for line in ran.stdout.splitlines() if line.strip()}
    assert sum(number for name, number in counts.items() if name.startswith("killed while")) == 10
    assert counts["entry, said to be on record"] > 3 and counts["signed, said to be on record"] > 0
    assert any(name.startswith("things wrong after 10 kills") and number == 0 for name, number in counts.items())


def test_the_check_finds_what_is_lost(tmp_path: Path) -> None:
    crash = SimpleNamespace(**run_path(str(CRASH)))
    said: list[Any] = []

    def say(*line: Any) -> None:
        said.append(json.loads(json.dumps(line)))

    crash.hired(tmp_path, say)
    crash.check(tmp_path, [["entry", "i-gone", 1, "0" * 64]], True, say)
    assert "LOST: entry i-gone entry 1" in said[-1][1][0]
