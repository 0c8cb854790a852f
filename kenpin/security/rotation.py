"""A new master key: every data key is wrapped anew, and nothing that they seal is touched.

The order makes it safe to be killed anywhere and to run beside other processes. First the key file holds the new key
and the old one; then the database says that the new one is in force (`kenpin.security.vault`); then data keys are
wrapped anew, some hundreds a transaction; at last, when the old key wraps nothing, the file holds the new one alone.
Whatever was reached, the keys at hand open everything, and running it again goes on from there.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, func, select

from kenpin.contracts.errors import BadInput, KeyRefused, Unavailable
from kenpin.database.engine import Database
from kenpin.database.tables import data_keys
from kenpin.security.audit import ChainedAudit
from kenpin.security.keyring import Keyring, KeySource, MasterKey, new_key, write_keyring
from kenpin.security.vault import MASTER, key_in_force, open_vault, unwrap, wrap

BATCH = 500
"""Data keys a transaction; others write between two of them."""
PATIENCE_S = 120.0
"""How long to wait for a data key that another process holds (PostgreSQL)."""
BEGUN, DONE = "keys.rotation_begun", "keys.rotated"


@dataclass(frozen=True)
class Rotated:
    """What a rotation came to."""

    old: str
    """Id of the master key before, or of the one that an interrupted rotation was leaving."""
    new: str
    wrapped: int
    """Data keys wrapped anew."""
    resumed: bool
    """Whether it went on with one that was interrupted."""


def rotate(database: Database, source: KeySource, audit: ChainedAudit, *, actor: str) -> Rotated:
    """Wrap every data key with a new master key, and forget the old one where it lies in a file.

    Raises:
        BadInput: The key comes from a variable, and `KENPIN_NEW_MASTER_KEY` does not say which is to follow.
        KeyRefused: A key is missing or cannot be written; or another rotation is at work.
    """
    vault = open_vault(database, source)
    with _alone(source):
        before = vault.check()
        ring = source.read()
        _check_all(database, ring)
        new, old, resumed = _target(source, ring, before)
        _note(database, audit, BEGUN, actor=actor, old=old, new=new.id)
        _put_in_force(database, new)
        ring = source.read()
        wrapped = 0
        while some := _wrap_some(database, ring, new):
            wrapped += some
        _note(database, audit, DONE, actor=actor, old=old, new=new.id)
        if source.key is None:
            write_keyring(source.place, (new,))
    return Rotated(old=old, new=new.id, wrapped=wrapped, resumed=resumed)


@dataclass(frozen=True)
class KeyState:
    """What there is of a master key. No secrets."""

    source: str
    keys: tuple[str, ...]
    """Ids of the keys at hand; none where there is no key yet."""
    in_force: str | None
    """Id of the key that wraps new data keys; None while nothing is sealed."""
    records: int
    """Data keys, one a record."""
    waiting: int
    """Those that another key still wraps."""


def examine(database: Database, source: KeySource) -> KeyState:
    """Look at the master key; none is made.

    Raises:
        KeyRefused: It is missing though records are sealed, malformed, or not the one that sealed the records.
    """
    with database.read() as connection:
        in_force = key_in_force(connection)
        counted = select(data_keys.c.master, func.count()).where(data_keys.c.record != MASTER)
        masters = {row[0]: row[1] for row in connection.execute(counted.group_by(data_keys.c.master))}
    needed = {*masters, in_force} - {None}
    ring = source.find(sealed=True) if needed or source.present() else None
    for master in needed:
        assert ring
        ring.named(master)
    return KeyState(
        source=source.shown,
        keys=tuple(key.id for key in ring.keys) if ring else (),
        in_force=in_force,
        records=sum(masters.values()),
        waiting=sum(number for master, number in masters.items() if master != in_force),
    )


@contextmanager
def _alone(source: KeySource) -> Iterator[None]:
    """One rotation of a key file at a time: of two, each would take the other's new key out of the file. The lock ends
    with the process. Variables cannot be taken out by another process."""
    if source.key is not None:
        yield
        return
    handle = os.open(source.place.resolve().parent, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise KeyRefused(f"{source.shown}: another rotation is at work; wait for its end") from None
    finally:
        os.close(handle)


def _target(source: KeySource, ring: Keyring, before: str) -> tuple[MasterKey, str, bool]:
    """The key to lead to, the id of the one to leave, and whether this was begun before."""
    if source.key is None:
        if len(ring.keys) > 1:
            return ring.current, ring.keys[1].id, True
        if source.new is not None:
            raise BadInput("KENPIN_NEW_MASTER_KEY goes with KENPIN_MASTER_KEY; a key file gets a new key of its own")
        new = new_key()
        write_keyring(source.place, (new, *ring.keys))
        return new, ring.current.id, False
    if len(ring.keys) == 1:
        raise BadInput(
            "the master key comes from KENPIN_MASTER_KEY; put another one, as kenpin keys new prints it, into "
            "KENPIN_NEW_MASTER_KEY and run this again"
        )
    old, new = ring.keys
    return new, old.id, before == new.id


def _check_all(database: Database, ring: Keyring) -> None:
    """Make sure that nothing is sealed with a key that is not here, before anything is changed."""
    with database.read() as connection:
        for master in connection.execute(select(data_keys.c.master).distinct()).scalars():
            ring.named(master)


def _put_in_force(database: Database, new: MasterKey) -> None:
    """From the end of this transaction on, new data keys are wrapped by the new master key."""
    row = {"wrapped": wrap(MASTER, os.urandom(32), new), "master": new.id}
    with database.write() as connection:
        connection.execute(data_keys.update().where(data_keys.c.record == MASTER, data_keys.c.master != new.id), row)


def _wrap_some(database: Database, ring: Keyring, new: MasterKey) -> int:
    """Wrap up to `BATCH` data keys anew and say how many it were; 0 once there are no more."""
    asked = select(data_keys).where(data_keys.c.master != new.id).order_by(data_keys.c.record).limit(BATCH)
    changed = data_keys.update().where(data_keys.c.record == bindparam("name"))
    deadline = time.monotonic() + PATIENCE_S
    while True:
        with database.write() as connection:
            # A row that another transaction holds comes later: waiting for it here could be waiting for each other.
            rows: list[Any] = list(connection.execute(asked.with_for_update(skip_locked=True)))
            if rows:
                new_rows = [
                    {"name": r.record, "wrapped": wrap(r.record, _opened(r, ring), new), "master": new.id} for r in rows
                ]
                connection.execute(changed, new_rows)
                return len(rows)
        if _left(database, new) == 0:
            return 0
        if time.monotonic() > deadline:
            raise Unavailable("the database: another process holds a data key; end it and run kenpin keys rotate again")
        time.sleep(0.05)


def _opened(row: Any, ring: Keyring) -> bytes:
    return unwrap(row.record, bytes(row.wrapped), ring.named(row.master))


def _left(database: Database, new: MasterKey) -> int:
    with database.read() as connection:
        asked = select(func.count()).select_from(data_keys).where(data_keys.c.master != new.id)
        return int(connection.execute(asked).scalar_one())


def _note(database: Database, audit: ChainedAudit, action: str, *, actor: str, old: str, new: str) -> None:
    """Put it into the log, once also for a rotation that was interrupted."""
    if any(event.detail.get("new") == new for event in audit.events(subject="keys", action=action, limit=1)):
        return
    with database.write() as connection:
        audit.append(connection, actor=actor, action=action, subject="keys", old=old, new=new)
