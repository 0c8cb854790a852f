"""Defects drawn on nothing: what each adds to a surface, and where. Used by `recall_tiles`."""

import cv2
import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]
Generator = np.random.Generator
Defect = tuple[Plane, NDArray[np.bool_]]
"""What the defect does to the ground (grey levels, over a strength of 1), and where it is."""


def smooth(shape: tuple[int, int], sigma: float, rng: Generator) -> Plane:
    """Noise of one size, mean 0 and deviation 1."""
    small = max(1.0, sigma / 4)
    size = (max(4, round(shape[1] / small)), max(4, round(shape[0] / small)))
    noise = rng.normal(0, 1, size[::-1]).astype(np.float32)
    noise = cv2.resize(cv2.GaussianBlur(noise, (0, 0), sigma / small), shape[::-1], interpolation=cv2.INTER_CUBIC)
    return np.asarray((noise - noise.mean()) / max(float(noise.std()), 1e-6), np.float32)


def grid(shape: tuple[int, int]) -> tuple[Plane, Plane]:
    y, x = np.mgrid[:shape[0], :shape[1]].astype(np.float32)
    return x, y


def place(shape: tuple[int, int], reach: float, rng: Generator) -> tuple[float, float]:
    """A centre (x, y) that leaves `reach` px to the border where there is room for it."""
    spans = [(min(reach, side / 2), max(side - reach, side / 2)) for side in (shape[1], shape[0])]
    return float(rng.uniform(*spans[0])), float(rng.uniform(*spans[1]))


def ellipse(shape: tuple[int, int], centre: tuple[float, float], radius: tuple[float, float], turn: float,
          rough: float, rng: Generator) -> Plane:
    """Distance inside an uneven ellipse, 1 at its centre and 0 on its outline."""
    x, y = grid(shape)
    u, v = x - centre[0], y - centre[1]
    u, v = u * np.cos(turn) + v * np.sin(turn), v * np.cos(turn) - u * np.sin(turn)
    wobble = rough * smooth(shape, max(1.5, 0.35 * min(radius)), rng)
    return np.asarray(1 - np.hypot(u / radius[0], v / radius[1]) + wobble, np.float32)


def walk(shape: tuple[int, int], length: float, bend: float, rng: Generator) -> NDArray[np.int32]:
    """(N, 2) points of an uneven line, steps of about 4 px."""
    heading, points = rng.uniform(0, 2 * np.pi), [np.array(place(shape, 0.3 * length, rng))]
    for _ in range(max(4, int(length / 4))):
        heading += rng.normal(0, bend)
        points.append(points[-1] + 4 * np.array([np.cos(heading), np.sin(heading)]))
    return np.asarray(points).round().astype(np.int32)


def stroke(shape: tuple[int, int], lines: list[NDArray[np.int32]], width: float) -> Plane:
    """Lines of a width that may be below one px, 0 to 1."""
    mark = np.zeros(shape, np.float32)
    cv2.polylines(mark, lines, False, min(1.0, width), max(1, round(width)), cv2.LINE_AA)
    return mark


def blowhole(shape: tuple[int, int], rng: Generator) -> Defect:
    """One small hole, sometimes two: dark, one wall bright."""
    change, where = np.zeros(shape, np.float32), np.zeros(shape, bool)
    centre = place(shape, 25, rng)
    for _ in range(1 + int(rng.random() < 0.25)):
        radius = rng.uniform(2.5, 8) * np.array([1, rng.uniform(0.6, 1)])
        depth = np.clip(2.5 * ellipse(shape, centre, (radius[0], radius[1]), rng.uniform(0, np.pi), 0.12, rng), 0, 1)
        x, y = grid(shape)
        light = rng.uniform(0, 2 * np.pi)
        side = ((x - centre[0]) * np.cos(light) + (y - centre[1]) * np.sin(light)) / radius[0]
        change -= depth * (1 - rng.uniform(0, 0.9) * np.clip(side, 0, 1.5))
        where |= depth > 0.2
        centre = (centre[0] + rng.uniform(-30, 30), centre[1] + rng.uniform(-30, 30))
    return change, where


