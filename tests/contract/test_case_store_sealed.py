"""What lies on disk of a case, and what several processes on one folder do to each other."""

import multiprocessing
from collections.abc import Iterator
from pathlib import Path

import chromadb
import cv2
import numpy as np
import pytest
from chromadb.config import Settings

from kenpin.cases.chroma import ChromaCases
from kenpin.cases.likeness import describe_case, describe_query, ranked
from kenpin.cases.memory import InMemoryCases
from kenpin.cases.packing import packed, unpacked
from kenpin.cases.words import words_vector
from kenpin.contracts.case import Case, CaseQuery
from kenpin.contracts.errors import KeyRefused, StoreError
from kenpin.database.engine import open_database
from kenpin.security.keyring import Keyring, MasterKey, new_key
from kenpin.security.vault import Vault
from kenpin.traces.pictures import FilePictures

KEY = MasterKey(b"the key of these tests, 32 bytes")
SECRETS = ("Zweifelhafter Kühlschmierstoff", "秘密の原因メモ", "private-source-4711", "sato-the-signer")


class Toy:
    """A quick embedder with several vectors' worth of texture; words as the offline embedder takes them."""

    name = "toy/1"
    picture_dim = 64
    words_dim = 1024
    baseline = 0.2

    def picture(self, pixels: np.ndarray) -> np.ndarray:
        small = cv2.resize(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), (8, 8), interpolation=cv2.INTER_AREA)
        vector = small.ravel().astype(np.float32) - float(small.mean()) + 1e-3
        return np.asarray(vector / np.linalg.norm(vector), dtype=np.float32)

    def words(self, text: str) -> np.ndarray:
        return words_vector(text)


def pixels(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (24, 24, 3), dtype=np.uint8)


def case(number: int, **changes: object) -> Case:
    fields = {"id": f"c{number:03d}", "product": f"part {number % 3}", "defect_type": ("scratch", "pit")[number % 2],
              "cause": f"cause {number % 11} of tool", "disposition": ("scrap", "rework")[number % 2],
              "picture": f"{number // 2:064x}", "box": (2, 2, 20, 20), "note": f"note {number}",
              "part": f"p{number // 3}" if number % 4 else None}
    return Case(**{**fields, **changes})


def secret(number: int) -> Case:
    cause, note, source, signer = SECRETS
    return case(number, cause=cause, note=note, source=source, signed_by=signer, signed_at="2026-01-01T00:00:00+00:00")


def vault(folder: Path, key: object = KEY) -> Vault:
    return Vault(open_database(None, folder=folder), Keyring((key,), "the test"))


def readable(folder: Path) -> set[str]:
    """Which of the secrets can be read in any file of a folder."""
    everything = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert len(everything) > 10_000
    found = {word for word in SECRETS for code in ("utf-8", "utf-16-le") if word.encode(code) in everything}
    # The trigram index of a full text would hold its pieces, not the text.
    return found | {word for word in SECRETS if word[:9].encode() in everything}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ChromaCases]:
    cases = ChromaCases(Toy(), folder=tmp_path / "cases", sealer=vault(tmp_path))
    yield cases
    cases.close()


def test_nothing_that_somebody_wrote_can_be_read_on_disk(store: ChromaCases, tmp_path: Path) -> None:
    for number in range(3):
        store.add(secret(number), pixels=pixels(number))
    store.add(secret(1), pixels=pixels(9))
    store.remove("c002")
    assert store.search(CaseQuery(words="Kühlschmierstoff"))[0].case.cause == SECRETS[0]
    store.close()
    assert readable(tmp_path / "cases") == set()


def test_without_a_key_it_is_readable_so_the_test_above_can_fail(tmp_path: Path) -> None:
    plain = ChromaCases(Toy(), folder=tmp_path / "cases")
    plain.add(secret(1), pixels=pixels(1))
    plain.close()
    assert readable(tmp_path / "cases") == set(SECRETS)


