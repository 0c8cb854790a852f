"""The systemd units as systemd itself reads them, without starting them (deploy/trial/units.sh does that)."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from kenpin.launch import ROOT

UNITS = sorted((ROOT / "deploy" / "systemd").glob("*.service"))
MOST_EXPOSED = {"kenpin": 2.0, "kenpin-chroma": 2.0, "kenpin-vllm": 4.0, "kenpin-embed": 4.0}
"""By `systemd-analyze security`, 0 is best; the model server's cards need their devices."""

pytestmark = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze")


def said(*words: str) -> str:
    ran = subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, check=False)
    return ran.stdout + ran.stderr


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_knows_every_line(unit: Path) -> None:
    wrong = [line for line in said("verify", str(unit)).splitlines()
             if unit.name in line and "is not executable: No such file" not in line]
    assert wrong == []


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_a_unit_may_do_little(unit: Path) -> None:
    text = said("security", "--offline=true", "--no-pager", str(unit))
    assert float(re.findall(r"exposure level.*?: ([\d.]+)", text)[0]) <= MOST_EXPOSED[unit.stem]


def test_each_service_has_a_user_of_its_own() -> None:
    users = re.findall(r"^u (\S+)", (ROOT / "deploy" / "systemd" / "kenpin.sysusers").read_text(), re.MULTILINE)
    named = [re.findall(r"^User=(\S+)$", unit.read_text(), re.MULTILINE)[0] for unit in UNITS]
    assert sorted(users) == sorted(named) == sorted({unit.stem for unit in UNITS})
