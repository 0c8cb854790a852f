"""The offline embedder: unit vectors, like beside like."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from kenpin.cases.embed_offline import OfflineEmbedder
from kenpin.cases.handmade import shape_vector
from kenpin.cases.likeness import MARGINS, with_margin
from kenpin.cases.words import CONCEPTS, concepts, words_vector
from kenpin.contracts.errors import StoreError
from kenpin.contracts.ports import Embedder


def marked(kind: str, seed: int) -> np.ndarray:
    """(120, 140, 3) uint8 ground of noise with one mark in the middle."""
    rng = np.random.default_rng(seed)
    picture = np.clip(rng.uniform(110, 170) + rng.normal(0, 4, (120, 140, 1)).repeat(3, 2), 0, 255)
    angle = rng.uniform(0, np.pi)
    way = 45 * np.array([np.cos(angle), np.sin(angle)])
    mark = np.zeros((120, 140), np.float32)
    if kind == "scratch":
        ends = [(np.array([70, 60]) + sign * way).astype(int) for sign in (-1, 1)]
        cv2.line(mark, *ends, 1, 2, cv2.LINE_AA)
        picture += 60 * mark[..., None]
    elif kind == "pit":
        cv2.circle(mark, (70, 60), int(rng.integers(8, 14)), 1, -1, cv2.LINE_AA)
        picture -= 60 * mark[..., None]
    else:
        cv2.ellipse(mark, (70, 60), (50, 38), float(rng.uniform(0, 180)), 0, 360, 1, -1)
        picture -= 35 * cv2.GaussianBlur(mark, (0, 0), 6)[..., None]
    return np.clip(picture, 0, 255).astype(np.uint8)


KINDS = ("scratch", "pit", "stain")


def test_like_marks_lie_closer_than_others() -> None:
    embedder = OfflineEmbedder()
    vectors = {kind: np.stack([embedder.picture(marked(kind, s)) for s in range(8)]) for kind in KINDS}
    right = 0
    for kind in KINDS:
        for i, query in enumerate(vectors[kind]):
            others = [(float(query @ v), k) for k in KINDS for j, v in enumerate(vectors[k]) if (k, j) != (kind, i)]
            right += sum(k == kind for _, k in sorted(others, reverse=True)[:5])
    assert right / (3 * 8 * 5) > 0.85


@pytest.mark.parametrize("shape", [(1, 1), (3, 200), (200, 3), (40, 40), (1500, 1100)])
def test_vectors_of_any_size_are_unit_vectors_and_exact(shape: tuple[int, int]) -> None:
    embedder = OfflineEmbedder()
    picture = np.random.default_rng(1).integers(0, 255, (*shape, 3), dtype=np.uint8)
    picture.flags.writeable = False
    first, again = embedder.picture(picture), embedder.picture(picture)
    assert first.dtype == np.float32 and first.shape == (embedder.picture_dim,)
    assert abs(float(np.linalg.norm(first)) - 1) < 1e-5
    assert np.array_equal(first, again)


def test_a_plain_picture_has_a_finite_vector() -> None:
    assert np.isfinite(shape_vector(np.full((50, 60, 3), 128, np.uint8))).all()


def test_pixels_of_another_kind_are_refused() -> None:
    with pytest.raises(StoreError, match=r"expected \(H, W, 3\) uint8"):
        OfflineEmbedder().picture(np.zeros((10, 10), np.uint8))


def test_the_name_says_which_embedder_it_is() -> None:
    assert OfflineEmbedder().name == "kenpin-form/1"
    assert isinstance(OfflineEmbedder(), Embedder)


def test_a_missing_backbone_is_one_line(tmp_path: Any) -> None:
    with pytest.raises(StoreError, match=r"gone\.onnx"):
        OfflineEmbedder(tmp_path / "gone.onnx")


WEIGHTS = sorted((Path(__file__).parents[2] / "tools" / "weights").glob("efficientnet_lite0*.onnx"))


@pytest.mark.skipif(not WEIGHTS, reason="the backbone's file is not in tools/weights")
def test_the_backbone_tells_marks_apart_on_any_ground() -> None:
    embedder = OfflineEmbedder(WEIGHTS[0])
    assert embedder.name == f"kenpin-learnt+{WEIGHTS[0].stem}/2"
    vectors = {kind: np.stack([embedder.picture(marked(kind, s)) for s in range(6)]) for kind in KINDS}
    assert all(v.shape == (6, embedder.picture_dim) for v in vectors.values())
    assert all(np.allclose(np.linalg.norm(v, axis=1), 1, atol=1e-5) for v in vectors.values())
    within = np.mean([(v @ v.T)[np.triu_indices(6, 1)].mean() for v in vectors.values()])
    between = np.mean([(vectors[a] @ vectors[b].T).mean() for a in KINDS for b in KINDS if a < b])
    assert within > between + 0.08
    again = OfflineEmbedder(WEIGHTS[0]).picture(marked("pit", 0))
    assert np.array_equal(again, vectors["pit"][0])


@pytest.mark.parametrize(("one", "other"), [
    ("傷", "scratch"), ("キズ", "scratches on the cover"), ("汚れ", "stain"), ("クラック", "crack"), ("割れ", "crack"),
    ("異物混入", "foreign object"), ("錆", "rust"), ("ボールねじ", "ball screw"), ("廃棄", "scrap"), ("ｷｽﾞ", "scratch")])
def test_words_meet_across_languages(one: str, other: str) -> None:
    near = float(words_vector(one) @ words_vector(other))
    assert near > 0.3
    for unrelated in ("bubble", "気泡", "burr", "supplier"):
        assert near > float(words_vector(one) @ words_vector(unrelated)) + 0.15


def test_misspelt_words_still_meet() -> None:
    assert float(words_vector("lubricaton") @ words_vector("lubrication")) > 0.3


def test_words_without_letters_are_alike_to_nothing() -> None:
    assert abs(float(words_vector("!?") @ words_vector("scratch"))) < 0.1


def test_every_concept_finds_itself() -> None:
    for name, words in CONCEPTS.items():
        for word in words:
            assert name in concepts(word)


def test_margins_stay_inside_the_picture() -> None:
    picture = np.zeros((60, 80, 3), np.uint8)
    for box in ((0, 0, 5, 5), (75, 55, 80, 60), (0, 0, 80, 60), (40, 30, 41, 31)):
        for margin in MARGINS:
            cut = with_margin(picture, box, margin)
            assert cut.size and cut.shape[0] <= 60 and cut.shape[1] <= 80
    assert with_margin(picture, (40, 30, 41, 31), 0.0).shape[:2] == (12, 12)
