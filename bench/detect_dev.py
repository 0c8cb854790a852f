"""Figures of `detect` on drawn surfaces whose truth is known, and on labelled real pictures.

    OMP_NUM_THREADS=1 python bench/detect_dev.py drawn --seeds 4
    OMP_NUM_THREADS=1 python bench/detect_dev.py parts --good 1 4 8 16
    OMP_NUM_THREADS=1 python bench/detect_dev.py real --data DIR --good 0 4 8

`DIR` holds `manifest.jsonl` in the format of `kenpin benchmark`.
"""

import argparse
import json
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from bench.drawn_parts import FAULTS, PARTS, part
from bench.drawn_surfaces import DEFECTS, TEXTURES, draw, write_on
from tools.detection.alone import inspect_alone
from tools.detection.outcome import Inspection
from tools.detection.taught import inspect_taught


def iou(a: Any, b: Any) -> float:
    """Intersection over union of two boxes."""
    wide, high = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    area = max(0, wide) * max(0, high)
    return float(area / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - area))


def touches(a: Any, b: Any) -> bool:
    """Whether two boxes meet."""
    return bool(min(a[2], b[2]) > max(a[0], b[0]) and min(a[3], b[3]) > max(a[1], b[1]))


def inside(a: Any, b: Any) -> bool:
    """Whether the middle of a box lies in another."""
    x, y = (a[0] + a[2]) / 2, (a[1] + a[3]) / 2
    return bool(b[0] <= x < b[2] and b[1] <= y < b[3])


def drawn(args: argparse.Namespace) -> None:
    """Found rate, tightness, fragments, type and false alarms on drawn surfaces."""
    by_kind: dict[str, list[tuple[bool, float, bool]]] = defaultdict(list)
    by_texture: dict[str, Counter[str]] = defaultdict(Counter)
    mistaken: Counter[str] = Counter()
    for name in TEXTURES:
        for seed in range(args.start, args.start + args.seeds):
            clean = draw(name, 1000 + seed)
            number = f"NO. {seed * 7919 % 10000:04d}-B"
            for variant in (clean, write_on(clean, number, (60, 90), height=0.7 + 0.1 * (seed % 5))):
                started = time.perf_counter()
                seen = inspect_alone(variant.pixels)
                by_texture[name]["ms"] += round(1000 * (time.perf_counter() - started))
                kind = "clean" if variant is clean else "text"
                by_texture[name][kind] += 1
                by_texture[name][f"{kind} false"] += bool(seen.regions)
                by_texture[name][f"{kind} undecided"] += not seen.nothing_else
            picks = [DEFECTS[(seed * 3 + i) % len(DEFECTS)] for i in range(3)]
            truth = draw(name, 2000 + seed, defects=tuple(picks), contrast=args.contrast, size=args.size)
            seen = inspect_alone(truth.pixels)
            used: set[int] = set()
            for kind, box in zip(truth.kinds, truth.boxes, strict=True):
                best = max(range(len(seen.regions)), key=lambda i, b=box: iou(b, seen.regions[i].box), default=None)
                fit = iou(box, seen.regions[best].box) if best is not None else 0.0
                hit = fit >= 0.3
                if hit and best is not None:
                    used.add(best)
                    guess = seen.regions[best].kind.value
                    mistaken[f"{kind}>{guess}"] += guess != kind
                    by_kind[kind].append((True, fit, guess == kind))
                else:
                    by_kind[kind].append((False, fit, False))
                    if args.verbose:
                        print("missed", name, 2000 + seed, kind, box, f"{fit:.2f}")
                by_texture[name]["defects"] += 1
                by_texture[name]["found"] += hit
            for i, region in enumerate(seen.regions):
                if i not in used:
                    where = "fragments" if any(touches(region.box, b) for b in truth.boxes) else "strays"
                    by_texture[name][where] += 1
                    if args.verbose:
                        print(where, name, 2000 + seed, region.kind.value, region.box, f"{region.score:.2f}")
    print(f"{'texture':10} found      fragments strays | clean: false undecided | text: false undecided | ms")
    for name, c in by_texture.items():
        print(f"{name:10} {c['found']:3}/{c['defects']:<3}    {c['fragments']:4} {c['strays']:8}   | "
              f"{c['clean false']:6}/{c['clean']:<3} {c['clean undecided']:5}   | {c['text false']:6}/{c['text']:<3} "
              f"{c['text undecided']:5}  | {c['ms'] / (2 * args.seeds):.0f}")
    print(f"\n{'defect':10} found   median IoU  type right")
    for kind, rows in by_kind.items():
        hits = [fit for ok, fit, _ in rows if ok]
        print(f"{kind:10} {len(hits):3}/{len(rows):<3}   {np.median(hits) if hits else 0:.2f}     "
              f"{sum(right for *_, right in rows)}/{len(hits)}")
    print("mistaken:", dict(mistaken.most_common(10)))


