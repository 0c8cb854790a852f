"""The one door for pictures from outside: what is let in, and what is done to make it one that can be inspected."""

import hashlib
import io
import stat
import struct
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError
from PIL.Image import DecompressionBombError, Transpose

from kenpin.contracts.errors import PictureRefused
from kenpin.contracts.view import RgbImage

MAX_BYTES = 128 * 2**20
MAX_PIXELS = 60_000_000
MIN_SIDE = 16
FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP", "GIF", "PPM")
"""Formats that are decoded at all; a file is judged by its content, never by its name. MPO opens as JPEG."""
ORIENTATION = 0x0112
TILE_WIDTH, TILE_LENGTH = 322, 323
TURNS = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}
"""What makes a picture of each EXIF orientation upright."""
DAMAGED = (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, struct.error, OverflowError)
"""What Pillow raises, format by format, where a file breaks off or contradicts itself."""


@dataclass(frozen=True)
class Upload:
    """A picture that was let in."""

    pixels: RgbImage
    """(H, W, 3) uint8 RGB, upright, not writeable."""
    sha256: str
    """Of the file as given."""
    name: str
    """Last part of the path, for people only."""
    notes: tuple[str, ...] = ()


def read_upload(source: Path | bytes, *, name: str = "") -> Upload:
    """Let a picture in.

    Args:
        source: A path, or the bytes of a file.
        name: What to call it in messages when `source` is bytes.
    Raises:
        PictureRefused: One line that says what is wrong with it, what was expected and what to do.
    """
    if isinstance(source, Path):
        name = name or source.name
        data = _bytes_of(source)
    else:
        data = source
    shown = " ".join(name.split())[:120] or "the upload"
    if not data:
        raise PictureRefused(f"{shown}: the file is empty; expected a picture ({', '.join(FORMATS)})")
    if len(data) > MAX_BYTES:
        raise PictureRefused(f"{shown}: {_too_heavy(len(data))}")
    pixels, notes = _decode(data, shown)
    height, width = pixels.shape[:2]
    if min(width, height) < MIN_SIDE:
        raise PictureRefused(f"{shown}: {width}x{height} px is too small; at least {MIN_SIDE}x{MIN_SIDE} px needed")
    pixels.flags.writeable = False
    return Upload(pixels=pixels, sha256=hashlib.sha256(data).hexdigest(), name=name, notes=notes)


def _bytes_of(path: Path) -> bytes:
    try:
        found = path.stat()
        if stat.S_ISDIR(found.st_mode):
            raise PictureRefused(f"{path}: is a folder; name one picture file")
        if not stat.S_ISREG(found.st_mode):
            raise PictureRefused(f"{path}: is no regular file; name one picture file")
        if found.st_size > MAX_BYTES:
            raise PictureRefused(f"{path.name}: {_too_heavy(found.st_size)}")
        return path.read_bytes()
    except FileNotFoundError:
        raise PictureRefused(f"{path}: there is no such file") from None
    except (OSError, ValueError) as exc:
        raise PictureRefused(f"{path}: cannot be read ({getattr(exc, 'strerror', None) or exc})") from None


def _too_heavy(size: int) -> str:
    return f"{size / 2**20:.0f} MiB; at most {MAX_BYTES // 2**20} MiB, save it smaller"


def _decode(data: bytes, shown: str) -> tuple[RgbImage, tuple[str, ...]]:
    try:
        with warnings.catch_warnings():
            # Pillow warns at half its limit and of odd metadata; the limits here are our own, and metadata is dropped.
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
                _check_header(picture, shown)
                return _upright_rgb(picture, shown)
    except UnidentifiedImageError:
        raise PictureRefused(f"{shown}: is not a picture that can be read; expected {', '.join(FORMATS)}") from None
    except DecompressionBombError:
        most = f"at most {MAX_PIXELS // 10**6} megapixels, cut it or save it smaller"
        raise PictureRefused(f"{shown}: too many pixels; {most}") from None
    except MemoryError:
        raise PictureRefused(f"{shown}: does not fit into memory; cut it or save it smaller") from None
    except DAMAGED as exc:
        reason = " ".join(str(exc).split())[:120] or type(exc).__name__
        raise PictureRefused(f"{shown}: the picture is damaged or cut off ({reason}); save or copy it again") from None


