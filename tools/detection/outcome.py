"""What a detection hands over, whichever way it was made."""

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from kenpin.contracts.verdict import DefectType
from kenpin.contracts.view import Box, RgbImage
from tools.detection.field import Field

Mode = Literal["none", "few", "good"]

REASONS = {
    "plain_surface": "The surface is plain, so what stands out from it can be found without good samples.",
    "textured_even": "The surface is evenly textured, so what stands out can be found without good samples.",
    "marks_left_out": "The surface is even; lettering, labels and repeated clean shapes on it were set apart.",
    "part_on_ground": "A part before a plain background: its surface is even, and its outline was followed.",
    "outline": "The surface of the part was searched, but its outline cannot be judged without good samples.",
    "structured": "The picture shows structure that cannot be told from defects without good samples; register a few.",
    "too_many": "So many regions stand out that this is structure rather than defects; register a few good samples.",
    "blurred": "The picture has no fine detail, so a small defect would not show; take a sharp one.",
    "clipped": "Much of the picture is fully bright or fully dark, so defects there cannot be seen.",
    "empty": "The picture shows nothing but one even grey, so it may be no picture of a surface.",
    "marks": "Lettering, labels or repeated shapes were set apart; only good samples tell whether they are right.",
    "part_shape": "Nothing stands out on the part, but only good samples tell whether the part itself is whole.",
    "shaded": "Brightness or colour changes over the surface more than a lamp explains; register good samples.",
    "uneven": "The texture is not the same all over, so wear cannot be ruled out without good samples.",
    "faint": "There are traces too weak to report and too strong for a clean surface; register good samples.",
    "reduced": "The picture was searched at reduced size, where small defects vanish; search it part by part.",
    "too_small": "The region is too small to learn what is normal on it; show more of the surface.",
    "few_samples": "There are too few good samples to set a threshold; four or more are needed.",
    "good_samples": "The threshold was set from the good samples.",
    "samples_differ": "The good samples do not look like this picture, so the comparison does not decide.",
}
"""Plain sentences by their stable keys."""


@dataclass(frozen=True)
class Region:
    """One finding in pixels of the picture that was inspected."""

    kind: DefectType
    kind_score: float
    score: float
    box: Box
    outline: NDArray[np.float64]
    """(N, 2) x, y."""
    area: float
    length: float
    width: float


@dataclass(frozen=True)
class Inspection:
    """Findings, strongest first, and what they allow to be said."""

    regions: tuple[Region, ...]
    heat: Field
    """(h, w) float32 at the scale that was worked on, higher is less usual; where findings are trusted they lie above
    1 and all else below, elsewhere it only ranks."""
    score: float
    """0 to 1 for the whole picture, 0.5 at the threshold."""
    decided: bool
    """Whether what was found can be told from the surface's own structure."""
    code: str
    mode: Mode
    samples: int
    surface: str
    clear: bool | None = None
    """Whether nothing else is there; None: as `decided` says."""
    doubt: str = ""
    """Key of the reason why not."""

    @property
    def nothing_else(self) -> bool:
        """Whether finding nothing, or nothing else, means that nothing else is there."""
        return self.decided if self.clear is None else self.clear


def heat_picture(pixels: RgbImage, heat: Field, *, longest: int = 640) -> RgbImage:
    """The picture in grey with its evidence in colour, at most `longest` px wide or high; red is past the threshold."""
    height, width = pixels.shape[:2]
    scale = min(1.0, longest / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    base = cv2.cvtColor(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    level = np.clip(cv2.resize(heat, size, interpolation=cv2.INTER_LINEAR), 0, 2) / 2
    colours = cv2.cvtColor(cv2.applyColorMap((level * 255).astype(np.uint8), cv2.COLORMAP_JET), cv2.COLOR_BGR2RGB)
    weight = np.clip(level * 1.4, 0, 0.75)[..., None]
    return np.asarray(base[..., None] * (1 - weight) + colours * weight, np.float32).round().astype(np.uint8)