def inspect(pixels: Any, good: Any) -> Inspection:
    """By the good samples if there are some."""
    return inspect_taught(pixels, good) if good else inspect_alone(pixels)


def parts(args: argparse.Namespace) -> None:
    """With good samples, on drawn parts: picture and pixel AUROC, overkill and found rate at the own threshold."""
    print("part      good  picture AUROC  pixel AUROC  found  overkill  findings per fault  box IoU>=.33  ms")
    for name in PARTS:
        for count in args.good:
            good = tuple(part(name, 50 + i).pixels for i in range(count))
            clean = [part(name, 100 + i) for i in range(args.pieces)]
            faulty = [part(name, 1000 + i, fault=FAULTS[i % len(FAULTS)]) for i in range(args.pieces)]
            inspect(clean[0].pixels, good)
            scores, values, masks, hits, numbers, spent = [], [], [], [], [], []
            for drawn_part in (*clean, *faulty):
                started = time.perf_counter()
                seen = inspect(drawn_part.pixels, good)
                spent.append(time.perf_counter() - started)
                scores.append(seen.score)
                small = (seen.heat.shape[1] // 4, seen.heat.shape[0] // 4)
                values.append(cv2.resize(seen.heat, small, interpolation=cv2.INTER_AREA).ravel())
                truth = cv2.resize(drawn_part.mask.astype(np.float32), small, interpolation=cv2.INTER_AREA)
                masks.append(truth.ravel() > 0.5)
                if drawn_part.boxes and seen.regions:
                    numbers.append(len(seen.regions))
                    hits.append(max(iou(drawn_part.boxes[0], r.box) for r in seen.regions) >= 0.33)
            flagged = np.array(scores) >= 0.5
            ng = np.arange(len(scores)) >= len(clean)
            pixel = auroc(np.concatenate(values), np.concatenate(masks))
            print(f"{name:9} {count:4}      {auroc(scores, ng):.3f}         {pixel:.3f}     "
                  f"{flagged[ng].mean():.2f}   {flagged[~ng].mean():.2f}        {np.mean(numbers or [0]):.2f}          "
                  f"{np.mean(hits or [False]):.2f}        {1000 * np.median(spent):.0f}", flush=True)


def auroc(scores: Any, labels: Any) -> float:
    """Area under the ROC curve, ties counted half."""
    scores, labels = np.asarray(scores, np.float64), np.asarray(labels, bool)
    if labels.all() or not labels.any():
        return float("nan")
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    positive = int(labels.sum())
    return float((ranks[labels].sum() - positive * (positive + 1) / 2) / (positive * (len(labels) - positive)))


def truth_mask(record: dict[str, Any], root: Path) -> Any:
    """(H, W) bool, by mask or boxes."""
    shape = (record["height"], record["width"])
    if record["mask"]:
        return cv2.imread(str(root / record["mask"]), cv2.IMREAD_GRAYSCALE) > 0
    mask = np.zeros(shape, bool)
    for x0, y0, x1, y1 in record["boxes"]:
        mask[y0:y1, x0:x1] = True
    return mask


def surfaces(root: Path) -> dict[str, list[dict[str, Any]]]:
    """Inspection records by surface, those whose file is there."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for line in (root / "manifest.jsonl").read_text(encoding="utf8").splitlines():
        record = json.loads(line)
        if record["task"] == "inspect" and record["path"] and (root / record["path"]).exists():
            record["rgb"] = cv2.cvtColor(cv2.imread(str(root / record["path"])), cv2.COLOR_BGR2RGB)
            found[record["surface"]].append(record)
    return found


def real(args: argparse.Namespace) -> None:
    """Picture and pixel AUROC, verdict at the own threshold, gate, on real surfaces."""
    print("surface        good  pictures  picture AUROC  pixel AUROC  ng found  ok flagged  decided  ms  "
          "hit  best IoU  findings an ng")
    for surface, records in surfaces(args.data).items():
        if args.surface and surface not in args.surface:
            continue
        for count in args.good:
            row(surface, records, count, args.data)


def row(surface: str, records: list[dict[str, Any]], count: int, root: Path) -> None:
    """One line of the table of `real`."""
    fine = [r for r in records if r["label"] == "ok"]
    if len(fine) < count:
        return
    good = tuple(r["rgb"] for r in fine[:count])
    scored = [r for r in records if r["label"] in {"ok", "ng"} and not any(r is f for f in fine[:count])]
    values, masks, flags, decided, spent = [], [], [], [], []
    scores, fits, hits, numbers = [], [], [], []
    for record in scored:
        started = time.perf_counter()
        seen = inspect(record["rgb"], good)
        spent.append(time.perf_counter() - started)
        scores.append(seen.score)
        flags.append(bool(seen.regions))
        decided.append(seen.decided)
        if record["boxes"]:
            pairs = [(r.box, t) for r in seen.regions for t in record["boxes"]]
            fits.append(max((iou(box, t) for box, t in pairs), default=0.0))
            hits.append(any(iou(box, t) >= 0.1 or inside(box, t) for box, t in pairs))
            numbers.append(len(seen.regions))
        if record["boxes"] or record["label"] == "ok":
            small = (seen.heat.shape[1] // 4, seen.heat.shape[0] // 4)
            values.append(cv2.resize(seen.heat, small, interpolation=cv2.INTER_AREA).ravel())
            truth = truth_mask(record, root).astype(np.float32)
            masks.append(cv2.resize(truth, small, interpolation=cv2.INTER_AREA).ravel() > 0.5)
    ng = np.array([r["label"] == "ng" for r in scored])
    flagged = np.array(flags)
    pixel = auroc(np.concatenate(values), np.concatenate(masks))
    print(f"{surface:14} {count:4} {ng.sum():4}ng {(~ng).sum():2}ok     {auroc(scores, ng):.3f}          "
          f"{pixel:.3f}     {flagged[ng].sum():3}/{ng.sum():<3}    "
          f"{flagged[~ng].sum():3}/{(~ng).sum():<3}     {np.mean(decided):.2f}   "
          f"{1000 * np.median(spent):.0f}   {sum(hits)}/{len(hits)}  {np.median(fits or [0]):.2f}  "
          f"{np.mean(numbers or [0]):.1f}", flush=True)


def main() -> None:
    """Run what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    one = commands.add_parser("drawn")
    one.add_argument("--seeds", type=int, default=4)
    one.add_argument("--start", type=int, default=0)
    one.add_argument("--contrast", type=float)
    one.add_argument("--size", type=float, default=1.0)
    one.add_argument("--verbose", action="store_true")
    one.set_defaults(run=drawn)
    three = commands.add_parser("parts")
    three.add_argument("--good", type=int, nargs="*", default=[1, 4, 8, 16])
    three.add_argument("--pieces", type=int, default=24)
    three.set_defaults(run=parts)
    two = commands.add_parser("real")
    two.add_argument("--data", type=Path, required=True)
    two.add_argument("--good", type=int, nargs="*", default=[0])
    two.add_argument("--surface", nargs="*")
    two.set_defaults(run=real)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    args.run(args)


if __name__ == "__main__":
    main()
