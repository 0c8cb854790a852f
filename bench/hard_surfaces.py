"""Drawn surfaces made to be passed by mistake: faint, soft, cut by the border, all over, repeated, masked, degraded.

The contrast of a fault follows the texture, so that it stays visible to a person and hard for statistics.
"""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from bench.drawn_surfaces import TEXTURES, Field, Rgb, _noise, texture

SHAPE = (480, 640)
CONTRAST = (2.0, 3.0)
"""Of a faint line, in deviations of the texture; below 2 a person does not find it on most of them either."""
Rng = np.random.Generator
Fault = Callable[[Field, Rng, float], Field]
"""A grey field, a random generator and the texture's own deviation in; the field with the fault out."""


def grains(field: Field) -> float:
    """Standard deviation of a texture without its slow changes, grey levels."""
    return max(float(np.std(field - cv2.GaussianBlur(field, (0, 0), 20))), 1.5)


def _points(rng: Rng, length: float, bend: float, shape: tuple[int, int] = SHAPE) -> NDArray[np.float64]:
    angle, t = rng.uniform(0, np.pi), np.linspace(-0.5, 0.5, 80)
    centre = np.array([rng.uniform(0.35, 0.65) * shape[1], rng.uniform(0.35, 0.65) * shape[0]])
    walk = np.cumsum(rng.normal(0, 1, 80))
    walk -= np.linspace(walk[0], walk[-1], 80)
    line = np.outer(t, (np.cos(angle), np.sin(angle))) + np.outer(bend * walk, (-np.sin(angle), np.cos(angle)))
    return np.asarray(centre + length * line)


def _stroke(shape: tuple[int, ...], points: NDArray[np.float64], width: int) -> Field:
    mask = np.zeros(shape[:2], np.float32)
    cv2.polylines(mask, [np.round(points * 16).astype(np.int32)], False, 1.0, width, cv2.LINE_AA, 4)
    return mask


def _disc(shape: tuple[int, ...], centre: tuple[float, float], axes: tuple[float, float], soft: float,
          turn: float = 0.0) -> Field:
    mask = np.zeros(shape[:2], np.float32)
    cv2.ellipse(mask, (centre, (2 * axes[0], 2 * axes[1]), turn), 1.0, -1, cv2.LINE_AA)
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), soft) if soft else mask, np.float32)


def faint_crack(grey: Field, rng: Rng, sd: float) -> Field:
    """A winding crack over half of the picture, 2 px wide, at 2 to 3 deviations."""
    points = _points(rng, float(rng.uniform(330, 520)), 0.012)
    return grey - _stroke(grey.shape, points, 2) * sd * np.float32(rng.uniform(*CONTRAST))


def faint_scratch(grey: Field, rng: Rng, sd: float) -> Field:
    """A straight scratch as long, as faint."""
    points = _points(rng, float(rng.uniform(250, 520)), 0.0)
    sign = float(rng.choice([-1, 1]))
    return grey + sign * _stroke(grey.shape, points, 2) * sd * np.float32(rng.uniform(*CONTRAST))


def soft_stain(grey: Field, rng: Rng, sd: float) -> Field:
    """A soft stain over a third of the picture, 10 grey levels or 1.5 deviations."""
    centre = (float(rng.uniform(0.3, 0.7) * grey.shape[1]), float(rng.uniform(0.3, 0.7) * grey.shape[0]))
    mask = _disc(grey.shape, centre, (rng.uniform(170, 220), rng.uniform(140, 180)), float(rng.uniform(15, 45)))
    return grey - mask * np.float32(max(10.0, 1.5 * sd))


def half_stain(grey: Field, rng: Rng, sd: float) -> Field:
    """One side of the picture darker, with a soft border."""
    y, x = np.mgrid[:grey.shape[0], :grey.shape[1]].astype(np.float32)
    angle = rng.uniform(0, 2 * np.pi)
    along = np.cos(angle) * (x - grey.shape[1] / 2) + np.sin(angle) * (y - grey.shape[0] / 2)
    return grey - np.float32(max(12.0, 1.5 * sd)) / (1 + np.exp(-(along - rng.uniform(-80, 80)) / rng.uniform(6, 25)))


