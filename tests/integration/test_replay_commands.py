"""`kenpin replay`, `kenpin rerun` and `kenpin retention` over real inspections: what they print and their exit codes."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from kenpin.config import read_settings
from kenpin.contracts.trace import Trace
from kenpin.database.tables import inspections
from kenpin.wiring import Kenpin as Installation
from kenpin.wiring import open_kenpin

Kenpin = Callable[..., Any]


@pytest.fixture
def asked(kenpin: Kenpin, folder: Path) -> str:
    """An inspection with a zoom and a crop."""
    ran = kenpin("inspect", folder / "part.png", "Zoom in on the upper left, then crop the right half.",
                 "--json", "--mm-per-px", "0.2", "--lot", "L-17", "--part", "42")  # fmt: skip
    trace = Trace.model_validate_json(ran.out)
    assert (trace.lot, trace.part) == ("L-17", "42") and trace.asker and trace.asker.startswith("console:")
    return trace.id


@pytest.fixture
def opened(home: Path) -> Iterator[Installation]:
    kenpin = open_kenpin(read_settings(home=home))
    yield kenpin
    kenpin.database.close()


def test_replay_of_an_untouched_record_is_exit_0(kenpin: Kenpin, asked: str, home: Path) -> None:
    (home / "checkpoints.sqlite").unlink()
    ran, told = kenpin("replay", asked), kenpin("replay", asked, "--json")

    assert ran.code == told.code == 0
    lines = ran.out.splitlines()
    assert all(line.startswith("✓ ") for line in lines[:-1]) and len(lines) > 15
    assert f"{asked} identical: every picture and every number is the stored one, bit for bit" in lines[-1]
    data = json.loads(told.out)
    assert data["identical"] is True and {check["same"] for check in data["checks"]} == {True}


def test_replay_of_a_changed_record_is_exit_1_and_names_what(kenpin: Kenpin, asked: str, opened: Installation) -> None:
    trace = opened.traces.load(asked)
    data = json.loads(trace.model_dump_json())
    data["turns"][0]["answer"]["text"] = "All is well."
    opened.traces.save(Trace.model_validate(data))

    ran = kenpin("replay", asked)

    assert ran.code == 1
    wrong = [line for line in ran.out.splitlines() if line.startswith("✗")]
    assert [line.split(":")[0] for line in wrong] == ["✗ turn 1 text", "✗ turn 1 record"]
    assert "'All is well.'" in wrong[0] and ran.out.splitlines()[-1].count("different: 2 not what was stored")


@pytest.mark.parametrize("command", ["replay", "rerun"])
def test_what_is_not_there_is_exit_2(kenpin: Kenpin, command: str) -> None:
    ran = kenpin(command, "20260101T000000-00000000")
    assert ran.code == 2 and "there is no inspection" in ran.line


def test_a_rerun_is_a_new_inspection_that_names_the_old_one(
    kenpin: Kenpin, asked: str, opened: Installation
) -> None:
    ran = kenpin("rerun", asked, "--json")

    told = json.loads(ran.out)
    assert (ran.code, told["same"], told["differences"], told["inspection"]) == (0, True, [], asked)
    old, new = opened.traces.load(asked), opened.traces.load(told["rerun"])
    assert new.rerun_of == asked and old.rerun_of is None and new.id != old.id
    assert (new.lot, new.part, new.criteria) == (old.lot, old.part, old.criteria)
    assert [i.model_dump() for i in new.images] == [i.model_dump() for i in old.images]
    assert new.views == old.views
    (event,) = opened.audit.events(subject=f"inspection:{new.id}", action="inspection.started")
    assert event.detail == {"rerun_of": asked}
    assert kenpin("replay", new.id).code == 0


def test_a_rerun_that_comes_out_otherwise_is_exit_1(kenpin: Kenpin, asked: str, opened: Installation) -> None:
    data = json.loads(opened.traces.load(asked).model_dump_json())
    del data["turns"][0]["steps"][1]
    data["turns"][0]["answer"]["verdict"] = "ok"
    opened.traces.save(Trace.model_validate(data))

    ran = kenpin("rerun", asked)

    assert ran.code == 1
    assert "turn 1 step 2: no step → crop" in ran.out and "turn 1 verdict: ok → none" in ran.out
    assert ran.out.splitlines()[-1].endswith("2 differences")


def test_retention_from_the_command_line(
    kenpin: Kenpin, asked: str, opened: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kenpin.cases.bundle.load_bundled", lambda *_: 0)
    assert "there is no rule" in kenpin("retention", "show").out
    assert kenpin("retention", "set").code == 2
    assert kenpin("retention", "set", "--days", "30").code == 0
    old = (datetime.now(UTC) - timedelta(days=31)).isoformat(timespec="microseconds")
    with opened.database.write() as connection:
        connection.execute(update(inspections).where(inspections.c.id == asked).values(created=old))

    assert "30 days" in kenpin("retention", "show").out
    dry = kenpin("retention", "apply", "--dry-run")
    assert dry.code == 0 and asked in dry.out and "1 would be deleted" in dry.out and opened.traces.has(asked)
    done = json.loads(kenpin("retention", "apply", "--json").out)
    assert done["deleted"] == [asked] and not opened.traces.has(asked)
    # Its pictures were stored a moment ago: they wait for the next run.
    assert done["pending"] == [asked]
    assert kenpin("replay", asked).code == 2
    assert kenpin("retention", "set", "--days", "0").code == 0 and "for ever" in kenpin("retention", "show").out
