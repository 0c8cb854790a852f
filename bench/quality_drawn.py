"""How often `check_image` finds a degradation, by kind and strength, and how often it alarms on good pictures.

    PYTHONPATH=. python bench/quality_drawn.py [--data DIR]

Good pictures are the bundled photographs and drawn parts and surfaces; `DIR` adds the pictures of a manifest in the
format of `kenpin benchmark`. Every degraded picture is a copy of a good one.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np

from bench.drawn_parts import PARTS, part
from bench.drawn_surfaces import TEXTURES, draw
from bench.drawn_trays import Plan, tray
from kenpin.contracts.view import RgbImage
from tools.check_image import CheckImageResult, check
from tools.solo import upload
from tools.spec import Patch

REAL = Path(__file__).parent / "suites/second/images/real"
LARGEST = 1600
"""Longer side of a picture, px: larger ones are reduced so that the table takes minutes."""
Change = Callable[[RgbImage, np.random.Generator], RgbImage]


def good_pictures(data: Path | None) -> Iterator[tuple[str, RgbImage]]:
    """Names and pictures that nothing was done to."""
    for path in sorted([*REAL.glob("*.jpg"), *REAL.glob("*.png")]):
        yield f"real {path.stem}", _read(path)
    for name in PARTS:
        yield f"drawn {name}", part(name, 11).pixels
    for name in TEXTURES:
        yield f"drawn {name}", draw(name, 5).pixels
    for piece in ("nut", "coin", "screw"):
        yield f"drawn {piece}", tray(Plan("t", piece, 9, ground="speckled"), 2).pixels
    if data is None:
        return
    for line in (data / "manifest.jsonl").read_text().splitlines():
        record = json.loads(line)
        if record["path"] and record["task"] in ("inspect", "count", "measure"):
            yield f"{record['surface']} {record['id']}", _read(data / record["path"])


def _read(path: Path) -> RgbImage:
    pixels = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
    shrink = min(1.0, LARGEST / max(pixels.shape[:2]))
    small = pixels if shrink == 1 else cv2.resize(pixels, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    return np.asarray(small, dtype=np.uint8)


def defocus(sigma: float) -> Change:
    """A Gaussian blur, and sensor noise of one grey level as a camera adds it after the lens."""
    return lambda p, rng: _noisy(cv2.GaussianBlur(p, (0, 0), sigma), rng, 1.0)


def moved(length: int) -> Change:
    """A straight movement while the shutter was open, in any direction."""
    def change(pixels: RgbImage, rng: np.random.Generator) -> RgbImage:
        side = length + 2
        kernel = np.zeros((side, side), np.float32)
        turn = rng.uniform(0, np.pi)
        half = np.array([np.cos(turn), np.sin(turn)]) * length / 2
        ends = [tuple(int(v) for v in np.round((side / 2 + s * half) * 16)) for s in (-1, 1)]
        cv2.line(kernel, ends[0], ends[1], 1.0, 1, cv2.LINE_AA, 4)
        return _noisy(np.asarray(cv2.filter2D(pixels, -1, kernel / kernel.sum()), np.uint8), rng, 1.0)
    return change


def exposed(stops: float) -> Change:
    """More or less light by so many stops, in linear light, clipped as a sensor clips."""
    def change(pixels: RgbImage, rng: np.random.Generator) -> RgbImage:
        light = (pixels.astype(np.float32) / 255) ** 2.2 * 2.0**stops
        return _noisy((255 * np.clip(light, 0, 1) ** (1 / 2.2)).astype(np.uint8), rng, 1.0)
    return change


def glare(share: float) -> Change:
    """A soft clipped reflection over this share of the picture."""
    def change(pixels: RgbImage, rng: np.random.Generator) -> RgbImage:
        height, width = pixels.shape[:2]
        y, x = np.mgrid[:height, :width].astype(np.float32)
        radius = np.sqrt(share * height * width / np.pi)
        cx, cy = rng.uniform(0.3, 0.7, 2) * (width, height)
        far = np.sqrt((x - cx) ** 2 + (y - cy) ** 2) / radius
        glow = 400 * np.exp(-0.5 * np.clip(far - 0.75, 0, None) ** 2 / 0.25**2)
        return np.clip(pixels + glow[..., None], 0, 255).astype(np.uint8)
    return change


def jpeg(quality: int) -> Change:
    """Stored as a JPEG of this quality."""
    def change(pixels: RgbImage, rng: np.random.Generator) -> RgbImage:
        data = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        return np.ascontiguousarray(cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1])
    return change


def noisy(sigma: float) -> Change:
    """Sensor noise."""
    return lambda p, rng: _noisy(p, rng, sigma)


def capped(pixels: RgbImage, rng: np.random.Generator) -> RgbImage:
    """A lens with its cap on."""
    return _noisy(np.full_like(pixels, 4), rng, 1.5)


def gradient(share: float) -> Change:
    """Light that falls off to this share from one side to the other."""
    def change(pixels: RgbImage, rng: np.random.Generator) -> RgbImage:
        ramp = np.linspace(1.0, share, pixels.shape[1], dtype=np.float32)[None, :, None]
        return np.asarray(pixels * ramp, dtype=np.uint8)
    return change


def flat(share: float) -> Change:
    """Contrast reduced to this share around middle grey: fog, a dirty window."""
    return lambda p, rng: _noisy(np.asarray(128 + share * (p.astype(np.float32) - 128), np.uint8), rng, 1.0)


def _noisy(pixels: RgbImage, rng: np.random.Generator, sigma: float) -> RgbImage:
    return np.clip(pixels + sigma * rng.standard_normal(pixels.shape, dtype=np.float32) + 0.5, 0, 255).astype(np.uint8)


DEGRADED: dict[str, tuple[Change, tuple[str, ...]]] = {
    **{f"defocus sigma {s}": (defocus(s), ("blur",)) for s in (1.0, 1.5, 2.0, 3.0, 5.0, 8.0)},
    **{f"motion {n} px": (moved(n), ("motion", "blur")) for n in (4, 8, 15, 25)},
    **{f"exposure {s:+.1f} stops": (exposed(s), ("overexposed", "blank", "glare")) for s in (1.0, 2.0, 3.0)},
    **{f"exposure {s:+.1f} stops": (exposed(s), ("underexposed", "blank", "low_contrast"))
       for s in (-1.0, -2.0, -3.0, -4.0)},
    **{f"glare {s:.0%} of the picture": (glare(s), ("glare", "overexposed")) for s in (0.01, 0.03, 0.1, 0.2)},
    **{f"noise {n:.0f}": (noisy(n), ("noise",)) for n in (5.0, 15.0, 30.0)},
    **{f"JPEG {q}": (jpeg(q), ("compressed",)) for q in (90, 60, 25, 8)},
    **{f"light down to {s:.0%}": (gradient(s), ("uneven_light", "underexposed")) for s in (0.6, 0.3, 0.1)},
    **{f"contrast {s:.0%}": (flat(s), ("low_contrast", "blank")) for s in (0.3, 0.1, 0.05)},
    "lens cap": (capped, ("blank",))}
"""Name to what is done, and the codes that name it."""


def looked_at(pixels: RgbImage) -> CheckImageResult:
    """What the tool says of a whole picture."""
    return check(Patch(view=upload(pixels).view, pixels=pixels, offset=(0, 0)))


def main() -> None:
    """Check everything and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--every", type=int, default=1, help="use every n-th good picture")
    parser.add_argument("--alarms", action="store_true", help="print each good picture that is not passed")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    rows: dict[str, list[tuple[bool, bool, bool]]] = defaultdict(list)
    wrong: dict[str, int] = defaultdict(int)
    pictures = list(good_pictures(args.data))[:: args.every]
    for i, (name, pixels) in enumerate(pictures):
        before = looked_at(pixels)
        for code in before.problems:
            wrong[code] += 1
        if args.alarms and not before.passed:
            print(f"  {name}: {', '.join(before.problems)}")
        group = "real" if not name.startswith("drawn") else "drawn"
        rows[f"nothing ({group})"].append((not before.passed, bool(before.warnings), not before.passed))
        if not before.passed:
            continue
        for kind, (change, codes) in DEGRADED.items():
            after = looked_at(change(pixels, np.random.default_rng(i)))
            named = bool(set(codes) & set(after.problems))
            rows[kind].append((named, named or bool(set(codes) & set(after.warnings)), not after.passed))
    print(f"{len(pictures)} good pictures; alarms on them by code: {dict(wrong)}")
    print(f"{'done to the picture':26s}{'n':>5s}{'forbidden':>11s}{'or warned':>11s}{'not passed':>12s}")
    for kind, hits in rows.items():
        table = np.array(hits, dtype=float).mean(axis=0)
        print(f"{kind:26s}{len(hits):5d}{table[0]:11.2f}{table[1]:11.2f}{table[2]:12.2f}")


if __name__ == "__main__":
    main()