def test_plain_cases_are_read_and_then_sealed_without_a_trace_left(tmp_path: Path) -> None:
    plain = ChromaCases(Toy(), folder=tmp_path / "cases")
    plain.add_described([(secret(n), describe_case(Toy(), secret(n), pixels(n))) for n in range(20)])
    plain.close()
    sealing = ChromaCases(Toy(), folder=tmp_path / "cases", sealer=vault(tmp_path))
    assert sealing.get("c007") == secret(7)
    assert sealing.seal_all() == 20 and sealing.seal_all() == 0
    assert sealing.get("c007") == secret(7) and len(sealing.all()) == 20
    sealing.close()
    assert readable(tmp_path / "cases") == set()


def earlier(folder: Path, cases: list[Case]) -> None:
    """A case base as Kenpin 0.2 wrote it: a collection for each part, the text as the document of `picture`."""
    client = chromadb.PersistentClient(path=str(folder), settings=Settings(anonymized_telemetry=False))
    for part in ("region", "picture", "words"):
        stored = client.create_collection(f"kenpin-cases-{part}", embedding_function=None, metadata={"embedder": "toy/1"})
        about = [{"case": c.id, "product": c.product, "defect_type": c.defect_type, "disposition": c.disposition,
                  "part": c.part or ""} for c in cases]
        old = {"origin", "inspection", "severity", "signed_at"}
        texts = [c.model_dump_json(exclude=old) if part == "picture" else c.id for c in cases]
        stored.upsert(ids=[c.id for c in cases], embeddings=np.eye(len(cases), 4, dtype=np.float32) + 0.1,
                      metadatas=about, documents=texts)
    client.close()


def test_a_case_base_of_an_earlier_kenpin_is_read_and_taken_over(tmp_path: Path) -> None:
    pictures = FilePictures(tmp_path / "pictures")
    cases = [secret(n).model_copy(update={"picture": pictures.put(pixels(n)), "signed_at": None}) for n in range(3)]
    earlier(tmp_path / "cases", cases)
    store = ChromaCases(Toy(), folder=tmp_path / "cases", sealer=vault(tmp_path))
    assert list(store.all()) == cases and [head.id for head in store.heads()] == ["c000", "c001", "c002"]
    with pytest.raises(StoreError, match="earlier Kenpin"):
        store.search(CaseQuery(words="x"))
    store.remove("c002")
    assert store.rebuild(pictures) == 2 and not store.made_by_others()
    assert list(store.all()) == cases[:2]
    assert store.search(CaseQuery(k=1), picture=pixels(1))[0].case.id == "c001"
    store.close()
    assert readable(tmp_path / "cases") == set()


def test_another_key_opens_nothing_and_a_moved_text_is_noticed(store: ChromaCases, tmp_path: Path) -> None:
    for number in (1, 2):
        store.add(secret(number), pixels=pixels(number))
    other = ChromaCases(Toy(), folder=tmp_path / "cases", sealer=vault(tmp_path, new_key()))
    with pytest.raises(KeyRefused):
        other.get("c001")
    with pytest.raises(StoreError, match="sealed"):
        ChromaCases(Toy(), folder=tmp_path / "cases").get("c001")
    one, two = (store._texts.get(ids=[name], include=["metadatas"])["metadatas"][0] for name in ("c001", "c002"))
    store._texts.update(ids=["c001"], metadatas=[{**one, "sealed": two["sealed"]}])
    with pytest.raises(StoreError, match="not what was stored"):
        store.get("c001")


@pytest.mark.parametrize("asked", [
    {"words": "tool cause 3"}, {"region": 4}, {"picture": 7}, {"region": 4, "picture": 7, "words": "note 12"},
    {"region": 9, "product": "part 1"}, {"words": "scratch", "defect_type": "pit", "disposition": "rework"},
    {"picture": 5, "exclude_part": "p2"}, {"region": 1, "k": 50}, {"product": "part 2", "k": 20}])
