"""How often `count` is exact on drawn trays, how far off it is, and how often it is right when it says it is sure.

`PYTHONPATH=. python bench/count_drawn.py --seeds 2 --misses`: each scene is counted by its noun and by example.
"""

import argparse
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np

from bench.drawn_trays import Plan, Tray, plans, tray
from tools.count import TOOL, CountArgs, CountResult
from tools.solo import make_desk


def counted(shown: Tray, *, by_example: bool) -> CountResult:
    """What the tool says of one tray."""
    args = CountArgs(why="bench", what=shown.what, example=shown.example if by_example else None)
    result = TOOL.run(make_desk(shown.pixels), args).result
    assert isinstance(result, CountResult)
    return result


def pasted(number: int, seed: int) -> Tray:
    """Photographed nuts cut out of their ground and laid on photographed cloth, scaled and turned."""
    rng = np.random.default_rng(seed)
    ground = cv2.resize(_read("fabric_clean.png"), (720, 540), interpolation=cv2.INTER_LINEAR).astype(np.float32)
    nuts = [_cut_out(_read(name)) for name in ("nut_good.jpg", "nut_coloured.jpg")]
    spots: list[tuple[float, float]] = []
    while len(spots) < number:
        x, y = float(rng.uniform(60, 660)), float(rng.uniform(60, 480))
        if all((x - a) ** 2 + (y - b) ** 2 > 78**2 for a, b in spots):
            spots.append((x, y))
    box = (0, 0, 0, 0)
    for x, y in spots:
        nut, cover = nuts[int(rng.random() < 0.3)]
        side = nut.shape[0]
        scale = 92 / side * rng.uniform(0.9, 1.1)
        matrix = cv2.getRotationMatrix2D((side / 2, side / 2), float(rng.uniform(0, 360)), scale)
        matrix[:, 2] += (x - side / 2, y - side / 2)
        piece = cv2.warpAffine(nut, matrix, (720, 540), flags=cv2.INTER_AREA).astype(np.float32)
        share = cv2.warpAffine(cover, matrix, (720, 540), flags=cv2.INTER_AREA)[..., None] / np.float32(255)
        ground = ground * (1 - share) + piece * share
        ys, xs = np.nonzero(share[..., 0] > 0.5)
        box = (int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1)
    return Tray(np.clip(np.round(ground), 0, 255).astype(np.uint8), number, box, "nut", 0)


def _read(name: str) -> np.ndarray:  # type: ignore[type-arg]
    path = Path(__file__).parent / "suites/second/images/real" / name
    return cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)


def _cut_out(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[type-arg]
    """A nut and its cover, from its yellow ground by colour."""
    side = min(pixels.shape[:2])
    square = cv2.resize(pixels[:side, :side], (400, 400), interpolation=cv2.INTER_AREA)
    blue = cv2.cvtColor(square, cv2.COLOR_RGB2Lab)[..., 2].astype(np.float32)
    ground = float(np.median(blue[:20]))
    found = (blue < ground - 25).astype(np.uint8)
    found = cv2.morphologyEx(found, cv2.MORPH_OPEN, np.ones((9, 9), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(found)
    largest = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA])) if count > 1 else 0
    contours, _ = cv2.findContours((labels == largest).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cover = np.zeros(found.shape, np.uint8)
    cv2.drawContours(cover, [cv2.convexHull(max(contours, key=cv2.contourArea))], -1, 255, -1)
    return square, cv2.GaussianBlur(cv2.erode(cover, np.ones((5, 5), np.uint8)), (0, 0), 1.5)


def scenes(seeds: Sequence[int]) -> list[tuple[str, Callable[[], Tray]]]:
    """Names of all scenes with what draws them."""
    named: list[tuple[str, Callable[[], Tray]]] = []
    for seed in seeds:
        named += [(plan.name, _drawer(plan, 7919 * seed + i)) for i, plan in enumerate(plans())]
        named += [(f"photographed nuts {n}", _paster(n, 100 * seed + n)) for n in (3, 9, 20)]
    return named


def _drawer(plan: Plan, seed: int) -> Callable[[], Tray]:
    return lambda: tray(plan, seed)


def _paster(number: int, seed: int) -> Callable[[], Tray]:
    return lambda: pasted(number, seed)


def group_of(name: str) -> str:
    """What makes a scene hard."""
    known = ("touching", "overlapping", "gradient", "shadow", "faint", "border", "brushed", "speckled", "cloth", "wood",
             "coloured", "among", "photographed")
    found = [word for word in known if word in name]
    if found:
        return found[0]
    return "many" if int(name.rsplit(" ", 1)[-1]) >= 60 else "plain"


def main() -> None:
    """Count everything and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--start", type=int, default=0)
    parser.add_argument("--misses", action="store_true", help="print each scene that was not counted exactly")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    rows: dict[str, list[tuple[float, bool, bool, float]]] = defaultdict(list)
    spent = []
    for name, draw in scenes(range(args.start, args.start + args.seeds)):
        shown = draw()
        for way in ("noun", "example"):
            started = time.process_time()
            found = counted(shown, by_example=way == "example")
            spent.append(time.process_time() - started)
            off = abs(found.count - shown.count) / max(shown.count, 1)
            inside = found.fewest <= shown.count <= (found.most if found.most is not None else 10**9)
            for group in (group_of(name), "all"):
                rows[f"{way:8s}{group}"].append((off, found.sure, inside, 1.0))
            if args.misses and off:
                print(f"  {way} {name}: {found.count} of {shown.count} {'SURE' if found.sure else found.reason}")
    print(f"{'':24s}{'n':>5s}{'exact':>8s}{'error':>8s}{'sure':>7s}{'sure+exact':>12s}{'in range':>10s}")
    for key in sorted(rows):
        off, sure = np.array([r[0] for r in rows[key]]), np.array([r[1] for r in rows[key]])
        right = float((off[sure] == 0).mean()) if sure.any() else float("nan")
        print(f"{key:24s}{len(off):5d}{(off == 0).mean():8.3f}{off.mean():8.3f}{sure.mean():7.2f}{right:12.3f}"
              f"{np.mean([r[2] for r in rows[key]]):10.3f}")
    print(f"CPU time a picture: median {1000 * np.median(spent):.0f} ms, longest {1000 * max(spent):.0f} ms")


if __name__ == "__main__":
    main()
