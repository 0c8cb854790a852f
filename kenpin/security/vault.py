"""Envelope encryption: each record has a data key of its own, wrapped by the master key, in the database.

Source: AES-256-GCM (NIST SP 800-38D) with random 96-bit nonces. The key that seals most often is that of a month of
checkpoints: some millions of times, far below the 2^32 that the standard allows.

Which master key wraps new data keys is itself on record, in the row `master`. Whoever makes a data key reads that row
in the same transaction, and a rotation changes it first. So no key is made under the old master key after that, not
even by a process that was open before.
"""

import secrets
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Any, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert as insert_postgresql
from sqlalchemy.dialects.sqlite import insert as insert_sqlite

from kenpin.contracts.errors import KeyRefused, StoreError
from kenpin.database.engine import Database
from kenpin.database.tables import data_keys
from kenpin.security.keyring import Keyring, KeySource, MasterKey

MAGIC = b"KNP1"
"""What every sealed thing begins with."""
NONCE = 12
OVERHEAD = len(MAGIC) + NONCE + 16
"""Bytes that sealing adds: what it begins with, the nonce, the tag."""
MASTER = "master"
"""The row that says which master key is in force; its data key seals nothing."""
CACHED = 4096
"""Data keys kept in memory."""


class Wrapped(NamedTuple):
    """A data key as it is stored."""

    key: bytes
    master: str


class Vault:
    """Implements `Sealer`."""

    def __init__(self, database: Database, keyring: Keyring, *, reread: Callable[[], Keyring] | None = None) -> None:
        """Over a database and the keys at hand; `reread` gets the keys again when one of them is not known."""
        self._database = database
        self._keyring = keyring
        self._reread = reread
        self._keys: OrderedDict[str, bytes] = OrderedDict()
        self._lock = Lock()

    def check(self) -> str:
        """Make sure that the master key is the one of the records, and return its id.

        Raises:
            KeyRefused: It is not.
        """
        with self._database.read() as connection:
            master = key_in_force(connection)
        if master is None:
            with self._database.write() as connection:
                return self._master(connection).id
        return self._named(master).id

    def seal(
        self, record: str, data: bytes, *, about: str, connection: Any = None, in_memory: bool = False
    ) -> bytes:
        """Seal bytes under the record's key.

        A key in memory is used only if `in_memory` says that it will do. Otherwise the database is asked, since another
        process may have deleted the key, and what is sealed with it could never be read again.
        """
        key = (self._cached(record) if in_memory else None) or self._stored(record, connection)
        if key is None:
            if connection is not None:
                key = self._make(record, connection)
            else:
                # Not waited for: what refers to the record is written later, and takes this to the disk with it.
                with self._database.write(durable=False) as own:
                    key = self._make(record, own)
        nonce = secrets.token_bytes(NONCE)
        return MAGIC + nonce + AESGCM(key).encrypt(nonce, data, _bound(record, about))

    def open(self, record: str, sealed: bytes, *, about: str, connection: Any = None) -> bytes:
        """What was sealed; `connection` where the key may have been made in its transaction."""
        if not is_sealed(sealed):
            raise StoreError(f"{about} of {record} is not sealed as it should be; restore it from a backup")
        key = self._cached(record) or self._stored(record, connection)
        if key is None:
            raise StoreError(f"the key of {record} is gone; it was deleted by rule, or the database is another one")
        parts = memoryview(sealed)  # a picture is large; slices of a view are no copies
        nonce, body = parts[len(MAGIC) : len(MAGIC) + NONCE], parts[len(MAGIC) + NONCE :]
        try:
            return AESGCM(key).decrypt(nonce, body, _bound(record, about))
        except InvalidTag:
            raise StoreError(f"{about} of {record} is not what was stored; restore it from a backup") from None

    def holds(self, record: str) -> bool:
        """Whether a record has a key, so that what it sealed can be read."""
        with self._database.read() as connection:
            return _row(connection, record) is not None

    def forget(self, record: str, *, connection: Connection | None = None) -> None:
        """Delete a record's key: what it sealed can never be read again, copies of it included."""
        if connection is None:
            with self._database.write() as own:
                self.forget(record, connection=own)
            return
        connection.execute(data_keys.delete().where(data_keys.c.record == record))
        with self._lock:
            self._keys.pop(record, None)

    def _cached(self, record: str) -> bytes | None:
        with self._lock:
            if record in self._keys:
                self._keys.move_to_end(record)
            return self._keys.get(record)

    def _remember(self, record: str, key: bytes) -> None:
        with self._lock:
            self._keys[record] = key
            while len(self._keys) > CACHED:
                self._keys.popitem(last=False)

    def _stored(self, record: str, connection: Connection | None) -> bytes | None:
        """The key of a record from the database."""
        if connection is not None:
            # Not kept in memory: the transaction may still be rolled back, and the key with it.
            return self._unwrapped(record, lambda: _row(connection, record))

        def read() -> Wrapped | None:
            with self._database.read() as own:
                return _row(own, record)

        if (key := self._unwrapped(record, read)) is not None:
            self._remember(record, key)
        return key

    def _unwrapped(self, record: str, read: Callable[[], Wrapped | None]) -> bytes | None:
        """Read and unwrap a data key; once more if a rotation ended between reading the row and the key file."""
        try:
            return None if (row := read()) is None else unwrap(record, row.key, self._named(row.master))
        except KeyRefused:
            return None if (row := read()) is None else unwrap(record, row.key, self._named(row.master))

    def _make(self, record: str, connection: Connection) -> bytes:
        """A new data key under the master key in force, unless another process has just made one."""
        key = secrets.token_bytes(32)
        if self._insert(connection, record, key, self._master(connection)):
            return key
        stored = self._stored(record, connection)
        assert stored is not None
        return stored

    def _master(self, connection: Connection) -> MasterKey:
        """The master key in force, which stays in force until the transaction ends."""
        if (master := key_in_force(connection, keep=True)) is None:
            self._insert(connection, MASTER, secrets.token_bytes(32), self._keyring.current)
            master = key_in_force(connection, keep=True)
            assert master is not None
        return self._named(master)

    def _insert(self, connection: Connection, record: str, key: bytes, master: MasterKey) -> bool:
        """Store a data key; False if the record has one."""
        insert = insert_sqlite if self._database.sqlite else insert_postgresql
        row = {"record": record, "wrapped": wrap(record, key, master), "master": master.id}
        return connection.execute(insert(data_keys).values(**row).on_conflict_do_nothing()).rowcount == 1

    def _named(self, master: str) -> MasterKey:
        """A master key by its id; one that is not known may have come with a rotation since."""
        if (key := self._keyring.find(master)) is None and self._reread is not None:
            self._keyring = self._reread()
        return key or self._keyring.named(master)


