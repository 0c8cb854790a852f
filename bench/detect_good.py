"""Figures of `detect` with good samples on pieces that are hard to inspect, drawn and real; texts of `docs/tools`.

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python bench/detect_good.py --good 4 8 16

Drawn pieces always; pasted faults on the textures of scikit-image and the solar cells of `elpv-dataset` (mono and
poly-crystalline, electroluminescence, labelled by picture) where these packages are installed: they are read, never
copied.
"""

import argparse
import importlib.util
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from bench.detect_dev import auroc
from bench.drawn_parts import FAULTS, PARTS, part
from bench.drawn_pieces import PIECE_FAULTS, PIECES, pasted, piece
from bench.drawn_surfaces import Drawn
from tools.detection.memory import learn
from tools.detection.taught import heat_of

PIECES_EACH = 24
CELLS_EACH = 36


@dataclass(frozen=True)
class Surface:
    """Good samples to choose from, and pieces to score."""

    name: str
    good: list[Drawn]
    fine: list[Drawn]
    faulty: list[Drawn]
    placed: bool = True
    """Whether the place of faults is known."""


def drawn() -> Iterator[Surface]:
    """Drawn pieces and parts."""
    count = range(PIECES_EACH)
    for name in PIECES:
        kinds = PIECE_FAULTS[name]
        yield Surface(name, [piece(name, 5000 + i) for i in range(48)], [piece(name, 100 + i) for i in count],
                      [piece(name, 1000 + i, fault=kinds[i % len(kinds)]) for i in count])
    for name in ("grain", "screw", "plate"):
        assert name in PARTS
        yield Surface(name, [part(name, 5000 + i) for i in range(48)], [part(name, 100 + i) for i in count],
                      [part(name, 1000 + i, fault=FAULTS[i % len(FAULTS)]) for i in count])


def _folder(package: str) -> Path | None:
    found = importlib.util.find_spec(package)
    return Path(found.origin).parent / "data" if found and found.origin else None


def textures() -> Iterator[Surface]:
    """Windows of a real brick wall, with drawn faults."""
    folder = _folder("skimage")
    if folder is None:
        return
    whole = cv2.imread(str(folder / "brick.png"), cv2.IMREAD_GRAYSCALE).astype(np.float32)
    kinds = PIECE_FAULTS["texture"]

    def window(seed: int, fault: str | None = None) -> Drawn:
        rng = np.random.default_rng(7000 + seed)
        y, x = rng.integers(0, 512 - 240, 2)
        cut = np.ascontiguousarray(whole[y:y + 240, x:x + 240]) * np.float32(rng.uniform(0.85, 1.15))
        return pasted(cut, seed, fault=fault)

    count = range(PIECES_EACH)
    yield Surface("brick", [window(500 + i) for i in range(40)], [window(i) for i in count],
                  [window(100 + i, kinds[i % len(kinds)]) for i in count])


def cells() -> Iterator[Surface]:
    """Real solar cells: good ones, and certainly defective ones."""
    folder = _folder("elpv_dataset")
    if folder is None:
        return
    rows = [line.split() for line in (folder / "labels.csv").read_text(encoding="utf8").splitlines()]
    rng = np.random.default_rng(5)
    for kind in ("mono", "poly"):
        fine = [r[0] for r in rows if r[2] == kind and float(r[1]) == 0]
        bad = [r[0] for r in rows if r[2] == kind and float(r[1]) == 1]
        chosen = [[names[i] for i in rng.permutation(len(names))[:count]]
                  for names, count in ((fine, CELLS_EACH + 48), (bad, CELLS_EACH))]

        def read(name: str) -> Drawn:
            rgb = cv2.cvtColor(cv2.imread(str(folder / name)), cv2.COLOR_BGR2RGB)
            return Drawn(np.asarray(rgb, np.uint8), (), (), np.zeros(rgb.shape[:2], bool))

        good = [read(n) for n in chosen[0]]
        yield Surface(f"elpv_{kind}", good[:48], good[48:], [read(n) for n in chosen[1]], placed=False)
        if kind == "mono":
            greys = [g.pixels[..., 0].astype(np.float32) for g in good[48:]]
            half = len(greys) // 2
            yield Surface("elpv_drawn", good[:48], [pasted(g, i) for i, g in enumerate(greys[:half])],
                          [pasted(g, half + i, fault=("crack", "blowhole")[i % 2])
                           for i, g in enumerate(greys[half:])])


def figures(surface: Surface, count: int) -> tuple[list[float], str]:
    """Picture and pixel AUROC, found and overkill at the automatic threshold; CPU time of learning and of a picture."""
    pick = np.random.default_rng(0).permutation(len(surface.good))[:count]
    started = time.process_time()
    memory = learn(tuple(surface.good[i].pixels for i in pick))
    learning = time.process_time() - started
    scores, values, masks, spent = [], [], [], []
    for seen in (*surface.fine, *surface.faulty):
        started = time.process_time()
        heat, _ = heat_of(seen.pixels, memory)
        spent.append(time.process_time() - started)
        scores.append(float(heat.max()))
        size = (max(8, seen.mask.shape[1] // 4), max(8, seen.mask.shape[0] // 4))
        values.append(cv2.resize(heat, size).ravel())
        masks.append(cv2.resize(seen.mask.astype(np.float32), size, interpolation=cv2.INTER_AREA).ravel() > 0.5)
    bad = np.arange(len(scores)) >= len(surface.fine)
    over = np.array(scores) >= 1
    pixel = auroc(np.concatenate(values), np.concatenate(masks)) if surface.placed else float("nan")
    return ([auroc(scores, bad), pixel, float(over[bad].mean()), float(over[~bad].mean())],
            f"learn {learning:.2f} s, heat {1000 * np.median(spent):.0f} ms")


def main() -> None:
    """Print a line per surface and number of samples, and their means."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--good", type=int, nargs="*", default=[4, 8, 16])
    args = parser.parse_args()
    cv2.setNumThreads(1)
    rows: dict[int, list[list[float]]] = {count: [] for count in args.good}
    print("surface     good  picture  pixel  found  overkill")
    for source in (cells, textures, drawn):
        for surface in source():
            for count in args.good:
                row, times = figures(surface, count)
                rows[count].append(row)
                print(f"{surface.name:11} {count:4}  " + "  ".join(f"{v:6.3f}" for v in row) + f"  {times}", flush=True)
    for count, table in rows.items():
        print(f"mean        {count:4}  " + "  ".join(f"{v:6.3f}" for v in np.nanmean(table, axis=0)))


if __name__ == "__main__":
    main()
