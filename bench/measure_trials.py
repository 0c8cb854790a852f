"""Trials for `bench/measure_drawn.py`: a drawn picture, the calls to make on it, and what is true."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ellipe

from bench import drawn_shapes as draw
from bench.drawn_shapes import Look, Picture

Rng = np.random.Generator
Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Ask:
    """One call of `measure` and its true answer."""

    name: str
    """Row of the table."""
    truth: float
    args: dict[str, Any]
    angle: bool = False
    """Compared in degrees, with a turn of 180 degrees being none."""


@dataclass(frozen=True)
class Trial:
    """A picture with its questions."""

    picture: Picture
    asks: tuple[Ask, ...]
    regions: dict[str, tuple[str, Box]] = field(default_factory=dict)
    """Label and box of what earlier steps would have found."""


def round_hole(rng: Rng, look: Look) -> Trial:
    """Diameter, radius, area, perimeter of a round hole."""
    r = float(np.exp(rng.uniform(np.log(7), np.log(70))))
    size, (x, y) = _field(rng, r)
    picture = draw.drawn(draw.disc(x, y, r), size, look, rng)
    return Trial(picture, (
        Ask("diameter", 2 * r, {"quantity": "diameter"}), Ask("radius", r, {"quantity": "radius"}),
        Ask("area of a disc", np.pi * r * r, {"quantity": "area"}),
        Ask("perimeter of a disc", 2 * np.pi * r, {"quantity": "perimeter"})))


def oval(rng: Rng, look: Look) -> Trial:
    """Axes of a fitted ellipse, Feret diameters, area, long axis."""
    b = float(np.exp(rng.uniform(np.log(8), np.log(45))))
    a, turn = b * float(rng.uniform(1.2, 2.2)), float(rng.uniform(-89, 89))
    size, (x, y) = _field(rng, a)
    picture = draw.drawn(draw.ellipse(x, y, a, b, turn), size, look, rng)
    around = 4 * a * float(ellipe(1 - (b / a) ** 2))
    return Trial(picture, (
        Ask("major axis of an ellipse", 2 * a, {"quantity": "major_axis"}),
        Ask("minor axis of an ellipse", 2 * b, {"quantity": "minor_axis"}),
        Ask("Feret, largest", 2 * a, {"quantity": "feret_max"}),
        Ask("Feret, smallest", 2 * b, {"quantity": "feret_min"}),
        Ask("length of an ellipse", 2 * a, {"quantity": "length"}),
        Ask("area of an ellipse", np.pi * a * b, {"quantity": "area"}),
        Ask("perimeter of an ellipse", around, {"quantity": "perimeter"}),
        Ask("angle of an ellipse", turn, {"quantity": "angle"}, angle=True)))


def plate(rng: Rng, look: Look) -> Trial:
    """Sides, area, angle, Feret diameters of a rectangle."""
    w = float(np.exp(rng.uniform(np.log(12), np.log(80))))
    length, turn = w * float(rng.uniform(1.15, 4.0)), float(rng.uniform(-89, 89))
    size, (x, y) = _field(rng, length / 2 * 1.3)
    picture = draw.drawn(draw.box(x, y, length, w, turn), size, look, rng)
    up = length * abs(np.sin(np.radians(turn))) + w * abs(np.cos(np.radians(turn)))
    asks = (
        Ask("length of a rectangle", length, {"quantity": "length"}),
        Ask("width of a rectangle", w, {"quantity": "width"}),
        Ask("area of a rectangle", length * w, {"quantity": "area"}),
        Ask("perimeter of a rectangle", 2 * (length + w), {"quantity": "perimeter"}),
        Ask("Feret, rectangle", float(np.hypot(length, w)), {"quantity": "feret_max"}),
        Ask("height of a turned rectangle", up, {"quantity": "height"}),
        Ask("angle of a rectangle", turn, {"quantity": "angle"}, angle=True),
        Ask("angle of two sides", 90.0, {"quantity": "angle", "between": "sides"}))
    return Trial(picture, asks)


def crack(rng: Rng, look: Look) -> Trial:
    """Length and width of a bent crack with round ends."""
    width = float(rng.uniform(2.5, 8.0))
    curve = _bent(rng, float(rng.uniform(20, 60)) * width ** 0.5)
    size = _around(curve)
    label = "crack"
    picture = draw.drawn(draw.tube(curve, width), size, look, rng)
    long = float(np.linalg.norm(np.diff(curve, axis=0), axis=1).sum())
    return Trial(picture, (
        Ask("length of a crack", long, {"quantity": "length", "of": "f1"}),
        Ask("width of a crack", width, {"quantity": "width", "of": "f1"})),
        {"f1": (label, _box(curve, width))})


def scratch(rng: Rng, look: Look) -> Trial:
    """Length and width of a thin straight scratch with square ends."""
    width, long, turn = float(rng.uniform(1.5, 5.0)), float(rng.uniform(40, 160)), float(rng.uniform(-89, 89))
    heading = np.array([np.cos(np.radians(turn)), -np.sin(np.radians(turn))])
    curve = np.linspace(-long / 2, long / 2, round(20 * long))[:, None] * heading
    curve = curve - curve.min(axis=0) + 30 + rng.uniform(0, 1, 2)
    picture = draw.drawn(draw.tube(curve, width, square=True), _around(curve), look, rng)
    return Trial(picture, (
        Ask("length of a scratch", long, {"quantity": "length", "of": "f1"}),
        Ask("width of a scratch", width, {"quantity": "width", "of": "f1"}),
        Ask("angle of a scratch", turn, {"quantity": "angle", "of": "f1"}, angle=True)),
        {"f1": ("scratch", _box(curve, width))})


def two_holes(rng: Rng, look: Look) -> Trial:
    """Distance of two round holes: centres, fitted centres, edges."""
    ra, rb = (float(v) for v in rng.uniform(7, 28, 2))
    gap, turn = float(rng.uniform(14, 70)), float(rng.uniform(0, 2 * np.pi))
    apart = ra + rb + gap
    a = np.array([0.0, 0.0])
    b = apart * np.array([np.cos(turn), np.sin(turn)])
    shift = -np.minimum(a - ra, b - rb) + 24 + rng.uniform(0, 1, 2)
    a, b = a + shift, b + shift
    size = tuple(int(v) for v in np.ceil(np.maximum(a + ra, b + rb) + 24))
    picture = draw.drawn(draw.union(draw.disc(*a, ra), draw.disc(*b, rb)), (size[0], size[1]), look, rng)
    regions = {"o1": ("hole", _square(a, ra)), "o2": ("hole", _square(b, rb))}
    pair = {"quantity": "distance", "of": "o1", "to": "o2"}
    centres, edge = a + 0.0, (b - a) / apart
    points = tuple((float(p[0]), float(p[1])) for p in (
        centres + edge * (ra + rng.uniform(-1.5, 1.5)), b - edge * (rb + rng.uniform(-1.5, 1.5))))
    return Trial(picture, (
        Ask("distance of centres", apart, {**pair, "between": "centres"}),
        Ask("distance of edges", gap, {**pair, "between": "edges"}),
        Ask("distance of fitted circles", apart, {**pair, "between": "fitted"}),
        Ask("distance at two points", gap, {"quantity": "distance", "points": points, "between": "edges"})), regions)


def hole_to_side(rng: Rng, look: Look) -> Trial:
    """Distance from a hole's fitted circle to a fitted straight side, and of two straight sides."""
    r, w, long = float(rng.uniform(8, 25)), float(rng.uniform(14, 40)), float(rng.uniform(80, 160))
    apart, turn = float(rng.uniform(12, 60)) + r, float(rng.uniform(-89, 89))
    along = np.array([np.cos(np.radians(turn)), -np.sin(np.radians(turn))])
    up = np.array([-along[1], along[0]])
    bar, hole = np.zeros(2), up * (w / 2 + apart) + along * rng.uniform(-0.2, 0.2) * long
    reach = np.abs(along) * long / 2 + np.abs(up) * w / 2
    shift = -np.minimum(bar - reach, hole - r) + 26 + rng.uniform(0, 1, 2)
    bar, hole = bar + shift, hole + shift
    size = np.ceil(np.maximum(bar + reach, hole + r) + 26).astype(int)
    shape = draw.union(draw.box(*bar, long, w, turn), draw.disc(*hole, r))
    regions = {"o1": ("part", _span(bar - reach, bar + reach)), "o2": ("hole", _square(hole, r))}
    return Trial(draw.drawn(shape, (int(size[0]), int(size[1])), look, rng), (
        Ask("hole to a fitted side", apart, {"quantity": "distance", "of": "o1", "to": "o2", "between": "fitted"}),),
        regions)


