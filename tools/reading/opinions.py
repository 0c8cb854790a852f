"""Second opinions on a line that was hard to read: softened, and with relief turned into strokes."""

import cv2
import numpy as np
from numpy.typing import NDArray

from kenpin.contracts.view import RgbImage
from tools.pixels.grey import grey
from tools.reading.engine import LINE_HEIGHT

Relief = NDArray[np.float32]

SOFTENED = 1.0
"""Sigma in px at the recogniser's height. Dots of a 5x7 matrix stand about 5 px apart there and begin to join."""

LIT = -0.2
"""Autocorrelation. Grooves that are lit from one side have a bright flank beside a dark one, so that the picture
resembles its own negative a stroke's width away: below this in 30 of 38 drawn engraved and relief-lit dot-peen lines,
and in 1 of 48 printed ones."""

NEAREST, FARTHEST = 2, 9
"""Px between two flanks at the recogniser's height."""

SLACK = 0.15
"""Damping of the integration, cycles of 2 pi a px: what changes more slowly than over 40 px is left out."""

ROOM = 24


def opinions(line: RgbImage) -> list[RgbImage]:
    """The same line, (H, W, 3) uint8 RGB, made easier to read in other ways. Never written to.

    Source: softening joins dots (Gaussian, half a dot pitch); relief is integrated along the direction of light, as in
    linear shape from shading (Pentland 1990), with the direction taken from the autocorrelation's deepest valley.
    """
    height, width = line.shape[:2]
    scale = LINE_HEIGHT / height
    smooth = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    small = cv2.resize(grey(line), (max(8, round(width * scale)), LINE_HEIGHT), interpolation=smooth)
    flat = small.astype(np.float32) - cv2.GaussianBlur(small.astype(np.float32), (0, 0), LINE_HEIGHT / 3)
    made = [cv2.GaussianBlur(flat, (0, 0), SOFTENED)]
    angle, depth = light(flat)
    if depth < LIT:
        raised = integrated(flat, angle)
        made += [raised, -raised]
    return [_stretched(one) for one in made]


def light(flat: Relief) -> tuple[float, float]:
    """Direction of light across a line's relief in radians, and how deep the autocorrelation falls along it."""
    spectrum = np.fft.rfft2(np.pad(cv2.GaussianBlur(flat, (0, 0), 0.8), 32))
    alike = np.fft.irfft2(np.abs(spectrum) ** 2)
    y, x = np.mgrid[0:FARTHEST + 1, -FARTHEST:FARTHEST + 1]
    around = alike[y, x] / max(float(alike[0, 0]), 1e-6)
    far = np.hypot(x, y)
    around[(far < NEAREST) | (far > FARTHEST)] = 1.0
    at = np.unravel_index(int(around.argmin()), around.shape)
    return float(np.arctan2(y[at], x[at])), float(around[at])


def integrated(flat: Relief, angle: float) -> Relief:
    """Depth, up to sign and slow changes, of relief that is shaded along `angle`."""
    padded = np.pad(flat, ROOM, mode="reflect")
    down = 2 * np.pi * np.fft.fftfreq(padded.shape[0])[:, None]
    across = 2 * np.pi * np.fft.rfftfreq(padded.shape[1])[None]
    along = across * np.cos(angle) + down * np.sin(angle)
    response = -1j * along / (along ** 2 + SLACK ** 2) * np.exp(-0.32 * (across ** 2 + down ** 2))
    depth = np.fft.irfft2(np.fft.rfft2(padded) * response, padded.shape)
    return np.asarray(depth[ROOM:-ROOM, ROOM:-ROOM], dtype=np.float32)


def _stretched(flat: Relief) -> RgbImage:
    low, high = np.quantile(flat, [0.02, 0.98])
    even = np.clip((flat - low) * (255 / max(float(high - low), 3.0)), 0, 255).astype(np.uint8)
    return np.repeat(even[..., None], 3, axis=2)
