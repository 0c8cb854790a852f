"""A case base in a real Chroma folder whose cases an embedding server described: never mixed, whatever comes back."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from kenpin.cases import chroma, embed_line, embed_server
from kenpin.cases.baseline import LEAST_PAIRS, MOST, QUANTILE, measured, some_of
from kenpin.cases.chroma import ChromaCases
from kenpin.cases.describing import ahead, described
from kenpin.cases.embed_server import ServerEmbedder
from kenpin.cases.likeness import describe_case
from kenpin.contracts.case import Case, CaseHead, CaseQuery
from kenpin.contracts.errors import StoreError, Unavailable
from kenpin.traces.pictures import FilePictures

pytestmark = pytest.mark.enable_socket

TYPES = ("scratch", "stain", "crack", "pit")
Server = tuple[Any, str]


def drawn(number: int) -> np.ndarray:
    """(96, 120, 3) uint8: each number its own colours."""
    rng = np.random.default_rng(number)
    blocks = rng.integers(0, 255, (4, 5, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(blocks, (120, 96), interpolation=cv2.INTER_NEAREST), np.uint8)


@pytest.fixture
def server(embed_double: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A model, and where it is served. It is looked at again at every use."""
    monkeypatch.setattr(embed_line, "PAUSE_S", 0.0)
    monkeypatch.setattr(embed_server, "QUIET_S", 0.0)
    model = embed_double.Model(dim=48)
    with embed_double.served(model) as url:
        yield model, url


@pytest.fixture
def pictures(tmp_path: Path) -> FilePictures:
    return FilePictures(tmp_path / "pictures")


@pytest.fixture
def opened(server: Server, tmp_path: Path) -> Iterator[Callable[[], ChromaCases]]:
    """Open the folder as another process would."""
    stores: list[ChromaCases] = []

    def again() -> ChromaCases:
        stores.append(ChromaCases(ServerEmbedder(server[1]), folder=tmp_path / "cases"))
        return stores[-1]

    yield again
    for store in stores:
        store.close()


def fill(store: ChromaCases, pictures: FilePictures, number: int = 5) -> list[Case]:
    cases = [Case(id=f"c{n}", product="lid", defect_type=TYPES[n % 4], cause=f"cause {n}", disposition="rework",
                  picture=pictures.put(drawn(n)), box=(30, 20, 80, 70), part=f"p{n}") for n in range(number)]
    store.add_described(described(store._embedder, cases, pictures))
    return cases


def first(store: ChromaCases, number: int) -> str:
    return store.search(CaseQuery(k=3), picture=drawn(number))[0].case.id


def test_other_weights_under_the_same_name_are_refused(server: Server, opened: Any, pictures: FilePictures) -> None:
    model, _ = server
    store = opened()
    fill(store, pictures)
    assert first(store, 3) == "c3"
    for change in ({"seed": 1}, {"dim": 64}, {"kind": "qwen", "seed": 2}):
        for name, value in change.items():
            setattr(model, name, value)
        for one in (store, opened()):
            with pytest.raises(StoreError, match=r"other weights than server:embedder-2b.*kenpin cases rebuild") as said:
                first(one, 3)
            assert "\n" not in str(said.value)
            with pytest.raises(StoreError, match="other weights"):
                one.add(store.get("c1"), pixels=drawn(1))
        assert len(store.all()) == 5, "it can be read all the same"
        other = opened()
        assert other.rebuild(pictures) == 5
        assert first(other, 3) == first(store, 3) == "c3", "what is open elsewhere goes on after it"


def test_another_name_is_refused_and_back_it_works(server: Server, opened: Any, pictures: FilePictures) -> None:
    model, _ = server
    fill(opened(), pictures)
    model.name = "larger"
    with pytest.raises(StoreError, match="made with embedder server:embedder-2b, not server:larger"):
        first(opened(), 3)
    model.name = "embedder-2b"
    assert first(opened(), 3) == "c3"


def test_without_its_server_a_case_base_can_be_read(server: Server, opened: Any, pictures: FilePictures) -> None:
    model, _ = server
    cases = fill(opened(), pictures)
    model.faults = [lambda: (503, "starting")] * 99
    store = opened()
    assert [one.id for one in store.all()] == [one.id for one in cases]
    assert len(store.heads()) == 5 and store.get("c2") == cases[2]
    assert store.described_by == "server:embedder-2b"
    store.remove("c4")
    assert len(model.faults) == 99, "it is not asked"
    for use in (lambda: first(store, 3), lambda: store.add(cases[1], pixels=drawn(1)), lambda: store.rebuild(pictures)):
        with pytest.raises(Unavailable, match="answered 503: starting"):
            use()
    model.faults = []
    assert first(store, 3) == "c3"