def two_bars(rng: Rng, look: Look) -> Trial:
    """Gap and angle between two bars."""
    w, long, turn = float(rng.uniform(10, 24)), float(rng.uniform(80, 140)), float(rng.uniform(-89, 89))
    gap, skew = float(rng.uniform(12, 50)), float(rng.choice([0.0, rng.uniform(5, 60)]))
    along = np.array([np.cos(np.radians(turn)), -np.sin(np.radians(turn))])
    up = np.array([-along[1], along[0]])
    far = gap + w if skew == 0 else gap + w + long / 2 * np.sin(np.radians(skew)) + w
    first, second = np.zeros(2), up * far
    reach = np.array([1.0, 1.0]) * (long / 2 + w / 2)
    shift = -np.minimum(first - reach, second - reach) + 20 + rng.uniform(0, 1, 2)
    first, second = first + shift, second + shift
    size = np.ceil(np.maximum(first, second) + reach + 20).astype(int)
    shape = draw.union(draw.box(*first, long, w, turn), draw.box(*second, long, w, turn + skew))
    regions = {}
    for name, centre, angle in (("o1", first, turn), ("o2", second, turn + skew)):
        c, s = abs(np.cos(np.radians(angle))), abs(np.sin(np.radians(angle)))
        half = np.array([c * long / 2 + s * w / 2, s * long / 2 + c * w / 2])
        regions[name] = ("part", _span(centre - half, centre + half))
    asks = [Ask("angle of two parts", skew, {"quantity": "angle", "of": "o1", "to": "o2"}, angle=True)]
    if skew == 0:
        asks.append(Ask("gap of two fitted sides", gap,
                        {"quantity": "distance", "of": "o1", "to": "o2", "between": "fitted"}))
    return Trial(draw.drawn(shape, (int(size[0]), int(size[1])), look, rng), tuple(asks), regions)


