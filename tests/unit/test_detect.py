"""The detect tool without samples, on drawn surfaces whose truth is known."""

import numpy as np
import pytest

from bench.drawn_surfaces import TEXTURES, draw, write_on
from kenpin.contracts.errors import ToolInputError
from tools.detect import TOOL, DetectArgs, DetectResult


def overlap(a, b) -> float:
    wide = max(0, min(a[2], b[2]) - max(a[0], b[0]))
    high = max(0, min(a[3], b[3]) - max(a[1], b[1]))
    area = wide * high
    return area / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - area)


def detect(desk, pixels, **args) -> DetectResult:
    report = TOOL.run(desk(pixels), DetectArgs(why="look for defects", **args))
    assert isinstance(report.result, DetectResult)
    assert report.boxes == tuple(f.box for f in report.result.findings)
    assert [r.id for r in report.regions] == [f.id for f in report.result.findings]
    return report.result


@pytest.mark.parametrize("name", TEXTURES)
def test_a_clean_surface_shows_nothing_and_is_decided(desk, name):
    result = detect(desk, draw(name, 11).pixels)
    assert result.findings == ()
    assert result.decided and result.mode == "none" and result.samples == 0
    assert result.score < 0.5


@pytest.mark.parametrize("name", TEXTURES)
def test_a_scratch_and_a_pit_are_found_once_each_with_tight_boxes(desk, name):
    drawn = draw(name, 5, defects=("scratch", "pit"), contrast=75)
    result = detect(desk, drawn.pixels)
    assert len(result.findings) == 2
    for box in drawn.boxes:
        assert max(overlap(box, f.box) for f in result.findings) > 0.5
    assert all(f.score >= 0.5 for f in result.findings)


def test_lettering_is_no_defect_and_the_pit_beside_it_is(desk):
    drawn = write_on(draw("brushed_v", 3, defects=("pit",)), "LOT 42-7731", (40, 60))
    result = detect(desk, drawn.pixels)
    assert len(result.findings) == 1
    assert overlap(drawn.boxes[0], result.findings[0].box) > 0.5


def test_asked_types_mark_and_never_hide(desk):
    drawn = draw("matte", 8, defects=("scratch", "pit"), contrast=40)
    result = detect(desk, drawn.pixels, types=("crack",))
    assert len(result.findings) == 2
    assert [f.asked for f in result.findings if f.type in {"scratch", "crack"}] == [True]
    assert len(result.matching) == 1


def test_a_box_gives_original_pixels(desk):
    drawn = draw("cast", 21, defects=("pit",), contrast=60)
    x0, y0, x1, y1 = drawn.boxes[0]
    box = (max(x0 - 90, 0), max(y0 - 80, 0), min(x1 + 70, 640), min(y1 + 100, 480))
    result = detect(desk, drawn.pixels, box=box)
    assert overlap(drawn.boxes[0], result.findings[0].box) > 0.5


def test_flat_and_tiny_pictures_are_not_decided(desk):
    flat = detect(desk, np.full((200, 300, 3), 128, np.uint8))
    assert flat.findings == () and not flat.decided and flat.reason_code == "empty"
    tiny = detect(desk, draw("matte", 1, shape=(40, 40)).pixels)
    assert not tiny.decided and tiny.reason_code == "too_small"


def test_unknown_type_and_tiny_box_are_refused(desk):
    with pytest.raises(ToolInputError, match="unknown defect type 'banana'"):
        detect(desk, draw("matte", 1).pixels, types=("banana",))
    with pytest.raises(ToolInputError, match="at least 16x16"):
        detect(desk, draw("matte", 1).pixels, box=(0, 0, 8, 8))


def test_the_same_picture_gives_the_same_result(desk):
    pixels = draw("weave", 4, defects=("stain", "crack")).pixels
    assert detect(desk, pixels) == detect(desk, pixels)
