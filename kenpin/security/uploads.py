"""The one door for pictures from outside: what is let in, and what is done to make it a picture that can be inspected."""

import hashlib
import io
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.Image import DecompressionBombError

from kenpin.contracts.errors import PictureRefused
from kenpin.contracts.view import RgbImage

MAX_BYTES = 128 * 2**20
MAX_PIXELS = 60_000_000
MIN_SIDE = 16
FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP", "GIF", "PPM")
"""Formats that are decoded at all; a file is judged by its content, never by its name."""


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
    shown = name or "the upload"
    if not data:
        raise PictureRefused(f"{shown}: the file is empty; expected a picture ({', '.join(FORMATS)})")
    if len(data) > MAX_BYTES:
        raise PictureRefused(f"{shown}: {len(data) / 2**20:.0f} MiB; at most {MAX_BYTES // 2**20} MiB, save it smaller")
    pixels, notes = _decode(data, shown)
    height, width = pixels.shape[:2]
    if min(width, height) < MIN_SIDE:
        raise PictureRefused(f"{shown}: {width}x{height} px is too small; at least {MIN_SIDE}x{MIN_SIDE} px needed")
    pixels.flags.writeable = False
    return Upload(pixels=pixels, sha256=hashlib.sha256(data).hexdigest(), name=name, notes=notes)


def _bytes_of(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise PictureRefused(f"{path}: is a folder; name one picture file")
        if path.stat().st_size > MAX_BYTES:
            raise PictureRefused(
                f"{path.name}: {path.stat().st_size / 2**20:.0f} MiB; at most {MAX_BYTES // 2**20} MiB"
            )
        return path.read_bytes()
    except FileNotFoundError:
        raise PictureRefused(f"{path}: there is no such file") from None
    except OSError as exc:
        raise PictureRefused(f"{path}: cannot be read ({exc.strerror or exc})") from None


def _decode(data: bytes, shown: str) -> tuple[RgbImage, tuple[str, ...]]:
    try:
        with warnings.catch_warnings():
            # Pillow warns at half its limit and of odd metadata; the limits here are our own, and metadata is dropped.
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
                _check_header(picture, shown)
                picture.load()
                return _upright_rgb(picture)
    except UnidentifiedImageError:
        raise PictureRefused(f"{shown}: is not a picture that can be read; expected {', '.join(FORMATS)}") from None
    except DecompressionBombError:
        raise PictureRefused(
            f"{shown}: too many pixels; at most {MAX_PIXELS // 10**6} megapixels, cut it or save it smaller"
        ) from None
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, MemoryError) as exc:
        reason = " ".join(str(exc).split())[:120] or type(exc).__name__
        raise PictureRefused(f"{shown}: the picture is damaged or cut off ({reason}); save or copy it again") from None


def _check_header(picture: Image.Image, shown: str) -> None:
    width, height = picture.size
    if width * height > MAX_PIXELS:
        raise PictureRefused(
            f"{shown}: {width}x{height} is {width * height / 1e6:.0f} megapixels; "
            f"at most {MAX_PIXELS // 10**6}, cut it or save it smaller"
        )
    frames = getattr(picture, "n_frames", 1)
    if frames > 1 and picture.format != "MPO":
        raise PictureRefused(f"{shown}: has {frames} frames; save the one to inspect as a PNG")


def _upright_rgb(picture: Image.Image) -> tuple[RgbImage, tuple[str, ...]]:
    notes = []
    turned = ImageOps.exif_transpose(picture)
    if picture.getexif().get(0x0112, 1) != 1:
        notes.append("turned upright by its EXIF orientation")
    if turned.mode.startswith(("I", "F")):
        values = np.asarray(turned, dtype=np.float64)
        low, high = float(np.nanmin(values)), float(np.nanmax(values))
        # The depth that the camera used (8, 10, 12, 14, 16 bit) sets the range, so that brightness stays comparable.
        full = next((2.0**bits - 1 for bits in (8, 10, 12, 14, 16) if high <= 2.0**bits - 1), high)
        grey = np.clip(np.nan_to_num(values) * (255.0 / max(full, 1e-9)), 0, 255).astype(np.uint8)
        notes.append(f"reduced to 8 bit from {low:g}..{high:g}")
        return np.repeat(grey[..., None], 3, axis=2), tuple(notes)
    if turned.mode in ("RGBA", "LA", "PA") or "transparency" in turned.info:
        rgba = turned.convert("RGBA")
        if rgba.getextrema()[3][0] < 255:  # type: ignore[index]
            notes.append("transparent parts shown on white")
        white = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
        return np.array(Image.alpha_composite(white, rgba).convert("RGB")), tuple(notes)
    if turned.mode == "CMYK":
        notes.append("converted from CMYK; colours are approximate")
    return np.array(turned.convert("RGB")), tuple(notes)
