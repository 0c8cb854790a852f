"""Whether a surface is plain or even enough that finding nothing on it means that nothing is there.

The gate only says yes where every measure stays within what clean even surfaces show. Each limit is what about
one in twenty drawn clean surfaces exceeds (`bench/gate.py`); what lies beyond is not called a defect, but doubted.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from kenpin.contracts.view import Mask
from tools.detection.cells import LEAST, TEXTURE, banding, cells_of, spread_of
from tools.detection.field import Field, grid

LIMITS = {"patchy": 5.0, "sloped": 1.6, "shaded": 0.005, "spotted": 8.0, "tinted": 5.0, "banded": 6.5, "edged": 4.5,
          "linked": 350.0, "littered": 250.0, "faint": 0.75, "unlike": 0.15, "drift": 0.3}
"""What clean even surfaces stay below: about the 95th percentile over 206 drawn ones, plain and degraded."""
UNLIKE, DRIFT = 0.25, 0.6
"""Limits for a surface on which findings can be told from structure; drawn textures have at most 0.1 and 0.3, machined
parts with edges and shadows at least 0.4 and 0.8."""
CODES = {"shaded": ("shaded", "spotted", "tinted"), "uneven": ("patchy", "sloped", "unlike", "drift"),
         "faint": ("banded", "edged", "linked", "littered", "faint")}
"""Reasons to doubt, and the measures that give them."""
LINKED = 0.2
"""Evidence over the threshold's from which pixels count towards one faint line."""


@dataclass(frozen=True)
class Evenness:
    """How alike the parts of a surface are, with what was found and what belongs there left out."""

    unlike: float
    """Robust spread of the logarithm of the blocks' contrast: 0 if all blocks are equally rough."""
    drift: float
    """Robust spread of the blocks' means, over the contrast inside blocks."""
    rough: float
    """Median contrast of the blocks, grey levels."""
    fine: float
    """Contrast at the finest scale, grey levels: the camera's noise and the finest texture."""
    seen: float
    """Share of the picture, or of the part on it, that was judged."""
    clipped: float
    """Share of that at the upper or lower end of the grey range."""
    patchy: float = 99.0
    """How far any group of cells stands out by its texture, in deviations of such groups."""
    sloped: float = 99.0
    """How much more the texture of large areas differs than that of small ones lets expect."""
    shaded: float = 99.0
    """Standard deviation of large areas' brightness beyond a lamp's, as a share; lamps add or multiply."""
    spotted: float = 99.0
    """How far any group of cells stands out by its brightness."""
    tinted: float = 99.0
    """The same for colour."""
    banded: float = 99.0
    """How far any band of rows or columns stands out."""
    edged: float = 99.0
    """The same for bands along the border, where chance has few places to play."""
    linked: float = 99.0
    """Largest sum of weak evidence for lines that hangs together, in px at the threshold."""
    littered: float = 99.0
    """Sum of all such evidence, for each 10,000 px."""
    faint: float = 99.0
    """Strongest evidence that is left below the threshold, in units of it."""


    @property
    def doubt(self) -> str:
        """Key of the first reason why something may be there although nothing was reported; empty if there is none."""
        over = {name for name, limit in LIMITS.items() if getattr(self, name) > limit}
        return next((code for code, names in CODES.items() if over & set(names)), "")


def evenness(grey: Field, fields: tuple[Field, Field, Field], covered: Mask, outside: Mask,
             heat: Field, lines: Field, *, structured: bool = False) -> Evenness:
    """Compare the parts of a surface.

    Args:
        grey: (H, W) float32 grey levels as they are.
        fields: Brightness and two colour differences without light, (H, W) float32 each.
        covered: (H, W) bool, what was found, what belongs there, and the background.
        outside: (H, W) bool, background, which is not asked about.
        heat: (H, W) float32 evidence over the threshold's.
        lines: The same for lines alone.
        structured: It is known already that the surface is not beyond doubt, so only its light is looked at.
    """
    visible = np.abs(cv2.Laplacian(grey, cv2.CV_32F))[~covered]
    fine = float(np.mean(np.minimum(visible, 8 * np.median(visible) + 1))) if visible.size else 0.0
    ends = (grey >= 254) | (grey <= 1)
    clipped = float(ends[~outside].mean()) if not outside.all() else 1.0
    share = float((~covered).sum() / max((~outside).sum(), 1))
    unlike, drift, rough = _blocks(fields[0], covered)
    plain = Evenness(unlike, drift, rough, fine, share, clipped)
    told = structured or unlike > UNLIKE or drift > DRIFT
    cells = cells_of(grey, fields, covered, light_only=told)
    if np.count_nonzero(cells.known) < 60:
        return plain
    spreads = {name: spread_of(values, cells.known, LEAST[name]) for name, values in cells.maps.items()}
    shaded = min(spreads["mean"].large, spreads["sum"].large)
    if told:
        return replace(plain, shaded=shaded)
    banded, edged = banding(fields[0], covered)
    linked, littered = _linked(np.where(covered, np.float32(0), lines))
    return Evenness(
        unlike, drift, rough, fine, share, clipped,
        patchy=max(spreads[name].out for name in TEXTURE), sloped=max(spreads[name].wide for name in TEXTURE),
        shaded=shaded, spotted=min(spreads["mean"].out, spreads["sum"].out),
        tinted=max(spreads[name].out for name in ("red", "blue")), banded=banded, edged=edged,
        linked=linked, littered=littered, faint=float(np.where(covered, 0, heat).max()))


def _linked(weak: Field) -> tuple[float, float]:
    """Largest sum of evidence over connected pixels above `LINKED`, and the sum over all for each 10,000 px.

    Source: cluster mass, as tests over whole brain images use it (Bullmore et al. 1999).
    """
    if not (above := weak > LINKED).any():
        return 0.0, 0.0
    _, labels = cv2.connectedComponents(above.astype(np.uint8), connectivity=8)
    masses = np.bincount(labels[above], weights=weak[above])
    return float(masses.max()), float(masses.sum()) * 1e4 / weak.size


def _blocks(field: Field, covered: Mask) -> tuple[float, float, float]:
    """Spread of the blocks' contrast, spread of their means, and their median contrast."""
    rows, cols = grid(field.shape)
    seen = (~covered).astype(np.float32)

    def average(array: Field) -> Field:
        return np.asarray(cv2.resize(array, (cols, rows), interpolation=cv2.INTER_AREA), np.float32)

    weight = average(seen)
    whole = weight > 0.5
    if np.count_nonzero(whole) < 6:
        return 9.0, 9.0, 0.0
    mean = average(field * seen)[whole] / weight[whole]
    spread = np.sqrt(np.maximum(average(field * field * seen)[whole] / weight[whole] - mean**2, 0)) + 0.3
    rough = float(np.median(spread))
    unlike = float(np.subtract(*np.quantile(np.log(spread), (0.95, 0.05)))) / 3.29
    return unlike, float(np.subtract(*np.quantile(mean, (0.95, 0.05)))) / 3.29 / rough, rough
