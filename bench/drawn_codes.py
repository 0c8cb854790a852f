"""Drawn codes whose contents are known: printed, dot-peened, pale, inverted, turned, small, several in one picture."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import zxingcpp

from bench.drawn_labels import Mask, Rgb, Rng, ground, placed, printed, seen

SHAPE = (480, 640)


@dataclass(frozen=True)
class Marked:
    """A picture, (H, W, 3) uint8 RGB, and the codes in it as (format, text)."""

    pixels: Rgb
    codes: tuple[tuple[str, str], ...]


def modules(text: str, kind: str) -> Mask:
    """Dark modules of a code, one pixel each, (H, W) float32, without a quiet zone."""
    made = zxingcpp.create_barcode(text, getattr(zxingcpp.BarcodeFormat, kind))
    drawn = np.asarray(zxingcpp.write_barcode_to_image(made, scale=1, add_quiet_zones=False))
    return np.asarray(drawn < 128, np.float32)


def _some(rng: Rng, letters: str, count: int) -> str:
    return "".join(rng.choice(list(letters), count))


def contents(kind: str, rng: Rng) -> str:
    """Something that the format can hold, with its check digit."""
    if kind in {"EAN13", "EAN8", "ITF"}:
        body = _some(rng, "0123456789", {"EAN13": 12, "EAN8": 7, "ITF": 13}[kind])
        weighed = sum(int(d) * (3 if i % 2 == 0 else 1) for i, d in enumerate(reversed(body)))
        return body + str(-weighed % 10)
    if kind == "MicroQRCode":
        return _some(rng, "0123456789", 8)
    return f"L{_some(rng, '0123456789', 4)}-{_some(rng, 'ABCDEFGHKLMN', 2)}{_some(rng, '0123456789', 3)}"


def _ink(kind: str, text: str, module: float, *, high: int = 60) -> Mask:
    grid = modules(text, kind)
    if min(grid.shape) < 2 or kind in {"Code128", "Code39", "EAN13", "EAN8", "ITF"}:
        grid = np.repeat(grid[:1], max(1, round(high / module)), axis=0)
    fine = max(1, round(4 * module))
    large = np.kron(grid, np.ones((fine, fine), np.float32))
    size = (round(grid.shape[1] * module), round(grid.shape[0] * module))
    return np.asarray(cv2.resize(large, size, interpolation=cv2.INTER_AREA), np.float32)


def _paper(ink: Mask, quiet: int) -> tuple[Mask, Mask]:
    """Ink and the paper that it stands on."""
    return np.pad(ink, quiet), np.ones((ink.shape[0] + 2 * quiet, ink.shape[1] + 2 * quiet), np.float32)


def _printed(rng: Rng, kind: str, *, turn: float = 0.0, module: float = 3.0, metal: bool = False,
             contrast: float = 170.0, inverted: bool = False, **camera: Any) -> Marked:
    text = contents(kind, rng)
    ink, paper = _paper(_ink(kind, text, module), int(10 * module))
    state = rng.bit_generator.state
    laid = placed(ink, SHAPE, rng, turn=turn)
    rng.bit_generator.state = state
    under = placed(paper, SHAPE, rng, turn=turn)
    base = ground(rng, SHAPE, "brushed" if metal else "plain")
    white = base if metal else base * (1 - under) + 225 * under
    grey = white - contrast * laid if not inverted else (255 - white) * under + white * (1 - under) + contrast * laid
    return Marked(seen(np.asarray(grey, np.float32), rng, **camera), ((kind, text),))


def _peened(rng: Rng, *, turn: float = 0.0) -> Marked:
    """A DataMatrix of round dots that do not touch, dark or light on metal."""
    text, pitch = contents("DataMatrix", rng), float(rng.uniform(6, 12))
    grid = modules(text, "DataMatrix")
    side = [int(np.ceil((n + 6) * pitch)) for n in grid.shape]
    dots = np.zeros((4 * side[0], 4 * side[1]), np.uint8)
    for y, x in np.argwhere(grid > 0):
        at = 4 * pitch * (np.array([x + 3.5, y + 3.5]) + rng.normal(0, 0.04, 2))
        cv2.circle(dots, (round(at[0]), round(at[1])), round(4 * pitch * rng.uniform(0.3, 0.42)), 255, -1)
    ink = np.asarray(cv2.resize(dots, (side[1], side[0]), interpolation=cv2.INTER_AREA), np.float32) / 255
    laid = placed(ink, SHAPE, rng, turn=turn)
    grey = printed(ground(rng, SHAPE, "brushed" if rng.random() < 0.5 else "granular"), laid, rng, contrast=(50, 90))
    return Marked(seen(grey, rng), (("DataMatrix", text),))


def _several(rng: Rng) -> Marked:
    kinds = list(rng.permutation(["QRCode", "DataMatrix", "Code128", "EAN13"]))
    half = (SHAPE[0] // 2, SHAPE[1] // 2)
    grey, codes = ground(rng, SHAPE), []
    for i, kind in enumerate(kinds):
        text = contents(kind, rng)
        ink, paper = _paper(_ink(kind, text, 2.0, high=50), 20)
        state = rng.bit_generator.state
        laid = placed(ink, half, rng, turn=float(rng.uniform(-6, 6)))
        rng.bit_generator.state = state
        under = placed(paper, half, rng, turn=float(rng.uniform(-6, 6)))
        y, x = half[0] * (i // 2), half[1] * (i % 2)
        part = grey[y:y + half[0], x:x + half[1]]
        grey[y:y + half[0], x:x + half[1]] = part * (1 - under) + 225 * under - 170 * laid
        codes.append((kind, text))
    return Marked(seen(grey, rng), tuple(codes))


def _any(rng: Rng) -> float:
    return float(rng.uniform(-180, 180))


CLASSES: dict[str, Callable[[Rng], Marked]] = {
    "QR": lambda rng: _printed(rng, "QRCode", turn=_any(rng)),
    "Micro QR": lambda rng: _printed(rng, "MicroQRCode", turn=float(rng.uniform(-10, 10)), module=5),
    "DataMatrix": lambda rng: _printed(rng, "DataMatrix", turn=_any(rng), module=4),
    "DataMatrix, pale": lambda rng: _printed(rng, "DataMatrix", turn=_any(rng), module=5, metal=True,
                                             contrast=float(rng.uniform(20, 40))),
    "DataMatrix, inverted": lambda rng: _printed(rng, "DataMatrix", turn=_any(rng), module=4, inverted=True),
    "DataMatrix, peened": lambda rng: _peened(rng, turn=float(rng.uniform(-8, 8))),
    "DataMatrix, peened, turned": lambda rng: _peened(rng, turn=_any(rng)),
    "Code 128": lambda rng: _printed(rng, "Code128", turn=float(rng.uniform(-10, 10)), module=2),
    "Code 39": lambda rng: _printed(rng, "Code39", turn=float(rng.uniform(-10, 10)), module=2),
    "EAN-13": lambda rng: _printed(rng, "EAN13", turn=float(rng.uniform(-10, 10)), module=2),
    "ITF-14": lambda rng: _printed(rng, "ITF", turn=float(rng.uniform(-10, 10)), module=2),
    "bar codes, turned": lambda rng: _printed(rng, str(rng.choice(["Code128", "EAN13", "Code39", "ITF"])),
                                              turn=_any(rng), module=2),
    "small, blurred": lambda rng: _printed(rng, str(rng.choice(["QRCode", "DataMatrix", "Code128"])),
                                           module=float(rng.uniform(1.6, 2.2)), blur=1.0, noise=4),
    "several": _several}


def marked(kind: str, seed: int) -> Marked:
    """A picture of one class of `CLASSES`, the same for the same seed."""
    return CLASSES[kind](np.random.default_rng([seed, *kind.encode()]))
