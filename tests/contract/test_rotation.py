"""Changing the master key, on each database."""

import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from kenpin.contracts.errors import BadInput, KeyRefused, StoreError
from kenpin.database.engine import Database
from kenpin.database.tables import data_keys
from kenpin.security import rotation
from kenpin.security.audit import ChainedAudit
from kenpin.security.keyring import Keyring, KeySource, new_key, read_keyring
from kenpin.security.rotation import Rotated, examine, rotate
from kenpin.security.vault import Vault, open_vault

RECORDS = [f"inspection:{i}" for i in range(7)]


@pytest.fixture
def source(tmp_path: Path) -> KeySource:
    return KeySource(tmp_path / "keys" / "master.key")


@pytest.fixture
def sealed(database: Database, source: KeySource) -> dict[str, bytes]:
    """Records, sealed under the first key."""
    vault = open_vault(database, source)
    return {record: vault.seal(record, record.encode(), about="trace") for record in RECORDS}


@pytest.fixture
def change(database: Database, monkeypatch: pytest.MonkeyPatch) -> Callable[[KeySource], Rotated]:
    monkeypatch.setattr(rotation, "BATCH", 3)
    return lambda source: rotate(database, source, ChainedAudit(database), actor="console:test")


def readable(vault: Vault, sealed: dict[str, bytes]) -> bool:
    return all(vault.open(record, data, about="trace") == record.encode() for record, data in sealed.items())


def masters(database: Database) -> set[str]:
    with database.read() as connection:
        return set(connection.execute(select(data_keys.c.master)).scalars())


def test_everything_is_wrapped_anew_and_opens_with_the_new_key_alone(
    database: Database, source: KeySource, sealed: dict[str, bytes], change: Callable[[KeySource], Rotated]
) -> None:
    old, open_before = source.read(), open_vault(database, source)

    done = change(source)

    new = read_keyring(source.place)
    assert (done.old, done.new, done.wrapped, done.resumed) == (old.current.id, new.current.id, 7, False)
    assert len(new.keys) == 1 and masters(database) == {new.current.id}
    assert readable(open_vault(database, source), sealed) and readable(open_before, sealed)
    assert open_before.check() == new.current.id
    with pytest.raises(KeyRefused, match=new.current.id):
        Vault(database, old).open("inspection:0", sealed["inspection:0"], about="trace")


def test_it_is_in_the_log_once_with_ids_only(
    database: Database, source: KeySource, sealed: dict[str, bytes], change: Callable[[KeySource], Rotated]
) -> None:
    secret, done = source.read().current.text, change(source)

    log = ChainedAudit(database)
    events = log.events(subject="keys")
    assert [event.action for event in events] == ["keys.rotated", "keys.rotation_begun"]
    assert all(event.detail == {"old": done.old, "new": done.new} for event in events)
    assert all(event.actor == "console:test" for event in events)
    assert secret not in str(events) and source.read().current.text not in str(events)
    assert log.verify() == []


@pytest.mark.parametrize("at", range(4))
def test_keys_made_meanwhile_by_whoever_was_there_before_are_not_lost(
    database: Database, source: KeySource, sealed: dict[str, bytes], change: Callable[[KeySource], Rotated],
    monkeypatch: pytest.MonkeyPatch, at: int,
) -> None:
    other, calls, some = open_vault(database, source), [0], rotation._wrap_some

    def meanwhile(*args: Any) -> int:
        if calls[0] == at:
            for record in ("picture:new", "inspection:0"):
                sealed[record] = other.seal(record, record.encode(), about="trace")
        calls[0] += 1
        return some(*args)

    monkeypatch.setattr(rotation, "_wrap_some", meanwhile)
    change(source)

    assert calls[0] > at and len(source.read().keys) == 1
    assert masters(database) == {source.read().current.id}
    assert readable(open_vault(database, source), sealed)


