"""Seals the checkpoints of running turns, through the door that langgraph has for it."""

from datetime import UTC, datetime

from kenpin.contracts.ports import Sealer

ABOUT = "checkpoint"


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
