"""Detection without samples: when it says that nothing is there, what its findings keep under moves, what its map ranks."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.drawn_parts import part
from bench.drawn_surfaces import draw, write_on
from bench.hard_surfaces import picture
from tools.detect import TOOL, DetectArgs
from tools.detection.alone import inspect_alone
from tools.detection.outcome import REASONS
from tools.solo import make_desk

FAULTY = (("soft_stain", "cast"), ("half_stain", "matte"), ("border_strip", "weave"), ("streak", "granite"),
          ("worn_half", "brushed_h"), ("worn_patch", "cast"), ("turned_patch", "weave"), ("corroded", "paper"),
          ("scoured", "matte"), ("equal_pits", "brushed_v"), ("chatter", "granite"), ("crazed", "cast"),
          ("residue", "paper"), ("water_ring", "gradient"), ("faint_crack", "brushed_h"), ("faint_scratch", "weave"))


def detect(pixels, **args):
    return TOOL.run(make_desk(pixels), DetectArgs(why="look for defects", **args)).result


@pytest.mark.parametrize(("fault", "name"), FAULTY)
def test_a_fault_that_hides_is_never_passed(fault, name):
    """Seeds from 50 on set no limit."""
    seen = inspect_alone(picture(name, 51, fault=fault))
    assert seen.regions or not seen.nothing_else
    assert seen.nothing_else or seen.doubt in REASONS


def test_a_clean_surface_is_clear_and_a_fault_on_it_is_found_and_decided():
    clean = detect(picture("granite", 60))
    assert clean.findings == () and clean.decided and clean.clear and clean.doubt == ""
    faulty = detect(draw("granite", 61, defects=("pit",)).pixels)
    assert len(faulty.findings) == 1 and faulty.decided and faulty.reason_code == "textured_even"


@pytest.mark.parametrize("name", ["screw", "plate"])
def test_a_structured_part_is_never_clear(name):
    for fault in (None, "scratch", "dent"):
        result = detect(part(name, 70, fault=fault).pixels)
        assert not result.clear
        assert result.doubt_code in REASONS and result.doubt == REASONS[result.doubt_code]


def test_a_surface_with_letters_is_searched_but_not_passed():
    """The letters themselves cannot be judged; what is found beside them can."""
    silent = detect(write_on(draw("brushed_v", 5), "LOT 42-7731", (40, 60)).pixels)
    assert silent.findings == () and not silent.decided and not silent.clear and silent.reason_code == "marks"
    spoken = detect(write_on(draw("brushed_v", 3, defects=("pit",)), "LOT 42-7731", (40, 60)).pixels)
    assert len(spoken.findings) == 1 and spoken.decided and not spoken.clear and spoken.doubt_code == "marks"


def test_a_whole_part_before_a_ground_is_not_passed():
    """A broken-off corner may leave as straight an outline."""
    rng = np.random.default_rng(4)
    grey = np.full((400, 520), 50.0)
    cv2.fillPoly(grey, [np.array([(90, 70), (430, 70), (430, 250), (350, 330), (90, 330)])], 170.0)
    pixels = np.clip(grey[..., None] + rng.normal(0, 2, (400, 520, 3)), 0, 255).astype(np.uint8)
    result = detect(pixels)
    assert not result.clear and (result.findings or not result.decided)


def test_a_picture_that_had_to_be_reduced_is_not_passed():
    """At a third of its size a small pit is gone."""
    large = cv2.resize(picture("granite", 60), (2700, 2000), interpolation=cv2.INTER_CUBIC)
    whole = inspect_alone(large)
    assert not whole.regions and whole.doubt == "reduced"


def test_findings_outside_the_box_do_not_make_the_box_clear():
    """A decided finding elsewhere says nothing about a box that shows lettering only."""
    drawn = write_on(draw("brushed_v", 3, defects=("pit",)), "LOT 42-7731", (40, 60))
    result = detect(drawn.pixels, box=(20, 20, 300, 90))
    assert result.findings == () and not result.decided and not result.clear


@pytest.mark.parametrize(("name", "fault"), [("screw", "dent"), ("plate", "stain"), ("ceramic", "scratch")])
def test_the_map_ranks_the_fault_above_the_rest_also_where_nothing_is_decided(name, fault):
    drawn = part(name, 1005, fault=fault)
    heat = inspect_alone(drawn.pixels).heat
    assert heat.shape == drawn.mask.shape and heat.dtype == np.float32 and np.isfinite(heat).all()
    inside, outside = heat[drawn.mask], heat[~drawn.mask]
    assert np.mean(inside[:, None] > np.random.default_rng(0).choice(outside, 400)[None]) > 0.85


def turned(box, turns, shape):
    """A box of a picture of this shape after quarter turns anticlockwise, as `np.rot90` makes them."""
    height, width = shape[:2]
    for _ in range(turns):
        x0, y0, x1, y1 = box
        box, (height, width) = (y0, width - x1, y1, width - x0), (width, height)
    return box


@settings(max_examples=4)
@given(st.integers(0, 40), st.sampled_from(["cast", "matte", "granite"]), st.integers(1, 3), st.booleans())
def test_findings_turn_and_mirror_with_the_picture(seed, name, turns, mirror):
    pixels = draw(name, seed, defects=("pit", "scratch"), contrast=80, shape=(240, 320)).pixels
    moved = np.ascontiguousarray(np.rot90(pixels, turns))
    moved = np.ascontiguousarray(moved[:, ::-1]) if mirror else moved
    expected = []
    for region in inspect_alone(pixels).regions:
        x0, y0, x1, y1 = turned(region.box, turns, pixels.shape)
        expected.append((moved.shape[1] - x1, y0, moved.shape[1] - x0, y1) if mirror else (x0, y0, x1, y1))
    got = [region.box for region in inspect_alone(moved).regions]
    assert len(got) == len(expected) >= 2
    assert all(min(np.abs(np.subtract(e, g)).max() for g in got) <= 2 for e in expected)


@settings(max_examples=4)
@given(st.integers(0, 40), st.integers(0, 30), st.integers(0, 24))
def test_findings_move_with_a_cut(seed, dx, dy):
    pixels = draw("cast", seed, defects=("pit", "scratch"), contrast=80, shape=(264, 350)).pixels

    def found(x, y):
        return [np.add(r.box, (x, y, x, y)) for r in inspect_alone(pixels[y:y + 240, x:x + 320].copy()).regions]

    first, second = found(0, 0), found(dx, dy)
    inner = [b for b in first if b[0] > dx + 2 and b[1] > dy + 2 and b[2] < 318 and b[3] < 238]
    assert all(min(np.abs(b - s).max() for s in second) <= 2 for b in inner)


@settings(max_examples=3)
@given(st.integers(0, 99))
def test_the_picture_is_not_written_to_and_the_same_gives_the_same_to_the_bit(seed):
    pixels = draw("weave", seed, defects=("stain",), shape=(200, 260)).pixels
    pixels.flags.writeable = False
    first, second = inspect_alone(pixels), inspect_alone(pixels)
    assert np.array_equal(first.heat, second.heat)
    assert [(r.box, r.score, r.outline.tolist()) for r in first.regions] == \
        [(r.box, r.score, r.outline.tolist()) for r in second.regions]
    assert (first.clear, first.doubt, first.decided) == (second.clear, second.doubt, second.decided)
