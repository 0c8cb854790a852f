"""Pictures as files named by sha256, in a folder, sealed one by one."""

import fcntl
import hashlib
import os
import re
import tempfile
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

import cv2
import numpy as np

from kenpin.contracts.errors import KeyRefused, StoreError
from kenpin.contracts.ports import Sealer
from kenpin.contracts.view import RgbImage
from kenpin.security.vault import OVERHEAD, is_sealed

CACHED_BYTES = 256 * 2**20
ABOUT = "picture"


class FilePictures:
    """Implements `PictureStore`. A file is written beside its place and moved there, so it is whole or absent.

    With a sealer, the file is sealed under the key `picture:SHA256` of its own; its name stays the sha256 of what was
    sealed, which is checked after opening. Files that an earlier version left plain are read as they are, and sealed
    when the same picture is stored again.
    """

    def __init__(self, folder: Path, sealer: Sealer | None = None) -> None:
        self._folder = folder
        self._sealer = sealer
        self._cache: OrderedDict[str, RgbImage] = OrderedDict()
        self._cached = 0
        self._lock = Lock()
        """Pages of several users share one store."""

    def put(self, pixels: RgbImage, *, lossless: bool = True) -> str:
        """Store (H, W, 3) uint8 RGB as PNG, or as JPEG where it is only shown and never measured."""
        if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
            raise StoreError(f"expected (H, W, 3) uint8, got {pixels.shape} {pixels.dtype}")
        kind, options = (
            (".png", [cv2.IMWRITE_PNG_COMPRESSION, 1]) if lossless else (".jpg", [cv2.IMWRITE_JPEG_QUALITY, 90])
        )
        written, data = cv2.imencode(kind, cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2BGR), options)
        if not written:
            raise StoreError(f"a {pixels.shape[1]}x{pixels.shape[0]} picture could not be encoded")
        sha256 = self.put_file(data.tobytes())
        if lossless:
            self._remember(sha256, pixels.copy())
        return sha256

    def put_file(self, data: bytes) -> str:
        """Store an encoded picture as it is and return its sha256. One that is there already counts as new."""
        sha256 = hashlib.sha256(data).hexdigest()
        place = self._place(sha256)
        place.parent.mkdir(parents=True, exist_ok=True)
        with self._held():
            if self._there(sha256, len(data)):
                place.touch()
            else:
                self._write(place, self._sealer.seal(_key(sha256), data, about=ABOUT) if self._sealer else data)
        return sha256

    def get(self, sha256: str) -> RgbImage:
        """Read a picture back, not writeable."""
        with self._lock:
            if sha256 in self._cache:
                self._cache.move_to_end(sha256)
                return self._cache[sha256]
        bgr = cv2.imdecode(np.frombuffer(self.read_file(sha256), dtype=np.uint8), cv2.IMREAD_COLOR)
        if bgr is None:
            raise StoreError(f"stored picture {sha256[:12]} cannot be decoded")
        pixels = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), dtype=np.uint8)
        self._remember(sha256, pixels)
        return pixels

    def read_file(self, sha256: str) -> bytes:
        """The picture's file as it was stored, checked against its name."""
        if not re.fullmatch(r"[0-9a-f]{64}", sha256):
            raise StoreError("a picture is named by 64 hexadecimal digits")
        try:
            data = self._place(sha256).read_bytes()
        except FileNotFoundError:
            raise StoreError(f"picture {sha256[:12]} is not in the store") from None
        if self._sealer and is_sealed(data):
            data = self._opened(self._sealer, sha256, data)
        if hashlib.sha256(data).hexdigest() != sha256:
            raise StoreError(_other(sha256))
        return data

    def discard(self, sha256: str, *, unused_since: float) -> bool:
        """Delete a picture and its key, unless somebody has stored it again.

        Args:
            sha256: A picture that no record needs.
            unused_since: Seconds since 1970; a picture that was stored later stays, since an inspection that has just
                begun may need it and not say so yet.
        Returns:
            Whether it is gone.
        """
        place = self._place(sha256)
        with self._held(alone=True):
            if place.exists() and place.stat().st_mtime > unused_since:
                return False
            if self._sealer:
                self._sealer.forget(_key(sha256))
            place.unlink(missing_ok=True)
        with self._lock:
            if (pixels := self._cache.pop(sha256, None)) is not None:
                self._cached -= pixels.nbytes
        return True

    def seal_plain(self) -> tuple[int, list[str]]:
        """Seal the pictures that an earlier version left plain.

        Returns:
            How many there were, and what is wrong with those that stay as they are, a line each.
        """
        number, wrong = 0, []
        for place in self._folder.glob("??/*") if self._sealer else ():
            if not re.fullmatch(r"[0-9a-f]{64}", place.name):
                continue
            with place.open("rb") as file:
                start = file.read(OVERHEAD)
            if is_sealed(start):
                continue
            try:
                self.put_file(self.read_file(place.name))
                number += 1
            except KeyRefused:
                raise
            except StoreError as exc:
                wrong.append(str(exc))
        return number, wrong

    def _there(self, sha256: str, size: int) -> bool:
        """Whether a picture is stored already, as it should be. Its content is checked by who reads it."""
        try:
            found = self._place(sha256).stat().st_size
        except FileNotFoundError:
            return False
        if self._sealer is None:
            return found == size
        # Without its key a file is lost: the database may have been restored from a backup, or lost its last moments.
        return found == size + OVERHEAD and self._sealer.holds(_key(sha256))

    def _write(self, place: Path, data: bytes) -> None:
        with tempfile.NamedTemporaryFile(dir=place.parent, delete=False) as file:
            file.write(data)
            file.flush()
            # On the disk before it has its name. The name itself follows with the next durable transaction of the
            # records, which makes the file system write its journal.
            os.fsync(file.fileno())
        Path(file.name).replace(place)

    def _opened(self, sealer: Sealer, sha256: str, sealed: bytes) -> bytes:
        try:
            return sealer.open(_key(sha256), sealed, about=ABOUT)
        except KeyRefused:
            raise
        except StoreError:
            if sealer.holds(_key(sha256)):
                raise StoreError(_other(sha256)) from None
            raise StoreError(
                f"the key of stored picture {sha256[:12]} is gone: it was deleted by rule, or its file came from "
                "elsewhere; restore folder and database from one backup"
            ) from None

    @contextmanager
    def _held(self, *, alone: bool = False) -> Iterator[None]:
        """Hold the folder, against every thread and process that would delete from it, or, `alone`, write to it."""
        try:
            handle = os.open(self._folder, os.O_RDONLY)
        except FileNotFoundError:
            yield
            return
        try:
            fcntl.flock(handle, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
            yield
        finally:
            os.close(handle)

    def _place(self, sha256: str) -> Path:
        return self._folder / sha256[:2] / sha256

    def _remember(self, sha256: str, pixels: RgbImage) -> None:
        pixels.flags.writeable = False
        with self._lock:
            if sha256 in self._cache:
                return
            self._cache[sha256] = pixels
            self._cached += pixels.nbytes
            while self._cached > CACHED_BYTES and len(self._cache) > 1:
                self._cached -= self._cache.popitem(last=False)[1].nbytes


def _key(sha256: str) -> str:
    return f"picture:{sha256}"


def _other(sha256: str) -> str:
    return f"stored picture {sha256[:12]} is not the one that was stored; restore it from a backup"