def test_what_a_broken_off_rebuild_left_is_not_searched(
    server: Server, opened: Any, pictures: FilePictures, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(chroma, "BATCH", 2)
    model, _ = server
    store = opened()
    fill(store, pictures, 12)
    assert first(store, 3) == "c3"
    model.seed = 1
    answer, left = model.answer, iter(range(8))

    def dying(path: str, body: dict[str, Any]) -> tuple[int, str]:
        of_a_case = len(body.get("messages", ())) == 6
        return (500, "out of memory") if of_a_case and next(left, None) is None else answer(path, body)

    model.answer = dying
    with pytest.raises(Unavailable, match="out of memory"):
        opened().rebuild(pictures)
    model.answer = answer
    for seed in (1, 0):
        model.seed = seed
        for one in (store, opened()):
            with pytest.raises(StoreError, match=r"being described anew.*kenpin cases rebuild"):
                first(one, 3)
    assert opened().rebuild(pictures) == 12
    assert first(store, 3) == "c3"


def test_many_cases_are_described_with_few_requests(server: Server, opened: Any, pictures: FilePictures) -> None:
    model, url = server
    cases = fill(opened(), pictures, 8)
    asked = len(model.got)
    opened().rebuild(pictures)
    sent = [body for body in model.got[asked:] if "messages" in body and isinstance(body["messages"][0], list)
            and len(body["messages"]) == 6]
    assert len(sent) == len(cases), "the five margins of a region and its picture go together"
    embedder = ServerEmbedder(url)
    one = describe_case(embedder, cases[3], drawn(3))
    assert np.allclose(one["region"][1], embedder.picture(drawn(3)[12:78, 22:88]), atol=1e-5)
    embedder.close()


def test_work_ahead_keeps_order_and_holds_little() -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in range(40):
            taken.append(number)
            yield number

    for workers in (1, 4):
        taken.clear()
        results = ahead(lambda number: number * number, items(), workers=workers)
        assert next(results) == 0
        assert len(taken) <= 2 * workers
        assert list(results) == [n * n for n in range(1, 40)]
    with pytest.raises(ZeroDivisionError):
        list(ahead(lambda number: 1 // (number - 5), items(), workers=4))


def some(number: int, kinds: int, *, common: float, dim: int = 64) -> list[tuple[CaseHead, dict[str, np.ndarray]]]:
    """Cases whose vectors share a direction, as those of real models do."""
    rng = np.random.default_rng(0)
    cases = []
    for n in range(number):
        rows = rng.normal(size=(5, dim)) + common * np.ones(dim)
        rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
        head = CaseHead(id=f"c{n:03}", product="lid", defect_type=f"t{n % kinds}", disposition="scrap", part=f"p{n}")
        cases.append((head, {"region": rows, "picture": rows[:1], "words": rows[:2]}))
    return cases


PRIOR = {"region": 0.5, "picture": 0.6, "words": 0.7}


@pytest.mark.parametrize("common", [0.0, 1.0, 3.0])
def test_the_baseline_is_where_most_unrelated_cases_lie(common: float) -> None:
    cases = some(40, 4, common=common)
    found = measured(cases, PRIOR)
    vectors = np.concatenate([rows["picture"] for _, rows in cases])
    kinds = np.arange(40) % 4
    cosines = (vectors @ vectors.T)[kinds[:, None] != kinds]
    assert abs((cosines < found["picture"]).mean() - QUANTILE) < 0.01
    assert found["region"] > found["picture"], "the best of several is nearer"


def test_too_few_unrelated_cases_say_nothing() -> None:
    assert measured([], PRIOR) == PRIOR
    assert measured(some(40, 1, common=1.0), PRIOR) == PRIOR
    assert measured(some(5, 5, common=1.0), PRIOR) == PRIOR and LEAST_PAIRS > 5 * 4
    assert measured(some(7, 7, common=1.0), PRIOR) != PRIOR


def test_a_large_case_base_is_sampled_evenly() -> None:
    assert some_of(list(range(50))) == list(range(50))
    chosen = some_of(list(range(10_000)))
    assert len(chosen) == MOST and chosen[0] == 0 and max(np.diff(chosen)) - min(np.diff(chosen)) <= 1


def test_likeness_is_over_what_the_case_base_itself_has_in_common(
    server: Server, opened: Any, pictures: FilePictures,
) -> None:
    store = opened()
    cases = fill(store, pictures, 24)
    likeness = [hit.likeness for one in cases for hit in store.search(CaseQuery(k=50), picture=drawn(int(one.id[1:])))
                if hit.case.defect_type != one.defect_type]
    assert 0.1 < np.mean(np.array(likeness) > 0) < 0.3
    hits = store.search(CaseQuery(k=1), picture=drawn(7))
    assert hits[0].case.id == "c7" and hits[0].likeness > 0.999
