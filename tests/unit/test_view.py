"""Views keep their place on the upload through any chain of crop, zoom, enhancement and alignment."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from kenpin.contracts.view import (
    IDENTITY,
    Box,
    Matrix3,
    View,
    ViewKind,
    apply_homography,
    clip,
    compose,
    corners,
    enclosing,
    window,
)

WIDTH, HEIGHT = 800, 600


def view(width: int, height: int, matrix: Matrix3) -> View:
    return View(id="v1", source="v0", kind=ViewKind.CROP, sha256="0" * 64, width=width, height=height, to_source=matrix)


@st.composite
def chains(draw: st.DrawFn) -> View:
    """A view after up to five crops, zooms, enhancements and alignments (turned and shifted a little)."""
    width, height, matrix = float(WIDTH), float(HEIGHT), IDENTITY
    for kind in draw(st.lists(st.sampled_from(["crop", "zoom", "enhance", "align"]), max_size=5)):
        if kind == "crop":
            x0 = draw(st.integers(0, max(0, int(width) - 24)))
            y0 = draw(st.integers(0, max(0, int(height) - 24)))
            matrix = compose(matrix, window(x0, y0))
            width = draw(st.integers(min(20, int(width) - x0), int(width) - x0))
            height = draw(st.integers(min(20, int(height) - y0), int(height) - y0))
        elif kind == "zoom" and max(width, height) < 4000:
            factor = draw(st.floats(1.0, 8.0))
            new_width, new_height = round(width * factor), round(height * factor)
            step = ((width / new_width, 0.0, 0.0), (0.0, height / new_height, 0.0), (0.0, 0.0, 1.0))
            matrix, width, height = compose(matrix, step), new_width, new_height
        elif kind == "align":
            angle, dx, dy = draw(st.floats(-0.2, 0.2)), draw(st.floats(-9, 9)), draw(st.floats(-9, 9))
            c, s = math.cos(angle), math.sin(angle)
            matrix = compose(matrix, ((c, -s, dx), (s, c, dy), (0.0, 0.0, 1.0)))
    return view(int(width), int(height), matrix)


@given(chains(), st.data())
def test_points_come_back_through_any_chain(seen: View, data: st.DataObject) -> None:
    xs = st.floats(0, seen.width)
    points = np.array([(data.draw(xs), data.draw(st.floats(0, seen.height))) for _ in range(4)])

    there = seen.points_from_source(seen.points_to_source(points))

    assert np.abs(there - points).max() < 1e-6


@given(chains(), st.data())
def test_a_box_of_the_view_is_found_again_within_a_pixel(seen: View, data: st.DataObject) -> None:
    x0, y0 = data.draw(st.integers(0, seen.width - 1)), data.draw(st.integers(0, seen.height - 1))
    x1, y1 = data.draw(st.integers(x0 + 1, seen.width)), data.draw(st.integers(y0 + 1, seen.height))

    source = seen.box_to_source((x0, y0, x1, y1))
    true = seen.points_to_source(corners((x0, y0, x1, y1)))

    low, high = true.min(axis=0), true.max(axis=0)
    assert 0 <= low[0] - source[0] + 2e-3 <= 1.01 and 0 <= source[2] - high[0] + 2e-3 <= 1.01
    assert 0 <= low[1] - source[1] + 2e-3 <= 1.01 and 0 <= source[3] - high[1] + 2e-3 <= 1.01


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 30), st.sampled_from([1, 2, 3, 4])), max_size=4),
    st.tuples(st.integers(200, 500), st.integers(200, 400), st.integers(1, 99), st.integers(1, 99)),
)
def test_a_source_box_goes_through_whole_crops_and_zooms_and_back_unchanged(
    steps: list[tuple[int, int, int]], place: tuple[int, int, int, int]
) -> None:
    matrix, width, height = IDENTITY, WIDTH, HEIGHT
    for x0, y0, factor in steps:
        if max(width, height) * factor < 20000:
            matrix = compose(compose(matrix, window(x0 * 1.0, y0 * 1.0)), window(0, 0, 1 / factor))
            width, height = (width - x0) * factor, (height - y0) * factor
    seen, (x, y, w, h) = view(width, height, matrix), place
    box = (x, y, x + w, y + h)

    inside = seen.box_from_source(box)

    assert inside is not None and seen.box_to_source(inside) == box


@pytest.mark.parametrize("factor", [1.0, 2.0, 3.7, 16.0])
def test_the_place_of_a_zoom_is_the_box_that_was_asked_for(factor: float) -> None:
    width, height = round(120 * factor), round(90 * factor)
    step = ((120 / width, 0.0, 40.0), (0.0, 90 / height, 60.0), (0.0, 0.0, 1.0))

    assert view(width, height, step).place() == (40, 60, 160, 150)


def test_composing_applies_the_child_first() -> None:
    both = compose(window(100, 50), window(10, 20, 0.5))

    assert apply_homography(np.array(both), np.array([[4.0, 6.0]])).tolist() == [[112.0, 73.0]]


def test_composing_keeps_a_homography_normal() -> None:
    tilted = ((2.0, 0.0, 0.0), (0.0, 2.0, 0.0), (0.001, 0.0, 2.0))

    assert compose(tilted, window(100, 0))[2][2] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("points", "box"),
    [
        ([[1.0, 2.0], [3.0, 4.0]], (1, 2, 3, 4)),
        ([[0.9999, 2.0], [3.0004, 4.0]], (1, 2, 3, 4)),  # rounding noise does not grow it
        ([[0.99, 2.0], [3.01, 4.0]], (0, 2, 4, 4)),
        ([[5.0, 5.0]], (5, 5, 6, 6)),  # a point is one pixel
        ([[-3.5, -2.0], [-1.2, -0.5]], (-4, -2, -1, 0)),
    ],
)
def test_enclosing(points: list[list[float]], box: Box) -> None:
    assert enclosing(np.array(points)) == box


@pytest.mark.parametrize(
    ("box", "shown"),
    [
        ((-5, -5, 10, 10), (0, 0, 10, 10)),
        ((90, 90, 200, 200), (90, 90, 100, 100)),
        ((-50, -50, 500, 500), (0, 0, 100, 100)),
        ((100, 0, 120, 10), None),  # touches the edge from outside
        ((-10, 0, 0, 10), None),
        ((99, 99, 100, 100), (99, 99, 100, 100)),
    ],
)
def test_clip(box: Box, shown: Box | None) -> None:
    assert clip(box, 100, 100) == shown


def test_a_view_shows_nothing_of_a_box_beside_it() -> None:
    assert view(50, 50, window(100, 100)).box_from_source((0, 0, 90, 90)) is None


@pytest.mark.parametrize("box", [(5, 0, 5, 10), (0, 9, 10, 3), (3, 3, 1, 9)])
def test_a_box_without_area_is_none(box: Box) -> None:
    with pytest.raises(ValidationError, match="expected x0 < x1 and y0 < y1"):
        TypeAdapter(Box).validate_python(box)
