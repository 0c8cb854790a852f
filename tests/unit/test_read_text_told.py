"""What the agent says of text that is not certain, and which example it hands on."""

import pytest

from agent.procedures.knowing import example, unclear
from agent.prompting import render


@pytest.mark.parametrize(("say", "expected"), [
    ("Read the lot number, it is written like L123-45.", "L123-45"), ("the serial, e.g. 88-0153-C", "88-0153-C"),
    ("read the number (format: AB1234)", "AB1234"), ("L123-45のような形式のロット番号を読んで", "L123-45"),
    ("ロットは「L123-45」のような番号です", "L123-45"), ("Read the lot number.", None),
    ("does it look like rust?", None), ("I would like 3 numbers", None), ("what is it like 2 mm from the edge", None)])
def test_an_example_is_taken_from_the_instruction(say: str, expected: str | None) -> None:
    assert example(say) == expected


def test_only_characters_of_the_answer_are_named() -> None:
    lines = [{"text": "LOT L1O-5", "doubtful": [{"at": 0, "read": "L", "other": "I"}, {"at": 6, "read": "O", "other": "0"}]},
             {"text": "OTHER", "doubtful": [{"at": 0, "read": "O", "other": "0"}]}]
    assert unclear({"best": "L1O-5", "lines": lines}) == [("O", "0")]
    assert unclear({"best": "LOT L1O-5\nOTHER", "lines": lines}) == [("L", "I"), ("O", "0")]


def test_doubt_is_told_in_both_languages() -> None:
    doubts = [("O", "0"), ("x", "")]
    assert render("read.unsure", "en", step=2, doubts=doubts) == \
        "This is not certain: “O” may be “0”, “x” is unclear [2]."
    assert render("read.unsure", "ja", step=2, doubts=doubts) == \
        "確実ではありません：「O」は「0」の可能性があります、「x」が不鮮明です [2]。"
    assert render("read.unsure", "en", step=2, doubts=[]) == "This is not certain [2]."
