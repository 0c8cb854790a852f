"""The angle that two sides enclose, on drawn brackets of known angle."""

import cv2
import numpy as np
import pytest

from tools.measure import TOOL


def bracket(angle: float, *, turn: float = 0.0, seed: int = 1) -> np.ndarray:
    """Two arms of 30 px that enclose `angle` degrees, on a noisy bright ground."""
    rng = np.random.default_rng(seed)
    canvas = np.full((480, 640), 205, np.uint8)
    corner = np.array([250.0, 330.0])
    for direction in (turn, turn + angle):
        reach = 220 * np.array([np.cos(np.radians(direction)), -np.sin(np.radians(direction))])
        cv2.line(canvas, tuple(map(int, corner)), tuple(int(v) for v in np.round(corner + reach)), 80, 30, cv2.LINE_AA)
    noisy = np.clip(cv2.GaussianBlur(canvas, (0, 0), 0.7) + rng.normal(0, 3, canvas.shape), 0, 255).astype(np.uint8)
    return np.repeat(noisy[..., None], 3, axis=2)


@pytest.mark.parametrize("angle", [60, 90, 97, 120, 140])
@pytest.mark.parametrize("turn", [0, 11])
def test_enclosed_angle_of_a_bent_part(desk, angle, turn):
    report = TOOL.run(desk(bracket(angle, turn=turn)), TOOL.args(why="t", quantity="angle", between="sides"))
    assert report.result.unit == "deg"
    assert report.result.value == pytest.approx(angle, abs=1.0)
    assert abs(report.result.value - angle) <= max(3 * report.result.uncertainty, 0.6)
