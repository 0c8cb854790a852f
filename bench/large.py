"""Memory and time of every tool on a 50-megapixel picture, each in a process of its own.

    python bench/large.py [--only detect compare ...] [--json]

The picture is drawn: an evenly textured plate, 8660 x 5774 px, with a scratch, pits, rings, a label and a chessboard.
The peak is that of the whole process, the picture itself included.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from kenpin.cases.embed_offline import OfflineEmbedder
from kenpin.cases.memory import InMemoryCases
from kenpin.contracts.case import Case
from kenpin.contracts.view import RgbImage
from tools.catalog import CATALOG
from tools.solo import Desk, make_desk

WIDTH, HEIGHT = 8660, 5774
MOST = 2 * 2**30
"""Bytes that a process may hold."""


def plate(seed: int = 0) -> RgbImage:
    """(5774, 8660, 3) uint8 RGB."""
    rng = np.random.default_rng(seed)
    tile = cv2.GaussianBlur(rng.normal(0, 9, (962, 1082)).astype(np.float32), (0, 0), 1.2)
    grey = np.empty((HEIGHT, WIDTH), np.uint8)
    slope = np.linspace(0, 10, WIDTH, dtype=np.float32)
    for top in range(0, HEIGHT, 962):  # by bands, so that drawing takes less memory than the tools may
        rows = min(962, HEIGHT - top)
        grain = np.tile(tile[:rows], (1, 9))[:, :WIDTH]
        grey[top:top + rows] = np.clip(150 - 2 * top / 962 + slope + grain, 0, 255)
    cv2.line(grey, (1800, 900), (3100, 1500), 60, 9, cv2.LINE_AA)
    for x, y in ((5200, 800), (5900, 1200), (6400, 700)):
        cv2.circle(grey, (x, y), 26, 70, -1, cv2.LINE_AA)
    for i in range(6):
        cv2.circle(grey, (900 + 700 * i, 4900), 220, 30, 70, cv2.LINE_AA)
    cv2.putText(grey, "LOT A1234-56", (4600, 3000), cv2.FONT_HERSHEY_SIMPLEX, 9, 20, 24, cv2.LINE_AA)
    grey[3700:4700, 6400:7700] = 235
    for i in range(5):
        for j in range(7):
            if (i + j) % 2 == 0:
                grey[3800 + 160 * i:3960 + 160 * i, 6490 + 160 * j:6650 + 160 * j] = 25
    return cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB)


def _with_golden() -> Desk:
    return make_desk(plate(), references=(plate(1),))


def _with_good() -> Desk:
    return make_desk(plate(), good=tuple(plate(i)[:2900, :4400].copy() for i in (1, 2, 3, 4)))


def _with_cases() -> Desk:
    store = InMemoryCases(OfflineEmbedder())
    small = plate(1)[600:1600, 1600:3300].copy()
    store.add(Case(id="c1", product="plate", defect_type="scratch", cause="-", disposition="-", picture="0" * 64,
                   box=(100, 100, 1500, 1000)), pixels=small)
    return make_desk(plate(), cases=store)


TRIALS: dict[str, tuple[str, Callable[[], Desk], dict[str, Any]]] = {
    "check_image": ("check_image", lambda: make_desk(plate()), {}),
    "crop": ("crop", lambda: make_desk(plate()), {"box": [10, 10, 8000, 5000]}),
    "zoom": ("zoom", lambda: make_desk(plate()), {"box": [1700, 800, 3200, 1600]}),
    "enhance": ("enhance", lambda: make_desk(plate()), {"operation": "denoise"}),
    "detect": ("detect", lambda: make_desk(plate()), {}),
    "detect, 4 good": ("detect", _with_good, {}),
    "compare": ("compare", _with_golden, {}),
    "measure": ("measure", lambda: make_desk(plate()), {"quantity": "length", "box": [1700, 800, 3200, 1600]}),
    "calibrate": ("calibrate", lambda: make_desk(plate()), {"method": "chessboard", "size_mm": 10}),
    "count": ("count", lambda: make_desk(plate()), {"what": "ring"}),
    "read_text": ("read_text", lambda: make_desk(plate()), {}),
    "recall": ("recall", _with_cases, {"box": [1700, 800, 3200, 1600]}),
}


def trial(name: str) -> dict[str, Any]:
    """Run one tool here and say what it took: MiB at the peak of this process, CPU and wall seconds."""
    tool, made, args = TRIALS[name]
    entry, desk = CATALOG[tool], made()
    wall, cpu = time.perf_counter(), time.process_time()
    entry.run(desk, entry.args.model_validate({"why": "memory", **args}))
    spent = time.process_time() - cpu
    return {"trial": name, "wall_s": round(time.perf_counter() - wall, 2), "cpu_s": round(spent, 2),
            "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}


def in_process(name: str) -> dict[str, Any]:
    """The same in a process of its own, so that the peak is that tool's."""
    done = subprocess.run([sys.executable, "-m", "bench.large", "--trial", name], capture_output=True, text=True,
                          check=False, cwd=Path(__file__).parents[1])
    if done.returncode:
        raise RuntimeError(f"{name}: {done.stderr.strip().splitlines()[-1] if done.stderr.strip() else 'killed'}")
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


def main() -> None:
    """Print a line a trial."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="*", choices=list(TRIALS))
    parser.add_argument("--trial", choices=list(TRIALS))
    options = parser.parse_args()
    if options.trial:
        print(json.dumps(trial(options.trial)))
        return
    print("tool             peak MiB   CPU s  wall s")
    for name in options.only or TRIALS:
        row = in_process(name)
        print(f"{name:16} {row['peak_mib']:8} {row['cpu_s']:7.2f} {row['wall_s']:7.2f}", flush=True)


if __name__ == "__main__":
    main()
