"""`compare` over pairs of picture and golden sample: which differences it finds, and of which type it calls them."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kenpin.contracts.view import Box, RgbImage
from kenpin.evaluate.benchmark.manifest import Labelled, Record
from kenpin.evaluate.benchmark.metrics import Figure, draws, figure, matched
from kenpin.evaluate.benchmark.predictions import Prediction, Writer
from kenpin.evaluate.benchmark.rows import Row
from tools.compare import CompareArgs, CompareResult
from tools.compare import run as compare
from tools.solo import make_desk

LEAST = 0.33
"""Overlap from which on a box counts as found, as the DeepPCB data set has it."""
NAMES = {"copper": "spurious copper", "pin-hole": "pin hole"}
"""Changes whose usual name in labels is another one; all others are called alike."""


@dataclass(frozen=True)
class Differences:
    """What was said about a picture and its golden sample."""

    boxes: tuple[Box, ...]
    scores: tuple[float, ...]
    types: tuple[str, ...]
    aligned: bool = True
    decided: bool = True


Compare = Callable[[RgbImage, RgbImage], Differences]
"""Picture and golden sample to differences."""


def by_tool(picture: RgbImage, golden: RgbImage) -> Differences:
    """`compare` on a whole picture."""
    result = compare(make_desk(picture, references=(golden,)), CompareArgs(why="benchmark")).result
    assert isinstance(result, CompareResult)
    found = result.findings
    return Differences(boxes=tuple(f.box for f in found), scores=tuple(f.score for f in found),
                       types=tuple(NAMES.get(f.change, f.change) for f in found), aligned=result.aligned,
                       decided=result.decided)


@dataclass(frozen=True)
class Pair:
    """What was said about one pair."""

    record: Record
    found: int
    right: int
    """Found boxes that a label overlaps."""
    typed: int
    """Those whose type is the label's too."""
    aligned: bool
    flagged: bool
    ms: float


def spelt(name: str) -> str:
    """One spelling of a type: `pin-hole`, `Pin_hole` and `pinhole` are the same."""
    return "".join(c for c in name.lower() if c.isalnum())


def compare_pairs(surface: str, data: Labelled, records: Sequence[Record], *, writer: Writer,
                  compare: Compare = by_tool) -> Row | None:
    """Score the pairs of one surface; None if none has a template."""
    pairs = [_pair(data, record, writer, compare) for record in records if record.template]
    if not pairs:
        return None
    labels = np.array([p.record.label == "ng" for p in pairs])
    drawn = draws(labels, [data.part(p.record) for p in pairs])
    table = np.array([(p.found, p.right, p.typed, len(p.record.boxes), p.flagged, p.aligned, p.ms) for p in pairs])

    def share(hits: int, pick: int) -> Figure:
        return figure(lambda i: scores(table[i], hits)[pick], len(pairs), drawn)

    figures = {name + suffix: share(hits, pick) for suffix, hits in (("", 1), ("_typed", 2))
               for pick, name in enumerate(("precision", "recall", "f1"))}
    figures["overkill"] = figure(lambda i: _share(table[i, 4], ~labels[i]), len(pairs), drawn)
    figures["escape"] = figure(lambda i: 1 - _share(table[i, 4], labels[i]), len(pairs), drawn)
    figures["aligned"] = figure(lambda i: float(table[i, 5].mean()), len(pairs), drawn)
    figures["ms"] = figure(lambda i: float(np.median(table[i, 6])), len(pairs), drawn)
    counts = {"pairs": len(pairs), "ng": int(labels.sum()), "boxes": int(table[:, 3].sum())}
    return Row(surface, "pair", counts, figures)


def scores(table: NDArray[np.float64], hits: int) -> tuple[float, float, float]:
    """Precision, recall and F1 of rows of (found, right, typed, labelled, ...), with column `hits` as the hits."""
    found, right, labelled = table[:, 0].sum(), table[:, hits].sum(), table[:, 3].sum()
    precision = right / found if found else float("nan")
    recall = right / labelled if labelled else float("nan")
    return float(precision), float(recall), float(2 * right / (found + labelled)) if found + labelled else float("nan")


def _share(values: NDArray[np.float64], among: NDArray[np.bool_]) -> float:
    return float(values[among].mean()) if among.any() else float("nan")


def _pair(data: Labelled, record: Record, writer: Writer, compare: Compare) -> Pair:
    picture, golden = data.picture(record), data.template(record)
    assert golden is not None
    started = time.perf_counter()
    said = compare(picture, golden)
    ms = 1000 * (time.perf_counter() - started)
    writer.write(Prediction(
        id=record.id, task=record.task, score=max(said.scores, default=0.0), boxes=said.boxes, box_scores=said.scores,
        box_types=said.types, ms=ms,
        more={"decided": said.decided, "flagged": bool(said.boxes), "aligned": said.aligned}))
    labels = record.box_types or ("",) * len(record.boxes)
    right = matched(said.boxes, record.boxes, least=LEAST)
    typed = matched(said.boxes, record.boxes, least=LEAST,
                    same=lambda f, w: spelt(said.types[f]) == spelt(labels[w]))
    return Pair(record=record, found=len(said.boxes), right=len(right), typed=len(typed), aligned=said.aligned,
                flagged=bool(said.boxes), ms=ms)
