"""What a region's description keeps: the same defect turned, mirrored or moved; copies; the bits; the caller's pixels."""

import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kenpin.cases import learnt
from kenpin.cases.embed_offline import OfflineEmbedder
from kenpin.cases.likeness import without_surroundings
from kenpin.cases.memory import InMemoryCases
from kenpin.contracts.case import Case, CaseQuery
from kenpin.contracts.errors import StoreError, ToolInputError
from kenpin.contracts.view import Box
from tools.detection.backbone import WEIGHTS
from tools.recall import FLOOR, TOOL, RecallArgs, cut_out

ROOT = Path(__file__).parents[2]
SIDE = 240
KINDS = ("line", "hole", "blotch", "ring")


def part(kind: str, seed: int) -> tuple[np.ndarray, Box]:
    """(240, 240, 3) uint8: uneven light, noise, and one defect in its box."""
    rng = np.random.default_rng([seed, KINDS.index(kind)])
    x, y = np.meshgrid(np.linspace(-1, 1, SIDE), np.linspace(-1, 1, SIDE))
    grey = rng.uniform(90, 150) * (1 + rng.uniform(-0.2, 0.2) * x + rng.uniform(-0.2, 0.2) * y)
    mark = np.zeros((SIDE, SIDE), np.float32)
    middle = rng.integers(90, 150, 2)
    if kind == "line":
        way = 40 * np.array([np.cos(seed), np.sin(seed)])
        cv2.line(mark, (middle - way).astype(int), (middle + way).astype(int), 0.5, 2, cv2.LINE_AA)
    elif kind == "hole":
        cv2.circle(mark, middle.tolist(), int(rng.integers(6, 11)), -0.6, -1, cv2.LINE_AA)
    elif kind == "ring":
        cv2.circle(mark, middle.tolist(), int(rng.integers(16, 26)), 0.4, 3, cv2.LINE_AA)
    else:
        axes = rng.integers(20, 34, 2).tolist()
        cv2.ellipse(mark, middle.tolist(), axes, float(rng.uniform(0, 180)), 0, 360, -0.3, -1)
        mark = cv2.GaussianBlur(mark, (0, 0), 4)
    rows, columns = np.nonzero(np.abs(mark) > 0.08)
    picture = np.clip(grey * (1 + mark) + rng.normal(0, 3, mark.shape), 0, 255).astype(np.uint8)
    box = (int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1)
    return np.repeat(picture[..., None], 3, axis=2), box


@pytest.fixture(scope="module")
def embedder() -> OfflineEmbedder:
    return OfflineEmbedder(WEIGHTS)


@pytest.fixture(scope="module")
def cases(embedder: OfflineEmbedder) -> InMemoryCases:
    store = InMemoryCases(embedder)
    for kind in KINDS:
        for seed in range(4):
            picture, box = part(kind, seed)
            store.add(Case(id=f"{kind}{seed}", product="plate", defect_type=kind, cause="c", disposition="scrap",
                           picture=f"{seed:064x}", box=box, part=f"{kind}{seed}"), pixels=picture)
    return store


def placed(picture: np.ndarray, box: Box, turn: int, mirror: bool) -> tuple[np.ndarray, Box]:
    """The part after quarter turns and, before them, a mirror; with its box."""
    mask = np.zeros(picture.shape[:2], bool)
    mask[box[1]:box[3], box[0]:box[2]] = True
    shown, where = (np.rot90(a[:, ::-1] if mirror else a, turn) for a in (picture, mask))
    rows, columns = np.nonzero(where)
    return np.ascontiguousarray(shown), (int(columns.min()), int(rows.min()), int(columns.max()) + 1,
                                         int(rows.max()) + 1)


@settings(max_examples=12)
@given(kind=st.sampled_from(KINDS), seed=st.integers(0, 3), turn=st.integers(0, 3), mirror=st.booleans())
def test_a_turned_or_mirrored_defect_stays_its_own_nearest(
    cases: InMemoryCases, kind: str, seed: int, turn: int, mirror: bool
) -> None:
    shown, box = placed(*part(kind, seed), turn, mirror)
    hit = cases.search(CaseQuery(k=1), region=cut_out(shown, box))[0]
    assert hit.case.id == f"{kind}{seed}" and hit.likeness > 0.97


@settings(max_examples=12)
@given(kind=st.sampled_from(KINDS), seed=st.integers(0, 3),
       off=st.lists(st.floats(-0.1, 0.1), min_size=4, max_size=4), gain=st.floats(0.8, 1.2))
def test_a_box_that_is_a_little_off_and_other_light_find_the_same(
    cases: InMemoryCases, kind: str, seed: int, off: list[float], gain: float
) -> None:
    picture, box = part(kind, seed)
    side = max(box[2] - box[0], box[3] - box[1])
    moved = tuple(round(edge + share * side) for edge, share in zip(box, off, strict=True))
    shown = np.clip(picture * gain, 0, 255).astype(np.uint8)
    hits = cases.search(CaseQuery(k=2), region=cut_out(shown, (moved[0], moved[1], moved[2], moved[3])))
    assert hits[0].case.defect_type == kind and hits[0].likeness > 0.7