def corner(rng: Rng, look: Look) -> Trial:
    """The angle that two sides of a wedge enclose."""
    opening, turn = float(rng.uniform(35, 145)), float(rng.uniform(0, 360))
    a, b = (float(v) for v in rng.uniform(90, 150, 2))
    sides = [np.array([np.cos(np.radians(t)), np.sin(np.radians(t))]) for t in (turn, turn + opening)]
    corners = np.array([[0.0, 0.0], a * sides[0], b * sides[1]])
    corners = corners - corners.min(axis=0) + 26 + rng.uniform(0, 1, 2)
    lengths = [a, b, float(np.linalg.norm(corners[2] - corners[1]))]
    best = np.argsort(lengths)[::-1][:2]
    inner = {frozenset((0, 1)): opening}
    angle_at = [_angle(corners, i) for i in range(3)]
    # The tool takes the two longest sides: sides 0 and 1 meet at corner 0, 1 and 2 at corner 2, 2 and 0 at corner 1.
    met = {frozenset((0, 1)): 0, frozenset((1, 2)): 2, frozenset((0, 2)): 1}[frozenset(int(i) for i in best)]
    assert abs(angle_at[0] - inner[frozenset((0, 1))]) < 1e-6
    picture = draw.drawn(draw.polygon(corners), _around(corners), look, rng)
    asks = (Ask("angle of a corner", angle_at[met], {"quantity": "angle", "between": "sides"}),)
    # Two sides of nearly the same length may be taken either way.
    second, third = sorted(lengths)[1], sorted(lengths)[0]
    return Trial(picture, asks if second > 1.05 * third else ())


