"""The one door for pictures: what is let in, what is done to it, and what is refused in one line."""

import io
import os
import struct
import time
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from kenpin.contracts.errors import PictureRefused
from kenpin.security import uploads
from kenpin.security.uploads import MAX_PIXELS, read_upload

RNG = np.random.default_rng(7)
NOISE = RNG.integers(0, 255, (60, 80, 3), dtype=np.uint8)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def png(width: int, height: int, *, depth: int = 8, colour: int = 2, data: bytes | None = None) -> bytes:
    """A PNG file with any header, without the pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    body = zlib.compress(b"") if data is None else data
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def tiff(*tags: tuple[int, int]) -> bytes:
    """A little-endian TIFF of 32x32 grey with more tags (number, value)."""
    own = [(256, 32), (257, 32), (258, 8), (259, 1), (262, 1), (277, 1)]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted([*own, *tags]))
    count = len(own) + len(tags)
    return b"II*\0" + struct.pack("<IH", 8, count) + entries + struct.pack("<I", 0) + bytes(2000)


def refused(source: bytes | Path, name: str = "part.png") -> str:
    """The line that a file is refused with."""
    with pytest.raises(PictureRefused) as caught:
        read_upload(source) if isinstance(source, Path) else read_upload(source, name=name)
    line = str(caught.value)
    assert "\n" not in line and len(line) < 400
    return line


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM"])
def test_a_lossless_picture_comes_in_pixel_for_pixel(kind: str) -> None:
    upload = read_upload(encoded(Image.fromarray(NOISE), kind))

    assert np.array_equal(upload.pixels, NOISE)
    assert not upload.pixels.flags.writeable
    assert upload.notes == ()


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "GIF"])
def test_a_lossy_picture_keeps_its_size(kind: str) -> None:
    assert read_upload(encoded(Image.fromarray(NOISE), kind)).pixels.shape == (60, 80, 3)


def test_the_first_picture_of_a_stereo_pair_is_taken() -> None:
    pair = encoded(Image.fromarray(NOISE), "MPO", save_all=True, append_images=[Image.new("RGB", (80, 60))])

    assert read_upload(pair).pixels.mean() > 60


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "the file is empty; expected a picture"),
        (b"Dear sir, please find attached", "is not a picture that can be read; expected PNG, JPEG"),
        (b"\x00" * 5000, "is not a picture"),
        (b"%PDF-1.7\n%\xe2\xe3\n1 0 obj", "is not a picture"),
        (b"<svg xmlns='x'><rect/></svg>", "is not a picture"),
    ],
)
def test_what_is_no_picture_is_refused(data: bytes, says: str) -> None:
    assert says in refused(data)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "TIFF", "WEBP", "GIF", "PPM"])
@pytest.mark.parametrize("share", [0.1, 0.4, 0.7, 0.95])
def test_a_picture_that_breaks_off_is_refused(kind: str, share: float) -> None:
    data = encoded(Image.fromarray(NOISE), kind)

    line = refused(data[: int(len(data) * share)])

    # A GIF that ends within its colour table cannot be told from another file.
    assert "damaged or cut off" in line or (kind == "GIF" and share == 0.1 and "is not a picture" in line)


@pytest.mark.parametrize("left_off", [2, 20, 400])
@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_without_its_end_is_refused(left_off: int, progressive: bool) -> None:
    data = encoded(Image.fromarray(NOISE), "JPEG", progressive=progressive)

    assert "damaged or cut off" in refused(data[:-left_off])


def test_a_header_alone_is_refused() -> None:
    for data in (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"BM", b"GIF89a", b"II*\0", b"RIFF\0\0\0\0WEBP"):
        assert "part.png" in refused(data)


@pytest.mark.parametrize("side", [10_000, 100_000, 2**31 - 1])
def test_a_bomb_is_refused_by_its_header(side: int) -> None:
    tracemalloc.start()
    began = time.perf_counter()

    line = refused(png(side, side))

    assert "megapixels" in line and "at most 60" in line
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    assert time.perf_counter() - began < 1
    tracemalloc.stop()


def test_a_highly_compressed_bomb_is_refused_before_it_is_decoded() -> None:
    packer = zlib.compressobj(9)
    data = b"".join(packer.compress(bytes(1 + 3 * 20_000)) for _ in range(100)) + packer.flush()
    began = time.perf_counter()

    assert "at most 60 megapixels" in refused(png(20_000, 20_000, data=data))
    assert time.perf_counter() - began < 1


def test_a_tile_larger_than_its_picture_is_refused() -> None:
    assert "3600 megapixels" in refused(tiff((322, 60_000), (323, 60_000), (324, 200), (325, 500)))


def test_a_gif_of_endless_frames_takes_no_time() -> None:
    frame = b",\0\0\0\0 \0 \0\x80\0\0\0\xff\xff\xff\x02\x02D\x01\0"
    data = b"GIF89a \0 \0\0\0\0" + frame * 200_000 + b";"
    began = time.perf_counter()

    refused(data)

    assert time.perf_counter() - began < 2


def test_compressed_metadata_is_not_unpacked_without_end() -> None:
    text = PngImagePlugin.PngInfo()
    text.add_text("comment", "a" * 50_000_000, zip=True)

    assert "part.png" in refused(encoded(Image.fromarray(NOISE), "PNG", pnginfo=text))


@pytest.mark.parametrize(
    "exif",
    [
        b"Exif\0\0MM\0*\xff\xff\xff\xff" + b"z" * 60,  # points outside
        b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + b"z" * 60,  # claims 65535 entries
        b"Exif\0\0",
        b"nonsense",
    ],
)
def test_broken_metadata_does_not_cost_the_picture(exif: bytes) -> None:
    upload = read_upload(encoded(Image.fromarray(NOISE), "JPEG", exif=exif))

    assert upload.pixels.shape == (60, 80, 3) and upload.notes == ()


def test_colours_of_cmyk_come_out_and_the_note_says_so() -> None:
    upload = read_upload(encoded(Image.new("CMYK", (40, 30), (0, 255, 255, 0)), "JPEG", quality=95))

    assert upload.notes == ("converted from CMYK; colours are approximate",)
    red, green, blue = upload.pixels[15, 20]
    assert red > 200 and green < 60 and blue < 60


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_deep_grey_keeps_the_brightness_of_its_depth(kind: str, bits: int) -> None:
    full = 2**bits - 1
    ramp = np.linspace(0, full, 40 * 50).round().astype(np.uint16).reshape(40, 50)

    upload = read_upload(encoded(Image.fromarray(ramp), kind))

    assert upload.notes == (f"reduced to 8 bit from 0..{full}, {full} is white",)
    assert upload.pixels.dtype == np.uint8
    assert np.abs(upload.pixels[..., 1] - ramp * (255.0 / full)).max() <= 1
    assert (upload.pixels[..., 0] == upload.pixels[..., 2]).all()


def test_a_dark_deep_picture_stays_dark() -> None:
    values = np.full((30, 30), 900, np.uint16)
    values[0, 0] = 4095

    assert read_upload(encoded(Image.fromarray(values), "TIFF")).pixels[10, 10, 0] == 56


@pytest.mark.parametrize(("top", "white"), [(1.0, 255), (0.5, 127), (200.0, 200)])
def test_float_pictures_are_shares_or_grey_levels(top: float, white: int) -> None:
    values = np.zeros((30, 30), np.float32)
    values[5:, 5:] = top

    assert abs(int(read_upload(encoded(Image.fromarray(values), "TIFF")).pixels[20, 20, 0]) - white) <= 1


def test_infinite_and_missing_values_do_not_blacken_the_rest() -> None:
    values = np.full((30, 30), 0.5, np.float32)
    values[0, 0], values[0, 1] = np.inf, np.nan

    assert read_upload(encoded(Image.fromarray(values), "TIFF")).pixels[20, 20, 0] == 127
    assert "no brightness" in refused(encoded(Image.fromarray(values * np.nan), "TIFF"))


def test_transparent_parts_are_shown_on_white() -> None:
    values = np.zeros((30, 40, 4), np.uint8)
    values[:, 20:, 3] = 255
    values[:, :20, 3] = 128

    upload = read_upload(encoded(Image.fromarray(values), "PNG"))

    assert upload.notes == ("transparent parts shown on white",)
    assert abs(int(upload.pixels[5, 5, 0]) - 127) <= 1 and upload.pixels[5, 30].tolist() == [0, 0, 0]


def test_an_opaque_alpha_channel_needs_no_note() -> None:
    assert read_upload(encoded(Image.fromarray(NOISE).convert("RGBA"), "PNG")).notes == ()


def test_a_palette_with_a_transparent_colour_is_shown_on_white() -> None:
    image = Image.new("P", (40, 30), 1)
    image.putpalette([255, 0, 0, 0, 0, 200])
    image.paste(0, (0, 0, 20, 30))

    upload = read_upload(encoded(image, "PNG", transparency=0))

    assert upload.pixels[5, 5].tolist() == [255, 255, 255] and upload.pixels[5, 30].tolist() == [0, 0, 200]
    assert upload.notes == ("transparent parts shown on white",)


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "YCbCr"])
def test_other_colour_modes_become_rgb(mode: str) -> None:
    assert read_upload(encoded(Image.fromarray(NOISE).convert(mode), "TIFF")).pixels.shape == (60, 80, 3)


def test_a_colour_mode_without_a_way_to_rgb_is_refused() -> None:
    assert "colour mode LAB" in refused(encoded(Image.fromarray(NOISE).convert("LAB"), "TIFF"))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_comes_in_upright(kind: str, orientation: int) -> None:
    upright = np.full((40, 64, 3), 128, np.uint8)
    upright[4:16, 4:24] = (250, 20, 20)  # a red mark at the top left, wider than high
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.swapaxes(0, 1),
        6: np.rot90(upright),
        7: np.rot90(upright.swapaxes(0, 1), 2),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation

    image = Image.fromarray(np.ascontiguousarray(stored))
    upload = read_upload(encoded(image, kind, exif=exif if kind == "TIFF" else exif.tobytes(), quality=95))

    assert upload.pixels.shape == upright.shape
    assert np.abs(upload.pixels[6:14, 6:22].astype(int) - (250, 20, 20)).mean() < 40
    assert np.abs(upload.pixels[20:, 30:].astype(int) - 128).mean() < 12
    assert upload.notes == (() if orientation == 1 else ("turned upright by its EXIF orientation",))


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_more_than_one_frame_is_refused(kind: str) -> None:
    frames = [Image.fromarray(NOISE), Image.fromarray(NOISE[::-1].copy())]

    line = refused(encoded(frames[0], kind, save_all=True, append_images=frames[1:]))

    assert "more than one frame; save the one to inspect" in line


@pytest.mark.parametrize(("width", "height"), [(1, 1), (15, 400), (400, 15)])
def test_a_tiny_picture_is_refused(width: int, height: int) -> None:
    line = refused(encoded(Image.new("RGB", (width, height)), "PNG"))

    assert f"{width}x{height} px is too small; at least 16x16 px needed" in line


def test_a_name_with_spaces_and_japanese_is_read_and_named(tmp_path: Path) -> None:
    path = tmp_path / "検査 画像 (1)" / "部品 A 傷.png"
    path.parent.mkdir()
    path.write_bytes(encoded(Image.fromarray(NOISE), "PNG"))

    assert read_upload(path).name == "部品 A 傷.png"
    path.write_bytes(b"x")
    assert "部品 A 傷.png" in refused(path)


@pytest.mark.parametrize("suffix", [".jpg", ".txt", "", ".exe"])
def test_content_decides_and_not_the_name(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"picture{suffix}"
    path.write_bytes(encoded(Image.fromarray(NOISE), "PNG"))

    assert np.array_equal(read_upload(path).pixels, NOISE)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    assert "is a folder; name one picture file" in refused(tmp_path)
    assert "there is no such file" in refused(tmp_path / "missing.png")
    assert "is no regular file" in refused(pipe)
    assert "is no regular file" in refused(Path("/dev/zero"))
    assert "cannot be read" in refused(Path("a\0b.png"))
    assert "cannot be read" in refused(tmp_path / ("x" * 256))


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "locked.png"
    path.write_bytes(encoded(Image.fromarray(NOISE), "PNG"))

    def denied(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", denied)  # as root, the tests could read anything
    assert refused(path).endswith("cannot be read (Permission denied)")


def test_a_heavy_file_is_refused_without_being_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "heavy.tif"
    with path.open("wb") as file:
        file.truncate(uploads.MAX_BYTES + 1)  # sparse: takes no space
    monkeypatch.setattr(Path, "read_bytes", lambda self: pytest.fail("it was read"))

    assert "129 MiB" not in refused(path) and "at most 128 MiB" in refused(path)
    assert "at most 128 MiB" in refused(bytes(uploads.MAX_BYTES + 1))


def test_a_name_cannot_forge_a_second_line() -> None:
    assert "\n" not in refused(b"x", name="part.png\nkenpin: verdict ok")


def test_the_limit_leaves_room_for_cameras() -> None:
    assert MAX_PIXELS >= 8000 * 6000
