"""Overkill and found defects at the automatic threshold of `detect` with good samples, over several choices of them.

    OMP_NUM_THREADS=1 python -m bench.thresholds --data MANIFEST.jsonl [--good 4 8 16] [--draws 4] [--windows NAME ...]

Surfaces of the manifest with enough good pictures (labelled defect-free windows of defective pictures count as good
ones where `--windows` names the surface), cells of `elpv-dataset` where it is installed, and three drawn ones.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from bench.detect_good import cells
from bench.drawn_pieces import PIECE_FAULTS, PIECES, piece
from kenpin.evaluate.benchmark.manifest import read_manifest
from kenpin.evaluate.benchmark.metrics import auroc
from kenpin.evaluate.benchmark.run import by_surface
from tools.detection.memory import learn
from tools.detection.taught import heat_of

WINDOW, APART = 320, 12
"""Side of a defect-free window, and its least distance from a labelled defect, px."""
Pictures = list[np.ndarray]


def window(pixels: np.ndarray, mask: np.ndarray) -> np.ndarray | None:
    """A window of a picture that stays clear of what is labelled; None if there is none."""
    taken = cv2.dilate(mask.astype(np.uint8), np.ones((2 * APART + 1,) * 2, np.uint8))
    total = cv2.integral(taken)
    found = None
    for y in range(0, pixels.shape[0] - WINDOW + 1, 16):
        for x in range(0, pixels.shape[1] - WINDOW + 1, 16):
            inside = total[y + WINDOW, x + WINDOW] - total[y, x + WINDOW] - total[y + WINDOW, x] + total[y, x]
            found = pixels[y:y + WINDOW, x:x + WINDOW].copy() if inside == 0 else found
    return found


def real(manifest: Path, windows: list[str]) -> Iterator[tuple[str, Pictures, Pictures]]:
    """Surfaces of a manifest: name, good pictures, defective ones."""
    data = read_manifest(manifest)
    for surface, records in by_surface(data.records, "inspect"):
        fine = [data.picture(r) for r in records if r.path and r.label == "ok"]
        faulty = [(r, data.picture(r)) for r in records if r.path and r.label == "ng"]
        if surface in windows:
            cut = (window(p, m) for r, p in faulty if (m := data.mask(r, p.shape[:2])) is not None)
            fine += [w for w in cut if w is not None]
        yield surface, fine, [p for _, p in faulty]


def surfaces(options: argparse.Namespace) -> Iterator[tuple[str, Pictures, Pictures]]:
    """All of them."""
    yield from real(options.data, options.windows)
    for surface in cells():
        if surface.name in ("elpv_mono", "elpv_poly"):
            yield surface.name, [d.pixels for d in (*surface.good, *surface.fine)], [d.pixels for d in surface.faulty]
    for name in PIECES:
        faults = PIECE_FAULTS[name]
        yield (name, [piece(name, i).pixels for i in range(28)],
               [piece(name, 1000 + i, fault=faults[i % len(faults)]).pixels for i in range(20)])


def row(fine: Pictures, faulty: Pictures, count: int, draws: int) -> tuple[float, float, float] | None:
    """Picture AUROC, overkill and found, means over choices of good samples."""
    used = min(count, len(fine) - 2)
    if used < 0.7 * count:
        return None
    figures = []
    for seed in range(draws):
        order = np.random.default_rng(seed).permutation(len(fine))
        memory = learn(tuple(fine[i] for i in order[:used]))
        scored = [*(fine[i] for i in order[used:]), *faulty]
        scores = np.array([float(heat_of(p, memory)[0].max()) for p in scored])
        bad = np.arange(len(scored)) >= len(fine) - used
        figures.append((auroc(scores, bad), (scores[~bad] >= 1).mean(), (scores[bad] >= 1).mean()))
    picture, overkill, found = np.mean(figures, axis=0)
    return float(picture), float(overkill), float(found)


def main() -> None:
    """Print a line a surface and number of samples, and the means."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--good", type=int, nargs="*", default=[4, 8, 16])
    parser.add_argument("--draws", type=int, default=4)
    parser.add_argument("--windows", nargs="*", default=[])
    options = parser.parse_args()
    cv2.setNumThreads(1)
    table: dict[int, list[tuple[float, float, float]]] = {count: [] for count in options.good}
    print("surface         good  picture AUROC  overkill  found")
    for name, fine, faulty in surfaces(options):
        for count in options.good:
            if (figures := row(fine, faulty, count, options.draws)) is not None:
                table[count].append(figures)
                print(f"{name:15} {count:4}  " + "  ".join(f"{v:9.3f}" for v in figures), flush=True)
    for count, rows in table.items():
        print(f"{'mean':15} {count:4}  " + "  ".join(f"{v:9.3f}" for v in np.mean(rows, axis=0)) + f"  of {len(rows)}")


if __name__ == "__main__":
    main()
