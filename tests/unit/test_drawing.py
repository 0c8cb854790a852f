"""What is taken from the browser as a box: whole pixels inside the picture, never too small, or nothing at all."""

import pytest

from ui.parts.drawing import LEAST, checked_box

SIZE = (320, 240)
START = (1, 2, 30, 40)


def taken(box: object, *, of: object = "f1") -> object:
    return checked_box({"of": of, "box": box}, token="f1", size=SIZE, start=START)


def test_a_box_inside_is_taken_as_it_is() -> None:
    assert taken([100, 80, 160, 90]) == (100, 80, 160, 90)
    assert taken([0, 0, 320, 240]) == (0, 0, 320, 240)
    assert taken([100.0, 80.0, 160.0, 90.0]) == (100, 80, 160, 90)


@pytest.mark.parametrize(("sent", "kept"), [
    ([-50, -1, 10, 10], (0, 0, 10, 10)),
    ([300, 230, 9**20, 10**30], (300, 230, 320, 240)),
    ([5, 5, 6, 100], (5, 5, 8, 100)),
    ([319, 239, 320, 240], (317, 237, 320, 240)),
    ([-10, 0, 1, 50], (0, 0, 3, 50))])
def test_it_is_clipped_and_never_too_small(sent: list[int], kept: tuple[int, ...]) -> None:
    assert taken(sent) == kept


@pytest.mark.parametrize("sent", [
    "1,2,3,4", [1, 2, 3], [1, 2, 3, 4, 5], [10, 10, 10, 20], [20, 10, 10, 20], [1, 2, 3, float("nan")],
    [1, 2, 3, float("inf")], [1.5, 2, 30, 40], [True, False, True, True], ["1", "2", "3", "4"], {"x0": 1},
    [400, 0, 500, 10], [0, -20, 10, 0], [[1], 2, 3, 4], 7])
def test_what_is_no_box_in_the_picture_changes_nothing(sent: object) -> None:
    assert taken(sent) == START


@pytest.mark.parametrize("sent", [None, {}, [], "x", {"box": [1, 2, 30, 40]}, {"of": "f1"}])
def test_another_message_changes_nothing(sent: object) -> None:
    assert checked_box(sent, token="f1", size=SIZE, start=START) == START
    assert checked_box(sent, token="f1", size=SIZE, start=None) is None


def test_a_message_about_another_finding_is_not_for_this_one() -> None:
    assert taken([100, 80, 160, 90], of="f2") == START
    assert taken([100, 80, 160, 90], of=["f1"]) == START


def test_taking_the_box_back_is_possible() -> None:
    assert taken(None) is None


def test_a_picture_smaller_than_the_smallest_box_gives_what_it_has() -> None:
    sent = {"of": "a", "box": [0, 0, 1, 1]}
    assert LEAST == 3
    assert checked_box(sent, token="a", size=(2, 1), start=None) == (0, 0, 2, 1)
