"""The bundled cases, and carrying cases in files."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from kenpin.cases import bundle
from kenpin.cases.bundle import BUNDLED, bundles, load_bundled
from kenpin.cases.embed_offline import OfflineEmbedder
from kenpin.cases.likeness import with_margin
from kenpin.cases.memory import InMemoryCases
from kenpin.cases.portable import export_cases, import_cases, picture_of, read_cases
from kenpin.contracts.case import CaseQuery
from kenpin.contracts.errors import FileRefused, PictureRefused
from kenpin.contracts.verdict import DefectType
from kenpin.traces.pictures import FilePictures


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> tuple[InMemoryCases, FilePictures]:
    store, pictures = InMemoryCases(OfflineEmbedder()), FilePictures(tmp_path_factory.mktemp("pictures"))
    assert load_bundled(store, pictures) >= 20
    return store, pictures


def test_bundled_cases_are_complete_and_say_what_they_are() -> None:
    cases = [(folder, file, case) for folder in bundles() for file, case in read_cases(folder)]
    assert len({case.id for _, _, case in cases}) == len(cases) >= 20
    assert {case.language for _, _, case in cases} == {"en", "ja"}
    for folder, file, case in cases:
        pixels = picture_of(folder, file)
        assert case.source.startswith("example case; picture from ")
        assert case.source.endswith("cause and disposition written for demonstration")
        assert case.defect_type in {kind.value for kind in DefectType}
        assert case.cause and case.disposition and case.part and case.box is not None
        assert case.box[2] <= pixels.shape[1] and case.box[3] <= pixels.shape[0]


def test_pictures_under_share_alike_lie_apart_with_their_licence() -> None:
    names = {path.name for path in (BUNDLED / "by_sa" / "pictures").iterdir()}
    assert names and all(name.startswith("example-ball-screw-") for name in names)
    assert "Attribution-ShareAlike 4.0" in (BUNDLED / "by_sa" / "LICENSE-CC-BY-SA-4.0.txt").read_text()
    others = list((BUNDLED / "permissive" / "pictures").iterdir())
    assert others and not any("ball-screw" in path.name for path in others)
    assert sum(path.stat().st_size for path in BUNDLED.rglob("*.jpg")) < 2_500_000


def test_loading_again_adds_nothing(loaded: tuple[InMemoryCases, FilePictures]) -> None:
    store, pictures = loaded
    before = store.all()
    assert load_bundled(store, pictures) == 0
    assert store.all() == before


def test_a_withdrawn_example_stays_withdrawn(tmp_path: Path) -> None:
    store, pictures = InMemoryCases(OfflineEmbedder()), FilePictures(tmp_path)
    load_bundled(store, pictures)
    gone = store.all()[0].id
    store.remove(gone)
    load_bundled(store, pictures)
    assert gone not in {case.id for case in store.all()}


def test_an_interrupted_loading_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, pictures = InMemoryCases(OfflineEmbedder()), FilePictures(tmp_path)
    folder = tmp_path / "few"
    write(folder / "a", ["c1", "c2"])
    monkeypatch.setattr(bundle, "BUNDLED", folder)
    _, first = next(read_cases(folder / "a"))
    store.add(first, pixels=np.full((40, 50, 3), 90, np.uint8))
    assert load_bundled(store, pictures) == 1
    assert [case.id for case in store.all()] == ["c1", "c2"]


def test_a_bundled_region_finds_its_own_kind(loaded: tuple[InMemoryCases, FilePictures]) -> None:
    store, pictures = loaded
    right = 0
    for case in store.all():
        assert case.box is not None
        cut = with_margin(pictures.get(case.picture), case.box, 0.15)
        hits = store.search(CaseQuery(k=1, exclude_part=case.part), region=cut)
        right += hits[0].case.product == case.product
    assert right >= 16


def test_japanese_words_find_english_cases(loaded: tuple[InMemoryCases, FilePictures]) -> None:
    store, _ = loaded
    assert {hit.case.defect_type for hit in store.search(CaseQuery(words="布の汚れ", k=5))} == {"stain"}
    assert {hit.case.defect_type for hit in store.search(CaseQuery(words="ハウジングの割れ", k=5))} == {"crack"}
    assert {hit.case.product for hit in store.search(CaseQuery(words="ボールねじのピッチング", k=5))} == {"ball screw"}


def test_export_and_import_carry_everything(loaded: tuple[InMemoryCases, FilePictures], tmp_path: Path) -> None:
    store, pictures = loaded
    folder = tmp_path / "持ち出し"
    assert export_cases(folder, store, pictures) == len(store.all())
    other, theirs = InMemoryCases(OfflineEmbedder()), FilePictures(tmp_path / "theirs")
    assert import_cases(folder, other, theirs) == len(store.all())
    assert other.all() == store.all()
    for case in other.all():
        assert np.array_equal(theirs.get(case.picture), pictures.get(case.picture))


def write(folder: Path, ids: list[str], **changes: Any) -> Path:
    folder.mkdir(parents=True)
    lines = [json.dumps({"file": "one.png", "id": one, "product": "p", "defect_type": "pit", "cause": "c",
                         "disposition": "scrap", "box": [1, 2, 20, 30], **changes}) for one in ids]
    (folder / "cases.jsonl").write_text("\n".join(lines) + "\n")
    cv2.imwrite(str(folder / "one.png"), np.full((40, 50, 3), 90, np.uint8))
    return folder


def refused(folder: Path, tmp_path: Path) -> str:
    store = InMemoryCases(OfflineEmbedder())
    with pytest.raises((FileRefused, PictureRefused)) as raised:
        import_cases(folder, store, FilePictures(tmp_path / "pictures"))
    assert store.all() == [] and "\n" not in str(raised.value)
    return str(raised.value)


def test_import_refuses_what_is_no_case_and_adds_nothing(tmp_path: Path) -> None:
    assert "cases.jsonl" in refused(tmp_path, tmp_path)
    assert "defect_type" in refused(write(tmp_path / "a", ["c1"], defect_type=None), tmp_path)
    assert "outside" in refused(write(tmp_path / "b", ["c1"], file="../x.png"), tmp_path)
    assert "no such file" in refused(write(tmp_path / "c", ["c1"], file="two.png"), tmp_path)
    assert "outside its picture" in refused(write(tmp_path / "d", ["c1"], box=[0, 0, 60, 10]), tmp_path)
    assert "box" in refused(write(tmp_path / "e", ["c1"], box=[5, 5, 1, 1]), tmp_path)
    assert "surprise" in refused(write(tmp_path / "f", ["c1"], surprise=1), tmp_path)
    folder = write(tmp_path / "g", ["c1", "c2"])
    with (folder / "cases.jsonl").open("a") as file:
        file.write("[1, 2]\n")
    assert "line 3" in refused(folder, tmp_path)
    (folder / "cases.jsonl").write_text('{"id": "c1"}\n')
    assert "names no picture" in refused(folder, tmp_path)
