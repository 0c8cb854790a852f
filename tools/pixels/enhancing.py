"""Changes of a picture for the eye: light evened, contrast, sharpness, noise, glare, edges.

Every function takes (H, W, 3) uint8 RGB, never writes to it, and returns a new (H, W, 3) uint8 RGB. All of them change
pixel values: nothing should be measured on what they return.
"""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from kenpin.contracts.view import RgbImage
from tools.pixels import focus
from tools.pixels.grey import grey

Field = NDArray[np.float32]
Change = Callable[[RgbImage], RgbImage]

STRIP_PIXELS = 4_000_000
"""Local changes are made in strips of about this size, so that a 50-megapixel picture stays within memory."""
OVERVIEW_SIDE = 256
"""Longer side of the reduced picture on which the light is estimated, px."""
HALO = 24
"""Rows that a strip sees beyond its own; no local change looks further than this."""


def noise_sigma(pixels: RgbImage) -> float:
    """Standard deviation of pixel noise, grey levels, on a central part of at most about a megapixel."""
    return focus.noise_sigma(grey(_middle(pixels)))


def contrast_of(pixels: RgbImage) -> float:
    """Spread of the middle 98 % of grey levels."""
    low, high = np.percentile(grey(pixels[:: _stride(pixels), :: _stride(pixels)]), (1, 99))
    return float(high - low)


def sharpness_of(pixels: RgbImage) -> float:
    """Mean size of the gradient, grey levels per pixel, on a central part of at most about a megapixel."""
    part = grey(_middle(pixels))
    dx, dy = cv2.Sobel(part, cv2.CV_32F, 1, 0), cv2.Sobel(part, cv2.CV_32F, 0, 1)
    return float(np.mean(cv2.magnitude(dx, dy)) / 8)


def _middle(pixels: RgbImage) -> RgbImage:
    height, width = pixels.shape[:2]
    rows, columns = min(height, 1000), min(width, 1000)
    y, x = (height - rows) // 2, (width - columns) // 2
    return pixels[y:y + rows, x:x + columns]


def _stride(pixels: RgbImage) -> int:
    return max(1, int(np.sqrt(pixels.shape[0] * pixels.shape[1] / 1e6)))