def border_blob(grey: Field, rng: Rng, sd: float) -> Field:
    """A soft spot or a chip cut by the border or a corner."""
    side = int(rng.integers(4))
    x = (0.0, grey.shape[1] - 1.0, rng.uniform(0, grey.shape[1]), rng.uniform(0, grey.shape[1]))[side]
    y = (rng.uniform(0, grey.shape[0]), rng.uniform(0, grey.shape[0]), 0.0, grey.shape[0] - 1.0)[side]
    axes, soft = (rng.uniform(12, 60), rng.uniform(8, 40)), float(rng.uniform(0.5, 12))
    mask = _disc(grey.shape, (float(x), float(y)), axes, soft)
    return grey - mask * np.float32(max(14.0, 2.5 * sd))


def border_strip(grey: Field, rng: Rng, sd: float) -> Field:
    """A strip along a whole side of the picture."""
    depth = np.arange(grey.shape[0], dtype=np.float32)[:, None]
    width, soft = rng.uniform(4, 30), rng.uniform(0.5, 8)
    mask = np.broadcast_to(0.5 - 0.5 * np.tanh((depth - width) / soft / 2), grey.shape)
    return grey - (mask if rng.random() < 0.5 else mask[::-1]) * np.float32(max(14.0, 2.5 * sd))


def streak(grey: Field, rng: Rng, sd: float) -> Field:
    """A band across the whole picture, as a roller leaves it."""
    x = np.arange(grey.shape[1], dtype=np.float32)[None]
    middle, width = rng.uniform(0.2, 0.8) * grey.shape[1], rng.uniform(4, 18)
    return grey - np.exp(-0.5 * ((x - middle) / width) ** 2) * np.float32(max(6.0, 1.2 * sd))


def worn_half(grey: Field, rng: Rng, sd: float) -> Field:
    """Half of the surface polished or roughened: same brightness, other texture."""
    x = np.arange(grey.shape[1], dtype=np.float32)[None]
    share = 1 / (1 + np.exp(-(x - rng.uniform(0.3, 0.7) * grey.shape[1]) / 15))
    slow = cv2.GaussianBlur(grey, (0, 0), 12)
    return slow + (grey - slow) * (1 + share * np.float32(rng.choice([-0.5, 0.9])))


def worn_patch(grey: Field, rng: Rng, sd: float) -> Field:
    """A patch whose texture is lost: fine detail smoothed away."""
    centre = (float(rng.uniform(0.2, 0.8) * grey.shape[1]), float(rng.uniform(0.2, 0.8) * grey.shape[0]))
    mask = _disc(grey.shape, centre, (rng.uniform(35, 80), rng.uniform(30, 60)), 4.0)
    return grey + mask * (cv2.GaussianBlur(grey, (0, 0), 6) - grey) * np.float32(0.8)


def turned_patch(grey: Field, rng: Rng, sd: float) -> Field:
    """A patch whose texture runs the other way or, where it has no direction, is coarser and stronger."""
    centre = (float(rng.uniform(0.25, 0.75) * grey.shape[1]), float(rng.uniform(0.25, 0.75) * grey.shape[0]))
    mask = _disc(grey.shape, centre, (rng.uniform(45, 90), rng.uniform(40, 70)), 2.0)
    slow = cv2.GaussianBlur(grey, (0, 0), 20)
    own = grey - slow
    along, across = np.abs(np.diff(own, axis=0)).mean(), np.abs(np.diff(own, axis=1)).mean()
    directed = max(along, across) > 1.3 * min(along, across)
    other = np.resize(np.rot90(own).copy(), grey.shape) if directed else 1.6 * own + cv2.GaussianBlur(own, (0, 0), 3)
    return grey + mask * (slow + other - grey)


