"""Drawn things of exactly known size at any sub-pixel place, seen with blur, noise, texture, uneven light, JPEG.

A shape is a signed distance (negative inside, px of the picture). It is sampled `FINE` times finer than the picture,
blurred there, and averaged over each pixel as a sensor does, so that edges lie where the numbers say to about a
thousandth of a pixel.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

Floats = NDArray[np.float64]
Picture = NDArray[np.uint8]
Distance = Callable[[Floats, Floats], Floats]
"""Signed distance at x, y in continuous pixels."""
FINE = 4


@dataclass(frozen=True)
class Look:
    """How a picture is taken."""

    blur: float = 0.9
    """Gaussian sigma, px."""
    contrast: float = 90.0
    """Grey levels between the thing and the ground."""
    noise: float = 2.0
    """Sigma of white noise, grey levels."""
    grain: float = 0.0
    """Sigma of texture with a grain of about 3 px, grey levels."""
    slope: float = 0.0
    """Grey levels by which the light changes from one side to the other."""
    bright: bool = False
    """The thing is brighter than the ground."""
    jpeg: int | None = None


def any_look(rng: np.random.Generator) -> Look:
    """A look as pictures of parts have it: from crisp and clean to soft, noisy and textured."""
    contrast = float(np.exp(rng.uniform(np.log(25), np.log(150))))
    noise = float(rng.uniform(0.5, 0.06 * contrast + 0.5))
    return Look(blur=float(rng.uniform(0.5, 2.2)), contrast=contrast, noise=noise,
                grain=float(rng.choice([0.0, 0.0, 0.05]) * contrast), slope=float(rng.uniform(-0.25, 0.25) * contrast),
                bright=bool(rng.random() < 0.5), jpeg=int(rng.integers(75, 96)) if rng.random() < 0.5 else None)


def drawn(shape: Distance, size: tuple[int, int], look: Look, rng: np.random.Generator) -> Picture:
    """(H, W, 3) uint8 picture of a shape; `size` is (width, height)."""
    width, height = size
    steps = (np.arange(FINE) + 0.5) / FINE
    x = (np.arange(width)[:, None] + steps).ravel()
    y = (np.arange(height)[:, None] + steps).ravel()
    cover = np.clip(0.5 - shape(x[None, :], y[:, None]) * FINE, 0, 1).astype(np.float32)
    return photographed(cover, look, rng)


def photographed(cover: NDArray[np.float32], look: Look, rng: np.random.Generator) -> Picture:
    """A coverage from 0 to 1, `FINE` times as fine as the picture, as a camera sees it."""
    height, width = cover.shape[0] // FINE, cover.shape[1] // FINE
    # A pixel's own square adds to the blur of the lens; `blur` is the lens alone.
    soft = cv2.GaussianBlur(cover, (0, 0), look.blur * FINE, borderType=cv2.BORDER_REPLICATE)
    share = cv2.resize(soft, (width, height), interpolation=cv2.INTER_AREA)
    ground = 120.0 + (-0.5 if look.bright else 0.5) * look.contrast
    grey = ground + (look.contrast if look.bright else -look.contrast) * share
    grey = grey + look.slope * (np.linspace(-0.5, 0.5, width)[None] + np.linspace(-0.5, 0.5, height)[:, None]) / 2
    if look.grain:
        texture = cv2.GaussianBlur(rng.normal(0, 1, grey.shape), (0, 0), 1.5)
        grey = grey + look.grain * texture / texture.std()
    grey = grey + rng.normal(0, look.noise, grey.shape)
    flat = np.clip(np.round(grey), 0, 255).astype(np.uint8)
    picture = np.repeat(flat[..., None], 3, axis=2)
    if look.jpeg is None:
        return picture
    _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, look.jpeg])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1], dtype=np.uint8)


def disc(cx: float, cy: float, radius: float) -> Distance:
    """A round hole or coin."""
    return lambda x, y: np.hypot(x - cx, y - cy) - radius


def ellipse(cx: float, cy: float, a: float, b: float, degrees: float) -> Distance:
    """Half axes a and b, the first at `degrees` against the horizontal, counter-clockwise on the picture."""
    def distance(x: Floats, y: Floats) -> Floats:
        u, v = _turned(x - cx, y - cy, degrees)
        level, slope = np.hypot(u / a, v / b), np.hypot(u / a**2, v / b**2)
        return np.asarray(level * (level - 1) / np.maximum(slope, 1e-9))
    return distance


def box(cx: float, cy: float, length: float, width: float, degrees: float) -> Distance:
    """A rectangle, its length at `degrees` against the horizontal."""
    def distance(x: Floats, y: Floats) -> Floats:
        u, v = _turned(x - cx, y - cy, degrees)
        return np.maximum(np.abs(u) - length / 2, np.abs(v) - width / 2)
    return distance


def polygon(corners: Floats) -> Distance:
    """A convex polygon, corners clockwise on the picture."""
    def distance(x: Floats, y: Floats) -> Floats:
        away = []
        for (ax, ay), (bx, by) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
            span = float(np.hypot(bx - ax, by - ay))
            away.append(((by - ay) * (x - ax) - (bx - ax) * (y - ay)) / span)
        return np.maximum.reduce(away)
    return distance


def tube(curve: Floats, width: float, *, square: bool = False) -> Distance:
    """A crack, scratch or wire of even width along (N, 2) points that lie close together; round or square ends."""
    tree = cKDTree(curve)
    first, last = curve[0] - curve[1], curve[-1] - curve[-2]
    first, last = first / np.linalg.norm(first), last / np.linalg.norm(last)

    def distance(x: Floats, y: Floats) -> Floats:
        places = np.stack(np.broadcast_arrays(x, y), axis=-1).reshape(-1, 2)
        reach = width / 2 + 2
        away = tree.query(places, distance_upper_bound=reach)[0]
        away = np.where(np.isfinite(away), away, reach) - width / 2
        if square:
            near = away < 1
            for end, heading in ((curve[0], first), (curve[-1], last)):
                beyond = (places - end) @ heading
                here = near & (np.hypot(*(places - end).T) < width + 3)
                away = np.where(here, np.maximum(away, np.where(beyond > -width, beyond, away)), away)
        return away.reshape(np.broadcast_shapes(x.shape, y.shape))
    return distance


def union(*shapes: Distance) -> Distance:
    """Several things."""
    return lambda x, y: np.minimum.reduce([shape(x, y) for shape in shapes])


def without(shape: Distance, hole: Distance) -> Distance:
    """A thing with a hole."""
    return lambda x, y: np.maximum(shape(x, y), -hole(x, y))


def _turned(x: Floats, y: Floats, degrees: float) -> tuple[Floats, Floats]:
    """Along and across an axis that points counter-clockwise on a picture (y down)."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return x * c - y * s, x * s + y * c
