"""`detect` over labelled surfaces: how well it ranks, where it looks, and what it says at its own threshold."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kenpin.contracts.verdict import Verdict
from kenpin.contracts.view import RgbImage
from kenpin.evaluate.benchmark.manifest import Labelled, PackageMissing, Record
from kenpin.evaluate.benchmark.metrics import (
    Drawn,
    Figure,
    Histogram,
    auroc,
    average_precision,
    draws,
    figure,
    histogram,
    interval,
    overkill_at,
    pixel_figures,
)
from kenpin.evaluate.benchmark.predictions import Levels, Prediction, Writer, levels_of
from kenpin.evaluate.benchmark.rows import Outcome, Row
from tools.detect import inspect
from tools.detection.outcome import Inspection

PIXEL_ROUNDS = 200
"""Draws of a bootstrap over pixels; each adds up the pixels of every picture."""


@dataclass(frozen=True)
class Seen:
    """What was said about one picture."""

    record: Record
    score: float
    flagged: bool
    """Something was reported at the tool's own threshold."""
    verdict: Verdict
    """As the tool alone supports it: `ok` only where nothing was reported and nothing else may be there."""
    ms: float
    pixels: Histogram | None
    """Of its map, None where the place of the defect is not labelled."""


Look = Callable[[RgbImage, tuple[RgbImage, ...]], tuple[Prediction, NDArray[np.float32]]]
"""Picture and good samples to a prediction (its `id` empty, its `ms` only if measured nearer) and a map of evidence."""


def look(pixels: RgbImage, good: tuple[RgbImage, ...]) -> tuple[Prediction, NDArray[np.float32]]:
    """`detect` on a whole picture."""
    seen = inspect(pixels, good)
    regions = seen.regions
    prediction = Prediction(
        id="", task="inspect", score=seen.score, boxes=tuple(r.box for r in regions),
        box_scores=tuple(round(r.score, 4) for r in regions), box_types=tuple(r.kind.value for r in regions),
        more={"verdict": verdict_of(seen), "flagged": _flagged(seen), "reason": seen.code, "doubt": seen.doubt})
    return prediction, seen.heat


def _flagged(seen: Inspection) -> bool:
    return any(region.score >= 0.5 for region in seen.regions)


def verdict_of(seen: Inspection) -> Verdict:
    """What an inspection supports by itself."""
    if _flagged(seen):
        return Verdict.NG if seen.decided else Verdict.UNCERTAIN
    return Verdict.OK if seen.nothing_else and not seen.regions else Verdict.UNCERTAIN


