"""How much a measure changes when the plane that it was taken in is a little another one."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kenpin.contracts.view import Points
from tools.measuring.frame import Frame
from tools.measuring.reading import Reading
from tools.measuring.shapes import axis_angle, moments
from tools.spec import Plane

MOST_POINTS = 64


def plane_doubt(reading: Reading, place: Frame, others: Sequence[Plane]) -> float:
    """One sigma of a reading from what is open about its plane: as a share for lengths and areas, degrees for angles.

    Each of the other planes has one independent source of doubt off by one sigma, so their effects add in squares.
    The reading itself is not repeated: its end points, path or contour are measured in each plane.

    Source: linear propagation of uncertainty (GUM, JCGM 100:2008, 5.1).
    """
    line = reading.line[:: max(1, len(reading.line) // MOST_POINTS)]
    if len(line) < 2 or not others:
        return 0.0
    value = _size(place.flat(line), reading.power)
    shifts = [_size(place.on(other).flat(line), reading.power) - value for other in others]
    if reading.power == 0:
        shifts = [(shift + 90) % 180 - 90 for shift in shifts]
        return float(np.sqrt(np.sum(np.square(shifts))))
    return float(np.sqrt(np.sum(np.square(shifts)))) / max(abs(value), 1e-9)


def _size(points: Points, power: int) -> float:
    if power == 2:
        return moments(points).area
    if power == 1:
        return float(np.linalg.norm(np.diff(points, axis=0), axis=1).sum())
    if len(points) == 2:
        return axis_angle(points[1] - points[0])
    first, second = (points[0] - points[1], points[2] - points[1]) if len(points) == 3 else (
        points[1] - points[0], points[-1] - points[-2])
    return _between(first, second)


def _between(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    size = max(float(np.linalg.norm(first) * np.linalg.norm(second)), 1e-12)
    return float(np.degrees(np.arccos(np.clip(first @ second / size, -1, 1))))
