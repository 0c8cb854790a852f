"""Any chain of crop, zoom and enhance leads boxes back to the upload, and what is measured or counted on it holds there."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.count import TOOL as COUNT
from tools.count import CountArgs
from tools.crop import TOOL as CROP
from tools.crop import CropArgs
from tools.enhance import CHANGES, EnhanceArgs
from tools.enhance import TOOL as ENHANCE
from tools.measure import TOOL as MEASURE
from tools.measure import MeasureArgs
from tools.zoom import TOOL as ZOOM
from tools.zoom import ZoomArgs


def numbered(height=240, width=320):
    """Every pixel tells its column and row."""
    y, x = np.mgrid[:height, :width]
    return np.dstack([x % 256, y % 256, (x // 16 + y // 16) % 2 * 255]).astype(np.uint8)


STEP = st.tuples(st.sampled_from(["crop", "zoom", "enhance", "enhance whole"]), st.sampled_from(sorted(CHANGES)),
                 st.floats(0, 0.4), st.floats(0, 0.4), st.floats(0.6, 1), st.floats(0.6, 1), st.integers(1, 4))


def extended(bench, view, step, name):
    """One more view upon a view; returns the report."""
    kind, operation, a, b, c, d, factor = step
    x0, y0, x1, y1 = bench.picture(view).view.place()
    wide, high = x1 - x0, y1 - y0
    box = (int(x0 + a * wide), int(y0 + b * high), int(x0 + c * wide) + 1, int(y0 + d * high) + 1)
    if kind == "crop":
        report = CROP.run(bench, CropArgs(why="t", view=view, box=box))
    elif kind == "zoom":
        report = ZOOM.run(bench, ZoomArgs(why="t", view=view, box=box, factor=factor))
    else:
        area = None if kind == "enhance whole" else box
        report = ENHANCE.run(bench, EnhanceArgs(why="t", view=view, operation=operation, box=area))
    return bench.learn(report, name)


@settings(max_examples=25)
@given(chain=st.lists(STEP, min_size=1, max_size=4), u=st.floats(0, 0.7), v=st.floats(0, 0.7))
def test_a_box_survives_any_chain_of_the_tools(desk, chain, u, v):
    bench, view = desk(numbered()), "v0"
    altered = False
    for n, step in enumerate(chain):
        if min(bench.picture(view).view.width, bench.picture(view).view.height) < 8:
            break
        report = extended(bench, view, step, f"c{n}")
        view, altered = f"c{n}", altered or step[0].startswith("enhance")
        place = bench.picture(view).view.place()
        assert np.abs(np.subtract(place, report.result.box)).max() <= 1
    last = bench.picture(view).view
    assert last.altered == altered
    x0, y0 = int(u * last.width), int(v * last.height)
    box = (x0, y0, x0 + max(1, last.width // 4), y0 + max(1, last.height // 4))
    placed = last.box_to_source(box)
    exact = last.points_to_source(np.array([box[:2], box[2:]], np.float64)).ravel()
    assert np.abs(np.array(placed) - exact).max() <= 1
    back = last.box_from_source(placed)
    assert back is not None
    assert back[0] <= box[0] < box[2] <= max(back[2], box[2])


@settings(max_examples=20)
@given(operation=st.sampled_from(sorted(CHANGES)), seed=st.integers(0, 999), across=st.booleans())
def test_a_change_is_the_same_on_a_mirrored_picture_and_never_writes(operation, seed, across):
    rng = np.random.default_rng(seed)
    picture = cv2.GaussianBlur(rng.integers(0, 255, (64, 96, 3), dtype=np.uint8), (0, 0), 1.5)
    picture.flags.writeable = False
    flip = (lambda p: p[:, ::-1]) if across else (lambda p: p[::-1])
    once = CHANGES[operation](picture)
    assert np.array_equal(once, CHANGES[operation](picture))
    mirrored = flip(CHANGES[operation](np.ascontiguousarray(flip(picture))))
    if operation == "contrast":
        return  # CLAHE's lattice of tiles is anchored at the top left; it need not commute
    assert np.abs(once.astype(int) - mirrored).mean() < 0.6
    assert np.quantile(np.abs(once.astype(int) - mirrored), 0.99) <= 3


def bar(length=140.0):
    """A dark bar of known length on a bright ground, with edges as a lens makes them."""
    large = np.full((4 * 160, 4 * 260), 190, np.uint8)
    left = round(4 * (130 - length / 2))
    cv2.rectangle(large, (left, 4 * 60), (left + round(4 * length) - 1, 4 * 100 - 1), 50, -1)
    small = cv2.resize(large, (260, 160), interpolation=cv2.INTER_AREA)
    noise = np.random.default_rng(0).normal(0, 1.5, small.shape)
    return np.clip(cv2.GaussianBlur(small, (0, 0), 0.8) + noise, 0, 255).astype(np.uint8)[..., None].repeat(3, axis=2)


@pytest.mark.parametrize("operation", sorted(CHANGES))
def test_measuring_on_an_enhanced_view_goes_back_to_the_edges_of_the_upload(desk, operation):
    bench = desk(bar())
    args = {"why": "t", "quantity": "length", "box": (40, 40, 220, 120)}
    plain = MEASURE.run(bench, MeasureArgs(**args)).result
    bench.learn(ENHANCE.run(bench, EnhanceArgs(why="t", operation=operation)))
    changed = MEASURE.run(bench, MeasureArgs(view="v9", **args)).result
    assert plain.value == pytest.approx(140, abs=0.5)
    assert changed.value == pytest.approx(plain.value, abs=0.05)


@pytest.mark.parametrize("operation", ["flatten", "contrast", "denoise", "sharpen"])
def test_counting_on_an_enhanced_zoom_counts_the_same_things(desk, operation):
    picture = np.full((240, 320, 3), 70, np.uint8)
    for i in range(7):
        cv2.circle(picture, (40 + 40 * i, 80 + 12 * (i % 3)), 12, (200, 200, 200), -1, cv2.LINE_AA)
    bench = desk(picture)
    bench.learn(ZOOM.run(bench, ZoomArgs(why="t", box=(10, 40, 310, 140), factor=2)), "z1")
    bench.learn(ENHANCE.run(bench, EnhanceArgs(why="t", view="z1", operation=operation)), "z2")
    result = COUNT.run(bench, CountArgs(why="t", what="ball", view="z2")).result
    assert result.count == 7
    for i, item in enumerate(sorted(result.items, key=lambda item: item.centre[0])):
        assert np.abs(np.subtract(item.centre, (40.5 + 40 * i, 80.5 + 12 * (i % 3)))).max() <= 1


@settings(max_examples=15)
@given(shift=st.tuples(st.integers(-40, 40), st.integers(-40, 40)), size=st.tuples(st.integers(8, 90), st.integers(8, 90)),
       factor=st.floats(1, 6))
def test_a_zoom_shows_the_pixels_that_it_names(desk, shift, size, factor):
    picture = cv2.GaussianBlur(numbered(), (0, 0), 2)
    x0, y0 = 160 + shift[0], 120 + shift[1]
    bench = desk(picture)
    bench.learn(ZOOM.run(bench, ZoomArgs(why="t", box=(x0, y0, x0 + size[0], y0 + size[1]), factor=factor)))
    shown = bench.picture("v9")
    back = cv2.resize(shown.pixels, (shown.view.place()[2] - shown.view.place()[0],
                                     shown.view.place()[3] - shown.view.place()[1]), interpolation=cv2.INTER_AREA)
    wanted = picture[y0:y0 + size[1], x0:x0 + size[0]]
    assert back.shape == wanted.shape
    assert np.abs(back.astype(int) - wanted).mean() < 3