def chosen(records: Sequence[Record], count: int, seed: int) -> tuple[Record, ...]:
    """`count` good records, drawn; a quarter of them, at least one, stays to be scored where there are not more."""
    fine = [r for r in records if r.label == "ok"]
    most = len(fine) - max(1, len(fine) // 4) if len(fine) <= count else count
    picked = np.random.default_rng(seed).permutation(len(fine))[:max(most, 0)]
    return tuple(fine[i] for i in sorted(picked))


def inspect_surface(surface: str, data: Labelled, records: Sequence[Record], *, good: int, seed: int, writer: Writer,
                    outcome: Outcome, look: Look = look) -> Row | None:
    """Score one surface.

    Args:
        surface: Its name.
        data: The manifest.
        records: Its records of the task `inspect`.
        good: Good samples that `look` is given.
        seed: Of the choice of good samples.
        writer: Takes the predictions.
        outcome: Takes the count of records whose package is not installed.
        look: What is benchmarked.
    Returns:
        None if no picture could be read.
    """
    present = [r for r in records if _readable(data, r, outcome)]
    samples = chosen(present, good, seed)
    pixels = tuple(data.picture(r) for r in samples)
    scored = [r for r in present if r.label is not None and r not in samples]
    if not scored:
        return None
    if pixels:
        look(data.picture(scored[0]), pixels)  # learns the samples, which is done once a product and not a picture
    seen = [_seen(data, record, pixels, writer, look) for record in scored]
    return row(surface, seen, [data.part(s.record) for s in seen], good=samples)


def _readable(data: Labelled, record: Record, outcome: Outcome) -> bool:
    try:
        data.place(record)
    except PackageMissing as exc:
        outcome.skip(str(exc))
        return False
    return True


def _seen(data: Labelled, record: Record, good: tuple[RgbImage, ...], writer: Writer, look: Look) -> Seen:
    pixels = data.picture(record)
    started = time.perf_counter()
    said, heat = look(pixels, good)
    ms = said.ms if said.ms is not None else 1000 * (time.perf_counter() - started)
    shape = (pixels.shape[0], pixels.shape[1])
    levels: Levels = levels_of(heat, shape)
    place = writer.map(record.id, levels)
    writer.write(Prediction(id=record.id, task=record.task, score=said.score, boxes=said.boxes,
                            box_scores=said.box_scores, box_types=said.box_types, map=place, ms=ms, more=said.more))
    mask = data.mask(record, shape)
    return Seen(record=record, score=float(said.score or 0.0), flagged=bool(said.more["flagged"]),
                verdict=Verdict(said.more["verdict"]), ms=ms, pixels=None if mask is None else histogram(levels, mask))


def row(surface: str, seen: Sequence[Seen], parts: Sequence[str], *, good: Sequence[Record]) -> Row:
    """Figures of what was said about the pictures of a surface."""
    labels = np.array([s.record.label == "ng" for s in seen])
    drawn = draws(labels, parts)
    figures = _pictures(seen, labels, drawn) | _pixels(seen, labels, parts)
    figures["ms"] = figure(lambda i: float(np.median(np.array([s.ms for s in seen])[i])), len(seen), drawn)
    ng = int(labels.sum())
    boxed = sum(s.record.mask is None and bool(s.record.boxes) for s in seen)
    notes = (f"{boxed} of {ng} defects are labelled by boxes, not masks",) if boxed else ()
    return Row(surface, "inspect", {"ok": len(seen) - ng, "ng": ng, "good": len(good)}, figures,
               tuple(r.id for r in good), notes)


def _pictures(seen: Sequence[Seen], labels: NDArray[np.bool_], drawn: Drawn) -> dict[str, Figure]:
    scores = np.array([s.score for s in seen])
    flagged = np.array([s.flagged for s in seen])
    verdicts = np.array([s.verdict.value for s in seen])
    decided = verdicts != Verdict.UNCERTAIN
    right = verdicts == np.where(labels, Verdict.NG.value, Verdict.OK.value)

    def share(values: NDArray[np.bool_], among: NDArray[np.bool_]) -> Callable[[NDArray[np.intp]], float]:
        return lambda i: float(values[i][among[i]].mean()) if among[i].any() else float("nan")

    statistics: dict[str, Callable[[NDArray[np.intp]], float]] = {
        "picture_auroc": lambda i: auroc(scores[i], labels[i]),
        "picture_ap": lambda i: average_precision(scores[i], labels[i]),
        "overkill_at_95": lambda i: overkill_at(scores[i], labels[i], 0.95),
        "overkill_at_99": lambda i: overkill_at(scores[i], labels[i], 0.99),
        "overkill": share(flagged, ~labels), "escape": share(~flagged, labels),
        "decided": share(decided, np.ones_like(labels)), "right_when_decided": share(right, decided),
        "false_ok": share(verdicts == Verdict.OK, labels),
        "false_ng": share(verdicts == Verdict.NG, ~labels),
    }
    return {name: figure(statistic, len(seen), drawn) for name, statistic in statistics.items()}


def _pixels(seen: Sequence[Seen], labels: NDArray[np.bool_], parts: Sequence[str]) -> dict[str, Figure]:
    known = [i for i, s in enumerate(seen) if s.pixels is not None]
    names = ("pixel_auroc", "pixel_ap", "pixel_iou")
    if not any(labels[i] for i in known):
        return {}
    counts = np.stack([s.pixels for s in seen if s.pixels is not None])
    counts = counts[..., counts.any(axis=(0, 1))].astype(np.float32)
    flat = counts.reshape(len(known), -1)
    drawn = draws(labels[known], [parts[i] for i in known], rounds=PIXEL_ROUNDS)
    weights = np.stack([np.bincount(d, minlength=len(known)) for d in drawn]).astype(np.float32)
    values = pixel_figures(counts.sum(axis=0, dtype=np.float64))
    spread = [pixel_figures((part @ flat).reshape(len(part), 2, -1)) for part in np.array_split(weights, 10)]
    return {name: Figure(float(values[k]), *interval(np.concatenate([s[k] for s in spread])), n=len(known))
            for k, name in enumerate(names)}