def _check_header(picture: Image.Image, shown: str) -> None:
    width, height = picture.size
    tags = getattr(picture, "tag_v2", {})
    tile = int(tags.get(TILE_WIDTH, 0)) * int(tags.get(TILE_LENGTH, 0))
    if max(width * height, tile) > MAX_PIXELS:
        raise PictureRefused(
            f"{shown}: {width}x{height} px, {max(width * height, tile) / 1e6:.0f} megapixels to decode; "
            f"at most {MAX_PIXELS // 10**6}, cut it or save it smaller"
        )
    # The second picture of an MPO is a preview or the other eye of a stereo pair; the first is the photograph.
    if picture.format != "MPO" and _moves(picture):
        raise PictureRefused(f"{shown}: has more than one frame; save the one to inspect as a PNG")


def _moves(picture: Image.Image) -> bool:
    """Whether there is a second frame. Counting them all would take minutes for a file made of frames."""
    try:
        picture.seek(1)
    except EOFError:
        return False
    return True


def _orientation(picture: Image.Image) -> int:
    """EXIF orientation, 1 to 8; 1 where it is missing or its metadata is broken, since only pixels are needed."""
    try:
        found = picture.getexif().get(ORIENTATION, 1)
    except DAMAGED:
        return 1
    return found if found in TURNS else 1


def _upright_rgb(picture: Image.Image, shown: str) -> tuple[RgbImage, tuple[str, ...]]:
    # Asked before and after: a PNG may carry its metadata at the end, and Pillow turns a TIFF by itself.
    before = _orientation(picture)
    picture.load()
    after = _orientation(picture)
    notes = ["turned upright by its EXIF orientation"] if max(before, after) > 1 else []
    turned = picture.transpose(TURNS[after]) if after > 1 else picture
    if turned.mode.startswith(("I", "F")):
        return _from_deep(np.asarray(turned), shown, notes)
    if turned.mode in ("RGBA", "RGBa", "LA", "La", "PA") or "transparency" in turned.info:
        return _on_white(turned, notes)
    if turned.mode == "CMYK":
        notes.append("converted from CMYK; colours are approximate")
    if turned.mode not in ("1", "L", "P", "RGB", "CMYK", "YCbCr", "RGBX"):
        raise PictureRefused(f"{shown}: colour mode {turned.mode} cannot be inspected; save it as RGB or grey")
    return np.array(turned.convert("RGB")), tuple(notes)


def _from_deep(values: np.ndarray, shown: str, notes: list[str]) -> tuple[RgbImage, tuple[str, ...]]:
    """8 bit grey from (H, W) of 16 or 32 bit or float.

    The depth that the camera used (8, 10, 12, 14, 16 bit) sets the range, so that brightness stays comparable; a float
    picture up to 1 is taken as a share of white.
    """
    finite = values[np.isfinite(values)] if values.dtype.kind == "f" else values
    if finite.size == 0:
        raise PictureRefused(f"{shown}: holds no brightness at all; save it as 8 or 16 bit grey")
    low, high = float(finite.min()), float(finite.max())
    share = values.dtype.kind == "f" and high <= 1
    full = 1.0 if share else next((2.0**bits - 1 for bits in (8, 10, 12, 14, 16) if high <= 2.0**bits - 1), high)
    scaled = np.nan_to_num(values.astype(np.float32), posinf=full, neginf=0.0) * np.float32(255.0 / full)
    grey = np.clip(scaled, 0, 255).astype(np.uint8)
    notes.append(f"reduced to 8 bit from {low:g}..{high:g}, {full:g} is white")
    return np.repeat(grey[..., None], 3, axis=2), tuple(notes)


def _on_white(picture: Image.Image, notes: list[str]) -> tuple[RgbImage, tuple[str, ...]]:
    rgba = picture.convert("RGBA")
    opacity = rgba.getchannel("A")
    flat = rgba.convert("RGB")
    if np.asarray(opacity).min() < 255:
        notes.append("transparent parts shown on white")
        white = Image.new("RGB", rgba.size, (255, 255, 255))
        white.paste(flat, mask=opacity)
        flat = white
    return np.array(flat), tuple(notes)