def corroded(grey: Field, rng: Rng, sd: float) -> Field:
    """Spots all over."""
    out = grey.copy()
    for _ in range(int(rng.integers(40, 250))):
        centre = (float(rng.uniform(0, grey.shape[1])), float(rng.uniform(0, grey.shape[0])))
        radius = float(rng.uniform(2, 8))
        out -= _disc(grey.shape, centre, (radius, radius * rng.uniform(0.6, 1)), 0.7) * np.float32(max(16, 4 * sd))
    return out


def scoured(grey: Field, rng: Rng, sd: float) -> Field:
    """Scratches all over."""
    out = grey.copy()
    for _ in range(int(rng.integers(25, 80))):
        shift = np.array([rng.uniform(-300, 300), rng.uniform(-220, 220)])
        points = _points(rng, float(rng.uniform(60, 250)), 0) + shift
        out -= _stroke(grey.shape, points, 1) * np.float32(max(12, 3 * sd))
    return out


def equal_pits(grey: Field, rng: Rng, sd: float) -> Field:
    """Pits of one size at equal steps, as a machine leaves them."""
    out, count, radius = grey.copy(), int(rng.integers(3, 8)), float(rng.uniform(5, 12))
    start = np.array([rng.uniform(80, 160), rng.uniform(80, 380)])
    step = np.array([rng.uniform(40, 65), rng.uniform(-8, 8)])
    for i in range(count):
        x, y = start + i * step
        out -= _disc(grey.shape, (float(x), float(y)), (radius, radius), 0.6) * np.float32(max(22, 5 * sd))
    return out


def chatter(grey: Field, rng: Rng, sd: float) -> Field:
    """Parallel marks over part of the surface."""
    y, x = np.mgrid[:grey.shape[0], :grey.shape[1]].astype(np.float32)
    angle, period = rng.uniform(0, np.pi), rng.uniform(9, 25)
    wave = np.sin(2 * np.pi * (np.cos(angle) * x + np.sin(angle) * y) / period)
    centre = (float(rng.uniform(0.3, 0.7) * grey.shape[1]), float(rng.uniform(0.3, 0.7) * grey.shape[0]))
    mask = _disc(grey.shape, centre, (rng.uniform(80, 160), rng.uniform(60, 120)), 15)
    return grey + wave * mask * np.float32(max(5, sd))


def crazed(grey: Field, rng: Rng, sd: float) -> Field:
    """A net of cracks, which looks like writing."""
    mask = np.zeros(grey.shape, np.float32)
    middle = np.array([rng.uniform(150, 490), rng.uniform(120, 360)])
    plan = cv2.Subdiv2D((-4000, -4000, 9000, 9000))
    for spot in middle + rng.uniform(-1, 1, (26, 2)) * (110, 60):
        plan.insert((float(spot[0]), float(spot[1])))
    facets, _ = plan.getVoronoiFacetList([])
    for facet in facets:
        if np.all(np.abs(facet - middle) < (120, 70)):
            cv2.polylines(mask, [np.round(facet * 16).astype(np.int32)], True, 1.0, 2, cv2.LINE_AA, 4)
    return grey - mask * np.float32(max(25, 5 * sd))


def residue(grey: Field, rng: Rng, sd: float) -> Field:
    """A straight-edged rest of tape, which looks like a label."""
    turn, size = float(rng.uniform(0, 90)), (float(rng.uniform(60, 150)), float(rng.uniform(40, 90)))
    box = cv2.boxPoints(((float(rng.uniform(160, 480)), float(rng.uniform(130, 350))), size, turn))
    mask = np.zeros(grey.shape, np.float32)
    cv2.fillPoly(mask, [np.round(box * 16).astype(np.int32)], 1.0, cv2.LINE_AA, 4)
    return grey + mask * np.float32(rng.choice([-1, 1])) * np.float32(max(14, 2.5 * sd))


def water_ring(grey: Field, rng: Rng, sd: float) -> Field:
    """A dried ring, which looks like a washer."""
    mask = np.zeros(grey.shape, np.float32)
    centre = (float(rng.uniform(150, 490)), float(rng.uniform(120, 360)))
    side = float(rng.uniform(60, 160))
    cv2.ellipse(mask, (centre, (side, side * rng.uniform(0.9, 1)), 0), 1.0, int(rng.integers(3, 8)), cv2.LINE_AA)
    return grey - cv2.GaussianBlur(mask, (0, 0), 1.0) * np.float32(max(14, 2.5 * sd))


