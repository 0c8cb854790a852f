"""Figures of a benchmark against scikit-learn and against cases that are counted by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, jaccard_score, precision_recall_curve, roc_auc_score

from kenpin.evaluate.benchmark.metrics import (
    LEVELS,
    auroc,
    average_precision,
    draws,
    figure,
    histogram,
    interval,
    iou,
    matched,
    mean_figure,
    overkill_at,
    pixel_figures,
)
from kenpin.evaluate.benchmark.predictions import levels_of

rows = st.lists(st.tuples(st.integers(0, 12), st.booleans()), min_size=2, max_size=40).filter(
    lambda r: 0 < sum(label for _, label in r) < len(r))


@given(rows)
def test_picture_figures_are_those_of_scikit_learn(drawn):
    scores, labels = np.array([s / 7 for s, _ in drawn]), np.array([label for _, label in drawn])
    assert auroc(scores, labels) == pytest.approx(roc_auc_score(labels, scores))
    assert average_precision(scores, labels) == pytest.approx(average_precision_score(labels, scores))


@given(rows)
def test_pixel_figures_are_those_of_scikit_learn(drawn):
    levels = np.array([[s * 5000 for s, _ in drawn]], np.uint16)
    mask = np.array([[label for _, label in drawn]])
    area, mean, best = pixel_figures(histogram(levels, mask))
    flat, labels = levels.ravel().astype(float), mask.ravel()
    assert area == pytest.approx(roc_auc_score(labels, flat))
    assert mean == pytest.approx(average_precision_score(labels, flat))
    precision, recall, limits = precision_recall_curve(labels, flat)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    assert best == pytest.approx(jaccard_score(labels, flat >= limits[np.argmax(f1[:-1])]))


def test_without_one_of_both_labels_there_is_no_figure():
    scores, none = np.arange(4.0), np.zeros(4, bool)
    assert np.isnan(auroc(scores, none)) and np.isnan(average_precision(scores, none))
    assert np.isnan(overkill_at(scores, ~none, 0.95))


def test_overkill_counts_good_pictures_at_the_threshold_that_finds_enough():
    scores = np.array([0.1, 0.4, 0.6, 0.3, 0.5, 0.7, 0.9])
    labels = np.array([False, False, False, True, True, True, True])
    assert overkill_at(scores, labels, 0.75) == pytest.approx(1 / 3)
    assert overkill_at(scores, labels, 0.95) == pytest.approx(2 / 3)


def test_a_draw_holds_both_labels_and_keeps_the_exposures_of_a_part_together():
    labels = np.array([False, False, True, True, True])
    groups = ["a", "b", "c", "c", "d"]
    for drawn in draws(labels, groups, rounds=50):
        assert labels[drawn].any() and not labels[drawn].all()
        assert np.count_nonzero(drawn == 2) == np.count_nonzero(drawn == 3)


def test_intervals_lie_around_the_figure_and_narrow_with_more_pictures():
    rng = np.random.default_rng(0)
    few, many = (mean_figure(rng.normal(5, 1, n), [str(i) for i in range(n)]) for n in (10, 400))
    assert few.low < few.value < few.high and many.low < many.value < many.high
    assert many.high - many.low < 0.4 * (few.high - few.low)
    assert many.low < 5 < many.high
    assert np.isnan(interval([float("nan")])[0])
    same = figure(lambda i: float(len(i)), 3, draws(np.zeros(3, bool), "abc", rounds=9))
    assert (same.value, same.low, same.high, same.n) == (3, 3, 3, 3)


def test_boxes_are_paired_once_the_best_overlap_first():
    wanted = [(0, 0, 10, 10), (20, 0, 30, 10)]
    found = [(0, 0, 10, 9), (1, 0, 10, 10), (21, 1, 31, 11)]
    assert iou((0, 0, 10, 10), (5, 0, 15, 10)) == pytest.approx(1 / 3) and iou((0, 0, 1, 1), (1, 0, 2, 1)) == 0
    assert sorted(matched(found, wanted, least=0.33)) == [(0, 0), (2, 1)] or \
        sorted(matched(found, wanted, least=0.33)) == [(1, 0), (2, 1)]
    assert matched(found, wanted, least=0.33, same=lambda f, w: f == w) == [(0, 0)]


def test_a_map_lies_on_one_scale_with_the_threshold_in_the_middle():
    levels = levels_of(np.array([[0.0, 1.0], [3.0, 1e6]], np.float32), (2, 2))
    assert levels.dtype == np.uint16 and levels.tolist() == [[0, 32768], [49151, 65535]]
    assert levels.max() >> 2 == LEVELS - 1 and levels_of(np.zeros((3, 4), np.float32), (30, 40)).shape == (30, 40)
