"""How well text and codes are read, against plain RapidOCR and plain zxing-cpp on the same pictures in the same run.

    python -m bench.read_drawn --count 12

Lines: characters is 1 less the edit distance over the length, strings the share read without a slip, folded the same
with O/0, I/1, S/5, B/8 and Z/2 taken as one (they differ by nothing in some of these fonts). Spaces do not count. Extra
is the share of pictures with a line that is not there. ms is processor time a picture, of all threads.
"""

import argparse
import itertools
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import cv2
import numpy as np

from bench import drawn_codes, drawn_labels
from tools.read_text import read
from tools.reading.doubts import chance
from tools.reading.engine import THREADS, model_paths

FOLD = str.maketrans("OISBZoiszl", "0158201521")


@dataclass
class Tally:
    """Sums over the pictures of one class by one reader."""

    characters: list[float] = field(default_factory=list)
    strings: list[bool] = field(default_factory=list)
    folded: list[bool] = field(default_factory=list)
    extra: list[bool] = field(default_factory=list)
    ms: list[float] = field(default_factory=list)
    scores: list[tuple[float, bool]] = field(default_factory=list)

    def row(self) -> dict[str, float]:
        means = {name: float(np.mean(getattr(self, name))) for name in ("characters", "strings", "folded", "extra")}
        return {**means, "ms": float(np.median(self.ms))}


def distance(one: str, other: str) -> int:
    """Edit distance (Levenshtein 1966)."""
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        before, row[0] = row[0], i
        for j, b in enumerate(other, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (a != b))
    return row[-1]


def squeezed(text: str) -> str:
    return "".join(text.split()).replace("：", ":")


def score(truth: Sequence[str], got: Sequence[tuple[str, float]], tally: Tally) -> None:
    """Each true line takes the nearest line that was read and not yet taken."""
    left = [(squeezed(text), sure) for text, sure in got]
    for line in map(squeezed, truth):
        near = min(left, key=lambda one: distance(line, one[0]), default=("", 0.0))
        if near in left and distance(line, near[0]) < len(line):
            left.remove(near)
            tally.scores.append((near[1], near[0] == line))
        else:
            near = ("", 0.0)
        tally.characters.append(1 - min(1.0, distance(line, near[0]) / len(line)))
        tally.strings.append(near[0] == line)
        tally.folded.append(near[0].translate(FOLD) == line.translate(FOLD))
    tally.extra.append(bool(left))


@cache
def _rapid() -> Any:
    from rapidocr import RapidOCR

    return RapidOCR(params={**model_paths(), "Global.log_level": "critical",
                            "EngineConfig.onnxruntime.intra_op_num_threads": THREADS,
                            "EngineConfig.onnxruntime.inter_op_num_threads": 1})


def rapid(pixels: Any) -> list[tuple[str, float]]:
    """RapidOCR as it comes, with the same weights and threads, on the whole picture."""
    got = _rapid()(cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
    return list(zip(got.txts or (), map(float, got.scores or ()), strict=True))


def kenpin(pixels: Any) -> list[tuple[str, float]]:
    return [(line.text, chance(line)) for line in read(pixels, "all")[0]]


def zxing(pixels: Any) -> list[tuple[str, float]]:
    import zxingcpp

    return [(one.text, 1.0) for one in zxingcpp.read_barcodes(pixels)]


def coded(pixels: Any) -> list[tuple[str, float]]:
    return [(one.text, 1.0) for one in read(pixels, "code")[1]]


Reader = Callable[[Any], list[tuple[str, float]]]


def run(pictures: Sequence[tuple[Any, Sequence[str]]], readers: dict[str, Reader]) -> dict[str, Tally]:
    """Every reader over the same pictures, taking turns."""
    tallies = {name: Tally() for name in readers}
    for pixels, truth in pictures:
        for name, reader in readers.items():
            start = time.process_time()
            got = reader(pixels)
            tallies[name].ms.append(1000 * (time.process_time() - start))
            score(truth, got, tallies[name])
    return tallies


def calibration(scores: Sequence[tuple[float, bool]]) -> list[str]:
    """Share of lines read without a slip by the score that they were given."""
    bounds = (0.0, 0.3, 0.5, 0.7, 0.9, 1.01)
    rows = []
    for low, high in itertools.pairwise(bounds):
        right = [ok for sure, ok in scores if low <= sure < high]
        if right:
            rows.append(f"  {low:.2f}-{min(high, 1):.2f}: {np.mean(right):.2f} of {len(right)}")
    return rows


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=12, help="pictures a class")
    parser.add_argument("--seed", type=int, default=0, help="first seed; other seeds are other pictures")
    parser.add_argument("--only", default="", help="classes whose name holds this")
    parser.add_argument("--without-peer", action="store_true", help="leave the others out")
    parser.add_argument("--misses", action="store_true", help="show what was not read")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args(arguments)
    seeds = range(args.seed, args.seed + args.count)
    texts: dict[str, Reader] = {"kenpin": kenpin} | ({} if args.without_peer else {"RapidOCR": rapid})
    codes: dict[str, Reader] = {"kenpin": coded} | ({} if args.without_peer else {"zxing-cpp": zxing})
    rows, scores = [], []
    for kind in drawn_labels.CLASSES:
        if args.only in kind:
            drawn = [drawn_labels.label(kind, seed) for seed in seeds]
            tallies = run([(one.pixels, one.lines) for one in drawn], texts)
            scores += tallies["kenpin"].scores
            rows += report(kind, tallies, quiet=args.json)
            if args.misses:
                shown(kind, [(one.pixels, one.lines) for one in drawn], kenpin, seeds)
    for kind in drawn_codes.CLASSES:
        if args.only in kind:
            marked = [drawn_codes.marked(kind, seed) for seed in seeds]
            rows += report(kind, run([(one.pixels, [c[1] for c in one.codes]) for one in marked], codes),
                           quiet=args.json)
    if args.json:
        print(json.dumps(rows))
    elif scores:
        print("lines without a slip by the chance that was stated:", *calibration(scores), sep="\n")


def shown(kind: str, pictures: Sequence[tuple[Any, Sequence[str]]], reader: Reader, seeds: Sequence[int]) -> None:
    for (pixels, truth), seed in zip(pictures, seeds, strict=True):
        got = reader(pixels)
        if sorted(map(squeezed, truth)) != sorted(squeezed(text) for text, _ in got):
            print(f"    {kind} {seed}: {list(truth)} -> {[(text, round(sure, 2)) for text, sure in got]}")


def report(kind: str, tallies: dict[str, Tally], *, quiet: bool) -> list[dict[str, Any]]:
    rows = [{"class": kind, "reader": name, **tally.row()} for name, tally in tallies.items()]
    for row in () if quiet else rows:
        print(f"{kind:28}{row['reader']:10} characters {row['characters']:.3f}  strings {row['strings']:.2f}  "
              f"folded {row['folded']:.2f}  extra {row['extra']:.2f}  {row['ms']:7.0f} ms", flush=True)
    return rows


if __name__ == "__main__":
    cv2.setNumThreads(1)
    main()
