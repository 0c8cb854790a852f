"""Figures of `compare` on photographs taken again with one thing changed on them, and on pairs that do not match.

    OMP_NUM_THREADS=1 python -m bench.compare_photos --draws 1
    OMP_NUM_THREADS=1 python -m bench.compare_photos --draws 1 --more DIR/a.jpg DIR/b.jpg

For each way of taking the picture: share of pairs that were laid over each other, median error of the alignment (px of
the subject, at a grid of points), false differences on unchanged pairs, and how many of the changes were found.
"""

import argparse
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from bench.changed_photos import CHANGES, Matrix, Rgb, Taken, changed, golden_of, lit, pose, reduced, rough, take
from tools.comparing.together import Compared, compare

ROOT = Path(__file__).parent.parent
BUNDLED = ("kenpin/samples/panel_golden.png", "kenpin/samples/fabric_clean.png", *(
    f"bench/suites/second/images/{name}" for name in (
        "board_golden.png", "connector_golden.png", "flange_golden.png", "nameplate.png", "pills.png", "screws.png",
        "cast_plate.png", "orders.png", "steel.png", "wood.png", "real/nut_good.jpg", "real/ballscrew_early.jpg",
        "real/bottles_four.jpg", "real/board_25mm.jpg")))
View = Callable[[Rgb], Rgb]


@dataclass(frozen=True)
class Way:
    """How a picture is taken again."""

    turn: float = 0
    shift: float = 0
    scale: float = 0
    tilt: float = 0
    light: dict[str, float] = field(default_factory=dict)
    rough: dict[str, float] = field(default_factory=dict)


SENSOR = {"noise": 2.0}
WAYS = {
    "identical": Way(),
    "noise": Way(rough=SENSOR),
    "exposure, gamma": Way(light={"gain": 0.3, "gamma": 0.25}, rough=SENSOR),
    "gradient": Way(light={"slope": 0.5}, rough=SENSOR),
    "colour temperature": Way(light={"tint": 0.15}, rough=SENSOR),
    "turn 15": Way(turn=15, rough=SENSOR),
    "moved 10 %": Way(shift=0.1, rough=SENSOR),
    "scale 10 %": Way(scale=0.1, rough=SENSOR),
    "perspective": Way(tilt=0.06, turn=2, rough=SENSOR),
    "noise 5, blur, JPEG": Way(shift=0.01, rough={"noise": 5.0, "blur": 1.2, "jpeg": 75}),
    "all": Way(turn=10, shift=0.06, scale=0.06, tilt=0.03, light={"gain": 0.2, "slope": 0.25, "tint": 0.08},
               rough={"noise": 2.5, "blur": 0.8, "jpeg": 85}),
}


@dataclass
class Row:
    """Counts of one way."""

    pairs: int = 0
    aligned: int = 0
    errors: list[float] = field(default_factory=list)
    clean: int = 0
    clean_false: int = 0
    false: int = 0
    changes: int = 0
    found: int = 0
    ms: list[float] = field(default_factory=list)


def _view(pixels: Rgb, rng: np.random.Generator, way: Way) -> Rgb:
    jpeg = way.rough.get("jpeg")
    return rough(lit(pixels, rng, **way.light), rng, noise=way.rough.get("noise", 0), blur=way.rough.get("blur", 0),
                 jpeg=None if jpeg is None else int(jpeg))


def error(found: Matrix, truth: Matrix, shape: tuple[int, ...]) -> float:
    """Median distance between where both put a grid of points of the golden sample that the subject shows, px."""
    height, width = shape[:2]
    grid = np.stack(np.meshgrid(np.linspace(0, width - 1, 15), np.linspace(0, height - 1, 15)), -1).reshape(-1, 1, 2)
    a, b = (cv2.perspectiveTransform(grid, m)[:, 0] for m in (found, truth))
    inside = (b >= 0).all(axis=1) & (b[:, 0] < width) & (b[:, 1] < height)
    return float(np.median(np.hypot(*(a - b)[inside].T)))


def compared(pair: Taken) -> tuple[Compared, float]:
    started = time.process_time()
    found = compare(pair.subject, pair.golden, whole=pair.subject, place=np.eye(3))
    return found, 1000 * (time.process_time() - started)


