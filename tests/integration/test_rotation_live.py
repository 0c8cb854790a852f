"""`kenpin keys rotate` killed with SIGKILL, and beside other processes that go on working."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from kenpin.security.keyring import read_keyring

CHILD = Path(__file__).parent / "rotated.py"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"}

pytestmark = pytest.mark.slow


def _child() -> ModuleType:
    spec = importlib.util.spec_from_file_location("kenpin_tests_rotated", CHILD)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


ROTATED = _child()


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What killed rotations left, and what the next one made of it."""
    done = subprocess.run(
        [sys.executable, CHILD, "killed", tmp_path_factory.mktemp("killed")],
        env=ENVIRONMENT, timeout=100, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


WELL = {"lost": [], "finally": [], "keys_left": 1, "waiting": 0, "chain": []}


@pytest.mark.parametrize("point", ROTATED.POINTS)
def test_killed_at_a_point_it_loses_nothing_and_goes_on(killed: Any, point: str) -> None:
    outcome = killed["points"][point]

    first, last = point == "keyring._beside:1", point == "rotation.write_keyring:2"
    assert outcome == {"ended": -9, "keys": 1 if first or last else 2, **WELL}


def test_killed_at_random_moments_it_loses_nothing_and_goes_on(killed: Any) -> None:
    outcome = killed["random"]

    assert set(outcome.pop("ended")) <= {0, -9}
    assert outcome == WELL


def test_processes_that_were_open_before_go_on_working(tmp_path: Path) -> None:
    home = tmp_path / "home"
    kept = ROTATED.filled(home)
    first = read_keyring(home / "master.key").current
    workers = [
        subprocess.Popen([sys.executable, CHILD, "works", home], env=ENVIRONMENT, text=True,
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(2)
    ]  # fmt: skip
    for worker in workers:
        assert worker.stdout and worker.stdout.readline() == "works\n"

    for _ in range(3):
        assert not ROTATED.change(home).resumed

    done = [worker.communicate(timeout=60) for worker in workers]
    assert [(worker.returncode, err) for worker, (_, err) in zip(workers, done, strict=True)] == [(0, "")] * 2
    ring = read_keyring(home / "master.key")
    assert len(ring.keys) == 1 and ring.current != first
    kenpin = ROTATED.opened(home)
    for told in (json.loads(out) for out, _ in done):
        assert all(kenpin.pictures.get(sha256).shape == (16, 16, 3) for sha256 in told["pictures"])
        for record, sealed in told["sealed"].items():
            assert kenpin.vault.open(record, bytes.fromhex(sealed), about="t") == record.encode()
    kenpin.database.close()
    assert ROTATED.lost(home, kept) == []
