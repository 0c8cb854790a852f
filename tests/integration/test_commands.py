"""The other commands: talks, suites, the doctor, cases, and help that is there at once."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kenpin.config import Settings
from kenpin.contracts.errors import Unavailable
from kenpin.contracts.ports import TraceStore
from kenpin.wiring import open_kenpin

ROOT = Path(__file__).parents[2]
HEAVY = (
    "langgraph",
    "langchain_core",
    "cv2",
    "chromadb",
    "numpy",
    "streamlit",
    "rich",
    "pydantic",
    "yaml",
    "PIL",
    "httpx",
    "scipy",
    "torch",
    "sqlalchemy",
    "alembic",
    "cryptography",
    "argon2",
)
Kenpin = Callable[..., Any]


def stored(home: Path) -> TraceStore:
    """The traces of a data folder, opened by somebody else."""
    return open_kenpin(Settings(home=home)).traces


def test_a_talk_is_read_from_stdin_and_can_be_taken_up_again(kenpin: Kenpin, folder: Path, home: Path) -> None:
    talk = kenpin(
        "chat",
        folder / "part.png",
        stdin="Zoom in on the upper left.\n" + "x" * 9000 + "\n右下を切り出して\n\nnever read\n",
    )

    assert talk.code == 0 and "9000 characters" in talk.out and "never" not in talk.out
    key = talk.out.split("inspection ")[1].split()[0]
    more = kenpin("chat", folder / "part.png", "--resume", key, stdin="Crop the left half")
    assert more.code == 0
    trace = stored(home).load(key)
    assert [[s.tool for s in turn.steps] for turn in trace.turns] == [["zoom"], ["crop"], ["crop"]]
    assert [s.n for turn in trace.turns for s in turn.steps] == [1, 2, 3]


def test_taking_up_what_is_not_there_is_said(kenpin: Kenpin, folder: Path) -> None:
    ran = kenpin("chat", folder / "part.png", "--resume", "20260101T000000-00000000")

    assert ran.code == 2 and "there is no inspection" in ran.err and "Traceback" not in ran.err


def test_a_server_that_goes_away_in_the_middle_loses_nothing(
    kenpin: Kenpin, folder: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from agent.planners.embedded import EmbeddedChat

    answer = EmbeddedChat._generate

    def gone(self: Any, messages: list[Any], *args: Any, **kwargs: Any) -> Any:
        if any(m.type == "tool" for m in messages):
            raise Unavailable("the server went away; start it again")
        return answer(self, messages, *args, **kwargs)

    with monkeypatch.context() as broken:
        broken.setattr(EmbeddedChat, "_generate", gone)
        ran = kenpin("inspect", folder / "part.png", "Zoom in on the upper left.", "--json")
    assert ran.code == 3 and ran.line == "the server went away; start it again"

    (key,) = stored(home).ids()
    assert len(stored(home).load(key).turns[0].steps) == 1
    assert kenpin("chat", folder / "part.png", "--resume", key).code == 0
    turn = stored(home).load(key).turns[0]
    assert len(turn.steps) == 1 and turn.answer and turn.answer.cites == (1,)


def test_a_suite_is_run_and_a_bar_can_be_asked_for(kenpin: Kenpin, folder: Path, home: Path) -> None:
    told = kenpin("evaluate", folder / "suite.jsonl", "--json")

    report = json.loads(told.out)
    assert told.code == 0 and (report["turns"], report["passed"], report["rate"]) == (2, 1, 0.5)
    assert [(f["id"], f["turn"], f["missed"]) for f in report["failures"]] == [("b", 1, ["text"])]
    assert report["failures"][0]["trace"]["version"] == 1
    assert not home.exists()
    assert kenpin("evaluate", folder / "suite.jsonl", "--require", "0.5").code == 0
    shown = kenpin("evaluate", folder / "suite.jsonl", "--require", "0.51")
    assert (
        shown.code == 1 and "1 of 2 turns passed (50.0%), 0 wrong actions" in shown.out and "missed text" in shown.out
    )


@pytest.mark.parametrize(
    ("suite", "says"), [("none.jsonl", "no such suite"), ("bad.jsonl", "line 1"), ("gone.jsonl", "gone.png")]
)
def test_a_bad_suite_is_one_line(kenpin: Kenpin, folder: Path, suite: str, says: str) -> None:
    ran = kenpin("evaluate", folder / suite)

    assert ran.code == 2 and says in ran.err and "Traceback" not in ran.err


def test_doctor_says_what_is_there(kenpin: Kenpin, home: Path) -> None:
    ran = kenpin("doctor", "--json")

    found = {f["what"]: f for f in json.loads(ran.out)}
    missing = [name for name, f in found.items() if f["vital"] and not f["ok"] and name != "kenpin"]
    assert missing == [] and ran.code == (0 if found["kenpin"]["ok"] else 3)
    assert found["planner embedded"]["ok"] and found["data folder"]["ok"] and found["past cases"]["ok"]
    assert all(found[f"package {root}"]["ok"] for root in ("agent", "kenpin", "prompts", "tools", "ui"))


def test_doctor_names_what_is_missing(kenpin: Kenpin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("KENPIN_HOME", str(tmp_path / "file"))

    ran = kenpin("doctor")

    assert (
        ran.code == 3
        and "set KENPIN_HOME to a writeable folder" in " ".join(ran.out.split())
        and "Traceback" not in ran.err
    )


def test_cases_are_listed_searched_written_out_and_taken_in(
    kenpin: Kenpin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cases = json.loads(kenpin("cases", "list", "--json").out)
    assert len(cases) >= 3 and all(case["cause"] and case["disposition"] for case in cases)
    hits = json.loads(kenpin("cases", "search", cases[0]["cause"], "--k", "2", "--json").out)
    assert 1 <= len(hits) <= 2
    assert kenpin("cases", "export", tmp_path / "out").code == 0

    monkeypatch.setenv("KENPIN_HOME", str(tmp_path / "other"))
    ran = kenpin("cases", "add", tmp_path / "out")

    assert ran.code == 0 and f"{len(cases)} cases added" in ran.out
    assert kenpin("cases", "add", tmp_path / "nowhere").code == 2


def test_help_without_anything_heavy() -> None:
    code = f"import sys, kenpin.cli; print([m for m in {HEAVY!r} if m in sys.modules])"

    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def cpu_of(*command: str) -> float:
    """Processor seconds of a command, the least of three runs."""
    spent = []
    for _ in range(3):
        before = os.times()
        subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, check=True)
        after = os.times()
        spent.append(after.children_user - before.children_user + after.children_system - before.children_system)
    return min(spent)


def test_help_is_there_at_once() -> None:
    # Measured against Python's own start, since machines differ and this one may be busy.
    assert cpu_of("-m", "kenpin.cli", "--help") - cpu_of("-c", "pass") < 0.3


def test_the_program_itself_answers_in_one_line(folder: Path, tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "KENPIN_HOME": str(tmp_path / "home"),
        "PYTHONPATH": str(ROOT),
        "PYTHONIOENCODING": "ascii",
    }

    done = subprocess.run(
        [sys.executable, "-m", "kenpin.cli", "inspect", folder / "部品 B.png", "傷を探して"],
        env=environment, cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.count("\n") == 1 and "there is no such file" in done.stderr


def test_a_closed_pipe_is_no_traceback(tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    environment = {**os.environ, "KENPIN_HOME": str(tmp_path / "home"), "PYTHONPATH": str(ROOT)}

    done = subprocess.run(
        [sys.executable, "-m", "kenpin.cli", "--help"], env=environment, stdout=write, stderr=subprocess.PIPE, text=True, check=False
    )  # fmt: skip
    os.close(write)

    assert "Traceback" not in done.stderr and "BrokenPipe" not in done.stderr
