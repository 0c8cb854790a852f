"""crop: exactly those pixels, and the way back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from kenpin.contracts.errors import ToolInputError
from tools.crop import TOOL, CropArgs


def numbered(height=60, width=90):
    y, x = np.mgrid[:height, :width]
    return np.dstack([x, y, (x + y) % 256]).astype(np.uint8)


def test_exactly_those_pixels(desk):
    picture = numbered()
    report = TOOL.run(desk(picture), CropArgs(why="t", box=(10, 20, 40, 50)))
    assert np.array_equal(report.made.pixels, picture[20:50, 10:40])
    assert report.result.box == (10, 20, 40, 50) == report.boxes[0]
    assert (report.result.width, report.result.height, report.result.note) == (30, 30, "")
    assert not report.made.altered


def test_says_when_the_box_is_clipped(desk):
    report = TOOL.run(desk(numbered()), CropArgs(why="t", box=(80, -5, 200, 30)))
    assert report.result.box == (80, 0, 90, 30)
    assert "beyond" in report.result.note


def test_refuses_a_box_outside(desk):
    with pytest.raises(ToolInputError, match="outside"):
        TOOL.run(desk(numbered()), CropArgs(why="t", box=(100, 100, 120, 120)))


def test_box_is_required():
    with pytest.raises(ValidationError):
        CropArgs(why="t")


@settings(max_examples=40, deadline=None)
@given(shares=st.lists(st.tuples(st.floats(0, 0.45), st.floats(0, 0.45), st.floats(0.55, 1), st.floats(0.55, 1)),
                       min_size=1, max_size=4))
def test_a_chain_of_crops_keeps_its_place(shares, desk):
    picture = numbered(200, 250)
    bench, view = desk(picture), "v0"
    for n, (a, b, c, d) in enumerate(shares):
        x0, y0, x1, y1 = bench.picture(view).view.place()
        w, h = x1 - x0, y1 - y0
        box = (int(x0 + a * w), int(y0 + b * h), int(x0 + c * w) + 1, int(y0 + d * h) + 1)
        report = TOOL.run(bench, CropArgs(why="t", view=view, box=box))
        view = f"c{n}"
        bench.learn(report, view)
    x0, y0, x1, y1 = report.result.box
    assert np.array_equal(report.made.pixels, picture[y0:y1, x0:x1])
    assert bench.picture(view).view.place() == report.result.box
