"""Comparing photographs: alignment, what differs, what is refused, and where it is reported."""

from importlib.resources import files
from pathlib import Path

import cv2
import numpy as np
import pytest

from bench.changed_photos import changed, golden_of, lit, pose, reduced, rough, take
from bench.compare_photos import error
from kenpin.contracts.errors import ToolInputError
from tools.compare import TOOL
from tools.comparing.together import compare
from tools.crop import TOOL as CROP
from tools.pixels.grey import grey
from tools.zoom import TOOL as ZOOM

SAMPLES = files("kenpin.samples")
BOARD = Path(__file__).parents[2] / "bench/suites/second/images/board_golden.png"


def read(name: str) -> np.ndarray:
    data = np.frombuffer(SAMPLES.joinpath(name).read_bytes(), np.uint8)
    return reduced(cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB))


@pytest.fixture(scope="module")
def panel():
    picture = cv2.resize(read("panel_golden.png"), (494, 351), interpolation=cv2.INTER_AREA)
    picture.flags.writeable = False
    return picture


def run(desk, subject, *references, **args):
    bench = desk(subject, references=references)
    return TOOL.run(bench, TOOL.args(why="test", **args))


def touching(findings, box):
    return [f for f in findings if f.box[0] < box[2] and f.box[2] > box[0] and f.box[1] < box[3] and f.box[3] > box[1]]


