"""Sizing and the table of cards: the arithmetic, and that docs/serving.md shows what they print."""

import re
import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from bench import cards
from bench.sizing import Load, Server, simulated, table

SERVING = (Path(__file__).parents[2] / "docs" / "serving.md").read_text(encoding="utf-8")
LOAD = Load()


def test_one_inspector_waits_for_nobody() -> None:
    turns, busy = simulated(LOAD, 1)
    written = LOAD.steps * LOAD.reply / LOAD.decode + (LOAD.steps - 1) * LOAD.tools
    known = round(LOAD.context * (1 - LOAD.reused)) / LOAD.prefill
    later = LOAD.steps * known + written
    first = LOAD.context / LOAD.prefill + (LOAD.steps - 1) * known + written
    assert turns[:7] == pytest.approx([first, later, later, later, later, later, first])
    assert busy == pytest.approx(sum(seconds - 3 * LOAD.tools for seconds in turns) / (4 * 3600), rel=0.01)


def test_replies_are_written_side_by_side() -> None:
    server = Server(replace(LOAD, slow=0.5))
    server.writing = {1: 60.0, 2: 90.0}
    assert server.next_event() == pytest.approx(1.5)
    assert server.advance(server.next_event()) == [1]
    assert server.writing == pytest.approx({2: 30.0})
    assert server.next_event() == pytest.approx(2.0)


def test_prompts_are_read_one_after_another() -> None:
    server = Server(LOAD)
    server.waiting = [(1, 2.0), (2, 3.0)]
    assert server.advance(2.0) == []
    assert set(server.writing) == {1}
    assert server.waiting == [(2, 3.0)]


def test_more_inspectors_wait_longer_and_get_no_more_than_there_is() -> None:
    medians = []
    for people in (1, 8, 32):
        turns, busy = simulated(LOAD, people, hours=2)
        medians.append(sorted(turns)[len(turns) // 2])
        least = LOAD.steps * LOAD.context * (1 - LOAD.reused) / LOAD.prefill
        assert len(turns) * least <= 2 * 3600
        assert busy <= 1
    assert medians == sorted(medians)
    assert simulated(LOAD, 8) == simulated(LOAD, 8)


def test_a_small_memory_finds_less_of_what_was_read() -> None:
    roomy, tight = (simulated(replace(LOAD, kv=kv), 8)[1] for kv in (10**6, 34_000))
    assert tight > 1.5 * roomy


def test_defaults_are_those_that_were_measured() -> None:
    row = next(line for line in SERVING.splitlines() if line.startswith("| tools written out in the prompt"))
    reused, tokens = (re.search(r"[\d.,]+", cell)[0] for cell in row.split("|")[2:4])  # type: ignore[index]
    assert pytest.approx(float(reused) / 100) == LOAD.reused
    assert round(int(tokens.replace(",", "")) / LOAD.steps) == LOAD.context
    assert f"reply of {LOAD.reply} tokens" in SERVING


def test_the_document_shows_what_the_simulation_prints() -> None:
    words = shlex.split(re.findall(r"^    python -m bench\.sizing (.*)$", SERVING, re.MULTILINE)[0])
    given = {name.removeprefix("--"): type(getattr(LOAD, name.removeprefix("--")))(value)
             for name, value in zip(words[::2], words[1::2], strict=True)}
    for line in table(replace(LOAD, **given)):
        assert f"    {line}\n" in SERVING


def test_the_document_shows_the_table_of_cards() -> None:
    assert "\n".join(cards.table()) in SERVING


def test_the_arithmetic_of_cards() -> None:
    model = cards.Served("M", bf16_gb=10, fp8_gb=5, layers=32, kv_heads=8)
    assert model.token_bytes == 131072
    assert model.tokens(24, 10) == int((0.92 * 24 - 3.2 - 10) * 1e9 / 131072)
    assert model.tokens(16, 30) == 0
    assert model.tokens(24, 30, cards=2) == int((2 * (0.92 * 24 - 3.2) - 30) * 1e9 / 131072)
