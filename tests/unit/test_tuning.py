"""The generator of training conversations, without torch: what is said, what is called, in which form."""

import json
from pathlib import Path

import numpy as np
import pytest

from agent.opening import Material, Photo
from agent.planners.frames import QWEN3, frame
from agent.planners.vllm_schema import Arguments
from kenpin.contracts.errors import BadInput
from kenpin.tuning import dialogues, eyes, wording
from kenpin.tuning.drawing import KINDS, drawn, part_of
from kenpin.tuning.teacher import TOOLS, Teacher, strict_args
from tools.catalog import OFFERED

ORDERS = {tool["function"]["name"]: list(tool["function"]["parameters"]["properties"]) for tool in TOOLS}


@pytest.fixture(scope="module")
def teacher() -> Teacher:
    return Teacher()


def material(kind: str | None = "scratch", seed: int = 1) -> Material:
    return Material(subject=Photo(pixels=drawn(np.random.default_rng(seed), kind=kind).pixels))


def calls(messages):  # type: ignore[no-untyped-def]
    return [call["function"] for message in messages for call in message.get("tool_calls", [])]


@pytest.mark.parametrize("kind", KINDS)
def test_a_drawn_defect_lies_in_its_box_and_changes_the_picture_there(kind: str) -> None:
    for seed in range(5):
        picture = drawn(np.random.default_rng(seed), kind=kind)
        assert picture.box
        x0, y0, x1, y1 = picture.box
        assert 0 <= x0 < x1 <= 448 and 0 <= y0 < y1 <= 352
        again = drawn(np.random.default_rng(seed), kind=kind)
        assert np.array_equal(picture.pixels, again.pixels) and picture.box == again.box


def test_a_clean_picture_has_no_box() -> None:
    assert drawn(np.random.default_rng(3), kind=None).box is None


@pytest.mark.parametrize(("box", "name"), [((0, 0, 10, 10), "upper left"), ((220, 170, 230, 180), "centre"),
                                           ((430, 170, 440, 180), "right"), ((220, 340, 230, 350), "lower")])
def test_the_part_of_the_picture_is_named(box: tuple[int, int, int, int], name: str) -> None:
    assert part_of(box, 448, 352) == name


def test_held_out_wording_and_writers_are_not_trained_on() -> None:
    trained = {said.template for said in wording.filled(wording.TRAINED)}
    assert not trained & {said.template for said in wording.filled(wording.HELD_OUT)}
    writer_of = {row["text"]: row["writer"] for row in dialogues.store()}
    plans = dialogues.plans(np.random.default_rng(0))
    free = [plan for plan in plans if plan.source == "free"]
    assert len(free) > 600
    held = {row["text"] for row in dialogues.store() if row["writer"] in dialogues.HELD_OUT_WRITERS}
    alone = {text for text in held if writer_of[text] in dialogues.HELD_OUT_WRITERS}
    for plan in plans:
        if plan.source in ("known", "template"):
            assert not set(plan.says[:-1]) & alone


def test_every_message_of_the_teacher_is_one_strict_call_and_turns_end(teacher: Teacher) -> None:
    messages = teacher.converse(material(), ["Look for scratches.", "Zoom in on it."])
    assert [message["role"] for message in messages[:3]] == ["system", "user", "assistant"]
    assert "# Given" in messages[0]["content"]
    made = calls(messages)
    assert [call["name"] for call in made][:2] == ["check_image", "detect"] and made[-1]["name"] == "answer"
    assert "zoom" in [call["name"] for call in made]
    for call in made:
        assert list(call["arguments"]) == ORDERS[call["name"]]
        assert call["arguments"]["why"]
    assert all(len(message["tool_calls"]) == 1 for message in messages if message["role"] == "assistant")


def test_what_the_model_learns_to_say_is_read_back_as_the_tool_takes_it(teacher: Teacher) -> None:
    place = frame(448, 352, family=QWEN3, long_side=448)
    [call] = [c for c in calls(teacher.converse(material(), ["Crop the upper left."])) if c["name"] == "crop"]
    read = Arguments(OFFERED).read("crop", call["arguments"], place)
    assert OFFERED["crop"].args.model_validate(read).model_dump()["box"] == (0, 0, 224, 176)


def test_by_eye_the_box_holds_the_defect(teacher: Teacher) -> None:
    for seed in range(6):
        picture = eyes.picture(seed)
        name, args = eyes.call(picture, "en")
        assert (name == "ask") == (picture.kind is None)
        if picture.box:
            x0, y0, x1, y1 = picture.box
            left, top, right, bottom = args["box"]
            assert left <= 1000 * x0 / 448 + 1 and right >= 1000 * x1 / 448 - 1
            assert top <= 1000 * y0 / 352 + 1 and bottom >= 1000 * y1 / 352 - 1
            assert picture.kind in args["why"]


def test_a_conversation_by_eye_is_drawn_anew(teacher: Teacher) -> None:
    messages = dialogues.by_eye(teacher, np.random.default_rng(0), "ja", seed=4)
    line = {"source": "by eye", "lang": "ja", "messages": messages}
    again = eyes.redrawn(line, ORDERS, 77)
    [image] = [part for part in again["messages"][1]["content"] if part["type"] == "image"]
    assert image["drawn"] == [eyes.SEEDS, 77] and image["kind"] == eyes.lot(77)
    name, args = eyes.call(eyes.picture(77), "ja")
    assert calls(again["messages"]) == [{"name": name, "arguments": strict_args(name, args)}]
    assert calls(messages) != calls(again["messages"]) and line["messages"] is messages


def test_lines_and_pictures_are_written(tmp_path: Path) -> None:
    sources = list(dialogues.generate(tmp_path, most=3, by_eyes=1))
    lines = [json.loads(line) for line in (tmp_path / "dialogues.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [line["source"] for line in lines] == sources
    named = {part["image"] for line in lines for message in line["messages"] if isinstance(message["content"], list)
             for part in message["content"] if "image" in part}
    assert named and named == {path.name for path in (tmp_path / "pictures").iterdir()}
    assert json.loads((tmp_path / "tools.json").read_text(encoding="utf-8")) == TOOLS


def test_calls_that_fail_are_no_lesson(teacher: Teacher) -> None:
    with pytest.raises(BadInput, match="cannot be carried out"):
        teacher.demonstrate(material(), "Look.", [("zoom", {"why": "x", "box": [900, 900, 950, 950]}),
                                                  ("answer", {"why": "x", "text": "x [1]."})])
