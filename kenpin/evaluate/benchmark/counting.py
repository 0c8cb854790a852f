"""`count` over pictures whose numbers are known."""

import time
from collections.abc import Callable, Sequence

import numpy as np

from kenpin.contracts.view import RgbImage
from kenpin.evaluate.benchmark.manifest import Labelled, PackageMissing, Record
from kenpin.evaluate.benchmark.metrics import mean_figure
from kenpin.evaluate.benchmark.predictions import Prediction, Writer
from kenpin.evaluate.benchmark.rows import Outcome, Row
from tools.count import CountArgs, CountResult
from tools.count import run as count
from tools.solo import make_desk


def wanted(record: Record) -> dict[str, int]:
    """Nouns and their true numbers: `{"bottles": 3, "caps": 3}`."""
    truth = record.truth or {}
    return {noun: n for noun, n in truth.items() if isinstance(n, int) and not isinstance(n, bool)}


Count = Callable[[RgbImage, str], tuple[int, bool]]
"""Picture and noun to how many there are, and whether that is sure."""


def by_tool(pixels: RgbImage, noun: str) -> tuple[int, bool]:
    """`count` on a whole picture."""
    result = count(make_desk(pixels), CountArgs(why="benchmark", what=noun)).result
    assert isinstance(result, CountResult)
    return result.count, result.sure


def count_surface(surface: str, data: Labelled, records: Sequence[Record], *, writer: Writer,
                  outcome: Outcome, count: Count = by_tool) -> Row | None:
    """Score the counts of one surface; every noun of a picture is asked for on its own."""
    errors, sure, parts, spent, pictures = [], [], [], [], 0
    for record in records:
        truth = wanted(record)
        if not truth:
            outcome.skip("count: no whole number in truth")
            continue
        try:
            pixels = data.picture(record)
        except PackageMissing as exc:
            outcome.skip(str(exc))
            continue
        pictures += 1
        counts: dict[str, int] = {}
        for noun, number in truth.items():
            started = time.perf_counter()
            said, certain = count(pixels, noun.replace("_", " "))
            spent.append(1000 * (time.perf_counter() - started))
            counts[noun] = said
            errors.append(said - number)
            sure.append(certain)
            parts.append(data.part(record))
        writer.write(Prediction(id=record.id, task=record.task, count=next(iter(counts.values())), ms=spent[-1],
                                more={"counts": counts}))
    if not errors:
        return None
    off = np.array(errors)
    wrong = [bool(e) and s for e, s in zip(errors, sure, strict=True)]
    figures = {"exact": mean_figure((off == 0).astype(float), parts),
               "mean_error": mean_figure(np.abs(off).astype(float), parts),
               "sure": mean_figure([float(s) for s in sure], parts),
               "wrong_though_sure": mean_figure([float(w) for w in wrong], parts), "ms": mean_figure(spent, parts)}
    return Row(surface, "count", {"pictures": pictures, "counts": len(errors)}, figures)
