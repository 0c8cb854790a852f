"""No tracing service is told anything, even where the environment asks for it."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
CHILD = """
import sys
from pathlib import Path
from langsmith import utils
assert utils.tracing_is_enabled(), "the environment of this test asks for tracing"
from kenpin.config import read_settings
from kenpin.wiring import open_kenpin
open_kenpin(read_settings(home=Path(sys.argv[1]), planner="embedded")).inspector()
assert not utils.tracing_is_enabled()
"""


def test_tracing_of_the_environment_is_switched_off(tmp_path: Path) -> None:
    asked = {"LANGSMITH_TRACING": "true", "LANGSMITH_ENDPOINT": "http://127.0.0.1:9", "LANGSMITH_API_KEY": "k"}
    done = subprocess.run(
        [sys.executable, "-c", CHILD, tmp_path], env={**os.environ, **asked, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
