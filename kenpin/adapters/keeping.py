"""Adapters of the folder that the installation allows, and Kenpin's own copies of those that were loaded.

The server reads a copy whose folder is named by the sha256 of what is in it. So what was checked is what is served, a
trained-on file cannot change behind its name, and the server's cache of prompts, which goes by name and folder, never
mixes two trainings up.
"""

import hashlib
import os
import re
import secrets
import shutil
import stat
from pathlib import Path
from typing import IO

from pydantic import BaseModel, ConfigDict

from kenpin.adapters.base import Layers
from kenpin.adapters.checking import CONFIG, WEIGHTS, check
from kenpin.config import Settings
from kenpin.contracts.errors import BadInput, FileRefused

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)*")
LONGEST = 64
"""Characters of a name."""
KEPT = ".kept"
CHUNK = 2**20
MOST_BYTES = 8 * 2**30
"""Of one file."""


class Kept(BaseModel):
    """An adapter that Kenpin loaded."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    """By which the server knows it."""
    folder: str
    """It came from, in the folder of adapters."""
    sha256: str
    rank: int
    by: str
    """Who loaded it."""
    at: str
    """UTC, ISO 8601."""


def adapters_folder(settings: Settings) -> Path:
    """The folder that adapters are taken from."""
    return Path(os.path.realpath(settings.adapters or settings.home / "adapters"))


def kept_folder(settings: Settings) -> Path:
    """The folder of copies: the only one that the server may load from."""
    return adapters_folder(settings) / KEPT


def checked_name(name: str) -> str:
    """A name as it may stand in an address, a path and a log.

    Raises:
        BadInput: It may not.
    """
    if len(name) > LONGEST or not NAME.fullmatch(name):
        raise BadInput(f"the name of an adapter is 1 to {LONGEST} letters of a to z, digits and . _ -, beginning with "
                       "a letter or digit")
    return name


def offered(settings: Settings) -> list[str]:
    """Names of the folders that an adapter could be loaded from."""
    try:
        with os.scandir(adapters_folder(settings)) as entries:
            return sorted(e.name for e in entries if NAME.fullmatch(e.name) and e.is_dir(follow_symlinks=False))
    except OSError:
        return []


def keep(settings: Settings, folder: str, base: Layers) -> tuple[str, int]:
    """Copy an adapter and hold the copy against the model.

    Args:
        settings: Of the installation.
        folder: Name of its folder in the folder of adapters.
        base: Layers of the served model.
    Returns:
        Its sha256, which names the copy, and its rank.
    Raises:
        BadInput: The name is no name, or the server would leave something of the adapter out.
        FileRefused: There is no such folder, it holds no adapter, something in it is a link, or no copy can be made.
    """
    checked_name(folder)
    kept = kept_folder(settings)
    part = kept / f".part-{secrets.token_hex(8)}"
    try:
        kept.mkdir(mode=0o755, exist_ok=True)
        if kept.is_symlink():
            raise FileRefused(f"{kept}: is a link; remove it")
        for left in kept.glob(".part-*"):  # of a process that was killed
            shutil.rmtree(left, ignore_errors=True)
        part.mkdir(mode=0o755)
        try:
            _copied(kept.parent, folder, part)
            rank, sha256 = check(part, folder, base), sha256_of(part)
            if not (kept / sha256).is_dir():
                part.rename(kept / sha256)
            elif sha256_of(kept / sha256) != sha256:
                raise FileRefused(f"{kept / sha256}: is not what its name says; remove that folder")
        finally:
            shutil.rmtree(part, ignore_errors=True)
    except OSError as exc:
        raise FileRefused(f"{kept.parent}: cannot be used ({exc.strerror or exc}); KENPIN_ADAPTERS names the folder of "
                          "adapters, which must be writeable") from None
    return sha256, rank


def discard(settings: Settings, sha256: str) -> None:
    """Remove a copy that nothing names any more."""
    shutil.rmtree(kept_folder(settings) / sha256, ignore_errors=True)


def sha256_of(folder: Path) -> str:
    """sha256 of an adapter: of what `sha256sum adapter_config.json adapter_model.safetensors` prints in its folder.

    Raises:
        OSError: A file cannot be read.
    """
    lines = []
    for name in (CONFIG, WEIGHTS):
        with (folder / name).open("rb") as opened:
            lines.append(f"{hashlib.file_digest(opened, 'sha256').hexdigest()}  {name}\n")
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def stamp(folder: Path) -> tuple[int, ...]:
    """What changes whenever a file of an adapter does: sizes and times as the file system has them.

    Raises:
        OSError: A file is not there.
    """
    found = [(folder / name).stat() for name in (CONFIG, WEIGHTS)]
    return tuple(n for s in found for n in (s.st_ino, s.st_size, s.st_mtime_ns, s.st_ctime_ns))


def _copied(base: Path, folder: str, into: Path) -> None:
    """Copy an adapter's two files. Each is opened without following a link, and what was opened is looked at, so that
    nothing put in its place in between is read."""
    outer = os.open(base, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            inner = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=outer)
        except OSError:
            raise FileRefused(f"{folder}: there is no such folder among the adapters, or it is a link; put the adapter "
                              "itself there") from None
        try:
            for name in (CONFIG, WEIGHTS):
                with _opened(inner, folder, name) as source, (into / name).open("xb") as copy:
                    shutil.copyfileobj(source, copy, CHUNK)
                    os.fsync(copy.fileno())
        finally:
            os.close(inner)
    finally:
        os.close(outer)


def _opened(inner: int, folder: str, name: str) -> IO[bytes]:
    try:
        # Not blocking: a named pipe would wait for somebody to write.
        found = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=inner)
    except FileNotFoundError:
        raise FileRefused(f"{folder}: holds no LoRA adapter; adapter_config.json with r and adapter_model.safetensors "
                          "are needed") from None
    except OSError:
        raise FileRefused(f"{folder}: {name} is a link or cannot be read; put the file itself there") from None
    about = os.fstat(found)
    if not stat.S_ISREG(about.st_mode) or about.st_size > MOST_BYTES:
        os.close(found)
        raise FileRefused(f"{folder}: {name} is no plain file of at most {MOST_BYTES >> 30} GiB")
    return os.fdopen(found, "rb")
