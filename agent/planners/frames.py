"""Coordinate frames of models, and the two conversions between them and pixels of the original upload.

A model speaks of places on an upload either in per mille of its sides (0-1000, Qwen3-VL and most others) or in pixels
of the picture as it was sent (Qwen2.5-VL). Both frames always lie on the *whole upload* that a view comes from, never
on a crop of it, so that a box means the same before and after a zoom.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from kenpin.contracts.view import clip

Kind = Literal["per_mille", "resized"]
PER_MILLE = 1000
LARGEST = 1e7
"""No coordinate is larger; also keeps out infinities and NaN."""
NUMBER = r"\s*(-?\d{1,7}(?:\.\d{1,7})?)\s*"
QUAD = re.compile(rf"\[{NUMBER},{NUMBER},{NUMBER},{NUMBER}\]")
"""Four numbers in brackets: how boxes look in sentences."""
PAIR = re.compile(rf"\({NUMBER},{NUMBER}\)")
"""Two numbers in parentheses: how points look in the words of our tools."""


@dataclass(frozen=True)
class Family:
    """What a family of models wants of pictures and says of places."""

    kind: Kind
    factor: int
    """Sides of a sent picture are multiples of this, or the server resizes it once more."""
    min_pixels: int
    """A picture with fewer pixels is enlarged by the server unless we do it."""


QWEN3 = Family(kind="per_mille", factor=32, min_pixels=256 * 256)
QWEN25 = Family(kind="resized", factor=28, min_pixels=56 * 56)


def family(names: Sequence[str], setting: str = "auto") -> Family:
    """The family of a served model.

    Args:
        names: What the server calls the model, and the model that it really is if the server says so.
        setting: `per_mille` or `resized` overrides what the names say of coordinates, `auto` does not.
    Source: preprocessor_config.json of Qwen2.5-VL (patch 14, merge 2) and Qwen3-VL (patch 16, merge 2).
    """
    plain = [re.sub(r"[^a-z0-9]", "", name.lower()) for name in names]
    found = QWEN25 if any("qwen25vl" in name for name in plain) else QWEN3
    if setting not in ("per_mille", "resized") or setting == found.kind:
        return found
    return QWEN25 if setting == "resized" else replace(found, kind="per_mille")


def sent_size(width: int, height: int, *, long_side: int, family: Family) -> tuple[int, int]:
    """Width and height that a picture is sent with.

    The long side is at most `long_side`, both sides are multiples of the family's factor, and small pictures are
    enlarged to the family's minimum, so that the server has no reason to resize again.
    """
    enlarge = max(1.0, math.sqrt(family.min_pixels / (width * height)))
    scale = min(long_side / max(width, height), enlarge)
    limit = max(long_side // family.factor, 1) * family.factor
    nearest = math.ceil if scale > 1.0 else round
    sides = (max(nearest(side * scale / family.factor), 1) * family.factor for side in (width, height))
    across, down = (min(side, limit) for side in sides)
    return across, down


@dataclass(frozen=True)
class Frame:
    """One upload as a model speaks of it."""

    width: int
    height: int
    """Of the upload, in pixels."""
    across: int
    down: int
    """The same sides in the model's units."""

    def box_in(self, box: Sequence[float]) -> tuple[int, int, int, int]:
        """A model's box in pixels of the upload.

        A box that reaches over the edge is clamped. One that lies wholly outside or is inverted stays so, for the
        tool to refuse with its reason.
        """
        low, high = self.point_in(box[:2]), self.point_in(box[2:])
        x0, x1 = _apart(_nearest(low[0]), _nearest(high[0]), wanted=box[0] < box[2], end=self.width)
        y0, y1 = _apart(_nearest(low[1]), _nearest(high[1]), wanted=box[1] < box[3], end=self.height)
        pixels = (x0, y0, x1, y1)
        if not (x0 < x1 and y0 < y1):
            return pixels
        return clip(pixels, self.width, self.height) or pixels

    def box_out(self, box: Sequence[float]) -> tuple[int, int, int, int]:
        """A box of the upload in the model's units; at least one unit wide and high if it has any extent."""
        low, high = self.point_out(box[:2]), self.point_out(box[2:])
        x0, x1 = _apart(low[0], high[0], wanted=box[0] < box[2], end=self.across)
        y0, y1 = _apart(low[1], high[1], wanted=box[1] < box[3], end=self.down)
        return (x0, y0, x1, y1)

    def point_in(self, point: Sequence[float]) -> tuple[float, float]:
        """A model's point in pixels of the upload, to a hundredth."""
        return round(point[0] * self.width / self.across, 2), round(point[1] * self.height / self.down, 2)

    def point_out(self, point: Sequence[float]) -> tuple[int, int]:
        """A point of the upload in the model's units."""
        return _nearest(point[0] * self.across / self.width), _nearest(point[1] * self.down / self.height)

    def text_in(self, text: str, *, cites: int = 0) -> str:
        """A sentence of the model with its boxes in pixels of the upload.

        Args:
            text: The model's words.
            cites: Number of steps so far; four numbers that could all be step numbers are citations, not a box.
        """
        return QUAD.sub(lambda m: m.group() if _citation(m, cites) else str(list(self.box_in(_numbers(m)))), text)

    def text_out(self, text: str) -> str:
        """A sentence of ours, for instance an error, with its boxes and points in the model's units."""
        text = QUAD.sub(lambda m: str(list(self.box_out(_numbers(m)))), text)
        return PAIR.sub(lambda m: str(self.point_out(_numbers(m))), text)


def frame(width: int, height: int, *, family: Family, long_side: int) -> Frame:
    """The frame of an upload of this size."""
    if family.kind == "per_mille":
        return Frame(width=width, height=height, across=PER_MILLE, down=PER_MILLE)
    across, down = sent_size(width, height, long_side=long_side, family=family)
    return Frame(width=width, height=height, across=across, down=down)


def is_numbers(value: Any, count: int) -> bool:
    """Whether a value is a list of this many finite numbers that can be coordinates.

    Fractions of one, as a model gives that thinks in 0-1, are none: read as per mille they would name a speck.
    """
    if not isinstance(value, list | tuple) or len(value) != count:
        return False
    if not all(isinstance(v, int | float) and not isinstance(v, bool) and abs(v) <= LARGEST for v in value):
        return False
    return all(float(v).is_integer() for v in value) or max(abs(v) for v in value) > 1.0


def _numbers(match: re.Match[str]) -> list[float]:
    return [float(group) for group in match.groups()]


def _citation(match: re.Match[str], cites: int) -> bool:
    return all(group.isdigit() and 1 <= int(group) <= cites for group in match.groups())


def _nearest(value: float) -> int:
    return math.floor(value + 0.5)


def _apart(low: int, high: int, *, wanted: bool, end: int) -> tuple[int, int]:
    """Keep an extent that rounding would close."""
    if not wanted or low < high:
        return low, high
    return (low, low + 1) if low < end else (low - 1, low)
