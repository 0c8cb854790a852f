"""zoom: larger, and every box of it still finds its way back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from kenpin.contracts.view import window
from tools.zoom import MOST_PIXELS, TOOL, ZoomArgs, enlarge


def spotted(height=120, width=160, spot=(70, 40, 80, 52)):
    picture = np.full((height, width, 3), 200, np.uint8)
    x0, y0, x1, y1 = spot
    picture[y0:y1, x0:x1] = 20
    return picture


def test_without_a_factor_the_long_side_becomes_about_768(desk):
    report = TOOL.run(desk(spotted()), ZoomArgs(why="t", box=(20, 10, 148, 106)))
    assert report.made.pixels.shape == (576, 768, 3)
    assert report.result.factor == 6
    assert report.boxes == ((20, 10, 148, 106),)
    assert not report.made.altered


def test_at_least_twice(desk):
    report = TOOL.run(desk(np.zeros((900, 1000, 3), np.uint8)), ZoomArgs(why="t", box=(0, 0, 1000, 900)))
    assert report.result.factor == 2


@pytest.mark.parametrize("factor", [1, 1.37, 2, 3.3, 16])
def test_a_spot_seen_on_the_zoom_is_found_on_the_original(desk, factor):
    bench = desk(spotted())
    report = bench.learn(TOOL.run(bench, ZoomArgs(why="t", box=(55, 21, 98, 77), factor=factor)))
    dark = report.made.pixels[..., 0] < 110
    ys, xs = np.nonzero(dark)
    box = (int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1)
    back = bench.picture("v9").view.points_to_source(np.array([[box[0], box[1]], [box[2], box[3]]], float))
    assert back == pytest.approx(np.array([[70, 40], [80, 52]]), abs=0.75 / factor + 0.05)


def test_a_whole_window_maps_exactly():
    _, matrix = enlarge(np.zeros((50, 80, 3), np.uint8), 2)
    assert matrix == window(0, 0, 0.5)


def test_a_large_region_stays_within_memory(desk):
    report = TOOL.run(desk(np.zeros((2000, 3000, 3), np.uint8)), ZoomArgs(why="t", box=(0, 0, 3000, 2000), factor=16))
    assert report.made.pixels.shape[0] * report.made.pixels.shape[1] <= MOST_PIXELS * 1.001
    assert "megapixels" in report.result.note


def test_limits_of_the_factor():
    for factor in (0.5, 17):
        with pytest.raises(ValidationError):
            ZoomArgs(why="t", box=(0, 0, 5, 5), factor=factor)


@settings(max_examples=40, deadline=None)
@given(x=st.integers(0, 150), y=st.integers(0, 110), w=st.integers(1, 60), h=st.integers(1, 60),
       factor=st.floats(1, 16))
def test_the_place_of_a_zoom_is_its_box(x, y, w, h, factor, desk):
    bench = desk(spotted())
    report = bench.learn(TOOL.run(bench, ZoomArgs(why="t", box=(x, y, x + w, y + h), factor=factor)))
    assert bench.picture("v9").view.place() == report.result.box
