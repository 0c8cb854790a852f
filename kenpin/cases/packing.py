"""Vectors of a case in little room: mostly nought ones by their places, and all of them as text for a record."""

import base64
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kenpin.cases.likeness import PARTS, Part, Vectors
from kenpin.contracts.errors import StoreError

DENSE, SPARSE = 0, 1
SPARSE_BELOW = 0.3
"""Share of numbers that are not nought below which their places are written beside them. Words by n-grams have .08."""
_HEAD = struct.Struct("<BII")


@dataclass(frozen=True)
class SparseRows:
    """Rows that are mostly nought."""

    counts: NDArray[np.uint16]
    """(N,) numbers that are not nought in each row."""
    columns: NDArray[np.uint16]
    values: NDArray[np.float32]
    width: int

    def __len__(self) -> int:
        return len(self.counts)

    def dense(self) -> Vectors:
        """(N, D) float32."""
        rows = np.zeros((len(self.counts), self.width), dtype=np.float32)
        rows[np.repeat(np.arange(len(self.counts)), self.counts), self.columns] = self.values
        return rows


Rows = Vectors | SparseRows


def compact(values: Vectors) -> Rows:
    """The same rows in less room, if they are mostly nought."""
    rows, columns = np.nonzero(values)
    if values.shape[1] > np.iinfo(np.uint16).max or len(rows) >= SPARSE_BELOW * values.size:
        return values
    counts = np.bincount(rows, minlength=len(values)).astype(np.uint16)
    return SparseRows(counts, columns.astype(np.uint16), values[rows, columns].astype(np.float32), values.shape[1])


def dense(rows: Rows) -> Vectors:
    """(N, D) float32 of either kind."""
    return rows.dense() if isinstance(rows, SparseRows) else rows


def joined(parts: Sequence[Rows]) -> Rows:
    """Rows of many cases in one."""
    sparse = [rows for rows in parts if isinstance(rows, SparseRows)]
    if len(sparse) < len(parts):
        return np.concatenate([dense(rows) for rows in parts])
    return SparseRows(np.concatenate([rows.counts for rows in sparse]), np.concatenate([r.columns for r in sparse]),
                      np.concatenate([rows.values for rows in sparse]), sparse[0].width)


def packed(vectors: Mapping[Part, Vectors]) -> str:
    """Base64 of all vectors of a case, float32 to the bit."""
    return base64.b64encode(b"".join(_part(compact(vectors[part])) for part in PARTS)).decode()


def unpacked(text: str) -> dict[Part, Rows]:
    """What was packed.

    Raises:
        StoreError: It is something else.
    """
    try:
        data, at = base64.b64decode(text, validate=True), 0
        found: dict[Part, Rows] = {}
        for part in PARTS:
            found[part], at = _read(data, at)
    except (ValueError, struct.error) as exc:
        raise StoreError("the vectors of a case are not what was stored; run `kenpin cases rebuild`") from exc
    return found


def _part(rows: Rows) -> bytes:
    if isinstance(rows, SparseRows):
        head = _HEAD.pack(SPARSE, len(rows), rows.width)
        return head + b"".join((rows.counts.astype("<u2").tobytes(), rows.columns.astype("<u2").tobytes(),
                                rows.values.astype("<f4").tobytes()))
    return _HEAD.pack(DENSE, *rows.shape) + np.ascontiguousarray(rows, dtype="<f4").tobytes()


def _read(data: bytes, at: int) -> tuple[Rows, int]:
    kind, rows, width = _HEAD.unpack_from(data, at)
    at += _HEAD.size
    if kind == DENSE:
        values = np.frombuffer(data, "<f4", rows * width, at).reshape(rows, width).astype(np.float32)
        return values, at + values.nbytes
    counts = np.frombuffer(data, "<u2", rows, at)
    at += counts.nbytes
    columns = np.frombuffer(data, "<u2", int(counts.sum()), at)
    at += columns.nbytes
    numbers = np.frombuffer(data, "<f4", len(columns), at)
    return SparseRows(counts.copy(), columns.copy(), numbers.astype(np.float32), width), at + numbers.nbytes
