"""Seals the checkpoints of running turns, through the door that langgraph has for it."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from kenpin.contracts.errors import Unavailable
from kenpin.contracts.ports import Sealer

ABOUT = "checkpoint"
PLAIN = {
    "checkpoints": (
        "SELECT rowid, type, checkpoint FROM checkpoints WHERE type NOT LIKE '%+%'",
        "UPDATE checkpoints SET type = ?, checkpoint = ? WHERE rowid = ?",
    ),
    "writes": (
        "SELECT rowid, type, value FROM writes WHERE type NOT LIKE '%+%'",
        "UPDATE writes SET type = ?, value = ? WHERE rowid = ?",
    ),
}
"""By table of langgraph's SqliteSaver: what finds plain rows, and what puts sealed ones in their place. The serializer
joins the kind of the content and the name of the cipher by a plus sign."""


class CheckpointCipher:
    """langgraph's `CipherProtocol` (langgraph.checkpoint.serde.base), for its `EncryptedSerializer`.

    The name of the cipher, which is kept beside what it sealed, is the record whose key was used: one a month. The key
    of the present month must not be deleted: it is taken from memory, since a step writes a dozen checkpoints.
    """

    def __init__(self, sealer: Sealer) -> None:
        self._sealer = sealer

    def encrypt(self, plaintext: bytes) -> tuple[str, bytes]:
        """The record, and what was sealed under its key."""
        record = f"checkpoints:{datetime.now(UTC):%Y-%m}"
        return record, self._sealer.seal(record, plaintext, about=ABOUT, in_memory=True)

    def decrypt(self, ciphername: str, ciphertext: bytes) -> bytes:
        """What was sealed; errors as `Sealer.open`."""
        return self._sealer.open(ciphername, ciphertext, about=ABOUT)


def seal_plain(place: Path, cipher: CheckpointCipher) -> int:
    """Seal the checkpoints that an earlier version left plain, and leave nothing of them in the file.

    Args:
        place: The file of the checkpoints.
        cipher: What seals new ones.
    Returns:
        How many there were.
    Raises:
        Unavailable: Another process is at work on the file.
    """
    if not place.exists():
        return 0
    number = 0
    try:
        with closing(sqlite3.connect(place, timeout=30, isolation_level=None)) as connection:
            connection.execute("PRAGMA secure_delete=ON")
            known = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type='table'")}
            connection.execute("BEGIN IMMEDIATE")
            for table, (asked, changed) in PLAIN.items():
                rows = connection.execute(asked).fetchall() if table in known else []
                for row, kind, plain in rows:
                    name, sealed = cipher.encrypt(plain or b"")
                    connection.execute(changed, (f"{kind}+{name}", sealed, row))
                number += len(rows)
            connection.execute("COMMIT")
            if number:
                # What was there before lies in free pages and in the log; both are written anew or cut.
                connection.execute("VACUUM")
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.Error as exc:
        raise Unavailable(f"{place.name} cannot be used ({exc}); end other kenpin processes and try again") from None
    return number