def ring_with_hole(rng: Rng, look: Look) -> Trial:
    """Area of a washer."""
    r = float(rng.uniform(22, 60))
    inner = r * float(rng.uniform(0.3, 0.7))
    size, (x, y) = _field(rng, r)
    shape = draw.without(draw.disc(x, y, r), draw.disc(x, y, inner))
    return Trial(draw.drawn(shape, size, look, rng), (
        Ask("area of a washer", np.pi * (r * r - inner * inner), {"quantity": "area"}),
        Ask("diameter of a washer", 2 * r, {"quantity": "diameter"})))


def row(rng: Rng, look: Look) -> Trial:
    """Pitch of a row of holes."""
    count, r, step = int(rng.integers(4, 8)), float(rng.uniform(6, 11)), float(rng.uniform(32, 44))
    turn = np.radians(float(rng.uniform(-20, 20)))
    centres = np.arange(count)[:, None] * step * np.array([[np.cos(turn), np.sin(turn)]])
    centres = centres - centres.min(axis=0) + 24 + rng.uniform(0, 1, 2)
    size = np.ceil(centres.max(axis=0) + 24).astype(int)
    shape = draw.union(*(draw.disc(*c, r) for c in centres))
    regions = {f"o{i + 1}": ("hole", _square(c, r)) for i, c in enumerate(centres)}
    return Trial(draw.drawn(shape, (int(size[0]), int(size[1])), look, rng),
                 (Ask("pitch", step, {"quantity": "pitch"}),), regions)


KINDS: dict[str, Callable[[Rng, Look], Trial]] = {
    "hole": round_hole, "oval": oval, "plate": plate, "crack": crack, "scratch": scratch, "holes": two_holes,
    "side": hole_to_side, "bars": two_bars, "corner": corner, "washer": ring_with_hole, "row": row}


def _field(rng: Rng, reach: float) -> tuple[tuple[int, int], tuple[float, float]]:
    """Size of a picture and a centre in it for a thing of this half extent."""
    room = int(reach + rng.uniform(16, 30))
    centre = (room + float(rng.uniform(0, 1)), room + float(rng.uniform(0, 1)))
    return (2 * room, 2 * room), centre


def _bent(rng: Rng, long: float) -> NDArray[np.float64]:
    """A smooth curve of about this length: its direction swings by up to a right angle."""
    count = round(20 * long)
    s = np.linspace(0, 1, count)
    swing = rng.uniform(0.2, 1.2)
    heading = rng.uniform(0, 2 * np.pi) + swing * np.sin(2 * np.pi * (rng.uniform(0.5, 1.2) * s + rng.uniform(0, 1)))
    steps = np.column_stack([np.cos(heading), np.sin(heading)]) * (long / count)
    curve = np.cumsum(steps, axis=0)
    return np.asarray(curve - curve.min(axis=0) + 30 + rng.uniform(0, 1, 2))


def _around(points: NDArray[np.float64]) -> tuple[int, int]:
    high = np.ceil(points.max(axis=0) + 30).astype(int)
    return int(high[0]), int(high[1])


def _box(curve: NDArray[np.float64], width: float) -> Box:
    return _span(curve.min(axis=0) - width / 2 - 1, curve.max(axis=0) + width / 2 + 1)


def _square(centre: NDArray[np.float64], radius: float) -> Box:
    return _span(centre - radius - 1, centre + radius + 1)


def _span(low: NDArray[np.float64], high: NDArray[np.float64]) -> Box:
    return int(low[0]), int(low[1]), int(np.ceil(high[0])), int(np.ceil(high[1]))


def _angle(corners: NDArray[np.float64], at: int) -> float:
    a, b = corners[at - 1] - corners[at], corners[(at + 1) % 3] - corners[at]
    return float(np.degrees(np.arccos(a @ b / np.linalg.norm(a) / np.linalg.norm(b))))


def trials(kind: str, number: int, seed: int) -> Iterator[tuple[Look, Trial]]:
    """Trials of one kind with looks of every sort; the same for the same seed."""
    for i in range(number):
        rng = np.random.default_rng([seed, i, sum(map(ord, kind))])
        look = draw.any_look(rng)
        yield look, KINDS[kind](rng, look)