@settings(max_examples=10)
@given(height=st.integers(1, 90), width=st.integers(1, 90), seed=st.integers(0, 99))
def test_any_cut_has_a_unit_vector_to_the_bit_and_is_left_alone(
    embedder: OfflineEmbedder, height: int, width: int, seed: int
) -> None:
    cut = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    before = cut.copy()
    cut.flags.writeable = False
    first, again = embedder.picture(cut), embedder.picture(cut)
    assert first.tobytes() == again.tobytes() and np.array_equal(cut, before)
    assert first.shape == (embedder.picture_dim,) and abs(float(np.linalg.norm(first)) - 1) < 1e-5


@given(width=st.integers(3, 300), height=st.integers(3, 300))
def test_surroundings_come_off_as_they_went_on(width: int, height: int) -> None:
    cut = cut_out(np.zeros((900, 900, 3), np.uint8), (300, 300, 300 + width, 300 + height))
    inner = without_surroundings(cut)
    for side, shown in ((width, inner.shape[1]), (height, inner.shape[0])):
        assert abs(shown - max(side, 12)) <= 2


def test_copies_of_one_case_are_shown_once_and_look_alikes_are_not(embedder: OfflineEmbedder) -> None:
    store = InMemoryCases(embedder)
    picture, box = part("ring", 1)
    _, coded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 95])
    copies = {"first": picture, "saved again": np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR)),
              "brighter": np.clip(picture * 1.08, 0, 255).astype(np.uint8)}
    for number, (name, pixels) in enumerate(copies.items()):
        store.add(Case(id=name, product="p", defect_type="stain", cause="c", disposition="d", picture=f"{number:064x}",
                       box=box), pixels=pixels)
    other, where = part("ring", 2)
    store.add(Case(id="other part", product="p", defect_type="stain", cause="c", disposition="d", picture="f" * 64,
                   box=where), pixels=other)
    hits = store.search(CaseQuery(k=4), region=cut_out(picture, box))
    assert [hit.case.id for hit in hits] == ["first", "other part"]
    for name, pixels in copies.items():
        store.add(Case(id=name, product="p", defect_type="stain", cause="c", disposition="d", picture=name, box=box,
                       part=name), pixels=pixels)
    hits = store.search(CaseQuery(k=4), region=cut_out(picture, box))
    assert len(hits) == 4  # named parts are never taken for one


def test_a_point_finds_what_stands_out_there(desk: Any, cases: InMemoryCases) -> None:
    picture, box = part("hole", 2)
    bench = desk(picture, cases=cases)
    middle = ((box[0] + box[2]) / 2 + 3, (box[1] + box[3]) / 2 - 2)
    result = TOOL.run(bench, RecallArgs(why="seen before?", point=middle, k=1)).result
    assert result.hits[0].case_id == "hole2" and result.note == ""
    assert all(abs(a - b) <= 4 for a, b in zip(result.region, box, strict=True))
    plain = desk(np.full((90, 90, 3), 120, np.uint8), cases=cases)
    result = TOOL.run(plain, RecallArgs(why="seen before?", point=(50, 40))).result
    assert "nothing stands out" in result.note and result.region is not None
    with pytest.raises(ToolInputError, match="outside the picture"):
        TOOL.run(bench, RecallArgs(why="seen before?", point=(240.0, 3)))


def test_a_plain_place_is_like_nothing(desk: Any, cases: InMemoryCases) -> None:
    plain = np.clip(120 + np.random.default_rng(9).normal(0, 3, (240, 240, 1)), 0, 255).astype(np.uint8).repeat(3, 2)
    result = TOOL.run(desk(plain, cases=cases), RecallArgs(why="seen before?", box=(100, 100, 150, 150))).result
    assert all(hit.likeness < 0.4 for hit in result.hits) and all(hit.likeness >= FLOOR for hit in result.hits)


def test_what_was_learnt_is_the_file_that_was_shipped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    other = tmp_path / "likeness.npz"
    other.write_bytes(learnt.FILE.read_bytes()[:-1] + b"x")
    for path, said in ((other, "not the file"), (tmp_path / "none.npz", "not there")):
        monkeypatch.setattr(learnt, "FILE", path)
        learnt.shipped.cache_clear()
        with pytest.raises(StoreError, match=said):
            OfflineEmbedder(WEIGHTS)
    monkeypatch.undo()
    learnt.shipped.cache_clear()


LARGE = """
import resource, numpy as np
from kenpin.cases.embed_offline import OfflineEmbedder
from kenpin.cases.memory import InMemoryCases
from kenpin.contracts.case import Case
from tools.detection.backbone import WEIGHTS
from tools.recall import TOOL, RecallArgs
from tools.solo import make_desk
picture = np.full((5774, 8660, 3), 100, np.uint8)
picture[::2, ::3] = 104
picture[2000:2200, 3000:3600] = 200
store = InMemoryCases(OfflineEmbedder(WEIGHTS))
store.add(Case(id="c", product="p", defect_type="stain", cause="c", disposition="d", picture="0" * 64,
               box=(3000, 2000, 3600, 2200)), pixels=picture)
desk = make_desk(picture, cases=store)
for args in ({"box": (2900, 1900, 3700, 2300)}, {"point": (3300.0, 2100.0)}, {}):
    assert TOOL.run(desk, RecallArgs(why="large", **args)).result.hits[0].case_id == "c"
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_a_large_picture_stays_below_two_gib() -> None:
    ran = subprocess.run([sys.executable, "-c", LARGE], cwd=ROOT, capture_output=True, text=True, check=True)
    assert int(ran.stdout) < 2 * 1024 * 1024
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss > 0
