"""Drills without torch: which wishes, behind which beginnings, as far as which call."""

import json
from pathlib import Path

import numpy as np
import pytest

from agent.opening import Material, Photo
from kenpin.tuning import dialogues, drills, wording
from kenpin.tuning.drawing import drawn
from kenpin.tuning.teacher import Teacher


@pytest.fixture(scope="module")
def teacher() -> Teacher:
    return Teacher()


def called(messages):  # type: ignore[no-untyped-def]
    return [call["function"]["name"] for message in messages for call in message.get("tool_calls", [])]


def test_nothing_of_writers_or_templates_that_are_held_out_is_drilled() -> None:
    wishes = drills.wishes(np.random.default_rng(0))
    others = {row["text"] for row in dialogues.store() if row["writer"] not in dialogues.HELD_OUT_WRITERS}
    held = {row["text"] for row in dialogues.store() if row["writer"] in dialogues.HELD_OUT_WRITERS} - others
    said = {wish.text for wish in wishes}
    assert not said & held
    assert not said & {said.text for said in wording.filled(wording.HELD_OUT)}
    assert {wish.source for wish in wishes} == {"known", "template", "swapped"}
    assert sum(wish.source == "known" for wish in wishes) == sum(
        row["writer"] not in dialogues.HELD_OUT_WRITERS for row in dialogues.store())
    assert drills.wishes(np.random.default_rng(0)) == wishes


@pytest.mark.parametrize(("text", "lang", "words"), [
    ("Check the upper left for scratches.", "en", (drills.SLOTS["en"][1], drills.SLOTS["en"][2])),
    ("右上に打痕はありますか？", "ja", (drills.SLOTS["ja"][1], drills.SLOTS["ja"][0])),
])
def test_words_stand_for_others_of_their_sort(text: str, lang: str, words: tuple[tuple[str, ...], ...]) -> None:
    made = {drills.swapped(text, lang, np.random.default_rng(seed)) for seed in range(20)}
    assert len(made) > 5
    assert all(any(word in other for word in sort) for other in made for sort in words)
    assert drills.swapped("Is it sharp?", lang, np.random.default_rng(0)) == "Is it sharp?"


def test_a_drill_goes_on_to_the_call_that_it_is_about(teacher: Teacher) -> None:
    pixels = drawn(np.random.default_rng(1), kind="scratch").pixels
    begun = teacher.begun(Material(subject=Photo(pixels=pixels)), (), such_as="Look.")
    assert [message["role"] for message in begun.messages] == ["system"]
    messages = drills.drill(teacher, begun, "Look for scratches.")
    assert called(messages) == ["check_image", "detect"]
    assert [message["role"] for message in messages] == ["user", "assistant", "tool", "assistant"]
    assert messages[-1]["tool_calls"][0]["function"]["arguments"]["types"] == ("scratch",)
    assert called(drills.drill(teacher, begun, "Zoom in on the upper left.")) == ["zoom"]
    whole = teacher.converse(Material(subject=Photo(pixels=pixels)), ["Look for scratches."])
    assert [*begun.messages, *messages] == whole[:5], "as a conversation would have been"


def test_a_drill_can_stand_behind_a_turn(teacher: Teacher) -> None:
    pixels = drawn(np.random.default_rng(1), kind="scratch").pixels
    begun = teacher.begun(Material(subject=Photo(pixels=pixels)), ("Look for scratches.",), such_as="Look.")
    assert called(begun.messages)[-1] == "answer"
    messages = drills.drill(teacher, begun, "Zoom in on it.")
    assert called(messages) == ["zoom"] and messages[0]["role"] == "user"
    assert called(drills.drill(teacher, begun, "How long is it?")) == ["measure"], "the one before left nothing"


def test_what_is_written_leads_back_to_its_beginning(tmp_path: Path) -> None:
    going = drills.generate(tmp_path, most=2)
    made = [next(going) for _ in range(6)]
    going.close()
    lines = {name: [json.loads(line) for line in (tmp_path / f"{name}.jsonl").read_text().splitlines()]
             for name in ("beginnings", "drills")}
    assert len(lines["drills"]) == len(made)
    numbers = {line["number"]: line for line in lines["beginnings"]}
    assert len(numbers) == len(lines["beginnings"])
    for line in lines["drills"]:
        assert line["context"] == numbers[line["begins"]]["context"]
        assert line["messages"][-1]["role"] == "assistant"
