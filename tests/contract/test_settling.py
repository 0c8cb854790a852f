"""What signatures owe the case base, carried over on every database: at least once, in order, and never out of it."""

import multiprocessing
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select

from kenpin.cases.memory import InMemoryCases
from kenpin.cases.settling import Settler
from kenpin.cases.words import words_vector
from kenpin.contracts.case import Case, CaseQuery
from kenpin.contracts.errors import StoreError, Unavailable
from kenpin.contracts.people import Actor, Proof
from kenpin.contracts.review import Meaning
from kenpin.contracts.verdict import Verdict
from kenpin.database.engine import Database, open_database
from kenpin.database.tables import case_queue


class Toy:
    """A quick embedder."""

    name, picture_dim, words_dim = "toy/1", 4, 1024

    def picture(self, pixels: np.ndarray) -> np.ndarray:
        vector = np.array([*pixels.reshape(-1, 3).mean(axis=0), 1.0], dtype=np.float32)
        return np.asarray(vector / np.linalg.norm(vector), dtype=np.float32)

    def words(self, text: str) -> np.ndarray:
        return words_vector(text)


class Failing(InMemoryCases):
    """A case base that fails, or is killed, at chosen calls."""

    fail: str = ""

    def add(self, case: Case, *, pixels: np.ndarray) -> None:
        super().add(case, pixels=pixels)
        if self.fail == "after add":
            raise Unavailable("the server is gone")

    def remove(self, case_id: str) -> None:
        if self.fail == "before remove":
            raise Unavailable("the server is gone")
        super().remove(case_id)


@pytest.fixture
def office(office_double: ModuleType, database: Database, tmp_path: Path) -> Iterator[Any]:
    yield office_double.Office(database, tmp_path)


@pytest.fixture
def store() -> Failing:
    return Failing(Toy())


@pytest.fixture
def settler(office: Any, store: Failing) -> Settler:
    return Settler(office.database, office.vault, office.pictures, store)


@pytest.fixture
def rosa(office: Any) -> Actor:
    return office.account("rosa")


def signed(office: Any, rosa: Actor) -> tuple[str, int]:
    """A signed ng with its cause; its id and the number of its signature."""
    key = office.inspection(product="panel", lot="L1")
    office.reviews.change_verdict(rosa, key, head=0, verdict=Verdict.NG, why="deep", cause="a burr", disposition="scrap")
    return key, office.sign(rosa, key).n


def revoke(office: Any, rosa: Actor, key: str, n: int) -> None:
    office.reviews.revoke(rosa, key, n, head=office.open(rosa, key).head, why="wrong part",
                          proof=Proof(method="password", secret="a long enough password"))


def waiting(office: Any) -> int:
    with office.database.read() as connection:
        return len(connection.execute(select(case_queue).where(case_queue.c.done.is_(False))).all())


def test_a_signed_ng_becomes_cases_and_a_revoked_one_none(office: Any, rosa: Actor, settler: Settler,
                                                          store: Failing) -> None:
    key, n = signed(office, rosa)
    assert store.all() == [] and len(settler.agreement()) == 2
    assert settler.settle() == 2 and settler.settle() == 0 and settler.agreement() == []

    first = store.search(CaseQuery(words="burr", defect_type="scratch"))[0].case
    assert first.id == f"signed-{key}-f1" and first.origin == "signed" and first.inspection == key
    assert (first.signed_by, first.cause, first.disposition, first.lot) == ("Rosa", "a burr", "scrap", "L1")
    assert first.signed_at and first.signed_at.startswith(first.date or "-")

    revoke(office, rosa, key, n)
    assert settler.settle() == 2 and store.all() == [] and settler.agreement() == []


def test_an_ok_and_a_rejected_record_make_no_case(office: Any, rosa: Actor, settler: Settler, store: Failing) -> None:
    office.sign(rosa, office.inspection(verdict=Verdict.OK, findings=()))
    office.sign(rosa, office.inspection(), Meaning.REJECTED)
    assert settler.settle() == 0 and store.all() == []