def chip(shape: tuple[int, int], rng: Generator) -> Defect:
    """A piece broken out, mostly at the border: a rough floor with hard, angular edges."""
    size = rng.uniform(14, 55)
    centre = np.array(place(shape, size, rng))
    if rng.random() < 0.7:
        axis = int(rng.integers(2))
        centre[axis] = rng.choice([0.0, float(shape[1 - axis])]) + rng.uniform(-0.3, 0.3) * size
    angles = np.sort(rng.uniform(0, 2 * np.pi, int(rng.integers(6, 12))))
    reach = size * rng.uniform(0.5, 1.2, len(angles)) * np.array([[1.0], [rng.uniform(0.5, 1)]])
    corners = centre + np.stack([reach[0] * np.cos(angles), reach[1] * np.sin(angles)], axis=1)
    mask = np.zeros(shape, np.float32)
    cv2.fillPoly(mask, [corners.round().astype(np.int32)], 1.0, cv2.LINE_AA)
    floor = rng.choice([-0.7, 0.5]) + 0.6 * smooth(shape, rng.uniform(1.5, 4), rng) + 0.4 * smooth(shape, 9, rng)
    rim = cv2.morphologyEx(mask, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
    return mask * floor + rng.uniform(-0.6, 0.9) * rim, mask > 0.5


def crack(shape: tuple[int, int], rng: Generator) -> Defect:
    """A thin dark line that wanders, sometimes branches."""
    trunk = walk(shape, rng.uniform(40, 170), rng.uniform(0.15, 0.45), rng)
    lines = [trunk]
    for _ in range(int(rng.integers(0, 3))):
        start = trunk[int(rng.integers(len(trunk)))]
        twig = walk(shape, rng.uniform(15, 50), 0.4, rng)
        lines.append(twig - twig[0] + start)
    mark = stroke(shape, lines, rng.uniform(0.7, 2.4))
    return -mark * (1 + 0.35 * smooth(shape, 8, rng)), mark > 0.2


def fray(shape: tuple[int, int], rng: Generator) -> Defect:
    """A worn patch: many short bright streaks of one direction, ragged borders."""
    radius = rng.uniform(20, 60)
    lump = ellipse(shape, place(shape, radius, rng), (radius, radius * rng.uniform(0.35, 0.9)), rng.uniform(0, np.pi),
                 0.3, rng)
    streaks = rng.normal(0, 1, (max(shape) * 2,) * 2).astype(np.float32)
    streaks = cv2.GaussianBlur(streaks, (0, 0), sigmaX=rng.uniform(3, 9), sigmaY=rng.uniform(0.7, 1.2))
    turn = cv2.getRotationMatrix2D((float(max(shape)),) * 2, float(rng.uniform(0, 180)), 1)
    streaks = cv2.warpAffine(streaks / streaks.std(), turn, streaks.shape[::-1], borderMode=cv2.BORDER_REFLECT)
    rows, columns = (max(shape) - side // 2 for side in shape)
    streaks = streaks[rows:rows + shape[0], columns:columns + shape[1]]
    inside = np.clip(2.5 * lump, 0, 1)
    return inside * (rng.uniform(0.15, 0.5) + 0.7 * np.clip(streaks, -0.5, 3)), inside > 0.3


def uneven(shape: tuple[int, int], rng: Generator) -> Defect:
    """A wide soft patch of another shade."""
    radius = rng.uniform(0.25, 0.55) * min(shape)
    lump = ellipse(shape, place(shape, 0.5 * radius, rng), (radius * rng.uniform(1, 1.8), radius),
                 rng.choice([0, np.pi / 2]) + rng.normal(0, 0.3), 0.25, rng)
    inside = cv2.GaussianBlur(np.clip(1.5 * lump, 0, 1), (0, 0), rng.uniform(3, 10))
    return rng.choice([-0.9, 0.7]) * inside, inside > 0.3


def scratch(shape: tuple[int, int], rng: Generator) -> Defect:
    """A straight bright line of even width, sometimes a pair."""
    length, turn, start = rng.uniform(40, 180), rng.uniform(0, 2 * np.pi), np.array(place(shape, 30, rng))
    way = length * np.array([np.cos(turn), np.sin(turn)])
    gap = rng.uniform(3, 8) * np.array([-np.sin(turn), np.cos(turn)])
    lines = [np.array([start + i * gap, start + i * gap + way]).round().astype(np.int32)
             for i in range(1 + int(rng.random() < 0.3))]
    mark = stroke(shape, lines, rng.uniform(0.8, 2.6))
    return mark, mark > 0.2


def dent(shape: tuple[int, int], rng: Generator) -> Defect:
    """A shallow hollow: bright on one side, dark on the other."""
    x, y = grid(shape)
    radius, light, (cx, cy) = rng.uniform(8, 30), rng.uniform(0, 2 * np.pi), place(shape, 30, rng)
    u, v = (x - cx) / radius, (y - cy) / (radius * rng.uniform(0.7, 1.4))
    bell = np.exp(-1.5 * (u * u + v * v))
    return np.asarray(2 * bell * (u * np.cos(light) + v * np.sin(light)), np.float32), bell > 0.15


def rust(shape: tuple[int, int], rng: Generator) -> Defect:
    """Clusters of dark, fine-grained spots."""
    radius = rng.uniform(15, 55)
    lump = ellipse(shape, place(shape, radius, rng), (radius, radius * rng.uniform(0.5, 1)), 0, 0.35, rng)
    grain = np.clip(smooth(shape, rng.uniform(1.2, 3.5), rng) - rng.uniform(0.1, 0.9), 0, 1.5)
    inside = np.clip(2.5 * lump, 0, 1) * grain
    return -inside, inside > 0.15


def chatter(shape: tuple[int, int], rng: Generator) -> Defect:
    """A field of waves that a trembling tool leaves."""
    x, y = grid(shape)
    turn, wave, radius = rng.uniform(0, np.pi), rng.uniform(5, 14), rng.uniform(25, 70)
    lump = np.clip(2 * ellipse(shape, place(shape, radius, rng), (radius, 0.6 * radius), turn, 0.15, rng), 0, 1)
    waves = np.sin(2 * np.pi * (x * np.cos(turn) + y * np.sin(turn)) / wave + 0.5 * smooth(shape, 20, rng))
    return np.asarray(0.8 * lump * waves, np.float32), lump > 0.3


def pit(shape: tuple[int, int], rng: Generator) -> Defect:
    """One dark hole with a hard edge."""
    radius = rng.uniform(3, 14)
    lump = ellipse(shape, place(shape, 30, rng), (radius, radius * rng.uniform(0.7, 1)), rng.uniform(0, np.pi), 0.1,
                   rng)
    inside = np.clip(radius * lump / 1.5, 0, 1)
    return -inside * (1 + 0.3 * smooth(shape, 3, rng)), inside > 0.5


def fibre(shape: tuple[int, int], rng: Generator) -> Defect:
    """A thin hair that lies on the surface in loops, with a faint shadow beside it."""
    line = walk(shape, rng.uniform(40, 110), rng.uniform(0.25, 0.5), rng)
    mark = stroke(shape, [line], rng.uniform(0.8, 1.8))
    shadow = stroke(shape, [line + rng.integers(1, 3, 2).astype(np.int32)], 1)
    return np.asarray(np.where(mark > 0.2, mark, -0.4 * shadow), np.float32), mark > 0.2


def bubble(shape: tuple[int, int], rng: Generator) -> Defect:
    """A round blister: a ring with a spot of light in it."""
    radius, (cx, cy) = rng.uniform(5, 24), place(shape, 30, rng)
    x, y = grid(shape)
    r = np.hypot(x - cx, y - cy) / radius
    ring = np.exp(-((r - 0.9) / rng.uniform(0.12, 0.25)) ** 2)
    turn = rng.uniform(0, 2 * np.pi)
    gleam = np.hypot(x - cx - 0.4 * radius * np.cos(turn), y - cy - 0.4 * radius * np.sin(turn)) / radius
    return np.asarray(-0.7 * ring + 1.2 * np.exp(-((gleam / 0.2) ** 2)), np.float32), r < 1.15


def stain(shape: tuple[int, int], rng: Generator) -> Defect:
    """A blotch with an uneven outline, its rim a little darker."""
    radius = rng.uniform(12, 45)
    lump = ellipse(shape, place(shape, radius, rng), (radius, radius * rng.uniform(0.5, 1)), rng.uniform(0, np.pi), 0.3,
                 rng)
    inside = np.clip(rng.uniform(2, 8) * lump, 0, 1)
    rim = np.exp(-((lump - 0.1) / 0.08) ** 2) * rng.uniform(0, 0.5)
    return np.asarray(-0.8 * inside - rim * (lump > 0), np.float32), lump > 0.05


def grit(shape: tuple[int, int], rng: Generator) -> Defect:
    """A foreign grain: small, angular, bright above and dark below."""
    size, centre = rng.uniform(3, 10), np.array(place(shape, 20, rng))
    angles = np.sort(rng.uniform(0, 2 * np.pi, int(rng.integers(4, 8))))
    corners = centre + size * rng.uniform(0.6, 1.2, (len(angles), 1)) * np.stack([np.cos(angles), np.sin(angles)], 1)
    mask = np.zeros(shape, np.float32)
    cv2.fillPoly(mask, [corners.round().astype(np.int32)], 1.0, cv2.LINE_AA)
    shadow = np.roll(mask, (2, 2), (0, 1)) * (1 - mask)
    return mask * rng.uniform(0.7, 1.4) - 0.7 * shadow, mask > 0.5


def slub(shape: tuple[int, int], rng: Generator) -> Defect:
    """A thick thread: a straight soft bar along the weave."""
    half, (cx, cy) = rng.uniform(25, 90), place(shape, 40, rng)
    x, y = grid(shape)
    u, v = (x - cx, y - cy) if rng.random() < 0.5 else (y - cy, x - cx)
    bar = np.exp(-((v / rng.uniform(1.5, 4)) ** 2)) * np.clip(1.5 - 1.5 * (u / half) ** 2, 0, 1)
    return np.asarray(rng.choice([-0.6, 0.8]) * bar, np.float32), bar > 0.2


def hole(shape: tuple[int, int], rng: Generator) -> Defect:
    """A hole with torn edges through which the dark behind is seen."""
    radius = rng.uniform(6, 24)
    lump = ellipse(shape, place(shape, radius, rng), (radius, radius * rng.uniform(0.6, 1)), rng.uniform(0, np.pi),
                   0.25, rng)
    inside = np.clip(6 * lump, 0, 1)
    fringe = np.exp(-((lump / 0.2) ** 2)) * np.clip(smooth(shape, 1.2, rng), 0, 2)
    return np.asarray(-1.5 * inside + 0.5 * fringe * (1 - inside), np.float32), lump > 0


def fold(shape: tuple[int, int], rng: Generator) -> Defect:
    """A crease: bright on one side of a long soft line and dark on the other."""
    turn, (cx, cy), width = rng.uniform(0, np.pi), place(shape, 60, rng), rng.uniform(3, 9)
    x, y = grid(shape)
    along = (x - cx) * np.cos(turn) + (y - cy) * np.sin(turn)
    across = ((y - cy) * np.cos(turn) - (x - cx) * np.sin(turn) + 3 * smooth(shape, 30, rng)) / width
    there = np.clip(2 - 2 * (along / rng.uniform(40, 110)) ** 2, 0, 1)
    return np.asarray(1.6 * there * across * np.exp(-(across**2)), np.float32), (there > 0.3) & (abs(across) < 1.5)
