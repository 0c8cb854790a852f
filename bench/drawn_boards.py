"""Drawn bare boards, black and white as binarised line scans are, with the six defects of such boards and their truth.

The layout, the two scans of it (a golden one and one of the board under test) and the defects are all drawn by code; no
picture of a real board is used. What a scan does to a layout: it bends by up to two pixels, row by row it jitters,
edges come out ragged, etching makes conductors a little wider or narrower, and there is dust that is no defect.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Bits = NDArray[np.uint8]
"""(H, W) uint8, 1 where there is copper."""
Field = NDArray[np.float32]
Box = tuple[int, int, int, int]
Rng = np.random.Generator

SIDE = 640
KINDS = ("open", "short", "mousebite", "spur", "copper", "pin-hole")
TRIES = 60
"""Places tried for one defect before it is left out."""


@dataclass(frozen=True)
class Pair:
    """A board under test and its golden sample, (H, W, 3) uint8 RGB, with the boxes that a person would draw."""

    subject: NDArray[np.uint8]
    reference: NDArray[np.uint8]
    boxes: tuple[Box, ...]
    kinds: tuple[str, ...]


def layout(rng: Rng, side: int = SIDE) -> Bits:
    """Pads, vias, traces at 0, 45 and 90 degrees, bundles of them, planes and lettering, each clear of the others."""
    board = np.zeros((side, side), np.uint8)
    fine = float(rng.uniform(0.5, 1.3))
    items: list[Callable[[Rng, Bits, float], None]] = [_pad, _net, _net, _net, _bundle, _bundle, _chip]
    for _ in range(int(rng.integers(2, 4)) if rng.random() < 0.5 else 0):
        _add(board, _drawn(board, lambda b: _plane(rng, b, fine)), gap=6)
    for _ in range(int(rng.integers(60, 400))):
        item = items[int(rng.integers(len(items)))]
        _add(board, _drawn(board, lambda b, item=item: item(rng, b, fine)), gap=int(rng.integers(5, 9)))
    if rng.random() < 0.3:
        where = (int(rng.integers(20, side - 200)), int(rng.integers(60, side - 20)))
        _add(board, _drawn(board, lambda b: cv2.putText(b, f"R{rng.integers(10, 99)} A", where, 0, 1.4, 1, 7)), gap=6)
    return board


def _drawn(board: Bits, draw: Callable[[Bits], object]) -> Bits:
    own = np.zeros_like(board)
    draw(own)
    return own


def _add(board: Bits, own: Bits, *, gap: int) -> None:
    """Take an item over if it keeps its distance from what is there already."""
    near = cv2.dilate(own, np.ones((2 * gap + 1,) * 2, np.uint8))
    if not (near & board).any():
        board |= own


def _place(rng: Rng, board: Bits) -> tuple[int, int]:
    return int(rng.integers(-10, board.shape[1] + 10)), int(rng.integers(-10, board.shape[0] + 10))


def _pad(rng: Rng, board: Bits, fine: float) -> None:
    x, y = _place(rng, board)
    if rng.random() < 0.55:
        radius = int(rng.uniform(11, 36) * fine)
        cv2.circle(board, (x, y), radius, 1, -1)
        if radius > 15 and rng.random() < 0.7:
            cv2.circle(board, (x, y), max(5, int(radius * rng.uniform(0.3, 0.5))), 0, -1)
    else:
        w, h = (int(rng.uniform(16, 60) * fine) for _ in range(2))
        cv2.rectangle(board, (x, y), (x + w, y + h), 1, -1)


def _chip(rng: Rng, board: Bits, fine: float) -> None:
    """A row of pads."""
    x, y = _place(rng, board)
    w, pitch = int(rng.uniform(12, 20) * fine), int(rng.uniform(26, 38) * fine)
    long, down = int(rng.uniform(24, 50) * fine), rng.random() < 0.5
    for i in range(int(rng.integers(3, 8))):
        a = (x, y + i * pitch) if down else (x + i * pitch, y)
        b = (a[0] + long, a[1] + w) if down else (a[0] + w, a[1] + long)
        cv2.rectangle(board, a, b, 1, -1)


STEPS = np.array([(1, 0), (1, 1), (0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1)])


def _route(rng: Rng, board: Bits) -> NDArray[np.int32]:
    """Corners of a trace that turns by 45 degrees."""
    points, heading = [np.array(_place(rng, board))], int(rng.integers(8))
    for _ in range(int(rng.integers(1, 5))):
        points.append(points[-1] + STEPS[heading] * int(rng.integers(25, 220)))
        heading = (heading + int(rng.choice([-1, 1]))) % 8
    return np.array(points, np.int32)


def _net(rng: Rng, board: Bits, fine: float) -> None:
    """A trace, with pads at its ends as often as not."""
    route, width = _route(rng, board), max(6, int(rng.choice([6, 8, 10, 14, 22]) * fine))
    cv2.polylines(board, [route], False, 1, width)
    for end in (route[0], route[-1]):
        if rng.random() < 0.6:
            radius = int(width / 2 + rng.uniform(4, 18) * fine)
            cv2.circle(board, [int(v) for v in end], radius, 1, -1)
            if radius > 14 and rng.random() < 0.6:
                cv2.circle(board, [int(v) for v in end], int(radius * 0.4), 0, -1)


def _bundle(rng: Rng, board: Bits, fine: float) -> None:
    """Traces side by side."""
    route, width = _route(rng, board)[:2], max(6, int(rng.uniform(5, 12) * fine))
    pitch = width + max(6, int(rng.uniform(6, 16) * fine))
    along = route[1] - route[0]
    across = np.array([-np.sign(along[1]), np.sign(along[0])])
    step = max(1, round(pitch / float(np.hypot(*across))))
    for i in range(int(rng.integers(2, 7))):
        a, b = route[0] + i * step * across, route[1] + i * step * across
        cv2.line(board, [int(v) for v in a], [int(v) for v in b], 1, width)


def _plane(rng: Rng, board: Bits, fine: float) -> None:
    """A large area with holes."""
    x, y = _place(rng, board)
    w, h, cut = int(rng.uniform(100, 320)), int(rng.uniform(80, 260)), int(rng.uniform(10, 50))
    corners = np.array([(x + cut, y), (x + w, y), (x + w, y + h - cut), (x + w - cut, y + h), (x, y + h), (x, y + cut)])
    cv2.fillPoly(board, [corners.astype(np.int32)], 1)
    for _ in range(int(rng.integers(0, 6))):
        at = (x + int(rng.uniform(0.15, 0.85) * w), y + int(rng.uniform(0.15, 0.85) * h))
        radius = int(rng.uniform(12, 26) * fine)
        cv2.circle(board, at, radius, 0, -1)
        if radius > 18:
            cv2.circle(board, at, radius // 2, 1, -1)


def _smooth(rng: Rng, shape: tuple[int, int], reach: float) -> Field:
    """Noise of the given reach, standard deviation 1."""
    small = (max(3, round(shape[0] / reach) + 2), max(3, round(shape[1] / reach) + 2))
    field = cv2.resize(rng.normal(0, 1, small).astype(np.float32), shape[::-1], interpolation=cv2.INTER_CUBIC)
    return np.asarray(field / (field.std() + 1e-6), np.float32)


def scan(board: Bits, rng: Rng, *, bend: float, ragged: float) -> Bits:
    """What a line scan of a board looks like once binarised.

    Args:
        board: Layout.
        rng: Source of chance.
        bend: Standard deviation of the local displacement, px; it is cut off at twice that.
        ragged: Strength of the noise along edges, about 0.05 to 0.25.
    """
    height, width = board.shape
    reach = float(rng.uniform(80, 320))
    dx, dy = (np.clip(bend * _smooth(rng, board.shape, reach), -2 * bend, 2 * bend) for _ in range(2))
    rows = rng.normal(0, 0.25 if rng.random() < 0.5 else 0.6, (height, 1)).astype(np.float32)
    xs = np.arange(width, dtype=np.float32)[None] + dx + rows
    ys = np.arange(height, dtype=np.float32)[:, None] + dy
    soft = cv2.GaussianBlur(board.astype(np.float32), (0, 0), float(rng.uniform(0.8, 1.5)))
    seen = cv2.remap(soft, xs.astype(np.float32), ys.astype(np.float32), cv2.INTER_LINEAR,
                     borderMode=cv2.BORDER_REPLICATE)
    seen += ragged * (0.6 * _smooth(rng, board.shape, 2.0) + 0.4 * _smooth(rng, board.shape, 6.0))
    level = np.clip(0.5 + float(rng.uniform(-0.1, 0.1)) + 0.05 * _smooth(rng, board.shape, 90.0), 0.36, 0.64)
    bits = (seen > level).astype(np.uint8)
    return _without_specks(bits)


def _without_specks(bits: Bits) -> Bits:
    """Single stray pixels do not survive the scanner's own filter."""
    return np.asarray(cv2.medianBlur(bits, 3), np.uint8)