def _meets(found: Compared, mask: NDArray[np.bool_]) -> tuple[bool, int]:
    """Whether a difference covers a part of what was changed, and how many lie elsewhere."""
    near = cv2.dilate(mask.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    hits = [bool((near & change.placed(mask.shape)).any()) for change in found.changes]
    return any(hits), hits.count(False)


def matrix_of_ways(pictures: dict[str, Rgb], draws: int, show: Callable[[str, Taken, Compared], None] | None,
                   only: list[str] | None = None, kinds_tried: tuple[str, ...] = ("", *CHANGES)) \
        -> tuple[dict[str, Row], dict[str, list[int]], list[tuple[float, float]]]:
    """Counts by way, [found, all] by kind of change, and (confidence, error) of every alignment tried."""
    rows: dict[str, Row] = defaultdict(Row)
    kinds: dict[str, list[int]] = {kind: [0, 0] for kind in CHANGES}
    sure: list[tuple[float, float]] = []
    names = list(pictures)
    for number, (name, picture) in enumerate(pictures.items()):
        other = pictures[names[(number + 3) % len(names)]]
        for w, (title, way) in enumerate(WAYS.items()):
            if only and title not in only:
                continue
            for draw in range(draws):
                for kind in kinds_tried:
                    rng = np.random.default_rng([number, w, draw, len(kind)])
                    place = pose(rng, golden_of(picture)[0].shape, turn=way.turn, shift=way.shift, scale=way.scale,
                                 tilt=way.tilt)
                    change = changed(picture, rng, kind, other) if kind else None
                    if kind and change is None:
                        continue
                    pair = take(picture, rng, place, partial(_view, rng=rng, way=way), change)
                    if pair.changed is not None and np.count_nonzero(pair.changed) < 30:
                        continue
                    found, ms = compared(pair)
                    _count(rows[title], kinds, kind, pair, found, ms, sure)
                    if show is not None:
                        show(f"{name} {title} {kind} {draw}", pair, found)
    return rows, kinds, sure


def _count(row: Row, kinds: dict[str, list[int]], kind: str, pair: Taken, found: Compared, ms: float,
           sure: list[tuple[float, float]]) -> None:
    far = error(found.alignment.matrix, pair.matrix, pair.golden.shape)
    row.pairs, row.aligned = row.pairs + 1, row.aligned + found.aligned
    row.ms.append(ms)
    sure.append((found.alignment.likeness.confidence, far))
    if found.aligned:
        row.errors.append(far)
    if pair.changed is None:
        row.clean, row.false = row.clean + 1, row.false + len(found.changes)
        row.clean_false += bool(found.changes)
        return
    hit, others = _meets(found, pair.changed)
    row.changes, row.found, row.false = row.changes + 1, row.found + hit, row.false + others
    kinds[kind][0] += hit
    kinds[kind][1] += 1


def strangers(pictures: dict[str, Rgb]) -> tuple[dict[str, list[int]], list[str]]:
    """[refused, all] for pairs that do not match, and what was taken for a match."""
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    wrong = []
    rng = np.random.default_rng(5)
    names = list(pictures)
    for number, name in enumerate(names):
        golden = golden_of(pictures[name])[0]
        flat = np.full_like(golden, 128)
        cases = {"other product": golden_of(pictures[names[(number + 1) % len(names)]])[0],
                 "another other product": golden_of(pictures[names[(number + 5) % len(names)]])[0],
                 "other side (mirrored)": golden[:, ::-1].copy(), "upside down": golden[::-1, ::-1].copy(),
                 "noise": rng.integers(0, 256, golden.shape, np.uint8), "blank": rough(flat, rng, noise=2.0)}
        for title, subject in cases.items():
            found = compare(subject, golden, whole=subject, place=np.eye(3))
            counts[title][0] += not found.decided
            counts[title][1] += 1
            if found.decided:
                wrong.append(f"{name}: {title}, confidence {found.alignment.likeness.confidence:.2f}, "
                             f"{len(found.changes)} differences")
    return counts, wrong


def calibration(sure: list[tuple[float, float]]) -> list[str]:
    """Share of alignments within 1.5 px by stated confidence."""
    lines = []
    for low, high in ((0.0, 0.45), (0.45, 0.6), (0.6, 0.75), (0.75, 0.9), (0.9, 0.97), (0.97, 1.01)):
        inside = [e for c, e in sure if low <= c < high]
        if inside:
            right = float(np.mean(np.array(inside) <= 1.5))
            lines.append(f"stated {low:.2f} to {high:.2f}: {len(inside):4d} pairs, {right:.3f} within 1.5 px")
    return lines


def read(path: Path) -> Rgb:
    pixels = cv2.imread(str(path), cv2.IMREAD_COLOR)
    assert pixels is not None, path
    return reduced(np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), np.uint8))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=1)
    parser.add_argument("--more", type=Path, nargs="*", default=None, help="other pictures instead of the bundled")
    parser.add_argument("--only", nargs="*", default=None, help="these ways")
    parser.add_argument("--unchanged", action="store_true", help="only pairs on which nothing was changed")
    parser.add_argument("--errors", action="store_true", help="name each pair that went wrong")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    paths = args.more or [ROOT / name for name in BUNDLED]
    pictures = {path.stem: read(path) for path in paths}

    def show(words: str, pair: Taken, found: Compared) -> None:
        far = error(found.alignment.matrix, pair.matrix, pair.golden.shape)
        hit, others = (True, len(found.changes)) if pair.changed is None else _meets(found, pair.changed)
        if args.errors and (not hit or others or not found.decided or far > 1):
            print(f"{words}: {found.code} sure {found.alignment.likeness.confidence:.2f} off {far:.2f} px"
                  f"{'' if hit else ' NOT FOUND'}{f' {others} false' if others else ''}", flush=True)

    rows, kinds, sure = matrix_of_ways(pictures, args.draws, show, args.only,
                                         ("",) if args.unchanged else ("", *CHANGES))
    print(f"{'way':22s} pairs aligned  px median/90%  clean with false  false in all  found  CPU ms")
    for title, row in rows.items():
        px = np.percentile(row.errors or [np.nan], (50, 90))
        print(f"{title:22s} {row.pairs:5d} {row.aligned / row.pairs:7.2f}  {px[0]:5.2f}/{px[1]:5.2f}  "
              f"{row.clean_false:6d}/{row.clean:d}  {row.false:12d}  {row.found:4d}/{row.changes:d}"
              f"  {np.median(row.ms):5.0f}")
    print("found by kind:", ", ".join(f"{k} {a}/{b}" for k, (a, b) in kinds.items()))
    print("\n".join(calibration(sure)))
    if args.only is None:
        counts, wrong = strangers(pictures)
        print("refused:", ", ".join(f"{k} {a}/{b}" for k, (a, b) in counts.items()))
        print("\n".join(wrong))


if __name__ == "__main__":
    main()
