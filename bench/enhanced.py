"""What each operation of `enhance` does to photographs that were spoilt by a known amount.

    PYTHONPATH=. python bench/enhanced.py

Prints, over the bundled photographs: how much nearer `denoise` brings a noisy copy to the clean picture (PSNR), how far
`sharpen` narrows edges that a blur widened, how much of a fall of light `flatten` takes out, how much of pasted glare
`deglare` presses down and what it does elsewhere, and what `contrast` does to local contrast.
"""

from pathlib import Path

import cv2
import numpy as np

from bench.quality_drawn import REAL, defocus, glare, gradient, noisy
from kenpin.contracts.view import RgbImage
from tools.pixels import enhancing, evenness, focus
from tools.pixels.grey import grey


def pictures() -> list[tuple[str, RgbImage]]:
    """The bundled photographs, at most 800 px wide."""
    found = []
    for path in sorted(Path(REAL).glob("*.[jp][pn]g")):
        pixels = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
        shrink = min(1.0, 800 / pixels.shape[1])
        found.append((path.stem, np.asarray(cv2.resize(pixels, None, fx=shrink, fy=shrink,
                                                       interpolation=cv2.INTER_AREA), dtype=np.uint8)))
    return found


def psnr(one: RgbImage, other: RgbImage) -> float:
    """Peak signal to noise ratio, dB."""
    return float(10 * np.log10(255**2 / np.mean((one.astype(float) - other) ** 2)))


def blur_of(pixels: RgbImage) -> float:
    """Sigma of the sharper quarter of the edges, px; nan without edges."""
    light = grey(pixels)
    found = focus.sharpness(focus.edges(focus.tiles(light), focus.noise_sigma(light))).sigma
    return float("nan") if found is None else found


def local_contrast(pixels: RgbImage) -> float:
    """Median spread of grey levels in windows of 31 px."""
    light = grey(pixels).astype(np.float32)
    mean = cv2.blur(light, (31, 31))
    return float(np.median(np.sqrt(np.maximum(cv2.blur(light**2, (31, 31)) - mean**2, 0))))


def main() -> None:
    """Print one line a figure."""
    cv2.setNumThreads(1)
    shown = pictures()
    for sigma in (5.0, 10.0, 20.0):
        gains = []
        for i, (_, clean) in enumerate(shown):
            spoilt = noisy(sigma)(clean, np.random.default_rng(i))
            gains.append(psnr(enhancing.denoise(spoilt), clean) - psnr(spoilt, clean))
        print(f"denoise, noise {sigma:.0f}: PSNR {np.median(gains):+.1f} dB (worst {min(gains):+.1f})")
    for sigma in (1.0, 1.5, 2.0):
        pairs = []
        for i, (_, clean) in enumerate(shown):
            soft = defocus(sigma)(clean, np.random.default_rng(i))
            pairs.append((blur_of(soft), blur_of(enhancing.sharpen(soft))))
        before, after = np.nanmedian(np.array(pairs), axis=0)
        print(f"sharpen, blurred by sigma {sigma}: edges of sigma {before:.2f} become {after:.2f}")
    for share in (0.6, 0.3, 0.15):
        ratios = []
        for i, (_, clean) in enumerate(shown):
            dark = gradient(share)(clean, np.random.default_rng(i))
            ratios.append([evenness.falloff(grey(p)).ratio for p in (clean, dark, enhancing.flatten(dark))])
        clean, before, after = np.median(np.array(ratios), axis=0)
        print(f"flatten, light down to {share:.0%}: ratio {clean:.2f} as it was, "
              f"{before:.2f} spoilt, {after:.2f} after")
    pressed, kept = [], []
    for i, (_, clean) in enumerate(shown):
        shiny = glare(0.03)(clean, np.random.default_rng(i))
        after, where = enhancing.deglare(shiny), grey(shiny) > 250
        where &= grey(clean) < 200
        if where.any():
            pressed.append(float(grey(shiny)[where].mean() - grey(after)[where].mean()))
        far = grey(shiny) < 0.7 * np.percentile(grey(shiny), 99.9)
        kept.append(float(np.abs(after[far].astype(int) - shiny[far]).max()) if far.any() else 0.0)
    print(f"deglare, glare over 3 %: presses it by {np.median(pressed):.0f} grey levels; "
          f"largest change where it is not bright {max(kept):.0f}")
    gain = [local_contrast(enhancing.raise_contrast(p)) / max(local_contrast(p), 0.1) for _, p in shown]
    print(f"contrast: local contrast x{np.median(gain):.1f} (from x{min(gain):.1f} to x{max(gain):.1f})")


if __name__ == "__main__":
    main()
