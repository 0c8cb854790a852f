"""The detect tool with good samples: drawn parts, and a bundled real surface."""

import numpy as np
import pytest

from bench.drawn_parts import part
from tools.detect import TOOL, DetectArgs, DetectResult
from tools.detection.memory import fingerprint, memory_of

NAMES = ("ceramic", "plate")


def samples(name: str, count: int):
    return tuple(part(name, 50 + i).pixels for i in range(count))


def detect(desk, pixels, good, **args) -> DetectResult:
    report = TOOL.run(desk(pixels, good=good), DetectArgs(why="compare with good samples", **args))
    assert isinstance(report.result, DetectResult)
    return report.result


@pytest.mark.parametrize("name", NAMES)
def test_good_pieces_pass_and_faulty_ones_do_not(desk, name):
    good = samples(name, 8)
    clean = [detect(desk, part(name, 100 + i).pixels, good) for i in range(6)]
    assert all(r.mode == "good" and r.samples == 8 and r.decided for r in clean)
    assert sum(bool(r.findings) for r in clean) <= 1
    faulty = [part(name, 1000 + i, fault=f) for i, f in enumerate(("crack", "dent", "stain", "dent"))]
    results = [detect(desk, f.pixels, good) for f in faulty]
    assert sum(r.score >= 0.5 for r in results) >= 3
    for piece, result in zip(faulty, results, strict=True):
        if result.findings:
            x0, y0, x1, y1 = piece.boxes[0]
            a, b, c, d = result.findings[0].box
            assert min(x1, c) > max(x0, a) and min(y1, d) > max(y0, b)


def test_one_to_three_samples_rank_and_do_not_decide(desk):
    good = samples("plate", 2)
    clean = detect(desk, part("plate", 100).pixels, good)
    faulty = detect(desk, part("plate", 1002, fault="dent").pixels, good)
    assert not clean.decided and clean.mode == "few" and clean.reason_code == "few_samples"
    assert faulty.score > clean.score


def test_a_golden_sample_counts_as_one_good_sample(desk):
    report = TOOL.run(desk(part("plate", 100).pixels, references=samples("plate", 1)), DetectArgs(why="compare"))
    assert report.result.mode == "few" and report.result.samples == 1


def test_another_surface_is_not_decided(desk):
    result = detect(desk, part("screw", 7).pixels, samples("ceramic", 4))
    assert result.reason_code == "samples_differ" and not result.decided


def test_a_box_keeps_only_what_lies_in_it(desk):
    good, faulty = samples("ceramic", 4), part("ceramic", 1004, fault="dent")
    x0, y0, x1, y1 = faulty.boxes[0]
    near = (max(x0 - 40, 0), max(y0 - 40, 0), min(x1 + 40, 480), min(y1 + 40, 360))
    assert len(detect(desk, faulty.pixels, good, box=near).findings) >= 1
    far = (0, 300, 60, 360) if y1 < 280 or x0 > 80 else (400, 0, 480, 60)
    assert detect(desk, faulty.pixels, good, box=far).findings == ()


def test_the_same_samples_are_learnt_once_and_the_result_repeats(desk):
    good = samples("plate", 4)
    first = detect(desk, part("plate", 1002, fault="dent").pixels, good)
    again = tuple(g.copy() for g in good)
    assert memory_of(again) is memory_of(good)
    assert detect(desk, part("plate", 1002, fault="dent").pixels, again) == first


def test_a_changed_sample_is_another_sample():
    pixels = part("plate", 50).pixels.copy()
    before = fingerprint(pixels)
    pixels[0, 0, 0] ^= 1
    assert fingerprint(pixels) != before
    assert fingerprint(np.ascontiguousarray(pixels)) == fingerprint(pixels.copy())
