"""`calibrate` and `measure` over pictures whose sizes are known.

Truth is a list of measures, `{"measures": [{"quantity": "length", "points": [[x, y], [x, y]], "value": 12.5}]}` in mm
with `scale_px_per_mm` beside it, or a chessboard, `{"square_mm": 25}`, of which every side of every square is measured
between corners that are found anew on the picture.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from kenpin.contracts.errors import FileRefused, ToolInputError
from kenpin.contracts.view import Box
from kenpin.evaluate.benchmark.manifest import Labelled, PackageMissing, Record
from kenpin.evaluate.benchmark.metrics import Figure, draws, figure
from kenpin.evaluate.benchmark.predictions import Prediction, Writer
from kenpin.evaluate.benchmark.rows import Outcome, Row
from tools.calibrate import CalibrateArgs
from tools.calibrate import run as calibrate
from tools.measure import MeasureArgs, MeasureResult, Quantity
from tools.measure import run as measure
from tools.measuring.chessboard import find_board
from tools.pixels.grey import grey
from tools.solo import Desk, make_desk


class Wish(BaseModel):
    """One entry of `truth.measures`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    quantity: Quantity
    value: Annotated[float, Field(gt=0)]
    points: tuple[tuple[float, float], ...] = ()
    box: Box | None = None
    between: Literal["centres", "edges", "sides"] = "centres"


@dataclass(frozen=True)
class Measured:
    """One measure beside its truth."""

    value: float
    truth: float
    uncertainty: float
    unit: str
    ms: float

    @property
    def error(self) -> float:
        """Relative."""
        return abs(self.value - self.truth) / abs(self.truth)


def measure_surface(surface: str, data: Labelled, records: Sequence[Record], *, writer: Writer,
                    outcome: Outcome) -> Row | None:
    """Score the measures of one surface."""
    found: list[Measured] = []
    parts: list[str] = []
    pictures = failed = 0
    for record in records:
        try:
            measured = _of_record(data, record)
        except PackageMissing as exc:
            outcome.skip(str(exc))
            continue
        except ToolInputError as exc:
            failed += 1
            outcome.skip(f"measure: {exc}")
            continue
        if measured is None:
            outcome.skip("measure: no size in truth")
            continue
        pictures += 1
        found += measured
        parts += [data.part(record)] * len(measured)
        lines = [{"value": round(m.value, 4), "truth": m.truth, "uncertainty": round(m.uncertainty, 4), "unit": m.unit}
                 for m in measured]
        writer.write(Prediction(id=record.id, task=record.task, ms=float(np.median([m.ms for m in measured])),
                                more={"measures": lines}))
    if not found:
        return None
    return Row(surface, "measure", {"pictures": pictures, "measures": len(found), "failed": failed},
               _figures(found, parts))


def _figures(found: Sequence[Measured], parts: Sequence[str]) -> dict[str, Figure]:
    errors, spent = (np.array([getattr(m, name) for m in found]) for name in ("error", "ms"))
    covered = np.array([abs(m.value - m.truth) <= m.uncertainty for m in found])
    drawn = draws(np.zeros(len(found), np.bool_), parts)

    def of(values: NDArray[Any], share: float | None) -> Figure:
        return figure(lambda i: float(values[i].mean() if share is None else np.quantile(values[i], share)),
                      len(found), drawn)

    return {"median_error": of(errors, 0.5), "error_at_95": of(errors, 0.95), "worst_error": of(errors, 1.0),
            "covered": of(covered, None), "ms": of(spent, 0.5)}


def _of_record(data: Labelled, record: Record) -> list[Measured] | None:
    truth = record.truth or {}
    listed = truth.get("measures")
    square = float(truth.get("square_mm") or 0)
    if not listed and not square:
        return None
    desk = make_desk(data.picture(record), mm_per_px=1 / record.scale_px_per_mm if record.scale_px_per_mm else None)
    view = "v0"
    if square:
        report = calibrate(desk, CalibrateArgs(why="benchmark", method="chessboard", size_mm=square))
        desk.learn(report, "v1")
        view = "v1" if report.made else "v0"
    if listed:
        return [_measured(desk, view, wish) for wish in _wishes(record, listed)]
    return [_measured(desk, view, Wish(quantity="distance", points=side, value=square)) for side in _sides(desk)]


def _wishes(record: Record, listed: object) -> list[Wish]:
    try:
        return TypeAdapter(list[Wish]).validate_python(listed)
    except ValidationError as exc:
        error = exc.errors(include_url=False)[0]
        where = ".".join(map(str, error["loc"]))
        raise FileRefused(f"{record.id}: truth.measures.{where}: {error['msg']}") from None


def _measured(desk: Desk, view: str, wish: Wish) -> Measured:
    asked = MeasureArgs(why="benchmark", view=view, quantity=wish.quantity, points=wish.points, box=wish.box,
                        between=wish.between)
    started = time.perf_counter()
    result = measure(desk, asked).result
    ms = 1000 * (time.perf_counter() - started)
    assert isinstance(result, MeasureResult)
    return Measured(value=result.value, truth=wish.value, uncertainty=result.uncertainty, unit=result.unit,
                    ms=ms)


def _sides(desk: Desk) -> list[tuple[tuple[float, float], ...]]:
    """Both ends of every side between inner corners, pixels, each corner found by itself on the picture.

    Source: cornerSubPix (Förstner) from a start beside the corner, so that nothing is taken over from the plane.
    """
    pixels = grey(desk.picture("v0").pixels)
    board = find_board(pixels)
    if board is None:
        raise ToolInputError("no chessboard found")
    start = (board.corners - 0.5 + np.array([0.7, -0.6])).astype(np.float32).reshape(-1, 1, 2)
    stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 60, 1e-4)
    corners = cv2.cornerSubPix(pixels, start, (4, 4), (-1, -1), stop).reshape(board.rows, board.columns, 2) + 0.5
    across = np.stack([corners[:, :-1], corners[:, 1:]], axis=2).reshape(-1, 2, 2)
    down = np.stack([corners[:-1], corners[1:]], axis=2).reshape(-1, 2, 2)
    return [tuple((float(x), float(y)) for x, y in side) for side in (*across, *down)]
