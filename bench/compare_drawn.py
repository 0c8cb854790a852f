"""Figures of `compare` on pairs of bare boards: drawn ones, or those of a manifest (task `pair`).

    OMP_NUM_THREADS=1 python -m bench.compare_drawn --seeds 200 --start 1000
    OMP_NUM_THREADS=1 python -m bench.compare_drawn --manifest DIR/manifest.jsonl --crops /tmp/errors

A box counts as found at IoU 0.33, one prediction a box, best overlap first. `--crops` writes a picture of each error.
"""

import argparse
import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from bench.drawn_boards import Pair, drawn_pair
from tools.comparing.together import Compared, compare

IOU = 0.33
NAMES = {"copper": "spurious copper", "pin-hole": "pin hole"}
"""Kinds of `compare` by the names that manifests use."""
Box = tuple[int, int, int, int]


@dataclass
class Score:
    """Counts over many pairs."""

    found: int = 0
    typed: int = 0
    false: int = 0
    missed: int = 0
    ious: list[float] = field(default_factory=list)
    ms: list[float] = field(default_factory=list)
    mistaken: Counter[str] = field(default_factory=Counter)

    def f1(self, hits: int) -> float:
        return 2 * hits / max(2 * self.found + self.false + self.missed, 1)

    def line(self) -> str:
        few = np.percentile(self.ious or [0.0], (0, 1, 5, 25, 50))
        return (f"boxes {self.found + self.missed}  P {self.found / max(self.found + self.false, 1):.4f}  "
                f"R {self.found / max(self.found + self.missed, 1):.4f}  F {self.f1(self.found):.4f}  with type "
                f"{self.f1(self.typed):.4f}  IoU min/1%/5%/25%/median {' '.join(f'{v:.2f}' for v in few)}  "
                f"CPU ms median {np.median(self.ms):.1f}")


def iou(a: Box, b: Box) -> float:
    """Intersection over union."""
    wide, high = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    if wide <= 0 or high <= 0:
        return 0.0
    return wide * high / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - wide * high)


def drawn_pairs(start: int, count: int, defects: int | None) -> Iterator[tuple[str, Pair]]:
    for seed in range(start, start + count):
        yield str(seed), drawn_pair(seed, defects=defects)


def labelled_pairs(manifest: Path) -> Iterator[tuple[str, Pair]]:
    """The pairs of a manifest in the format of `kenpin benchmark`."""
    def read(name: str) -> NDArray[np.uint8]:
        return np.asarray(cv2.cvtColor(cv2.imread(str(manifest.parent / name)), cv2.COLOR_BGR2RGB), np.uint8)

    for line in manifest.read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        if record["task"] == "pair":
            yield record["id"], Pair(read(record["path"]), read(record["template"]),
                                     tuple(tuple(b) for b in record["boxes"]), tuple(record["box_types"] or ()))


def run(pair: Pair, repeats: int) -> tuple[Compared, float]:
    """The comparison and its CPU time, the least of several, ms."""
    least = float("inf")
    for _ in range(repeats):
        started = time.process_time()
        found = compare(pair.subject, pair.reference, whole=pair.subject, place=np.eye(3))
        least = min(least, 1000 * (time.process_time() - started))
    return found, least


def add(score: Score, name: str, pair: Pair, found: Compared) -> list[tuple[str, Box]]:
    """Count one pair; returns its errors with their boxes."""
    errors: list[tuple[str, Box]] = []
    kinds = [NAMES.get(k, k) for k in pair.kinds]
    order = sorted(((iou(c.box, b), i, j) for i, c in enumerate(found.changes) for j, b in enumerate(pair.boxes)),
                   reverse=True)
    ours: set[int] = set()
    theirs: set[int] = set()
    for value, i, j in order:
        if value < IOU or i in ours or j in theirs:
            continue
        ours.add(i)
        theirs.add(j)
        score.ious.append(value)
        said = NAMES.get(found.changes[i].kind, found.changes[i].kind)
        score.found, score.typed = score.found + 1, score.typed + (said == kinds[j])
        if said != kinds[j]:
            score.mistaken[f"{kinds[j]} said {said}"] += 1
            errors.append((f"{name} {kinds[j]} said {said}", pair.boxes[j]))
    false = [c for i, c in enumerate(found.changes) if i not in ours]
    lost = [j for j in range(len(pair.boxes)) if j not in theirs]
    score.false, score.missed = score.false + len(false), score.missed + len(lost)
    errors += [(f"{name} false {c.kind} {c.score:.2f}", c.box) for c in false]
    errors += [(f"{name} missed {kinds[j]}", pair.boxes[j]) for j in lost]
    score.mistaken.update(["false"] * len(false) + [f"missed {kinds[j]}" for j in lost])
    return errors


def crop(pair: Pair, box: Box, found: Compared, words: str) -> NDArray[np.uint8]:
    """Subject, reference and both over each other around a box, four times as large."""
    reach = max(34, (max(box[2] - box[0], box[3] - box[1]) + 16) // 2)
    x, y = (box[0] + box[2]) // 2, (box[1] + box[3]) // 2
    brought = pair.reference if found.reference is None else found.reference
    both = np.dstack([pair.subject[..., 0], brought[..., 0], brought[..., 0]])
    parts = []
    for picture in (pair.subject, pair.reference, both):
        wide = cv2.copyMakeBorder(picture, reach, reach, reach, reach, cv2.BORDER_CONSTANT, value=(128, 128, 128))
        part = cv2.resize(wide[y:y + 2 * reach, x:x + 2 * reach], (200, 200), interpolation=cv2.INTER_NEAREST)
        scale = 100 / reach
        corners = [round((v - c + reach) * scale) for v, c in zip(box, (x, y, x, y), strict=True)]
        cv2.rectangle(part, tuple(corners[:2]), tuple(corners[2:]), (255, 60, 0), 1)
        parts.append(part)
    strip = np.hstack(parts)
    cv2.putText(strip, words, (4, 12), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (0, 150, 0), 1, cv2.LINE_AA)
    return np.asarray(strip, np.uint8)


def sheet(crops: list[NDArray[np.uint8]], columns: int = 3) -> NDArray[np.uint8]:
    """Crops of one size side by side."""
    crops = crops + [np.zeros_like(crops[0])] * (-len(crops) % columns)
    return np.vstack([np.hstack(crops[i:i + columns]) for i in range(0, len(crops), columns)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--start", type=int, default=1000)
    parser.add_argument("--defects", type=int, default=None)
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--manifest", type=Path, default=None)
    parser.add_argument("--crops", type=Path, default=None)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    score, crops = Score(), []
    pairs = labelled_pairs(args.manifest) if args.manifest else drawn_pairs(args.start, args.seeds, args.defects)
    for name, pair in pairs:
        found, ms = run(pair, args.repeats)
        if min(pair.subject.shape[:2]) >= 640:
            score.ms.append(ms)
        for words, box in add(score, name, pair, found):
            print(words, list(box))
            crops.append(crop(pair, box, found, words))
    print(dict(score.mistaken))
    print(score.line())
    if args.crops and crops:
        args.crops.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(args.crops / "errors.png"), cv2.cvtColor(sheet(crops[:60]), cv2.COLOR_RGB2BGR))


if __name__ == "__main__":
    main()
