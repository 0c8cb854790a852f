"""Drawn trays whose number of pieces is known: shapes, light, ground, crowding."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from kenpin.contracts.view import Box, RgbImage

Field = NDArray[np.float32]
OVER = 2
"""Pieces are drawn this many times larger and reduced, so that their edges are as soft as a lens makes them."""


@dataclass(frozen=True)
class Sprite:
    """A piece before it is placed: cover and brightness of its own, both (n, n) float32."""

    cover: Field
    shade: Field
    """Added to the piece's brightness, grey levels."""
    reach: float
    """Radius of a circle around it, px of the tray."""
    inner: float
    """Radius of a circle inside it, px of the tray: touching pieces lie this far apart at least."""


@dataclass(frozen=True)
class Tray:
    """A picture with the number of pieces on it."""

    pixels: RgbImage
    count: int
    """Pieces of which at least half shows."""
    example: Box
    """Around one whole piece."""
    what: str
    cut: int
    """Pieces of which less than half shows."""


@dataclass(frozen=True)
class Plan:
    """What a tray shows."""

    name: str
    piece: str
    number: int
    size: float = 34.0
    """Radius of a piece, px; it varies by a few percent from piece to piece."""
    shape: tuple[int, int] = (540, 720)
    ground: str = "plain"
    contrast: float = 90.0
    """Brightness of the pieces over that of the ground, grey levels; negative is darker."""
    light: float = 0.0
    """How much brighter one end is than the other, as a share."""
    shadow: float = 0.0
    """Grey levels that a piece's shadow takes."""
    touching: float = 0.0
    """Share of the pieces that touch another one."""
    overlap: float = 0.0
    """How far those that touch lie over each other, as a share of their inner radius."""
    border: bool = False
    """Pieces may lie across the border."""
    other: str | None = None
    """Another kind of piece that lies among them and is not asked for."""
    colour: bool = False


def _canvas(size: float) -> tuple[Field, float]:
    side = int(2 * size * OVER * 1.5) | 1
    return np.zeros((side, side), np.float32), side / 2


def _ellipse(size: float, share: float, rng: np.random.Generator) -> Sprite:
    field, c = _canvas(size)
    long, short = size * OVER, size * share * OVER
    cv2.ellipse(field, (int(c), int(c)), (int(long), int(short)), 0, 0, 360, 1.0, -1)
    y, x = np.mgrid[:field.shape[0], :field.shape[1]].astype(np.float32)
    dome = np.clip(1 - ((x - c) / long) ** 2 - ((y - c) / short) ** 2, 0, 1)
    light = 18 * np.sqrt(dome) - 14 * ((y - c) / short) * (dome > 0)
    return Sprite(field, np.asarray(light * rng.uniform(0.3, 1), np.float32), size, size * (1 + share) / 2)


def _ring(size: float, rng: np.random.Generator) -> Sprite:
    field, c = _canvas(size)
    cv2.circle(field, (int(c), int(c)), int(size * OVER), 1.0, -1)
    cv2.circle(field, (int(c), int(c)), int(size * OVER * 0.52), 0.0, -1)
    y = np.mgrid[:field.shape[0], :field.shape[1]][0].astype(np.float32)
    return Sprite(field, np.asarray(8 * (c - y) / (size * OVER) * rng.uniform(0, 1), np.float32), size, size)


def _nut(size: float, rng: np.random.Generator) -> Sprite:
    field, c = _canvas(size)
    corners = [(c + size * OVER * np.cos(a), c + size * OVER * np.sin(a)) for a in np.arange(6) * np.pi / 3]
    cv2.fillPoly(field, [np.array(corners, np.int32)], 1.0)
    shade = np.zeros_like(field)
    cv2.circle(shade, (int(c), int(c)), int(size * OVER * 0.78), 14.0, -1)
    cv2.circle(field, (int(c), int(c)), int(size * OVER * 0.48), 0.0, -1)
    return Sprite(field, shade * np.float32(rng.uniform(0, 1)), size, size * 0.87)


def _screw(size: float, rng: np.random.Generator) -> Sprite:
    field, c = _canvas(size)
    r = size * OVER
    cv2.rectangle(field, (int(c - 0.62 * r), int(c - 0.11 * r)), (int(c + r), int(c + 0.11 * r)), 1.0, -1)
    cv2.rectangle(field, (int(c - r), int(c - 0.3 * r)), (int(c - 0.62 * r), int(c + 0.3 * r)), 1.0, -1)
    x = np.mgrid[:field.shape[0], :field.shape[1]][1].astype(np.float32)
    thread = 16 * np.sin(2 * np.pi * x / (0.09 * r)) * (x > c - 0.5 * r)
    return Sprite(field, np.asarray(thread * rng.uniform(0.2, 1), np.float32), size, size * 0.25)


def _capsule(size: float, rng: np.random.Generator) -> Sprite:
    field, c = _canvas(size)
    r = size * OVER
    cv2.line(field, (int(c - 0.58 * r), int(c)), (int(c + 0.58 * r), int(c)), 1.0, int(0.84 * r))
    shade = np.zeros_like(field)
    cv2.line(shade, (int(c - 0.5 * r), int(c - 0.18 * r)), (int(c + 0.5 * r), int(c - 0.18 * r)), 16.0, int(0.12 * r))
    return Sprite(field, cv2.GaussianBlur(shade, (0, 0), 2) * np.float32(rng.uniform(0.3, 1)), size, size * 0.7)


