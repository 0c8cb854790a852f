"""Comparing black and white boards: the six defects, their boxes, jitter and dust, and what commutes."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.compare_drawn import Score, add, run
from bench.drawn_boards import drawn_pair, dust
from tools.comparing.bilevel import is_bilevel
from tools.comparing.together import compare

SIDE = 160


def board() -> np.ndarray:
    """Two pads joined by a trace, a second trace beside it, and a plane; copper dark, (160, 160) uint8."""
    bits = np.full((SIDE, SIDE), 255, np.uint8)
    cv2.line(bits, (20, 40), (140, 40), 0, 10)
    cv2.line(bits, (20, 62), (140, 62), 0, 10)
    cv2.circle(bits, (20, 40), 12, 0, -1)
    cv2.rectangle(bits, (30, 90), (130, 140), 0, -1)
    return bits


DEFECTS = {
    "open": lambda b: cv2.rectangle(b, (80, 32), (87, 48), 255, -1),
    "short": lambda b: cv2.rectangle(b, (100, 42), (105, 60), 0, -1),
    "mousebite": lambda b: cv2.circle(b, (70, 36), 4, 255, -1),
    "spur": lambda b: cv2.circle(b, (60, 70), 4, 0, -1),
    "copper": lambda b: cv2.circle(b, (80, 15), 5, 0, -1),
    "pin-hole": lambda b: cv2.circle(b, (80, 115), 4, 255, -1),
}


def rgb(bits: np.ndarray) -> np.ndarray:
    return np.repeat(bits[..., None], 3, axis=2)


def changes(subject: np.ndarray, reference: np.ndarray):
    return compare(rgb(subject), rgb(reference), whole=rgb(subject), place=np.eye(3)).changes


@pytest.mark.parametrize("kind", DEFECTS)
def test_each_defect_by_its_name_and_box(kind):
    spoilt = board()
    DEFECTS[kind](spoilt)
    found = changes(spoilt, board())
    assert [c.kind for c in found] == [kind]
    x, y, w, h = cv2.boundingRect((spoilt != board()).astype(np.uint8))
    assert np.abs(np.subtract(found[0].box, (max(x - 10, 0), max(y - 10, 0), x + w + 10, y + h + 10))).max() <= 3


def test_dust_and_ragged_edges_are_no_defects():
    reference = board()
    subject = np.where(cv2.GaussianBlur(reference, (0, 0), 1.0)
                       + np.random.default_rng(1).normal(0, 18, reference.shape) > 120, 255, 0).astype(np.uint8)
    subject = cv2.medianBlur(subject, 3)
    bits = (subject == 0).astype(np.uint8)
    dust(bits, np.random.default_rng(2), 10)
    assert changes(np.where(bits > 0, 0, 255).astype(np.uint8), reference) == ()


def test_drawn_pairs_of_a_seed_of_their_own():
    score = Score()
    for seed in range(9000, 9006):
        pair = drawn_pair(seed, side=400)
        add(score, str(seed), pair, run(pair, 1)[0])
    assert score.found + score.missed >= 25
    assert score.f1(score.found) >= 0.94 and score.f1(score.typed) >= 0.92


def test_the_same_seed_draws_the_same_pair():
    a, b = drawn_pair(5, side=200), drawn_pair(5, side=200)
    assert np.array_equal(a.subject, b.subject) and a.boxes == b.boxes and a.kinds == b.kinds


def test_scans_are_patterns_and_a_grey_one_is_not():
    assert is_bilevel(board()) and is_bilevel(drawn_pair(1, side=200).subject[..., 0])
    assert not is_bilevel(cv2.GaussianBlur(board(), (0, 0), 12))


def shuffled(box: tuple[int, ...], way: str) -> tuple[int, ...]:
    x0, y0, x1, y1 = box
    if way == "mirror":
        return SIDE - x1, y0, SIDE - x0, y1
    return (y0, SIDE - x1, y1, SIDE - x0) if way == "quarter" else (SIDE - x1, SIDE - y1, SIDE - x0, SIDE - y0)


WAYS = {"mirror": lambda b: np.ascontiguousarray(b[:, ::-1]), "quarter": lambda b: np.ascontiguousarray(np.rot90(b)),
        "half": lambda b: np.ascontiguousarray(b[::-1, ::-1])}


@settings(max_examples=12)
@given(st.sampled_from(sorted(DEFECTS)), st.sampled_from(sorted(WAYS)))
def test_quarter_turns_and_mirror_of_both_pictures_commute(kind, way):
    spoilt = board()
    DEFECTS[kind](spoilt)
    plain, turned = changes(spoilt, board()), changes(WAYS[way](spoilt), WAYS[way](board()))
    assert [c.kind for c in turned] == [c.kind for c in plain]
    assert np.abs(np.subtract(turned[0].box, shuffled(plain[0].box, way))).max() <= 1


@settings(max_examples=12)
@given(st.sampled_from(sorted(DEFECTS)), st.integers(-12, 12), st.integers(-8, 8))
def test_a_common_shift_moves_the_boxes_along(kind, dx, dy):
    spoilt = board()
    DEFECTS[kind](spoilt)
    moved = [cv2.warpAffine(b, np.array([[1, 0, dx], [0, 1, dy]], float), (SIDE, SIDE), borderValue=255)
             for b in (spoilt, board())]
    before, after = changes(spoilt, board()), changes(*moved)
    assert [c.kind for c in after] == [c.kind for c in before]
    shifted = np.clip(np.add(before[0].box, (dx, dy, dx, dy)), 0, SIDE)
    assert np.abs(np.subtract(after[0].box, shifted)).max() <= 4


@settings(max_examples=10)
@given(st.sampled_from(sorted(DEFECTS)))
def test_swapping_the_pictures_swaps_added_and_gone(kind):
    spoilt = board()
    DEFECTS[kind](spoilt)
    there, back = changes(spoilt, board()), changes(board(), spoilt)
    opposite = {"open": "short", "short": "open", "mousebite": "spur", "spur": "mousebite", "copper": "missing",
                "pin-hole": {"copper", "spur"}}
    assert len(there) == len(back) == 1
    assert back[0].kind in opposite[kind] if kind == "pin-hole" else back[0].kind == opposite[kind]


def test_deterministic_and_read_only():
    pair = drawn_pair(7, side=300)
    for pixels in (pair.subject, pair.reference):
        pixels.flags.writeable = False
    a, b = run(pair, 1)[0], run(pair, 1)[0]
    assert [(c.box, c.kind, c.score) for c in a.changes] == [(c.box, c.kind, c.score) for c in b.changes]
    assert np.array_equal(a.differs, b.differs)
