"""What the tools said about each picture, one line a record, with maps beside it."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from kenpin.contracts.errors import FileRefused
from kenpin.contracts.view import Box

Levels = NDArray[np.uint16]
"""(H, W) uint16 map, higher is more anomalous; one scale for all pictures."""


@dataclass(frozen=True)
class Prediction:
    """One line of the predictions file."""

    id: str
    task: str
    score: float | None = None
    """Grows with the evidence for a defect."""
    boxes: tuple[Box, ...] = ()
    box_scores: tuple[float, ...] = ()
    box_types: tuple[str, ...] = ()
    map: str | None = None
    count: int | None = None
    ms: float | None = None
    more: dict[str, Any] = field(default_factory=dict)
    """Further keys of one task: `decided`, `flagged`, `counts`, `measures`."""

    def line(self) -> str:
        """As JSON, further keys beside the others."""
        record = asdict(self)
        more = record.pop("more")
        return json.dumps({**record, "ms": round(self.ms or 0.0, 2), **more}, ensure_ascii=False)


def levels_of(heat: NDArray[np.float32], shape: tuple[int, int]) -> Levels:
    """A map of evidence at the picture's size, on one scale for every picture.

    Args:
        heat: (h, w) float32, 1 at the tool's threshold.
        shape: Height and width of the picture.
    Returns:
        (H, W) uint16: h / (1 + h) of the full range, so that the threshold lies in its middle and nothing is cut off.
    """
    whole = cv2.resize(heat, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR)
    np.maximum(whole, 0, out=whole)
    return np.asarray(np.rint(65535 * (whole / (1 + whole))), np.uint16)


class Writer:
    """Writes predictions as they come; without a file it does nothing."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file: IO[str] | None = None
        self._names: set[str] = set()

    def __enter__(self) -> Self:
        if self._path is not None:
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._file = self._path.open("w", encoding="utf-8")
            except OSError as exc:
                raise FileRefused(f"--predictions {self._path}: cannot be written ({exc.strerror or exc})") from None
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        if self._file is not None:
            self._file.close()

    def map(self, record_id: str, levels: Levels) -> str | None:
        """Store a map; returns its path relative to the file."""
        if self._path is None:
            return None
        stem = re.sub(r"[^\w.-]+", "_", record_id).strip("._")[:80] or "map"
        name = stem
        while name in self._names:
            name = f"{stem}_{len(self._names)}"
        self._names.add(name)
        folder = self._path.parent / "maps"
        folder.mkdir(exist_ok=True)
        target = folder / f"{name}.png"
        if not cv2.imwrite(str(target), levels, [cv2.IMWRITE_PNG_COMPRESSION, 1]):
            raise FileRefused(f"{target}: cannot be written")
        return f"maps/{name}.png"

    def write(self, prediction: Prediction) -> None:
        """Add a line."""
        if self._file is not None:
            self._file.write(prediction.line() + "\n")


@contextmanager
def fixed_threads(count: int) -> Iterator[None]:
    """OpenCV with so many threads, so that a run repeats itself to the bit."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(count)
    try:
        yield
    finally:
        cv2.setNumThreads(before)
