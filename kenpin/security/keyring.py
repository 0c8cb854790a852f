"""The master key: from a variable or a file. While it is changed, the ring holds the new key and the one before."""

import base64
import binascii
import hashlib
import os
import secrets
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from kenpin.contracts.errors import KeyRefused

BYTES = 32
VARIABLE = "KENPIN_MASTER_KEY"


@dataclass(frozen=True, repr=False)
class MasterKey:
    """256 bits, with the id that sealed records name it by."""

    secret: bytes

    @property
    def id(self) -> str:
        """First 16 hexadecimal digits of a hash; says nothing about the key."""
        return hashlib.sha256(b"kenpin master key id\0" + self.secret).hexdigest()[:16]

    @property
    def text(self) -> str:
        """The key itself in base64: a secret."""
        return base64.b64encode(self.secret).decode()

    def __repr__(self) -> str:
        return f"MasterKey({self.id})"


@dataclass(frozen=True)
class Keyring:
    """The keys that are at hand. Which of them wraps new data keys is written in the database."""

    keys: tuple[MasterKey, ...]
    source: str
    """Where they come from, for messages."""

    @property
    def current(self) -> MasterKey:
        """The first, which wraps the data keys of a database without any. In a file it is the newest."""
        return self.keys[0]

    def find(self, key_id: str) -> MasterKey | None:
        """A key by its id, or None."""
        return next((key for key in self.keys if key.id == key_id), None)

    def named(self, key_id: str) -> MasterKey:
        """A key by its id.

        Raises:
            KeyRefused: It is not here.
        """
        if (key := self.find(key_id)) is not None:
            return key
        raise KeyRefused(
            f"the records are sealed with master key {key_id}, and {self.source} holds "
            f"{' and '.join(k.id for k in self.keys)}; give back the key that sealed them (nothing was changed)"
        )


@dataclass(frozen=True)
class KeySource:
    """Where an installation's master key comes from. Reading it again shows what another process has rotated."""

    place: Path
    """The key file."""
    key: str | None = field(default=None, repr=False)
    """The key itself, from a variable; wins over the file."""
    new: str | None = field(default=None, repr=False)
    """The key that takes the variable's place; used for records that a rotation has wrapped anew already."""

    @property
    def shown(self) -> str:
        """What it is called in messages."""
        return VARIABLE if self.key is not None else f"key file {self.place}"

    def present(self) -> bool:
        """Whether there is a key, good or not."""
        return self.key is not None or self.place.exists()

    def read(self) -> Keyring:
        """The keys as they are now.

        Raises:
            KeyRefused: There is none, or what is there is no key.
        """
        if self.key is None:
            return read_keyring(self.place)
        keys = [key_from(self.key, source=VARIABLE)]
        if self.new is not None and (new := key_from(self.new, source="KENPIN_NEW_MASTER_KEY")) not in keys:
            keys.append(new)
        return Keyring(tuple(keys), VARIABLE)

    def find(self, *, sealed: bool) -> Keyring:
        """As `read`; a new key file is made where there is none and nothing has been sealed yet.

        Args:
            sealed: Whether the database holds data keys already.
        Raises:
            KeyRefused: As `read`, or there is no key and records are sealed with it.
        """
        if self.present():
            return self.read()
        if sealed:
            raise KeyRefused(
                f"{self.shown}: is missing, and records are sealed with its key; restore it, or name its place "
                "with KENPIN_KEY_FILE (nothing was changed)"
            )
        return _made(self.place)


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
        raise KeyRefused(
            f"{source}: expected a master key, base64 of {BYTES} bytes; restore it from where it is kept "
            "(nothing was changed)"
        )
    return MasterKey(secret)


def read_keyring(place: Path) -> Keyring:
    """The keys of a file: one base64 line each, the newest first.

    Raises:
        KeyRefused: The file cannot be read or holds something else.
    """
    source = f"key file {place}"
    try:
        lines = place.read_text(encoding="ascii").split()
    except (OSError, UnicodeDecodeError) as exc:
        reason = getattr(exc, "strerror", None) or "it holds no text"
        raise KeyRefused(
            f"{source}: cannot be read ({reason}); restore it from where it is kept (nothing was changed)"
        ) from None
    if not lines:
        raise KeyRefused(f"{source}: is empty; restore it from where it is kept (nothing was changed)")
    return Keyring(tuple(key_from(line, source=source) for line in lines), source)


def write_keyring(place: Path, keys: tuple[MasterKey, ...]) -> None:
    """Write a key file that only its owner can read: whole or not at all, and on the disk when this returns.

    Raises:
        KeyRefused: The file cannot be written.
    """
    real = place.resolve()  # a link to the key stays a link
    try:
        _beside(real, keys).replace(real)
        _settle(real.parent)
    except OSError as exc:
        raise KeyRefused(f"key file {place}: cannot be written ({exc.strerror or exc}); its folder must be writeable "
                         "to change the key (every record can still be read)") from None


def _made(place: Path) -> Keyring:
    """A new key file; the first of several processes that start at once makes it, and the others read it."""
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        written = _beside(place, (new_key(),))
        try:
            # Unlike a move, a link never takes the place of a file that is there.
            os.link(written, place)
        except FileExistsError:
            pass
        finally:
            written.unlink()
        _settle(place.parent)
    except OSError as exc:
        raise KeyRefused(
            f"key file {place}: cannot be made ({exc.strerror or exc}); name a writeable place with KENPIN_KEY_FILE"
        ) from None
    return read_keyring(place)


def _beside(place: Path, keys: tuple[MasterKey, ...]) -> Path:
    """A key file beside its place, readable by its owner only (as temporary files are made), written to the disk."""
    with tempfile.NamedTemporaryFile("w", dir=place.parent, prefix=".key-", delete=False, encoding="ascii") as file:
        file.writelines(key.text + "\n" for key in keys)
        file.flush()
        os.fsync(file.fileno())
    return Path(file.name)


def _settle(folder: Path) -> None:
    """Make sure that a name in a folder is on the disk, too."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