def _in_strips(pixels: RgbImage, change: Change) -> RgbImage:
    """Apply a local change strip by strip; the result does not depend on where the strips end."""
    height, width = pixels.shape[:2]
    rows = max(4 * HALO, STRIP_PIXELS // max(width, 1))
    if rows >= height:
        return change(pixels)
    out = np.empty_like(pixels)
    for top in range(0, height, rows):
        low, high = max(0, top - HALO), min(height, top + rows + HALO)
        out[top:top + rows] = change(pixels[low:high])[top - low:top - low + rows]
    return out


def _shifted(pixels: RgbImage, step: Field) -> RgbImage:
    """Add the same step (H, W) to the three channels, so that the colour stays."""
    return np.asarray(cv2.add(pixels, cv2.merge([step] * 3), dtype=cv2.CV_8U), dtype=np.uint8)


def sharpen(pixels: RgbImage, *, amount: float = 1.2, sigma: float = 1.5) -> RgbImage:
    """Unsharp mask on the brightness; detail below the noise of the picture is left as it is."""
    floor = noise_sigma(pixels)

    def change(part: RgbImage) -> RgbImage:
        light = grey(part).astype(np.float32)
        detail = light - cv2.GaussianBlur(light, (0, 0), sigma)
        cored = detail * (detail**2 / (detail**2 + floor**2 + 1e-6))
        return _shifted(part, amount * cored)

    return _in_strips(pixels, change)


def raise_contrast(pixels: RgbImage, *, clip: float = 2.5, tiles: int = 8) -> RgbImage:
    """Contrast-limited adaptive histogram equalisation of the lightness.

    Source: Zuiderveld 1994, CLAHE, on L of CIELAB.
    """
    lab = cv2.cvtColor(pixels, cv2.COLOR_RGB2LAB)
    grid = (max(1, min(tiles, pixels.shape[1] // 16)), max(1, min(tiles, pixels.shape[0] // 16)))
    lab[..., 0] = cv2.createCLAHE(clip, grid).apply(np.ascontiguousarray(lab[..., 0]))
    return np.asarray(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), dtype=np.uint8)


def gamma(pixels: RgbImage, *, brighter: bool) -> RgbImage:
    """Move the median brightness towards the middle by a power curve, at least a visible step the asked way."""
    step = _stride(pixels)
    median = float(np.clip(np.median(grey(pixels[::step, ::step])) / 255, 0.02, 0.98))
    power = np.log(0.5) / np.log(median)
    power = float(np.clip(power, 0.35, 0.75) if brighter else np.clip(power, 1.35, 3.0))
    table = np.round(255 * (np.arange(256) / 255) ** power).astype(np.uint8)
    return np.asarray(cv2.LUT(pixels, table), dtype=np.uint8)


def denoise(pixels: RgbImage) -> RgbImage:
    """Smooth noise, keep edges; its strength follows the noise of the picture.

    Source: Tomasi & Manduchi 1998, bilateral filter, range sigma of 2.5 noise sigmas.
    """
    strength = 2.5 * max(noise_sigma(pixels), 2.0)
    return _in_strips(pixels, lambda part: np.asarray(cv2.bilateralFilter(part, 9, strength, 3.0), dtype=np.uint8))


def _light(pixels: RgbImage) -> Field:
    """Slowly varying light of a picture, (h, w) float32 grey levels on the overview."""
    height, width = pixels.shape[:2]
    shrink = min(1.0, OVERVIEW_SIDE / max(height, width))
    size = (max(1, round(width * shrink)), max(1, round(height * shrink)))
    small = grey(np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), dtype=np.uint8))
    # A large median ignores things and markings, the blur that follows removes its steps.
    reach = max(3, min(size) // 6) | 1
    middle = cv2.medianBlur(cv2.copyMakeBorder(small, reach, reach, reach, reach, cv2.BORDER_REFLECT), min(reach, 255))
    smooth = cv2.GaussianBlur(middle.astype(np.float32), (0, 0), reach / 2)
    return np.asarray(smooth[reach:-reach, reach:-reach], dtype=np.float32)


def flatten(pixels: RgbImage) -> RgbImage:
    """Even out the light: divide by its slowly varying part, keep the mean brightness."""
    light = np.maximum(_light(pixels), 4.0)
    gain = np.clip(float(light.mean()) / light, 0.25, 4.0).astype(np.float32)
    return _by_rows(pixels, gain, lambda part, field: part * field[..., None])


def deglare(pixels: RgbImage) -> RgbImage:
    """Press down what is much brighter than its surroundings. What is clipped holds no detail to bring back."""
    sample = grey(pixels[:: _stride(pixels), :: _stride(pixels)])
    # A reflection is both far above its surroundings and among the brightest of the picture.
    rise, top = max(0.75 * float(np.std(sample)), 24.0), 0.75 * float(np.percentile(sample, 99.9))
    knee = np.minimum(np.maximum(_light(pixels) + rise, top), 250.0).astype(np.float32)

    def change(part: NDArray[np.uint8], field: Field) -> Field:
        # Of brightness, not of the largest channel: a yellow part is no reflection.
        bright = grey(part).astype(np.float32)
        pressed = np.where(bright > field, field + 0.3 * (bright - field), bright)
        return np.asarray(part * (pressed / np.maximum(bright, 1.0))[..., None], dtype=np.float32)

    return _by_rows(pixels, knee, change)


def _by_rows(pixels: RgbImage, field: Field, change: Callable[[RgbImage, Field], Field]) -> RgbImage:
    """Apply `change` with an overview field brought to full size, a block of rows at a time."""
    height, width = pixels.shape[:2]
    rows = max(1, STRIP_PIXELS // max(width, 1))
    wide = cv2.resize(field, (width, field.shape[0]), interpolation=cv2.INTER_LINEAR)
    out = np.empty_like(pixels)
    for top in range(0, height, rows):
        bottom = min(height, top + rows)
        at = np.clip((np.arange(top, bottom) + 0.5) * field.shape[0] / height - 0.5, 0, field.shape[0] - 1)
        low = np.floor(at).astype(int)
        high, share = np.minimum(low + 1, field.shape[0] - 1), (at - low)[:, None].astype(np.float32)
        local = wide[low] * (1 - share) + wide[high] * share
        out[top:bottom] = np.clip(change(pixels[top:bottom], local) + 0.5, 0, 255).astype(np.uint8)
    return out


def edge_view(pixels: RgbImage) -> RgbImage:
    """Size of the gradient as a bright-on-dark picture; the strongest half percent is white."""
    step = max(1, int(np.sqrt(pixels.shape[0] * pixels.shape[1] / 4e6)))
    sample = _gradient(grey(pixels[: pixels.shape[0] // step, : pixels.shape[1] // step]))
    top = max(float(np.percentile(sample, 99.5)), 4 * noise_sigma(pixels), 8.0)

    def change(part: RgbImage) -> RgbImage:
        shown = np.clip(_gradient(grey(part)) * (255 / top), 0, 255).astype(np.uint8)
        return np.dstack([shown] * 3)

    return _in_strips(pixels, change)


def _gradient(light: NDArray[np.uint8]) -> Field:
    smooth = cv2.GaussianBlur(light.astype(np.float32), (0, 0), 1.0)
    return np.asarray(cv2.magnitude(cv2.Scharr(smooth, cv2.CV_32F, 1, 0), cv2.Scharr(smooth, cv2.CV_32F, 0, 1)) / 32,
                      dtype=np.float32)
