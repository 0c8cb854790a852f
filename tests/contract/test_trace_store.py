"""What every trace store does."""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kenpin.contracts.errors import StoreError
from kenpin.contracts.ports import TraceStore
from kenpin.contracts.trace import PlannerInfo, Trace, TraceImage, Turn
from kenpin.traces.files import FileTraces

Opened = Callable[[], TraceStore]


@pytest.fixture(params=["files"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Opened:
    """Opens the same store anew, as another process would."""
    return {"files": lambda: FileTraces(tmp_path / "traces")}[request.param]


def trace(name: str, *turns: str) -> Trace:
    image = TraceImage(id="v0", role="subject", sha256="0" * 64, width=8, height=6)
    return Trace(
        id=name,
        created=datetime(2026, 1, 31, 9, tzinfo=UTC),
        planner=PlannerInfo(backend="scripted", model="script", prompt="none"),
        images=(image,),
        turns=tuple(Turn(say=say) for say in turns),
    )


def test_it_is_a_trace_store(opened: Opened) -> None:
    assert isinstance(opened(), TraceStore)


def test_a_trace_comes_back_as_it_was(opened: Opened) -> None:
    stored = trace("20260131-a1", "傷を探して", "why?")
    opened().save(stored)

    assert opened().load("20260131-a1") == stored


def test_a_later_state_replaces_the_earlier_one(opened: Opened) -> None:
    opened().save(trace("a", "one"))
    opened().save(trace("a", "one", "two"))

    assert len(opened().load("a").turns) == 2 and list(opened().ids()) == ["a"]


def test_the_newest_comes_first(opened: Opened, tmp_path: Path) -> None:
    for age, name in ((300, "b"), (100, "c"), (200, "a")):
        opened().save(trace(name))
        os.utime(tmp_path / "traces" / f"{name}.json", (1_700_000_000 - age, 1_700_000_000 - age))

    assert list(opened().ids()) == ["c", "a", "b"]


def test_an_empty_store_has_no_ids(opened: Opened) -> None:
    assert list(opened().ids()) == []


@pytest.mark.parametrize("name", ["missing", "../secret", "", "a/b", ".hidden", "x" * 200, "a\n"])
def test_what_is_not_there_is_said(opened: Opened, name: str, tmp_path: Path) -> None:
    (tmp_path / "secret.json").write_text(trace("secret").model_dump_json())

    with pytest.raises(StoreError):
        opened().load(name)


@pytest.mark.parametrize("text", ["", "{}", "[]", "{'", '{"version": 2}', "\xff"])
def test_a_file_that_is_no_trace_is_said(opened: Opened, tmp_path: Path, text: str) -> None:
    opened().save(trace("a"))
    (tmp_path / "traces" / "a.json").write_bytes(text.encode("latin-1"))

    with pytest.raises(StoreError, match="is not a trace of version 1"):
        opened().load("a")


def test_nothing_but_whole_files_is_left_behind(opened: Opened, tmp_path: Path) -> None:
    for turn in range(5):
        opened().save(trace("a", *map(str, range(turn))))

    assert [path.name for path in (tmp_path / "traces").iterdir()] == ["a.json"]
