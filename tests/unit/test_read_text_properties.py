"""Reading text: what turns, repeats and examples may and may not change."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import drawn_labels
from kenpin.contracts.errors import ToolInputError
from tools.read_text import TOOL, ReadTextArgs, ReadTextResult
from tools.reading.decode import Glyph, glyphs
from tools.reading.doubts import chance, doubts
from tools.reading.opinions import integrated, light
from tools.reading.pattern import fitted
from tools.reading.quads import Line
from tools.solo import make_desk


def read(picture: np.ndarray, **args: Any) -> ReadTextResult:
    result = TOOL.run(make_desk(picture), ReadTextArgs(why="what does it say?", **args)).result
    assert isinstance(result, ReadTextResult)
    return result


def line(text: str, *sure: float, agreed: tuple[float, ...] = (), other: str = "") -> Line:
    known = tuple(Glyph(c, p, other, 0.05 if other else 0.0) for c, p in zip(text, sure or (1.0,) * len(text), strict=True))
    return Line(text, float(np.mean([one.sure for one in known])), np.zeros((4, 2)), 0.0, known, agreed)


@given(turns=st.integers(1, 3), seed=st.integers(1000, 1003))
@settings(max_examples=4, deadline=None)
def test_quarter_turns_give_the_same_text_where_it_stands(turns: int, seed: int) -> None:
    picture = drawn_labels.label("printed", seed).pixels
    before, after = read(picture).lines, read(np.rot90(picture, turns).copy()).lines
    assert [one.text for one in after] == [one.text for one in before]
    mask = np.zeros(picture.shape[:2])
    x0, y0, x1, y1 = before[0].box
    mask[y0:y1, x0:x1] = 1
    rows, columns = np.nonzero(np.rot90(mask, turns))
    assert np.abs(np.array(after[0].box) - (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)).max() <= 12


def test_the_same_picture_gives_the_same_bits() -> None:
    picture = drawn_labels.label("dot-peen", 1002).pixels
    first = read(picture)
    assert read(picture) == first and first.lines


@pytest.mark.parametrize("kind", ["engraved", "dot-peen", "low contrast", "curved"])
def test_marks_of_every_kind_are_read_to_most_of_their_characters(kind: str) -> None:
    right = 0.0
    for seed in (1000, 1001):
        label = drawn_labels.label(kind, seed)
        got = "".join(one.text for one in read(label.pixels).lines).replace(" ", "")
        want = label.lines[0].replace(" ", "")
        right += sum(a == b for a, b in zip(got, want, strict=False)) / len(want)
    assert right / 2 >= 0.75


def test_characters_in_doubt_are_named() -> None:
    sure = line("L10-5", 1, 1, 0.6, 1, 1, other="O")
    assert [(d.at, d.read, d.other) for d in doubts(sure)] == [(2, "0", "O")]
    assert [d.at for d in doubts(line("L10-5", agreed=(1, 1, 1, 1, 0.4)))] == [4]
    assert doubts(line("L10-5")) == ()


@given(st.floats(0.5, 1), st.floats(0.5, 1))
def test_a_surer_line_has_the_better_chance(one: float, other: float) -> None:
    low, high = sorted((chance(line("AB", one, one)), chance(line("AB", other, other))))
    assert 0 < low <= high < 0.99
    assert (chance(line("AB", one, one)) >= chance(line("AB", other, other))) == (one >= other) or low == high


@pytest.mark.parametrize(("text", "like", "expected", "changed"), [
    ("LI23-45", "L123-45", "L123-45", (1,)), ("LOT L123-45", "L999-99", "L123-45", ()),
    ("1123-4S", "L123-45", "L123-45", (0, 6)), ("SN 88-0l53-C", "12-3456-A", "88-0153-C", (4,)),
    ("L123-456", "L123-45", None, ()), ("PART 7", "L123-45", None, ()), ("OOOO-OO", "L123-45", None, ())])
def test_an_example_decides_between_look_alikes(text: str, like: str, expected: str | None,
                                                changed: tuple[int, ...]) -> None:
    fit = fitted(line(text).glyphs, like)
    assert (fit.text if fit else None) == expected
    assert fit is None or fit.changed == changed


def test_an_example_picks_the_line_and_says_what_it_decided() -> None:
    label = drawn_labels.label("several lines", 1001)
    result = read(label.pixels, like="AB12345")
    assert result.best == label.lines[0]
    nothing = read(label.pixels, like="@@11@@")
    assert nothing.best is None and nothing.note == "text was read, but none of it is written like @@11@@"
    with pytest.raises(ToolInputError, match="needs letters or digits"):
        read(label.pixels, like="---")


def test_runs_of_a_class_are_one_character_and_blanks_part_two() -> None:
    steps = np.full((7, 4), 0.01, np.float32)
    for t, c in enumerate((1, 1, 0, 1, 2, 0, 0)):
        steps[t, c] = 0.9
    steps[4, 3] = 0.08
    found = glyphs(steps, ("", "a", "b", "c"))
    assert [(one.text, one.other) for one in found][2] == ("b", "c")
    assert "".join(one.text for one in found) == "aab"


@pytest.mark.parametrize("angle", [0.0, 0.6, 1.57, 2.4])
def test_relief_is_turned_back_into_strokes(angle: float) -> None:
    depth = np.zeros((48, 160), np.float32)
    for x in range(12, 150, 24):
        depth[10:38, x:x + 5] = 1
        depth[20:25, x:x + 14] = 1
    import cv2

    depth = cv2.GaussianBlur(depth, (0, 0), 1.2)
    down, across = np.gradient(depth)
    shaded = np.asarray(60 * (np.cos(angle) * across + np.sin(angle) * down), np.float32)
    found, valley = light(shaded)
    assert valley < -0.2
    assert abs((found - angle + np.pi / 2) % np.pi - np.pi / 2) < 0.6
    raised = integrated(shaded, angle)
    assert abs(np.corrcoef(raised.ravel(), (depth - cv2.GaussianBlur(depth, (0, 0), 12)).ravel())[0, 1]) > 0.6