def _bar(size: float, rng: np.random.Generator) -> Sprite:
    field, c = _canvas(size)
    r = size * OVER
    cv2.rectangle(field, (int(c - r), int(c - 0.2 * r)), (int(c + r), int(c + 0.2 * r)), 1.0, -1)
    return Sprite(field, np.zeros_like(field) + np.float32(rng.uniform(-4, 4)), size, size * 0.2)


def _coin(size: float, rng: np.random.Generator) -> Sprite:
    field, c = _canvas(size)
    cv2.circle(field, (int(c), int(c)), int(size * OVER), 1.0, -1)
    relief = cv2.GaussianBlur(rng.normal(0, 1, field.shape).astype(np.float32), (0, 0), 0.06 * size * OVER)
    shade = 26 * relief / max(float(relief.std()), 1e-6) * (field > 0)
    cv2.circle(shade, (int(c), int(c)), int(size * OVER * 0.94), -22.0, max(1, int(0.05 * size * OVER)))
    return Sprite(field, np.asarray(shade, np.float32), size, size)


PIECES: dict[str, tuple[str, Callable[[float, np.random.Generator], Sprite]]] = {
    "washer": ("washer", _ring), "pill": ("tablet", lambda s, r: _ellipse(s, 1.0, r)), "capsule": ("capsule", _capsule),
    "screw": ("screw", _screw), "nut": ("nut", _nut), "seed": ("seed", lambda s, r: _ellipse(s, 0.66, r)),
    "hole": ("hole", lambda s, r: _ellipse(s, 1.0, r)), "slot": ("slot", _capsule), "pin": ("pin", _bar),
    "coin": ("coin", _coin), "ball": ("ball", lambda s, r: _ellipse(s, 1.0, r))}
"""Name to the noun that a user says, and the drawing."""


def _ground(kind: str, shape: tuple[int, int], level: float, rng: np.random.Generator) -> Field:
    white = rng.normal(0, 1, shape).astype(np.float32)
    y, x = np.mgrid[:shape[0], :shape[1]].astype(np.float32)
    texture: Field
    if kind == "brushed":
        texture = cv2.GaussianBlur(cv2.blur(white, (61, 1)), (0, 0), 0.6)
        return level + 6 * texture / texture.std()
    if kind == "speckled":
        texture = cv2.GaussianBlur(white, (0, 0), 1.6)
        return level + 8 * texture / texture.std()
    if kind == "cloth":
        return level + np.asarray(7 * np.sin(x * 0.9) + 7 * np.sin(y * 0.9), np.float32) + 2 * white
    if kind == "wood":
        rings = np.sin(0.12 * y + 3 * np.sin(0.008 * x) + 1.5 * np.sin(0.02 * y))
        return level + np.asarray(10 * rings, np.float32) + 2 * white
    return level + 1.5 * white


def _placed(plan: Plan, rng: np.random.Generator) -> list[tuple[float, float, float]]:
    """x, y and turn of each piece; touching ones beside an earlier one."""
    height, width = plan.shape
    _, make = PIECES[plan.piece]
    probe = make(plan.size, np.random.default_rng(0))
    apart = 2 * probe.reach * 1.14
    margin = -0.5 * plan.size if plan.border else 1.25 * plan.size
    spots: list[tuple[float, float, float]] = []
    for _ in range(60 * plan.number):
        if len(spots) == plan.number:
            break
        turn = float(rng.uniform(0, 360))
        partner = len(spots) > 0 and rng.random() < plan.touching
        if partner:
            bx, by, _ = spots[rng.integers(len(spots))]
            way, gap = rng.uniform(0, 2 * np.pi), 2 * probe.inner * (1 - plan.overlap) - 0.5
            x, y = bx + gap * np.cos(way), by + gap * np.sin(way)
            near = 0.98 * gap
        else:
            x, y = rng.uniform(margin, width - margin), rng.uniform(margin, height - margin)
            near = apart
        if not (margin <= x <= width - margin and margin <= y <= height - margin):
            continue
        if all((x - a) ** 2 + (y - b) ** 2 >= near**2 for a, b, _ in spots):
            spots.append((float(x), float(y), turn))
    return spots


def _paste(grey: Field, sprite: Sprite, spot: tuple[float, float, float], bright: float, shadow: float) -> Field:
    """Lay one piece on the tray; returns its cover, (H, W)."""
    x, y, turn = spot
    side = sprite.cover.shape[0]
    matrix = cv2.getRotationMatrix2D((side / 2, side / 2), turn, 1 / OVER)
    matrix[:, 2] += (x - side / 2, y - side / 2)
    size = (grey.shape[1], grey.shape[0])
    soft = cv2.GaussianBlur(sprite.cover, (0, 0), 0.45 * OVER)
    cover = np.asarray(cv2.warpAffine(soft, matrix, size, flags=cv2.INTER_AREA), np.float32)
    shade = cv2.warpAffine(sprite.shade, matrix, size, flags=cv2.INTER_AREA)
    if shadow:
        away = cv2.GaussianBlur(np.roll(cover, (round(0.12 * sprite.reach), round(0.1 * sprite.reach)), (0, 1)), (0, 0),
                                0.1 * sprite.reach)
        grey -= shadow * away
    grey += cover * (bright + shade - grey)
    return cover