def lost_thread(grey: Field, rng: Rng, sd: float) -> Field:
    """A texture slipped along a line across the picture, and 4 px darker there: a missing thread, a seam."""
    at, slip = int(rng.uniform(0.2, 0.8) * grey.shape[0]), int(rng.integers(2, 5))
    out = grey.copy()
    out[at:-slip] = grey[at + slip:]
    out[at - 2:at + 2] -= np.float32(max(6.0, 1.4 * sd))
    return out


FAULTS: dict[str, Fault] = {
    f.__name__: f for f in (
        faint_crack, faint_scratch, soft_stain, half_stain, border_blob, border_strip, streak, worn_half, worn_patch,
        turned_patch, corroded, scoured, equal_pits, chatter, crazed, residue, water_ring, lost_thread)}


def _lit(grey: Field, rng: Rng) -> Field:
    """Under a lamp beside the middle."""
    y, x = np.mgrid[:grey.shape[0], :grey.shape[1]].astype(np.float32)
    side = max(grey.shape)
    x0, y0 = rng.uniform(0.3, 0.7) * grey.shape[1], rng.uniform(0.3, 0.7) * grey.shape[0]
    away = ((x - x0) ** 2 + (y - y0) ** 2) / side**2
    return grey * (1 - np.float32(rng.uniform(0.2, 0.6)) * away)


def _jpeg(pixels: Rgb, quality: int) -> Rgb:
    _, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)


def _noisy(pixels: Rgb, rng: Rng) -> Rgb:
    noise = rng.normal(0, float(rng.uniform(6, 18)), pixels.shape)
    return np.clip(pixels + noise, 0, 255).round().astype(np.uint8)


def _sized(pixels: Rgb, factor: float) -> Rgb:
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(pixels, None, fx=factor, fy=factor, interpolation=how), np.uint8)


CAMERAS: dict[str, Callable[[Rgb, Rng], Rgb]] = {
    "plain": lambda p, _: p,
    "jpeg": lambda p, rng: _jpeg(p, int(rng.integers(25, 80))),
    "noise": _noisy,
    "dim": lambda p, rng: (p * rng.uniform(0.2, 0.4) + 5).round().astype(np.uint8),
    "soft": lambda p, rng: np.asarray(cv2.GaussianBlur(p, (0, 0), float(rng.uniform(1.0, 3.0))), np.uint8),
    "small": lambda p, rng: _sized(p, float(rng.uniform(0.25, 0.5))),
    "large": lambda p, rng: _sized(p, float(rng.uniform(1.6, 2.6)))}
"""What happens between the surface and the file."""


def picture(name: str, seed: int, *, fault: str | None = None, camera: str = "plain", strength: float = 1.0) -> Rgb:
    """A surface with one fault or none, (h, w, 3) uint8; every other one is unevenly lit.

    Args:
        name: Of the texture.
        seed: Picks everything that is drawn by chance.
        fault: One of `FAULTS`.
        camera: One of `CAMERAS`.
        strength: Factor on all that the fault changes.
    """
    rng = np.random.default_rng([seed, TEXTURES.index(name), sum(map(ord, (fault or "") + camera))])
    grey = texture(name, rng, shape=SHAPE)
    if fault:
        changed = np.asarray(FAULTS[fault](grey, rng, grains(grey)), np.float32)
        grey = np.asarray(grey + strength * (changed - grey), np.float32)
    if seed % 2:
        grey = _lit(grey, rng)
    tint = np.asarray(rng.uniform(0.94, 1.0, 3), np.float32)
    rgb = grey[..., None] * tint + rng.normal(0, 0.6, (*SHAPE, 3)) + 0.5 * _noise(rng, SHAPE, (1, 1))[..., None]
    return CAMERAS[camera](np.clip(np.round(rgb), 0, 255).astype(np.uint8), rng)
