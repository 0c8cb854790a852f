"""The header of a safetensors file: names, types, shapes and places of its tensors. Nothing of it is trusted."""

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

LONGEST_HEADER = 64 * 2**20
BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1,
         "F8_E4M3": 1, "F8_E5M2": 1, "F8_E8M0": 1}
"""Of one number."""


@dataclass(frozen=True)
class Tensor:
    """One tensor as the header names it."""

    kind: str
    """`F32`, `BF16`, …"""
    shape: tuple[int, ...]
    begin: int
    """Byte of the file at which its numbers begin."""
    end: int


def tensors(file: Path) -> dict[str, Tensor]:
    """Every tensor of a safetensors file, by name.

    Raises:
        OSError: It cannot be read.
        ValueError: It is no such file, or is cut off.
    Source: the safetensors format: eight bytes of length, a JSON object of that length, then the numbers.
    """
    size = file.stat().st_size
    with file.open("rb") as opened:
        first = opened.read(8)
        if len(first) < 8:
            raise ValueError("too short")
        length: int = struct.unpack("<Q", first)[0]
        if length > min(LONGEST_HEADER, size - 8):
            raise ValueError("too long a header")
        try:
            header: Any = json.loads(opened.read(length))
        except RecursionError:
            raise ValueError("nested too deeply") from None
    if not isinstance(header, dict):
        raise ValueError("no header")
    start = 8 + length
    return {name: _tensor(about, start, size) for name, about in header.items() if name != "__metadata__"}


def _tensor(about: Mapping[str, Any], start: int, size: int) -> Tensor:
    try:
        shape = tuple(about["shape"])
        begin, end = about["data_offsets"]
        kind = str(about["dtype"])
    except (KeyError, TypeError, ValueError):
        raise ValueError("a tensor without type, shape or place") from None
    if not all(type(number) is int and number >= 0 for number in (*shape, begin, end)):
        raise ValueError("a shape or a place that is no number")
    if end - begin != prod(shape) * BYTES.get(kind, 0) and kind in BYTES:
        raise ValueError("a tensor of another size than its shape")
    if begin > end or start + end > size:
        raise ValueError("cut off")
    return Tensor(kind=kind, shape=shape, begin=start + begin, end=start + end)
