"""count: exact on drawn trays, honest about what it cannot tell apart, the same for every copy of a picture."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.drawn_trays import Plan, tray
from kenpin.contracts.errors import ToolInputError
from tools.count import TOOL, CountArgs


def count(desk, pixels, **more):
    return TOOL.run(desk(pixels), CountArgs(why="t", **more)).result


def drawn(piece, number, seed=0, **more):
    return tray(Plan("t", piece, number, shape=(360, 480), size=more.pop("size", 24.0), **more), seed)


@pytest.mark.parametrize("piece", ["washer", "pill", "screw", "nut", "seed", "pin", "coin", "capsule"])
def test_every_kind_of_piece(desk, piece):
    shown = drawn(piece, 9, seed=3)
    result = count(desk, shown.pixels, what=shown.what)
    assert (result.count, result.sure) == (shown.count, True), result.reason
    assert result.fewest == result.most == result.count == len(result.items)
    assert count(desk, shown.pixels, what=shown.what, example=shown.example).count == shown.count


@pytest.mark.parametrize("more", [
    {"light": 0.9}, {"shadow": 40.0}, {"contrast": 26.0}, {"ground": "brushed"}, {"ground": "cloth"},
    {"ground": "wood"}, {"colour": True}, {"contrast": -90.0}], ids=str)
def test_light_and_ground(desk, more):
    shown = drawn("nut", 8, seed=1, **more)
    assert count(desk, shown.pixels, what="nut").count == shown.count


def test_touching_ones_are_counted_one_by_one(desk):
    shown = drawn("pill", 12, seed=2, touching=0.6, size=20.0)
    assert count(desk, shown.pixels, what="tablet").count == shown.count
    assert count(desk, shown.pixels, what="tablet", touching=False).count < shown.count


def test_overlapping_rings_are_told_by_their_holes(desk):
    shown = drawn("washer", 8, seed=4, touching=0.6, overlap=0.15)
    assert count(desk, shown.pixels, what="washer").count == shown.count


def test_a_hundred_small_ones(desk):
    shown = tray(Plan("t", "seed", 100, size=9.0, contrast=-80), 5)
    assert count(desk, shown.pixels, what="seed").count == shown.count


def test_an_empty_tray_holds_nothing(desk):
    rng = np.random.default_rng(0)
    empty = np.clip(150 + 5 * rng.normal(size=(300, 400, 1)), 0, 255).astype(np.uint8).repeat(3, axis=2)
    result = count(desk, empty)
    assert (result.count, result.sure, result.most) == (0, False, None)


def test_what_the_border_cuts_is_counted_from_half_on_and_said(desk):
    tray_ = np.full((300, 400, 3), 60, np.uint8)
    for x, y in ((80, 80), (200, 90), (320, 80), (90, 200), (210, 210)):
        cv2.circle(tray_, (x, y), 26, (190, 190, 190), -1, cv2.LINE_AA)
    cv2.circle(tray_, (390, 210), 26, (190, 190, 190), -1, cv2.LINE_AA)  # most of it shows
    cv2.circle(tray_, (300, 316), 26, (190, 190, 190), -1, cv2.LINE_AA)  # less than half of it shows
    result = count(desk, tray_, what="coin")
    assert (result.count, result.cut_counted, result.cut_left_out) == (6, 1, 1)
    assert not result.sure
    assert result.most == 7
    assert "cut off" in result.reason


def test_two_kinds_are_said_and_an_example_picks_one(desk):
    shown = drawn("nut", 14, seed=6, other="screw", size=20.0)
    by_example = count(desk, shown.pixels, what="nut", example=shown.example)
    assert by_example.count == shown.count


def test_a_bent_pin_is_counted_and_makes_the_count_unsure(desk):
    picture = np.full((240, 420, 3), 50, np.uint8)
    for i in range(9):
        x = 40 + 40 * i
        end = (x + 22, 170) if i == 5 else (x, 180)
        cv2.polylines(picture, [np.array([(x, 60), (x, 110), end])], False, (210, 210, 210), 9, cv2.LINE_AA)
    result = count(desk, picture, what="pin")
    assert result.count == 9
    assert not result.sure
    assert (result.fewest, result.most) == (8, 9)


def test_the_look_of_an_example_is_found_where_no_outline_fills_its_box(desk):
    rng = np.random.default_rng(1)
    picture = np.clip(rng.normal(120, 14, (300, 400, 3)), 0, 255).astype(np.uint8)
    mark = cv2.resize(rng.integers(0, 255, (4, 5, 3), dtype=np.uint8), (50, 40), interpolation=cv2.INTER_CUBIC)
    for x, y in ((30, 40), (180, 60), (300, 200), (60, 210)):
        picture[y:y + 40, x:x + 50] = mark
    result = count(desk, picture, what="mark", example=(30, 40, 80, 80))
    assert result.count == 4
    centres = {(round(i.centre[0]), round(i.centre[1])) for i in result.items}
    assert all(min(abs(x - a) + abs(y - b) for a, b in centres) <= 6
               for x, y in ((55, 60), (205, 80), (325, 220), (85, 230)))


def test_an_example_outside_is_refused(desk):
    with pytest.raises(ToolInputError, match="outside"):
        count(desk, drawn("pill", 5).pixels, what="tablet", box=(0, 0, 100, 100), example=(300, 200, 340, 240))


COPIES = {
    "mirrored": lambda p: p[:, ::-1], "upside down": lambda p: p[::-1], "quarter turn": np.rot90,
    "half turn": lambda p: np.rot90(p, 2), "transposed": lambda p: p.transpose(1, 0, 2)}


@settings(max_examples=6)
@given(piece=st.sampled_from(["pill", "nut", "screw", "seed", "coin"]), seed=st.integers(0, 999),
       copy=st.sampled_from(sorted(COPIES)), touching=st.sampled_from([0.0, 0.5]))
def test_a_mirrored_or_turned_copy_gives_the_same_to_the_item(desk, piece, seed, copy, touching):
    shown = drawn(piece, 10, seed, touching=touching, size=20.0)
    one = count(desk, shown.pixels, what=shown.what)
    other = count(desk, np.ascontiguousarray(COPIES[copy](shown.pixels)), what=shown.what)
    assert (one.count, one.fewest, one.most, one.sure) == (other.count, other.fewest, other.most, other.sure)
    assert sorted(i.area_px for i in one.items) == pytest.approx(sorted(i.area_px for i in other.items), rel=1e-9)
    assert one == count(desk, shown.pixels, what=shown.what)


@settings(max_examples=6)
@given(seed=st.integers(0, 999), dx=st.integers(0, 17), dy=st.integers(0, 17))
def test_a_shift_changes_nothing(desk, seed, dx, dy):
    shown = drawn("nut", 7, seed)
    wide = cv2.copyMakeBorder(shown.pixels, 20, 20, 20, 20, cv2.BORDER_REFLECT_101)
    moved = wide[20 - dy:380 - dy, 20 - dx:500 - dx]
    assert count(desk, moved, what="nut").count == count(desk, shown.pixels, what="nut").count == shown.count


def test_items_lie_on_the_original_through_views(desk):
    from tools.zoom import TOOL as ZOOM
    from tools.zoom import ZoomArgs

    shown = drawn("pill", 9, seed=7)
    bench = desk(shown.pixels)
    bench.learn(ZOOM.run(bench, ZoomArgs(why="t", box=(0, 0, 480, 360), factor=2)))
    plain = TOOL.run(bench, CountArgs(why="t", what="tablet")).result
    zoomed = TOOL.run(bench, CountArgs(why="t", what="tablet", view="v9")).result
    assert plain.count == zoomed.count == 9
    for a, b in zip(plain.items, zoomed.items, strict=True):
        assert np.abs(np.array(a.centre) - b.centre).max() <= 1
        assert np.abs(np.array(a.box) - b.box).max() <= 2
