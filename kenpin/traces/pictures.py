"""Pictures as files named by sha256, in a folder."""

import hashlib
import re
import tempfile
from collections import OrderedDict
from pathlib import Path
from threading import Lock

import cv2
import numpy as np

from kenpin.contracts.errors import StoreError
from kenpin.contracts.view import RgbImage

CACHED_BYTES = 256 * 2**20


class FilePictures:
    """Implements `PictureStore`. A file is written beside its place and moved there, so it is whole or absent."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
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
        """Store an encoded picture as it is and return its sha256."""
        sha256 = hashlib.sha256(data).hexdigest()
        place = self._place(sha256)
        if not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=place.parent, delete=False) as file:
                file.write(data)
            Path(file.name).replace(place)
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
        """The stored file, checked against its name."""
        if not re.fullmatch(r"[0-9a-f]{64}", sha256):
            raise StoreError("a picture is named by 64 hexadecimal digits")
        try:
            data = self._place(sha256).read_bytes()
        except FileNotFoundError:
            raise StoreError(f"picture {sha256[:12]} is not in the store") from None
        if hashlib.sha256(data).hexdigest() != sha256:
            raise StoreError(f"stored picture {sha256[:12]} is not the one that was stored; restore it from a backup")
        return data

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
