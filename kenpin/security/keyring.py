"""The master key: from a variable or a file. A file may hold the key before the last change as well, while it lasts."""

import base64
import binascii
import hashlib
import json
import os
import secrets
import tempfile
from dataclasses import dataclass
from pathlib import Path

from kenpin.contracts.errors import KeyRefused

BYTES = 32
MADE = "kenpin keys show says which key is in use"


@dataclass(frozen=True, repr=False)
class MasterKey:
    """256 bits, with the id that sealed records name it by."""

    secret: bytes

    @property
    def id(self) -> str:
        """First 16 hexadecimal digits of a hash; says nothing about the key."""
        return hashlib.sha256(b"kenpin master key id\0" + self.secret).hexdigest()[:16]

    def __repr__(self) -> str:
        return f"MasterKey({self.id})"


@dataclass(frozen=True)
class Keyring:
    """The key that wraps now, and those that may still have wrapped older data keys."""

    keys: tuple[MasterKey, ...]
    source: str
    """Where they come from, for messages."""

    @property
    def current(self) -> MasterKey:
        """The key that wraps new data keys."""
        return self.keys[0]

    def named(self, key_id: str) -> MasterKey:
        """A key by its id.

        Raises:
            KeyRefused: It is not here.
        """
        for key in self.keys:
            if key.id == key_id:
                return key
        raise KeyRefused(
            f"the records are sealed with master key {key_id}, and {self.source} holds {self.current.id}; "
            "give back the key that sealed them (nothing was changed)"
        )


def new_key() -> MasterKey:
    """A fresh random key."""
    return MasterKey(secrets.token_bytes(BYTES))


def key_from(text: str, *, source: str) -> MasterKey:
    """A key from its base64 form.

    Raises:
        KeyRefused: It is not 32 bytes of base64.
    """
    try:
        secret = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        secret = b""
    if len(secret) != BYTES:
        raise KeyRefused(f"{source}: expected a master key, base64 of {BYTES} bytes; restore it from where it is kept")
    return MasterKey(secret)


def read_keyring(place: Path) -> Keyring:
    """The keys of a file: one base64 line each, the current one first.

    Raises:
        KeyRefused: The file cannot be read or holds something else.
    """
    source = f"key file {place}"
    try:
        lines = place.read_text(encoding="ascii").split()
    except (OSError, UnicodeDecodeError) as exc:
        raise KeyRefused(f"{source}: cannot be read ({getattr(exc, 'strerror', None) or 'no text'})") from None
    if not lines:
        raise KeyRefused(f"{source}: is empty; restore it from where it is kept")
    return Keyring(tuple(key_from(line, source=source) for line in lines), source)


def write_keyring(place: Path, keys: tuple[MasterKey, ...]) -> None:
    """Write a key file that only its owner can read, whole or not at all."""
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=place.parent, delete=False, encoding="ascii") as file:
        os.fchmod(file.fileno(), 0o600)
        file.writelines(base64.b64encode(key.secret).decode() + "\n" for key in keys)
        file.flush()
        os.fsync(file.fileno())
    Path(file.name).replace(place)


def find_keyring(*, key: str | None, place: Path, sealed: bool) -> Keyring:
    """The keyring of an installation; a new one is made only where nothing has been sealed yet.

    Args:
        key: The key itself from a variable; wins over the file.
        place: The key file.
        sealed: Whether the database holds data keys already.
    Raises:
        KeyRefused: There is no key and records are sealed, or what is there is no key.
    """
    if key is not None:
        return Keyring((key_from(key, source="KENPIN_MASTER_KEY"),), "KENPIN_MASTER_KEY")
    if not place.exists():
        if sealed:
            raise KeyRefused(
                f"key file {place}: is missing, and records are sealed with its key; restore it, or name its place "
                "with KENPIN_KEY_FILE (nothing was changed)"
            )
        return _made(place)
    return read_keyring(place)


def _made(place: Path) -> Keyring:
    """A new key file; the first of several processes that start at once makes it, and the others read it."""
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=place.parent, delete=False, encoding="ascii") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(base64.b64encode(new_key().secret).decode() + "\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(file.name, place)
    except FileExistsError:
        pass
    finally:
        Path(file.name).unlink()
    return read_keyring(place)


def describe(keyring: Keyring) -> str:
    """The ring in JSON, without secrets."""
    return json.dumps({"source": keyring.source, "current": keyring.current.id, "keys": [k.id for k in keyring.keys]})