def test_what_was_carried_out_but_not_marked_is_done_again(office: Any, rosa: Actor, settler: Settler,
                                                           store: Failing) -> None:
    signed(office, rosa)
    store.fail = "after add"
    with pytest.raises(Unavailable):
        settler.settle()
    assert waiting(office) == 2 and len(store.all()) == 1
    store.fail = ""
    assert settler.settle() == 2 and len(store.all()) == 2 and settler.agreement() == [] and waiting(office) == 0


def test_only_the_newest_order_of_a_case_counts(office: Any, rosa: Actor, settler: Settler, store: Failing) -> None:
    key, n = signed(office, rosa)
    revoke(office, rosa, key, n)
    assert settler.settle() == 4 and store.all() == [] and settler.agreement() == []
    office.sign(rosa, key)
    assert settler.settle() == 2 and len(store.all()) == 2 and settler.agreement() == []


def test_an_order_that_cannot_be_carried_out_stops_no_other(office: Any, rosa: Actor, settler: Settler,
                                                            store: Failing) -> None:
    gone, _ = signed(office, rosa)
    kept, _ = signed(office, rosa)
    office.vault.forget(f"inspection:{gone}")
    with pytest.raises(StoreError, match=f"2 signed cases.*{gone}"):
        settler.settle()
    assert [case.inspection for case in store.all()] == [kept, kept]
    assert all(gone in line for line in settler.agreement()) and len(settler.agreement()) == 2


def test_disagreement_is_named(office: Any, rosa: Actor, settler: Settler, store: Failing) -> None:
    key, _ = signed(office, rosa)
    other, n = signed(office, rosa)
    settler.settle()
    revoke(office, rosa, other, n)
    settler.settle()
    pixels = np.zeros((40, 40, 3), np.uint8)
    changed = store.get(f"signed-{key}-f1").model_copy(update={"cause": "another"})
    store.add(changed, pixels=pixels)
    store.remove(f"signed-{key}-f2")
    store.add(changed.model_copy(update={"id": f"signed-{other}-f1"}), pixels=pixels)
    store.add(changed.model_copy(update={"id": "signed-never-f1"}), pixels=pixels)
    said = "\n".join(settler.agreement())
    assert f"signed-{key}-f1 is not the one that was signed" in said
    assert f"signed-{key}-f2 is signed and is not in" in said
    assert f"signed-{other}-f1 was withdrawn and is in" in said
    assert "signed-never-f1 says that it is signed" in said and said.count("\n") == 3


class Recording:
    """A case base on file: a line for each thing that is done, so that processes can share it."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def add(self, case: Case, *, pixels: np.ndarray) -> None:
        self.place.open("a").write(f"add {case.id}\n")

    def remove(self, case_id: str) -> None:
        self.place.open("a").write(f"remove {case_id}\n")


def settle_beside(url: str, folder: str, key: Any) -> None:
    from kenpin.security.keyring import Keyring
    from kenpin.security.vault import Vault
    from kenpin.traces.pictures import FilePictures

    database = open_database(url, folder=Path(folder))
    store: Any = Recording(Path(folder) / "done")
    for _ in range(8):
        Settler(database, Vault(database, Keyring((key,), "test")), FilePictures(Path(folder) / "pictures"),
                store).settle()


def test_two_processes_carry_each_order_out_once_and_in_order(office: Any, rosa: Actor, database_url: str,
                                                              tmp_path: Path) -> None:
    for number in range(6):
        key, n = signed(office, rosa)
        if number % 2:
            revoke(office, rosa, key, n)
    context = multiprocessing.get_context("fork")
    ring = office.vault._keyring
    others = [context.Process(target=settle_beside, args=(database_url, str(tmp_path), ring.current)) for _ in range(2)]
    for process in others:
        process.start()
    for process in others:
        process.join(60)
        assert process.exitcode == 0
    done = (tmp_path / "done").read_text().splitlines()
    assert len(done) == len(set(done)) == 12 and waiting(office) == 0
    assert sum(line.startswith("add") for line in done) == 6