def dust(bits: Bits, rng: Rng, count: int) -> None:
    """Specks of one to three pixels, dark on bright and bright on dark."""
    for _ in range(count):
        x, y = (int(rng.integers(2, s - 3)) for s in bits.shape[::-1])
        w, h = (int(rng.integers(1, 4)) for _ in range(2))
        bits[y:y + min(h, 2), x:x + w] = 1 - bits[y, x]


def drawn_pair(seed: int, *, defects: int | None = None, side: int = SIDE) -> Pair:
    """One pair; the same seed gives the same pair.

    Args:
        seed: Any number.
        defects: How many are tried; None is three to twelve, as in published sets of such pairs.
        side: Of the pictures, px.
    """
    from bench.drawn_defects import add_defects

    rng = np.random.default_rng(seed)
    board = layout(rng, side)
    ragged = float(rng.uniform(0.04, 0.13))
    bend = float(rng.uniform(0.0, 1.4))
    golden = scan(board, rng, bend=0.0, ragged=ragged * 0.7)
    tested = scan(board, rng, bend=bend, ragged=ragged)
    shift = rng.uniform(-1.5, 1.5, 2)
    tested = cv2.warpAffine(tested, np.array([[1, 0, shift[0]], [0, 1, shift[1]]]), (side, side),
                            flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
    dust(tested, rng, int(rng.integers(0, 12)))
    tested, boxes, kinds = add_defects(tested, rng, int(rng.integers(3, 13)) if defects is None else defects)
    return Pair(_picture(tested, rng), _picture(golden, rng), boxes, kinds)


def _picture(bits: Bits, rng: Rng) -> NDArray[np.uint8]:
    """Copper dark, as a JPEG of high quality."""
    grey = np.asarray(255 * (1 - bits), np.uint8)
    _, packed = cv2.imencode(".jpg", grey, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(88, 97))])
    return np.repeat(cv2.imdecode(packed, cv2.IMREAD_GRAYSCALE)[..., None], 3, axis=2)
