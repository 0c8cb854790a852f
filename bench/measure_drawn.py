"""How near `measure` comes to the truth on drawn pictures, and how often its stated 95 % interval holds it.

    python -m bench.measure_drawn [--trials 150] [--seed 1] [--only crack,hole] [--by] [--json FILE]

One row a quantity: median and 95th-percentile error, how often the truth lies in the stated interval, and the median
of stated half width over error (1.48 where the errors are normal and the interval is exactly right for them:
0.6745 sigma is the median error, 1.96 sigma the half width, so about 2.9 is exact and more is cautious).
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np
from pydantic import ValidationError

from bench.measure_trials import KINDS, Ask, Trial, trials
from kenpin.contracts.errors import ToolInputError
from kenpin.contracts.view import RgbImage
from tools import measure
from tools.solo import Desk, make_desk
from tools.spec import Region


def bench_of(pixels: RgbImage, regions: Mapping[str, tuple[str, tuple[int, int, int, int]]] | None = None) -> Desk:
    """A workbench over pixels, with things that earlier steps would have found."""
    desk = make_desk(pixels)
    desk.known = {name: Region(id=name, label=label, box=box) for name, (label, box) in (regions or {}).items()}
    return desk


def asked(trial: Trial, ask: Ask) -> tuple[float, float] | None:
    """Error and stated half width; None if the tool refused."""
    try:
        result = measure.TOOL.run(bench_of(trial.picture, trial.regions),
                                  measure.MeasureArgs(why="drawn", **ask.args)).result
    except (ToolInputError, ValidationError):
        return None
    assert isinstance(result, measure.MeasureResult)
    away = result.value - ask.truth
    if ask.angle:
        away = (away + 90) % 180 - 90
        if ask.args.get("to"):
            away = min(abs(result.value - abs(ask.truth)), abs(180 - result.value - abs(ask.truth)))
    return away, result.uncertainty


HEADS = ("median", "95 %", "bias", "covered", "half", "half/err")
Row = tuple[float, float, float, bool, float, float]
"""Error, stated half width, truth, whether it is an angle, blur, contrast over noise."""


def collect(kinds: list[str], number: int, seed: int) -> tuple[dict[str, list[Row]], dict[str, int]]:
    """All trials, by row of the table, and how many calls were refused."""
    rows: dict[str, list[Row]] = defaultdict(list)
    refused: dict[str, int] = defaultdict(int)
    for kind in kinds:
        for look, trial in trials(kind, number, seed):
            for ask in trial.asks:
                outcome = asked(trial, ask)
                if outcome is None:
                    refused[ask.name] += 1
                else:
                    rows[ask.name].append((*outcome, ask.truth, ask.angle or ask.args["quantity"] == "angle", look.blur,
                                           look.contrast / np.hypot(look.noise, look.grain)))
    return rows, refused


def line(rows: list[Row]) -> dict[str, float]:
    """Figures of some trials of one quantity."""
    error, half, truth = (np.array([row[i] for row in rows]) for i in range(3))
    share = np.abs(error) if rows[0][3] else np.abs(error) / np.abs(truth)
    return {"n": len(rows), "median": float(np.median(share)), "p95": float(np.quantile(share, 0.95)),
            "bias": float(np.median(error if rows[0][3] else error / truth)),
            "cover": float(np.mean(np.abs(error) <= half)),
            "wide": float(np.median(half) / max(float(np.median(np.abs(error))), 1e-12)),
            "half": float(np.median(half if rows[0][3] else half / truth))}


def table(rows: dict[str, list[Row]], refused: Mapping[str, int], *, by: bool) -> None:
    """Print one line a quantity."""
    print(f"{'quantity':32} {'n':>4} " + " ".join(f"{head:>8}" for head in HEADS) + " refused")
    for name, found in rows.items():
        _print(name, found, refused.get(name, 0))
        if by:
            for label, keep in (("blur < 1", lambda r: r[4] < 1.0), ("blur > 1.6", lambda r: r[4] > 1.6),
                                ("contrast/noise < 25", lambda r: r[5] < 25), ("JPEG or not", lambda r: True)):
                part = [row for row in found if keep(row)]
                if part and label != "JPEG or not":
                    _print("    " + label, part, 0)


def _print(name: str, rows: list[Row], refused: int) -> None:
    f = line(rows)
    unit = "{:8.3f}°" if rows[0][3] else "{:8.3%}"
    shown = [unit.format(f[key]).rjust(8) for key in ("median", "p95", "bias")]
    print(f"{name:32} {int(f['n']):4} {shown[0]} {shown[1]} {shown[2]} {f['cover']:8.1%} "
          f"{unit.format(f['half'])} {f['wide']:8.1f} {refused}", flush=True)


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--trials", type=int, default=150)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default=",".join(KINDS))
    parser.add_argument("--by", action="store_true", help="also by blur and by contrast over noise")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    cv2.setNumThreads(1)
    rows, refused = collect(given.only.split(","), given.trials, given.seed)
    table(rows, refused, by=given.by)
    if given.json:
        figures = {name: {**line(found), "refused": refused.get(name, 0)} for name, found in rows.items()}
        given.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
