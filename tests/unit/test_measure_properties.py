"""What must hold for `measure` whatever is measured: turns, mirrors, shifts, scales, views, and the same bits each time."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import drawn_shapes as draw
from bench.drawn_shapes import Look
from tools import crop, enhance, zoom
from tools.measure import TOOL
from tools.solo import make_desk
from tools.spec import Scale

QUANTITIES = ("length", "width", "area", "perimeter", "diameter", "feret_max", "feret_min", "major_axis", "minor_axis")


def plate(seed: int, *, fine: float = 1.0, shift: tuple[float, float] = (0.0, 0.0)) -> np.ndarray:
    """A rectangle, an ellipse or a disc by the seed, `fine` times as large, at a sub-pixel place."""
    rng = np.random.default_rng(seed)
    a, turn = float(rng.uniform(26, 40)), float(rng.uniform(-80, 80))
    b = a * float(rng.uniform(0.45, 0.8))
    x, y = (float(v) for v in 60 + rng.uniform(0, 1, 2) + np.array(shift))
    x, y, a, b = (v * fine for v in (x, y, a, b))
    shape = (draw.box(x, y, 2 * a, 2 * b, turn), draw.ellipse(x, y, a, b, turn), draw.disc(x, y, b))[seed % 3]
    side = round(120 * fine)
    return draw.drawn(shape, (side, side), Look(blur=0.8 * fine, contrast=100, noise=1), np.random.default_rng(1))


def asked(pixels, quantity, scale=None, **more):
    bench = make_desk(pixels)
    bench.scale = scale
    return TOOL.run(bench, TOOL.args(why="t", quantity=quantity, **more)).result


@settings(max_examples=8)
@given(st.integers(0, 200), st.sampled_from(QUANTITIES), st.sampled_from(["turn", "half", "mirror", "shift"]))
def test_turns_mirrors_and_shifts_change_nothing(seed, quantity, change):
    pixels = plate(seed)
    other = {"turn": np.rot90(pixels), "half": np.rot90(pixels, 2), "mirror": pixels[:, ::-1],
             "shift": np.roll(pixels, (3, -5), axis=(0, 1))}[change]
    a, b = asked(pixels, quantity), asked(np.ascontiguousarray(other), quantity)
    assert abs(a.value - b.value) <= 0.5 * a.uncertainty


@settings(max_examples=6)
@given(st.integers(0, 200), st.sampled_from(QUANTITIES))
def test_a_picture_twice_as_fine_gives_the_same_millimetres(seed, quantity):
    coarse = asked(plate(seed), quantity, Scale(0.1))
    fine = asked(plate(seed, fine=2.0), quantity, Scale(0.05))
    assert coarse.unit == fine.unit and coarse.unit.startswith("mm")
    assert abs(coarse.value - fine.value) <= coarse.uncertainty


@settings(max_examples=6)
@given(st.integers(0, 200), st.floats(0, 1), st.floats(0, 1))
def test_the_place_between_pixels_does_not_count(seed, dx, dy):
    here, there = asked(plate(seed), "area"), asked(plate(seed, shift=(dx, dy)), "area")
    assert abs(here.value - there.value) <= 0.5 * here.uncertainty


@settings(max_examples=4)
@given(st.integers(0, 200))
def test_half_turn_keeps_an_angle_and_a_mirror_turns_its_sign(seed):
    pixels = plate(seed - seed % 3)
    straight = asked(pixels, "angle")
    assert abs(asked(np.rot90(pixels, 2).copy(), "angle").value - straight.value) < 0.3
    assert abs(asked(pixels[:, ::-1].copy(), "angle").value + straight.value) < 0.3


@pytest.mark.parametrize("quantity", ["length", "area", "major_axis"])
def test_measured_on_any_view_it_is_the_same_figure(quantity):
    bench = make_desk(plate(4))
    bench.learn(crop.TOOL.run(bench, crop.TOOL.args(why="t", box=(5, 5, 115, 115))), "v1")
    bench.learn(zoom.TOOL.run(bench, zoom.TOOL.args(why="t", view="v1", box=(8, 8, 112, 112))), "v2")
    bench.learn(enhance.TOOL.run(bench, enhance.TOOL.args(why="t", view="v2", operation="sharpen")), "v3")
    place = (12, 12, 108, 108)
    found = [TOOL.run(bench, TOOL.args(why="t", quantity=quantity, view=view, box=place)).result
             for view in ("v0", "v1", "v2", "v3")]
    assert bench.picture("v3").view.altered
    assert all(result == found[0] and result.on_original for result in found)


def test_the_same_bits_each_time_and_the_picture_untouched():
    pixels = plate(7)
    before = pixels.copy()
    first, second = (asked(pixels, "perimeter").model_dump_json() for _ in range(2))
    assert first == second and (pixels == before).all()


def test_colour_order_and_brightness_do_not_move_the_edge():
    pixels = plate(5)
    inverse = 255 - pixels
    a, b = asked(pixels, "area"), asked(inverse, "area")
    assert abs(a.value - b.value) <= 0.3 * a.uncertainty