def open_vault(database: Database, source: KeySource) -> Vault:
    """The vault of an installation, its key checked against the records. A first key is made for a first record.

    Raises:
        KeyRefused: The key is missing, malformed, or not the one that sealed the records.
    """
    vault = Vault(database, source.find(sealed=anything_sealed(database)), reread=source.read)
    vault.check()
    return vault


def anything_sealed(database: Database) -> bool:
    """Whether there are data keys, and so a master key that they need."""
    with database.read() as connection:
        return connection.execute(select(data_keys.c.record).limit(1)).one_or_none() is not None


def key_in_force(connection: Connection, *, keep: bool = False) -> str | None:
    """The id of the master key in force; `keep` makes a rotation wait for the end of this transaction (PostgreSQL; in
    SQLite it waits anyhow)."""
    asked = select(data_keys.c.master).where(data_keys.c.record == MASTER)
    return connection.execute(asked.with_for_update(read=True) if keep else asked).scalar_one_or_none()


def is_sealed(data: bytes) -> bool:
    """Whether bytes look like something that was sealed."""
    return data.startswith(MAGIC) and len(data) >= OVERHEAD


def wrap(record: str, key: bytes, master: MasterKey) -> bytes:
    """A record's data key, wrapped by a master key."""
    nonce = secrets.token_bytes(NONCE)
    return nonce + AESGCM(master.secret).encrypt(nonce, key, _bound(record, "data key"))


def unwrap(record: str, wrapped: bytes, master: MasterKey) -> bytes:
    """A record's data key.

    Raises:
        StoreError: It was changed.
    """
    try:
        return AESGCM(master.secret).decrypt(wrapped[:NONCE], wrapped[NONCE:], _bound(record, "data key"))
    except (InvalidTag, ValueError):
        raise StoreError(f"the key of {record} is not what was stored; restore the database from a backup") from None


def _row(connection: Connection, record: str) -> Wrapped | None:
    asked = select(data_keys.c.wrapped, data_keys.c.master).where(data_keys.c.record == record)
    row = connection.execute(asked).one_or_none()
    return None if row is None else Wrapped(bytes(row.wrapped), row.master)


def _bound(record: str, about: str) -> bytes:
    return f"{record}\0{about}".encode()
