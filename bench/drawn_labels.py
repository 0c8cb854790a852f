"""Drawn labels and marked parts whose text is known: printed, engraved, dot-peened, turned, bent, worn.

Every glyph comes from a locked package (Pillow's own font, OpenCV's TrueType and Hershey fonts) or stands here (the
5x7 dot matrix), so that any machine draws the same pictures.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Mask = NDArray[np.float32]
Rgb = NDArray[np.uint8]
Rng = np.random.Generator

HERSHEY = {"simplex": cv2.FONT_HERSHEY_SIMPLEX, "duplex": cv2.FONT_HERSHEY_DUPLEX, "complex": cv2.FONT_HERSHEY_COMPLEX}
FONTS = ("pillow", "sans", "italic", "uni", *HERSHEY)

_DOTS = """
0 3E5149453E 1 00427F4000 2 4261514946 3 2141454B31 4 1814127F10 5 2745454539 6 3C4A494930 7 0171090503 8 3649494936
9 064949291E A 7E1111117E B 7F49494936 C 3E41414122 D 7F4141221C E 7F49494941 F 7F09090901 G 3E4149497A H 7F0808087F
I 00417F4100 J 2040413F01 K 7F08142241 L 7F40404040 M 7F020C027F N 7F0408107F O 3E4141413E P 7F09090906 Q 3E4151215E
R 7F09192946 S 4649494931 T 01017F0101 U 3F4040403F V 1F2040201F W 3F4038403F X 6314081463 Y 0708700807 Z 6151494543
- 0808080808 / 2010080402 . 0060600000
""".split()
DOTS = {character: bytes.fromhex(columns) for character, columns in zip(_DOTS[::2], _DOTS[1::2], strict=True)}
"""Columns of the 5x7 dot matrix, lowest bit on top; the zero is slashed, as marking machines have it."""


@dataclass(frozen=True)
class Label:
    """A picture, (H, W, 3) uint8 RGB, and the lines that stand in it from top to bottom."""

    pixels: Rgb
    lines: tuple[str, ...]


def number(rng: Rng) -> str:
    """A lot or serial number, a date or a part number, rich in O/0, I/1, S/5, B/8 and Z/2."""
    def some(letters: str, count: int) -> str:
        return "".join(rng.choice(list(letters), count))
    letters, digits = "ABCDEFGHJKLMNPRSTUVWXYZ" + "BSZOI", "0123456789" + "0158"
    return (f"L{some(digits, 3)}-{some(digits, 2)}", f"SN {some(digits, 2)}-{some(digits, 4)}-{some(letters, 1)}",
            f"LOT {some(letters, 1)}{some(digits, 4)}-{some(digits, 2)}", f"{some(letters, 2)}{some(digits, 5)}",
            f"20{some('2', 1)}{some(digits, 1)}-0{some('123456789', 1)}-1{some('0123456789', 1)}",
            f"{some(letters + digits, 4)}-{some(letters + digits, 3)}",
            f"P/N {some(digits, 3)}.{some(digits, 3)}.{some(digits, 2)}")[int(rng.integers(7))]


@cache
def _face(name: str) -> Any:
    return cv2.FontFace(name)


def written(text: str, font: str, size: int) -> Mask:
    """Ink of one line, (H, W) float32 0 to 1, with a margin of half a character."""
    wide, margin = int(size * (len(text.encode()) + 2) * 1.1), size // 2
    if font == "pillow":
        page = Image.new("L", (wide, 3 * size), 0)
        ImageDraw.Draw(page).text((size, size // 2), text, fill=255, font=ImageFont.load_default(size))
        ink = np.asarray(page, dtype=np.uint8)
    else:
        ink = np.zeros((3 * size, wide), np.uint8)
        if font in HERSHEY:
            thick = max(1, round(size / 13))
            cv2.putText(ink, text, (size, 2 * size), HERSHEY[font], size / 30, 255, thick, cv2.LINE_AA)
        else:
            bgr = np.repeat(ink[..., None], 3, axis=2)
            cv2.putText(bgr, text, (size, 2 * size), (255, 255, 255), _face(font), size, 400)
            ink = bgr[..., 0]
    rows, columns = np.nonzero(ink > 60)
    cut = ink[rows.min():rows.max() + 1, columns.min():columns.max() + 1]
    return np.pad(cut.astype(np.float32) / 255, margin)


def peened(text: str, pitch: float, rng: Rng, dot: float = 0.42) -> Mask:
    """The same line as dots on a grid with `pitch` px between them, radius `dot` of a pitch, placed to 5 % of it."""
    columns = [column for character in text for column in (*DOTS.get(character, bytes(5)), 0)]
    height, width = int(np.ceil(11 * pitch)), int(np.ceil((len(columns) + 4) * pitch))
    fine = np.zeros((4 * height, 4 * width), np.uint8)
    for x, column in enumerate(columns):
        for y in range(7):
            if column >> y & 1:
                at = 4 * pitch * (np.array([x + 2.5, y + 2.0]) + rng.normal(0, 0.05, 2))
                cv2.circle(fine, (round(at[0]), round(at[1])), round(4 * dot * pitch), 255, -1)
    return np.asarray(cv2.resize(fine, (width, height), interpolation=cv2.INTER_AREA), np.float32) / 255


def bent(ink: Mask, depth: float) -> Mask:
    """A line on an arc whose middle lies `depth` of its height above its ends."""
    height, width = ink.shape
    rise = int(np.ceil(depth * height))
    padded = np.pad(ink, ((rise, rise), (0, 0)))
    y, x = np.mgrid[:padded.shape[0], :width].astype(np.float32)
    lift = np.float32(rise) * (1 - (2 * x / width - 1) ** 2) - np.float32(rise / 2)
    return np.asarray(cv2.remap(padded, x, y + lift, cv2.INTER_LINEAR), np.float32)


def placed(ink: Mask, shape: tuple[int, int], rng: Rng, *, turn: float = 0.0, tilt: float = 0.0) -> Mask:
    """Ink laid into an empty picture, turned clockwise by `turn` degrees and with corners moved by `tilt` of its size.

    It is reduced where it would not fit.
    """
    height, width = ink.shape
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32) - (width / 2, height / 2)
    corners = corners + rng.uniform(-tilt, tilt, (4, 2)) * (0.5 * width, height)
    angle = np.radians(turn)
    corners = corners @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    span = np.ptp(corners, axis=0)
    corners *= min(1.0, float(np.min((np.array(shape[::-1]) - 8) / span)))
    room = (np.array(shape[::-1]) - np.ptp(corners, axis=0)) / 2 - 2
    target = corners - corners.min(axis=0) - np.ptp(corners, axis=0) / 2 + np.array(shape[::-1]) / 2
    target = target + rng.uniform(-1, 1, 2) * np.maximum(room, 0)
    source = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    matrix = cv2.getPerspectiveTransform(source, target.astype(np.float32))
    return np.asarray(cv2.warpPerspective(ink, matrix, shape[::-1], flags=cv2.INTER_LINEAR), np.float32)


def ground(rng: Rng, shape: tuple[int, int] = (480, 640), kind: str = "plain") -> Mask:
    """A surface, (H, W) float32 grey levels: plain, brushed or granular."""
    fine = rng.normal(0, 1, shape).astype(np.float32)
    y, x = np.mgrid[:shape[0], :shape[1]].astype(np.float32)
    slope = rng.uniform(-20, 20) * (x / shape[1] - 0.5) + rng.uniform(-20, 20) * (y / shape[0] - 0.5)
    grey = float(rng.uniform(110, 190)) + slope + fine * 1.5
    if kind == "brushed":
        streak = cv2.blur(fine, (41, 1)) if rng.random() < 0.5 else cv2.blur(fine, (1, 41))
        grey = grey + streak * float(rng.uniform(60, 110))
    if kind == "granular":
        grey = grey + cv2.GaussianBlur(fine, (0, 0), 1.2) * 30 + cv2.GaussianBlur(fine, (0, 0), 5) * 80
    return np.asarray(grey, np.float32)


def printed(grey: Mask, ink: Mask, rng: Rng, *, contrast: tuple[float, float] = (60, 120)) -> Mask:
    """Ink darker or lighter than the ground by `contrast` grey levels."""
    level = float(rng.uniform(*contrast)) * (-1 if grey.mean() > 140 or rng.random() < 0.3 else 1)
    return np.asarray(grey + level * ink, np.float32)


def engraved(grey: Mask, ink: Mask, rng: Rng, *, strength: tuple[float, float] = (30, 80)) -> Mask:
    """Grooves lit from one side: the flank that faces the light is bright, the other dark, the floor a little dark."""
    depth = cv2.GaussianBlur(ink, (0, 0), float(rng.uniform(1.0, 1.8)))
    across, down = np.gradient(depth)[::-1]
    angle = rng.uniform(0, 2 * np.pi)
    shade = np.cos(angle) * across + np.sin(angle) * down
    shade = shade / max(float(np.abs(shade).max()), 1e-6)
    return np.asarray(grey + rng.uniform(*strength) * shade - rng.uniform(0, 8) * depth, np.float32)


def seen(grey: Mask, rng: Rng, *, noise: float = 2.0, blur: float = 0.6, jpeg: int = 92) -> Rgb:
    """What a camera makes of it."""
    soft = cv2.GaussianBlur(grey, (0, 0), blur) + rng.normal(0, noise, grey.shape)
    rgb = np.repeat(np.clip(soft, 0, 255).astype(np.uint8)[..., None], 3, axis=2)
    return np.asarray(cv2.imdecode(cv2.imencode(".jpg", rgb, [cv2.IMWRITE_JPEG_QUALITY, jpeg])[1], cv2.IMREAD_COLOR))


def _line(rng: Rng, text: str | None = None) -> tuple[str, Mask]:
    text = text or number(rng)
    return text, written(text, str(rng.choice(FONTS)), int(rng.integers(22, 48)))


def _one(rng: Rng, *, turn: float | None = None, tilt: float = 0.0, bend: float = 0.0, surface: str = "plain",
         contrast: tuple[float, float] = (60, 120), camera: dict[str, Any] | None = None) -> Label:
    text, ink = _line(rng)
    laid = placed(bent(ink, bend) if bend else ink, (480, 640), rng, turn=rng.uniform(-4, 4) if turn is None else turn,
                  tilt=tilt)
    return Label(seen(printed(ground(rng, kind=surface), laid, rng, contrast=contrast), rng, **(camera or {})), (text,))


def _engraved(rng: Rng) -> Label:
    text, ink = _line(rng)
    laid = placed(ink, (480, 640), rng, turn=rng.uniform(-8, 8))
    surface = str(rng.choice(["plain", "brushed", "granular"]))
    return Label(seen(engraved(ground(rng, kind=surface), laid, rng), rng, noise=3), (text,))


def _peened(rng: Rng, turn: float | None = None) -> Label:
    text = number(rng)
    ink = peened(text, float(rng.uniform(3.5, 8.5)), rng, dot=float(rng.uniform(0.3, 0.45)))
    laid = placed(ink, (480, 640), rng, turn=rng.uniform(-6, 6) if turn is None else turn)
    base = ground(rng, kind=str(rng.choice(["plain", "brushed", "granular"])))
    lit = engraved(base, laid, rng, strength=(40, 90)) if rng.random() < 0.5 else printed(base, laid, rng,
                                                                                       contrast=(40, 90))
    return Label(seen(lit, rng), (text,))


def _several(rng: Rng) -> Label:
    base, font = ground(rng) + 30, str(rng.choice(FONTS))
    lines = tuple(number(rng) for _ in range(int(rng.integers(3, 6))))
    size = int(rng.integers(18, 30))
    inks = [written(line, font, size) for line in lines]
    sheet = np.zeros((sum(ink.shape[0] for ink in inks), max(ink.shape[1] for ink in inks)), np.float32)
    top = 0
    for ink in inks:
        sheet[top:top + ink.shape[0], :ink.shape[1]] = ink
        top += ink.shape[0]
    return Label(seen(printed(base, placed(sheet, (480, 640), rng, turn=rng.uniform(-5, 5)), rng), rng), lines)


def _large(rng: Rng) -> Label:
    text = number(rng)
    ink = written(text, str(rng.choice(FONTS)), int(rng.integers(20, 30)))
    laid = placed(ink, (1500, 2000), rng, turn=rng.uniform(-10, 10))
    return Label(seen(printed(ground(rng, (1500, 2000), "brushed"), laid, rng), rng), (text,))


JAPANESE = ("製造番号 {}", "ロット番号：{}", "検査済み", "賞味期限 2026年3月{}日", "型式 {}", "品質保証課",
            "東京工場 第3ライン")


def _japanese(rng: Rng) -> Label:
    text = str(rng.choice(JAPANESE)).format(rng.integers(10, 29))
    ink = written(text, "uni", int(rng.integers(24, 44)))
    return Label(seen(printed(ground(rng), placed(ink, (480, 640), rng, turn=rng.uniform(-5, 5)), rng), rng), (text,))


CLASSES: dict[str, Callable[[Rng], Label]] = {
    "printed": _one, "low contrast": lambda rng: _one(rng, contrast=(8, 20), camera={"noise": 1.5}),
    "turned": lambda rng: _one(rng, turn=float(rng.uniform(-180, 180))),
    "quarter turns": lambda rng: _one(rng, turn=float(rng.choice([90, 180, 270]) + rng.uniform(-3, 3))),
    "perspective": lambda rng: _one(rng, tilt=0.22), "curved": lambda rng: _one(rng, bend=float(rng.uniform(0.3, 0.9))),
    "noise, blur, JPEG": lambda rng: _one(rng, camera={"noise": 14, "blur": 1.8, "jpeg": 35}),
    "textured metal": lambda rng: _one(rng, surface=str(rng.choice(["brushed", "granular"]))),
    "engraved": _engraved, "dot-peen": _peened,
    "dot-peen, turned": lambda rng: _peened(rng, turn=float(rng.choice([90, 180, 270, 30, -40]))),
    "several lines": _several, "small in 3 MP": _large, "Japanese": _japanese}


def label(kind: str, seed: int) -> Label:
    """A picture of one class of `CLASSES`, the same for the same seed."""
    return CLASSES[kind](np.random.default_rng([seed, *kind.encode()]))


def sheet(labels: Sequence[Label], columns: int = 4) -> Rgb:
    """Pictures side by side, each reduced to 320x240, to look at."""
    small = [cv2.resize(one.pixels, (320, 240), interpolation=cv2.INTER_AREA) for one in labels]
    small += [np.zeros_like(small[0])] * (-len(small) % columns)
    return np.vstack([np.hstack(small[i:i + columns]) for i in range(0, len(small), columns)]).astype(np.uint8)