def tray(plan: Plan, seed: int) -> Tray:
    """Draw one tray. The same plan and seed give the same picture."""
    rng = np.random.default_rng(seed)
    level = float(rng.uniform(90, 110)) if abs(plan.contrast) < 60 else (70.0 if plan.contrast > 0 else 190.0)
    grey = _ground(plan.ground, plan.shape, level, rng)
    noun, make = PIECES[plan.piece]
    spots = _placed(plan, rng)
    count = cut = 0
    example: Box | None = None
    covers = np.zeros(plan.shape, np.float32)
    strangers = max(3, len(spots) // 3) if plan.other else 0
    for i, spot in enumerate(spots):
        odd = plan.other is not None and i < strangers
        maker = PIECES[plan.other][1] if odd and plan.other else make
        own = plan.size * float(rng.uniform(0.97, 1.03)) * (0.62 if odd else 1.0)
        sprite = maker(own, rng)
        cover = _paste(grey, sprite, spot, level + plan.contrast * float(rng.uniform(0.93, 1.07)), plan.shadow)
        covers = np.maximum(covers, cover)
        if odd:
            continue
        shows = float(cover.sum()) / (float(sprite.cover.sum()) / OVER**2)
        count, cut = count + (shows >= 0.5), cut + (0.02 < shows < 0.5)
        if shows > 0.99:
            ys, xs = np.nonzero(cover > 0.5)
            example = (int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1)
    ramp = np.linspace(1 - plan.light / 2, 1 + plan.light / 2, plan.shape[1], dtype=np.float32)[None]
    grey = grey * ramp + rng.normal(0, 1.5, plan.shape).astype(np.float32)
    pixels = np.repeat(grey[..., None], 3, axis=2)
    if plan.colour:
        pixels = pixels * (1 - covers[..., None]) * np.array([0.6, 0.8, 1.2]) + pixels * covers[..., None] * np.array(
            [1.1, 1.0, 0.75])
    assert example is not None
    return Tray(np.clip(np.round(pixels), 0, 255).astype(np.uint8), int(count), example, noun, int(cut))


def plans() -> list[Plan]:
    """The scenes that are counted: each kind of piece, then each difficulty, then many pieces."""
    easy = [Plan(f"{piece} {n}", piece, n) for piece, n in (
        ("washer", 9), ("pill", 14), ("capsule", 8), ("screw", 9), ("nut", 11), ("seed", 16), ("pin", 12), ("coin", 10),
        ("ball", 13))]
    easy += [Plan(f"{p} dark {n}", p, n, contrast=-100) for p, n in (
        ("hole", 12), ("slot", 7), ("washer", 6), ("screw", 8))]
    few = [Plan(f"{p} {n}", p, n, size=60) for p, n in (
        ("pill", 1), ("nut", 2), ("screw", 3), ("washer", 1), ("pin", 2))]
    hard = []
    for p in ("pill", "seed", "washer", "nut", "coin", "capsule"):
        hard += [Plan(f"{p} touching", p, 18, size=26, touching=0.6),
                 Plan(f"{p} overlapping", p, 14, size=26, touching=0.5, overlap=0.18)]
    for p in ("pill", "nut", "screw", "washer", "seed"):
        hard += [Plan(f"{p} gradient", p, 12, light=0.9), Plan(f"{p} shadow", p, 11, shadow=45),
                 Plan(f"{p} faint", p, 12, contrast=24), Plan(f"{p} border", p, 16, border=True)]
        hard += [Plan(f"{p} on {g}", p, 11, ground=g) for g in ("brushed", "speckled", "cloth", "wood")]
        hard.append(Plan(f"{p} coloured", p, 13, colour=True, shadow=20))
    mixed = [Plan(f"{p} among {o}", p, 15, other=o) for p, o in (
        ("nut", "screw"), ("washer", "pin"), ("pill", "capsule"), ("screw", "ball"), ("seed", "nut"))]
    many = [Plan("seed 120", "seed", 120, size=10, contrast=-80),
            Plan("pill 90", "pill", 90, size=15, shape=(720, 960)),
            Plan("hole 160", "hole", 160, size=9, contrast=-110), Plan("seed 200 touching", "seed", 200, size=12,
            touching=0.3, shape=(960, 1280)), Plan("pin 70", "pin", 70, size=17, shape=(720, 960)),
            Plan("ball 300", "ball", 300, size=11, shape=(960, 1280)),
            Plan("pill 80 touching", "pill", 80, size=16, touching=0.5, shape=(720, 960)),
            Plan("nut 60 gradient", "nut", 60, size=18, light=0.7, shape=(720, 960))]
    return [*easy, *few, *hard, *mixed, *many]