@pytest.mark.parametrize("point", ["_put_in_force", "_wrap_some", "_left", "_note", "write_keyring"])
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("call", [0, 1])
def test_it_goes_on_from_wherever_it_was_broken_off(
    database: Database, source: KeySource, sealed: dict[str, bytes], change: Callable[[KeySource], Rotated],
    monkeypatch: pytest.MonkeyPatch, point: str, after: bool, call: int,
) -> None:
    class Broken(BaseException):
        pass

    old, calls, run = source.read().current.id, [0], getattr(rotation, point)

    def breaks(*args: Any, **kwargs: Any) -> Any:
        calls[0] += 1
        if calls[0] - 1 == call:
            if after:
                run(*args, **kwargs)
            raise Broken
        return run(*args, **kwargs)

    monkeypatch.setattr(rotation, point, breaks)
    if call == 1 and point in ("_put_in_force", "_left"):  # happens once
        change(source)
        assert calls[0] == 1
        return
    with pytest.raises(Broken):
        change(source)
    monkeypatch.setattr(rotation, point, run)

    other = open_vault(database, source)
    assert readable(other, sealed)
    sealed["picture:between"] = other.seal("picture:between", b"picture:between", about="trace")
    interrupted = len(source.read().keys) == 2
    target = source.read().current.id
    done = change(source)
    assert len(source.read().keys) == 1 and masters(database) == {source.read().current.id}
    assert readable(open_vault(database, source), sealed)
    assert done.resumed == interrupted and (not interrupted or done.new == target)
    if interrupted:
        assert done.old == old
        actions = [event.action for event in ChainedAudit(database).events(subject="keys")]
        assert actions == ["keys.rotated", "keys.rotation_begun"]


def test_a_key_from_a_variable_gives_way_to_the_one_that_is_named(
    database: Database, tmp_path: Path, change: Callable[[KeySource], Rotated]
) -> None:
    place, old, new = tmp_path / "none", new_key(), new_key()
    vault = open_vault(database, KeySource(place, old.text))
    sealed = {record: vault.seal(record, record.encode(), about="trace") for record in RECORDS}
    for given in (None, old.text):
        with pytest.raises(BadInput, match="KENPIN_NEW_MASTER_KEY"):
            change(KeySource(place, old.text, given))
    assert masters(database) == {old.id}
    both = KeySource(place, old.text, new.text)
    running = open_vault(database, both)

    done = change(both)

    assert (done.old, done.new, done.wrapped) == (old.id, new.id, 7) and masters(database) == {new.id}
    for reader in (open_vault(database, KeySource(place, new.text)), open_vault(database, both), running):
        assert readable(reader, sealed)
    with pytest.raises(KeyRefused, match=f"sealed with master key {new.id}, and KENPIN_MASTER_KEY holds {old.id}"):
        open_vault(database, KeySource(place, old.text))
    again = change(both)
    assert again.resumed and again.wrapped == 0
    assert not place.exists()


def test_of_two_changes_at_once_one_is_refused(
    database: Database, source: KeySource, sealed: dict[str, bytes], change: Callable[[KeySource], Rotated]
) -> None:
    before, handle = source.place.read_text(), os.open(source.place.parent, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        with pytest.raises(KeyRefused, match="another rotation is at work"):
            change(source)
    finally:
        os.close(handle)
    assert source.place.read_text() == before
    change(source)
    with pytest.raises(BadInput, match="KENPIN_NEW_MASTER_KEY goes with KENPIN_MASTER_KEY"):
        change(KeySource(source.place, new=new_key().text))


def test_a_lost_key_is_said_before_anything_is_changed(
    database: Database, source: KeySource, sealed: dict[str, bytes], change: Callable[[KeySource], Rotated]
) -> None:
    with database.write() as connection:
        connection.execute(data_keys.update().where(data_keys.c.record == "inspection:3"), {"master": "0" * 16})
    before = source.place.read_text()

    with pytest.raises(KeyRefused, match="0000"):
        change(source)
    with pytest.raises(KeyRefused, match="0000"):
        examine(database, source)

    assert source.place.read_text() == before and ChainedAudit(database).count() == 0


def test_the_state_is_told_without_secrets_and_without_making_a_key(
    database: Database, source: KeySource, change: Callable[[KeySource], Rotated]
) -> None:
    empty = examine(database, source)
    assert (empty.keys, empty.in_force, empty.records, empty.waiting) == ((), None, 0, 0)
    assert not source.place.exists()

    vault = open_vault(database, source)
    vault.seal("inspection:a", b"a", about="trace")
    found = examine(database, source)
    assert found.in_force == source.read().current.id and (found.records, found.waiting) == (1, 0)
    assert source.read().current.text not in repr(found)
    source.place.unlink()
    with pytest.raises(KeyRefused, match="is missing"):
        examine(database, source)


def test_a_vault_without_a_way_to_reread_still_says_what_is_wrong(database: Database) -> None:
    first = Vault(database, Keyring((new_key(),), "first"))
    sealed = first.seal("inspection:a", b"a", about="trace")

    with pytest.raises(StoreError, match="second holds"):
        Vault(database, Keyring((new_key(),), "second")).open("inspection:a", sealed, about="trace")