def test_every_store_ranks_as_one_by_one(tmp_path_factory: pytest.TempPathFactory, asked: dict[str, object]) -> None:
    folder = tmp_path_factory.getbasetemp() / "ranked"
    embedder = Toy()
    described = {n: (case(n), describe_case(embedder, case(n), pixels(n))) for n in range(150)}
    stored = ChromaCases(embedder, folder=folder)
    if not stored.heads():
        stored.add_described(described[n] for n in range(140))
        stored.add_described([(case(5), described[5][1]), *(described[n] for n in range(140, 150))])
        stored.remove("c010")
    memory = InMemoryCases(embedder)
    for n in range(150):
        memory.add(case(n), pixels=pixels(n))
    memory.remove("c010")
    seeds = {name: pixels(int(str(asked[name]))) for name in ("region", "picture") if name in asked}
    query = CaseQuery.model_validate({name: value for name, value in asked.items() if name not in seeds})
    wanted = describe_query(embedder, query, region=seeds.get("region"), picture=seeds.get("picture"))
    exact = ranked((one for n, one in described.items() if n != 10), wanted, query, embedder)
    for store in (stored, memory):
        hits = store.search(query, region=seeds.get("region"), picture=seeds.get("picture"))
        assert [(hit.case.id, hit.likeness) for hit in hits] == [(hit.case.id, hit.likeness) for hit in exact]
        assert len(hits) > 1 and store.count(query) == sum(
            all(getattr(query, f) in (None, getattr(c, f)) for f in ("product", "defect_type", "disposition"))
            and (query.exclude_part is None or c.part != query.exclude_part)
            for n, (c, _) in described.items() if n != 10)
    stored.close()


def test_packed_vectors_come_back_to_the_bit() -> None:
    vectors = describe_case(Toy(), case(1), pixels(1))
    back = unpacked(packed(vectors))
    for part, values in vectors.items():
        rows = back[part]
        dense = rows if isinstance(rows, np.ndarray) else rows.dense()
        assert dense.dtype == np.float32 and np.array_equal(dense, values)
    assert not isinstance(back["words"], np.ndarray)
    with pytest.raises(StoreError):
        unpacked(packed(vectors)[:400])


def writer(folder: str, first: int, rounds: int) -> None:
    """Adds cases of its own, and adds and withdraws others, all in one folder with others who do so."""
    store = ChromaCases(Toy(), folder=Path(folder) / "cases", sealer=vault(Path(folder)))
    for number in range(first, first + rounds):
        store.add(case(number), pixels=pixels(number))
        store.add(case(number + 500), pixels=pixels(number))
        store.remove(f"c{number + 500}")
        store.search(CaseQuery(k=1), picture=pixels(number))
    store.close()


def test_two_processes_on_one_folder_do_no_harm(tmp_path: Path) -> None:
    watching = ChromaCases(Toy(), folder=tmp_path / "cases", sealer=vault(tmp_path))
    watching.add(case(400), pixels=pixels(400))
    assert watching.count(CaseQuery()) == 1
    spawn = multiprocessing.get_context("forkserver")
    others = [spawn.Process(target=writer, args=(str(tmp_path), first, 6)) for first in (0, 100)]
    for process in others:
        process.start()
    for number in range(200, 206):
        watching.add(case(number), pixels=pixels(number))
        assert watching.search(CaseQuery(k=1), picture=pixels(number))[0].case.id == f"c{number}"
    for process in others:
        process.join(100)
        assert process.exitcode == 0
    expected = [f"c{n:03d}" for n in (*range(6), *range(100, 106), *range(200, 206), 400)]
    assert [head.id for head in watching.heads()] == expected
    assert watching.count(CaseQuery()) == len(expected)
    assert [one.id for one in watching.all()] == expected
    for number in (3, 104):
        assert watching.search(CaseQuery(k=1), picture=pixels(number))[0].case == case(number)
    watching.close()
