"""Envelope encryption: each record has a data key of its own, wrapped by the master key, in the database.

Source: AES-256-GCM (NIST SP 800-38D) with random 96-bit nonces; a data key seals one record only, far below 2^32 times.
"""

import secrets
from collections import OrderedDict
from threading import Lock
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert as insert_postgresql
from sqlalchemy.dialects.sqlite import insert as insert_sqlite

from kenpin.contracts.errors import StoreError
from kenpin.database.engine import Database
from kenpin.database.tables import data_keys
from kenpin.security.keyring import Keyring

MAGIC = b"KNP1"
"""What every sealed thing begins with."""
NONCE = 12
CACHED = 4096
"""Data keys kept in memory."""


class Vault:
    """Implements `Sealer`."""

    def __init__(self, database: Database, keyring: Keyring) -> None:
        self._database = database
        self._keyring = keyring
        self._keys: OrderedDict[str, bytes] = OrderedDict()
        self._lock = Lock()

    def seal(self, record: str, data: bytes, *, about: str, connection: Any = None) -> bytes:
        """Seal bytes under the record's key."""
        nonce = secrets.token_bytes(NONCE)
        key = self._key(record, connection)
        return MAGIC + nonce + AESGCM(key).encrypt(nonce, data, _bound(record, about))

    def open(self, record: str, sealed: bytes, *, about: str) -> bytes:
        """What was sealed."""
        if not is_sealed(sealed):
            raise StoreError(f"{about} of {record} is not sealed as it should be; restore it from a backup")
        key = self._cached(record) or self._stored(record, None)
        if key is None:
            raise StoreError(f"the key of {record} is gone; it was deleted by rule, or the database is another one")
        nonce, body = sealed[len(MAGIC) : len(MAGIC) + NONCE], sealed[len(MAGIC) + NONCE :]
        try:
            return AESGCM(key).decrypt(nonce, body, _bound(record, about))
        except InvalidTag:
            raise StoreError(f"{about} of {record} is not what was stored; restore it from a backup") from None

    def forget(self, record: str, *, connection: Connection) -> None:
        """Delete a record's key: what it sealed can never be read again, copies of it included."""
        connection.execute(data_keys.delete().where(data_keys.c.record == record))
        with self._lock:
            self._keys.pop(record, None)

    def _key(self, record: str, connection: Connection | None) -> bytes:
        if (key := self._cached(record)) is not None:
            return key
        if connection is not None:
            # Not cached: the transaction may still be rolled back, and the key with it.
            return self._stored(record, connection) or self._make(record, connection)
        if (key := self._stored(record, None)) is None:
            with self._database.write(durable=False) as own:
                key = self._make(record, own)
            self._remember(record, key)
        return key

    def _cached(self, record: str) -> bytes | None:
        with self._lock:
            return self._keys.get(record)

    def _stored(self, record: str, connection: Connection | None) -> bytes | None:
        asked = select(data_keys.c.wrapped, data_keys.c.master).where(data_keys.c.record == record)
        if connection is not None:
            row = connection.execute(asked).one_or_none()
            return None if row is None else self._unwrap(record, *row)
        with self._database.read() as own:
            row = own.execute(asked).one_or_none()
        if row is None:
            return None
        key = self._unwrap(record, *row)
        self._remember(record, key)
        return key

    def _make(self, record: str, connection: Connection) -> bytes:
        """A new data key, unless another process has just made one."""
        insert = insert_sqlite if self._database.sqlite else insert_postgresql
        wrapped = self._wrap(record, secrets.token_bytes(32))
        connection.execute(
            insert(data_keys)
            .values(record=record, wrapped=wrapped, master=self._keyring.current.id)
            .on_conflict_do_nothing()
        )
        key = self._stored(record, connection)
        assert key is not None
        return key

    def _wrap(self, record: str, key: bytes) -> bytes:
        nonce = secrets.token_bytes(NONCE)
        return nonce + AESGCM(self._keyring.current.secret).encrypt(nonce, key, _bound(record, "data key"))

    def _unwrap(self, record: str, wrapped: bytes, master: str) -> bytes:
        secret = self._keyring.named(master).secret
        try:
            return AESGCM(secret).decrypt(wrapped[:NONCE], wrapped[NONCE:], _bound(record, "data key"))
        except InvalidTag:
            raise StoreError(f"the key of {record} is not what was stored; restore the database") from None

    def _remember(self, record: str, key: bytes) -> None:
        with self._lock:
            self._keys[record] = key
            while len(self._keys) > CACHED:
                self._keys.popitem(last=False)


def anything_sealed(database: Database) -> bool:
    """Whether there are data keys, and so a master key that they need."""
    with database.read() as connection:
        return connection.execute(select(data_keys.c.record).limit(1)).one_or_none() is not None


def is_sealed(data: bytes) -> bool:
    """Whether bytes look like something that was sealed."""
    return data.startswith(MAGIC) and len(data) >= len(MAGIC) + NONCE + 16


def _bound(record: str, about: str) -> bytes:
    return f"{record}\0{about}".encode()