def spoilt(picture, box, colour=(210, 30, 30)):
    out = picture.copy()
    cv2.ellipse(out, ((box[0] + box[2]) // 2, (box[1] + box[3]) // 2), ((box[2] - box[0]) // 2, (box[3] - box[1]) // 2),
                0, 0, 360, colour, -1)
    return out


def test_same_picture_has_no_difference(desk, panel):
    result = run(desk, panel, panel).result
    assert result.aligned and result.decided and result.findings == ()
    assert result.reason_code == "aligned" and result.confidence > 0.95


@pytest.mark.parametrize("light", [{"gain": 0.35}, {"gamma": 0.3}, {"slope": 0.4}, {"tint": 0.15}])
def test_other_light_is_no_difference(desk, panel, light):
    result = run(desk, lit(panel, np.random.default_rng(4), **light), panel).result
    assert result.decided and result.findings == ()


@pytest.mark.parametrize("way", [{"turn": 15}, {"shift": 0.1}, {"scale": 0.1}, {"tilt": 0.06}])
def test_laid_over_within_half_a_pixel_and_the_change_found(panel, way):
    rng = np.random.default_rng(3)
    place = pose(rng, golden_of(panel)[0].shape, **way)
    change = changed(panel, rng, "added", panel)
    assert change is not None
    pair = take(panel, rng, place, lambda pixels: rough(pixels, rng, noise=2), change)
    found = compare(pair.subject, pair.golden, whole=pair.subject, place=np.eye(3))
    assert found.decided and error(found.alignment.matrix, place, pair.golden.shape) < 0.5
    assert pair.changed is not None
    assert [bool((c.placed(pair.changed.shape) & pair.changed).any()) for c in found.changes] == [True]


@pytest.mark.parametrize("kind", ["missing", "displaced", "exchanged", "scratch"])
def test_each_kind_of_change_is_found_in_other_light(panel, kind):
    board = cv2.cvtColor(cv2.imread(str(BOARD)), cv2.COLOR_BGR2RGB)
    rng = np.random.default_rng(8)
    change = changed(board, rng, kind, panel)
    assert change is not None
    place = pose(rng, golden_of(board)[0].shape, turn=4, shift=0.02)
    pair = take(board, rng, place, lambda pixels: rough(lit(pixels, rng, gain=0.2), rng, noise=2), change)
    found = compare(pair.subject, pair.golden, whole=pair.subject, place=np.eye(3))
    assert pair.changed is not None and found.decided
    assert any((c.placed(pair.changed.shape) & pair.changed).any() for c in found.changes)


def test_what_only_one_golden_sample_has_is_no_difference(desk, panel):
    natural, defect = (150, 120, 180, 150), (300, 200, 330, 230)
    other = spoilt(panel, natural)
    subject = spoilt(spoilt(panel, natural), defect)
    alone = run(desk, subject, panel).result
    both = run(desk, subject, panel, other).result
    assert touching(alone.findings, natural) and touching(alone.findings, defect)
    assert not touching(both.findings, natural) and touching(both.findings, defect)
    assert both.references == ("v1", "v2")


def test_a_golden_sample_that_does_not_fit_is_left_out_and_named(desk, panel):
    result = run(desk, panel, read("fabric_clean.png"), panel).result
    assert result.aligned and result.references == ("v2",) and result.reference == "v2"
    assert "v1" in result.reason and result.findings == ()


def strangers(panel):
    rng = np.random.default_rng(0)
    yield "other product", read("fabric_clean.png")
    yield "other side", panel[:, ::-1].copy()
    yield "noise", rng.integers(0, 256, panel.shape, np.uint8)
    yield "blank", np.full_like(panel, 128)


def test_pairs_that_do_not_match_are_refused(desk, panel):
    for name, subject in strangers(panel):
        report = run(desk, subject, panel)
        assert not report.result.decided and report.result.reason_code != "aligned", name
        assert not report.result.aligned or report.result.findings, name


def test_upside_down_is_said_and_never_passes(desk, panel):
    result = run(desk, panel[::-1, ::-1].copy(), panel).result
    assert result.reason_code == "turned" and not result.decided
    assert abs(abs(result.turn_deg) - 180) < 0.5 and "upside down" in result.reason


def test_boxes_are_of_the_original_through_crop_and_zoom(desk, panel):
    box = (300, 200, 330, 226)
    bench = desk(spoilt(panel, box), references=(panel,))
    bench.learn(CROP.run(bench, CROP.args(why="t", box=(180, 120, 460, 330))), "v2")
    bench.learn(ZOOM.run(bench, ZOOM.args(why="t", view="v2", box=(240, 150, 400, 290))), "v3")
    for view, slack in (("v0", 2), ("v2", 2), ("v3", 3)):
        found = TOOL.run(bench, TOOL.args(why="t", view=view)).result.findings
        assert len(found) == 1, view
        assert np.abs(np.subtract(found[0].box, (*box[:2], box[2] + 1, box[3] + 1))).max() <= slack, (view, found[0].box)


def test_a_box_names_a_part_of_the_view(desk, panel):
    subject = spoilt(spoilt(panel, (300, 200, 330, 226)), (100, 100, 130, 126))
    result = run(desk, subject, panel, box=(250, 150, 400, 300)).result
    assert len(result.findings) == 1 and touching(result.findings, (300, 200, 330, 226))


def test_input_is_never_written_and_runs_are_alike(desk, panel):
    bench = desk(spoilt(panel, (300, 200, 330, 226)), references=(panel,))
    before = [bench.pictures[v].pixels.copy() for v in ("v0", "v1")]
    first, second = (TOOL.run(bench, TOOL.args(why="t")) for _ in range(2))
    assert first.result == second.result
    assert all(np.array_equal(a, b) for a, b in zip(first.evidence, second.evidence, strict=True))
    assert all(np.array_equal(p, bench.pictures[v].pixels) for p, v in zip(before, ("v0", "v1"), strict=True))


def test_grey_scratch_on_black_and_white_print_is_no_pattern_and_found(desk):
    label = np.full((300, 400, 3), 255, np.uint8)
    cv2.putText(label, "KT-2208", (40, 150), cv2.FONT_HERSHEY_SIMPLEX, 2.2, (0, 0, 0), 9)
    scratched = label.copy()
    cv2.line(scratched, (60, 220), (300, 250), (165, 165, 165), 3)
    found = run(desk, scratched, label).result.findings
    assert len(found) == 1 and touching(found, (60, 220, 300, 250)) and found[0].change == "added"


def test_needs_a_reference_that_is_not_the_view(desk, panel):
    with pytest.raises(ToolInputError, match="golden sample"):
        run(desk, panel)
    with pytest.raises(ToolInputError, match="itself"):
        run(desk, panel, panel, reference="v0")


def test_large_pictures_in_pieces_give_what_the_whole_gives(monkeypatch, panel):
    import tools.comparing.tiles as tiles
    import tools.comparing.together as together

    subject = spoilt(spoilt(panel, (300, 200, 330, 226)), (100, 100, 124, 126), (240, 240, 240))
    whole = compare(subject, panel, whole=subject, place=np.eye(3))
    monkeypatch.setattr(together, "LARGE", 10_000)
    monkeypatch.setattr(tiles, "SIDE", 220)
    monkeypatch.setattr(tiles, "MARGIN", 60)
    pieces = compare(subject, panel, whole=subject, place=np.eye(3))
    assert len(pieces.changes) == len(whole.changes) == 2
    for a, b in zip(sorted(c.box for c in whole.changes), sorted(c.box for c in pieces.changes), strict=True):
        assert np.abs(np.subtract(a, b)).max() <= 2
    assert pieces.reference is not None and pieces.reference.shape == subject.shape
    assert np.abs(grey(pieces.reference).astype(int) - grey(subject)).mean() < 3


@pytest.mark.parametrize("shape", [(16, 31), (17, 100), (300, 17), (16, 16), (517, 31)])
def test_a_narrow_strip_is_compared_or_refused_and_never_breaks(desk, shape):
    rng = np.random.default_rng(3)
    strip = rng.integers(0, 256, (*shape, 3), dtype=np.uint8)
    other = rng.integers(0, 256, (*shape, 3), dtype=np.uint8)
    assert not run(desk, strip, other).result.decided
    assert run(desk, strip, strip).result.findings == ()
