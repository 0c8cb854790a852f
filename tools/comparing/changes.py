"""A difference as a region, whatever found it."""

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from kenpin.contracts.verdict import DefectType
from kenpin.contracts.view import Box, Mask

ChangeKind = Literal["missing", "added", "changed", "open", "short", "mousebite", "spur", "copper", "pin-hole"]


@dataclass(frozen=True)
class Change:
    """One region that differs from the reference, in pixels of the compared picture."""

    box: Box
    """What is reported: the region, for patterns with the conductor around it."""
    mask: Mask
    """Of the region itself, inside `corner`."""
    corner: tuple[int, int]
    """Top left corner of the mask."""
    kind: ChangeKind
    type: DefectType
    type_score: float
    score: float
    """0 to 1; 0.5 is the threshold."""

    @property
    def area(self) -> int:
        return int(np.count_nonzero(self.mask))

    def placed(self, shape: tuple[int, ...]) -> Mask:
        """(H, W) bool, the region in a picture of this shape."""
        whole = np.zeros(shape[:2], np.bool_)
        x, y = self.corner
        whole[y:y + self.mask.shape[0], x:x + self.mask.shape[1]] = self.mask
        return whole


def scored(evidence: float) -> float:
    """Evidence in units of its threshold to a score: 1 becomes 0.5, twice the threshold 0.67."""
    return float(evidence / (1 + evidence))


def outline(change: Change) -> NDArray[np.int32]:
    """(N, 2) int32 polygon around the largest part of a region, pixels of the compared picture."""
    framed = np.pad(change.mask, 1).astype(np.uint8)
    contours, _ = cv2.findContours(framed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    largest = max(contours, key=cv2.contourArea)
    return np.asarray(largest.reshape(-1, 2) + np.array(change.corner) - 1, np.int32)
