"""What sealing promises, on each database."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select

from kenpin.contracts.errors import KeyRefused, StoreError
from kenpin.contracts.ports import Sealer
from kenpin.database.engine import Database
from kenpin.database.tables import data_keys
from kenpin.security.keyring import Keyring, new_key
from kenpin.security.vault import MAGIC, MASTER, OVERHEAD, Vault, anything_sealed, is_sealed

KEY, OTHER = new_key(), new_key()
TEXT = "刻印は汚れ。The burr is on the left.".encode()
Opened = Callable[..., Vault]


@pytest.fixture
def opened(database: Database) -> Opened:
    """Opens the vault anew, as another process would."""
    return lambda *keys: Vault(database, Keyring(keys or (KEY,), "this test"))


def rows(database: Database) -> dict[str, tuple[bytes, str]]:
    with database.read() as connection:
        return {row.record: (row.wrapped, row.master) for row in connection.execute(select(data_keys))}


def test_what_was_sealed_comes_back_and_cannot_be_read(opened: Opened) -> None:
    vault = opened()
    sealed, again = (vault.seal("inspection:a", TEXT, about="trace") for _ in range(2))

    assert isinstance(vault, Sealer)
    assert is_sealed(sealed) and len(sealed) == len(TEXT) + OVERHEAD
    assert sealed != again and TEXT[4:20] not in sealed
    assert opened().open("inspection:a", sealed, about="trace") == TEXT
    assert opened().open("inspection:a", opened().seal("inspection:a", b"", about="trace"), about="trace") == b""


def test_each_record_has_a_key_of_its_own_wrapped_by_the_master_key(opened: Opened, database: Database) -> None:
    assert not anything_sealed(database)
    for record in ("inspection:a", "inspection:b", "inspection:a"):
        opened().seal(record, TEXT, about="trace")

    kept = rows(database)
    assert set(kept) == {MASTER, "inspection:a", "inspection:b"} and anything_sealed(database)
    assert {master for _, master in kept.values()} == {KEY.id}
    assert len({wrapped for wrapped, _ in kept.values()}) == 3
    assert opened()._stored("inspection:a", None) != opened()._stored("inspection:b", None)


@pytest.mark.parametrize("at", [0, len(MAGIC), len(MAGIC) + 11, len(MAGIC) + 12, -17, -16, -1])
def test_a_changed_byte_is_noticed(opened: Opened, at: int) -> None:
    sealed = bytearray(opened().seal("inspection:a", TEXT, about="trace"))
    sealed[at] ^= 1

    with pytest.raises(StoreError, match="restore it from a backup"):
        opened().open("inspection:a", bytes(sealed), about="trace")


def test_one_sealed_thing_cannot_stand_in_for_another(opened: Opened) -> None:
    vault = opened()
    sealed = vault.seal("inspection:a", TEXT, about="trace")
    vault.seal("inspection:b", TEXT, about="trace")

    for record, about, data in (
        ("inspection:b", "trace", sealed),
        ("inspection:a", "entry 1", sealed),
        ("inspection:a", "trace", sealed[:-1]),
        ("inspection:a", "trace", sealed[:20]),
        ("inspection:a", "trace", TEXT),
        ("inspection:a", "trace", b""),
    ):
        with pytest.raises(StoreError, match="restore it from a backup"):
            vault.open(record, data, about=about)
    with pytest.raises(StoreError, match="the key of inspection:c is gone"):
        vault.open("inspection:c", sealed, about="trace")


def test_a_wrapped_key_cannot_be_moved_to_another_record(opened: Opened, database: Database) -> None:
    sealed = opened().seal("inspection:a", TEXT, about="trace")
    opened().seal("inspection:b", TEXT, about="trace")
    with database.write() as connection:
        stolen = rows(database)["inspection:a"][0]
        connection.execute(data_keys.update().where(data_keys.c.record == "inspection:b"), {"wrapped": stolen})

    with pytest.raises(StoreError, match="the key of inspection:b is not what was stored"):
        opened().open("inspection:b", sealed, about="trace")


def test_another_master_key_is_refused_and_changes_nothing(opened: Opened, database: Database) -> None:
    sealed = opened().seal("inspection:a", TEXT, about="trace")
    before, wrong = rows(database), opened(OTHER)

    for act in (
        lambda: wrong.open("inspection:a", sealed, about="trace"),
        lambda: wrong.seal("inspection:a", TEXT, about="trace"),
        lambda: wrong.seal("inspection:new", TEXT, about="trace"),
        wrong.check,
    ):
        with pytest.raises(KeyRefused, match=rf"sealed with master key {KEY.id}, and this test holds {OTHER.id}"):
            act()
    assert rows(database) == before
    assert opened().check() == KEY.id


def test_the_first_master_key_is_the_one_of_the_records(opened: Opened, database: Database) -> None:
    assert opened().check() == opened().check() == KEY.id

    with pytest.raises(KeyRefused):
        opened(OTHER).check()
    assert set(rows(database)) == {MASTER}


def test_a_key_of_a_transaction_that_was_undone_is_not_used_again(opened: Opened, database: Database) -> None:
    vault = opened()

    class Undone(Exception):
        pass

    with pytest.raises(Undone), database.write() as connection:
        sealed = vault.seal("inspection:a", TEXT, about="trace", connection=connection)
        assert vault.open("inspection:a", sealed, about="trace", connection=connection) == TEXT
        raise Undone
    with pytest.raises(StoreError, match="is gone"):
        vault.open("inspection:a", sealed, about="trace")
    with database.write() as connection:
        sealed = vault.seal("inspection:a", TEXT, about="trace", connection=connection)
    assert opened().open("inspection:a", sealed, about="trace") == TEXT


def test_what_is_forgotten_is_gone_and_its_key_is_never_used_again(opened: Opened) -> None:
    here, elsewhere = opened(), opened()
    sealed = here.seal("picture:a", TEXT, about="picture")
    assert here.open("picture:a", sealed, about="picture") == TEXT and here.holds("picture:a")

    elsewhere.forget("picture:a")

    assert not here.holds("picture:a")
    with pytest.raises(StoreError, match="is gone"):
        elsewhere.open("picture:a", sealed, about="picture")
    anew = here.seal("picture:a", TEXT, about="picture")  # its key was in memory
    assert opened().open("picture:a", anew, about="picture") == TEXT


def test_many_threads_and_vaults_make_one_key_of_a_record(opened: Opened, database: Database) -> None:
    vaults = [opened() for _ in range(4)]

    with ThreadPoolExecutor(8) as pool:
        sealed = list(pool.map(lambda i: vaults[i % 4].seal(f"picture:{i % 3}", TEXT, about=str(i)), range(48)))

    fresh = opened()
    assert {fresh.open(f"picture:{i % 3}", data, about=str(i)) for i, data in enumerate(sealed)} == {TEXT}
    assert len(rows(database)) == 4


def test_keys_in_memory_are_bounded(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kenpin.security.vault.CACHED", 2)
    vault = opened()
    sealed = {name: vault.seal(name, TEXT, about="x") for name in "abc"}

    assert all(vault.open(name, data, about="x") == TEXT for name, data in sealed.items() for _ in range(2))
    assert len(vault._keys) == 2
