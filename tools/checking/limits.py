"""Limits of `check_image`, each with the figures that it rests on (`bench/quality_drawn.py` measures them again)."""

from typing import Literal

from tools.spec import ToolResult

Code = Literal["blur", "motion", "overexposed", "underexposed", "glare", "too_small", "blank", "noise", "low_contrast",
               "compressed", "uneven_light", "same_picture"]

BLUR, BLUR_SHARPEST = 1.75, 1.0
"""Blurred from these sigmas on: of the sharper quarter of all edges, and of the sharpest direction's sharpest edges, px
in a picture of up to `USUAL_SIDE`."""
USUAL_SIDE = 1000
"""A larger picture may be blurred more, by the square root of its size: it has more pixels for the same detail."""
BARE = 0.9
"""Pixel noise, grey levels, below which a surface without edges that still has slow structure is out of focus."""
MOTION, SOME_MOTION = 1.6, 1.2
"""Moved from this sigma on in one direction if the one across it is at most half as blurred."""
BURNT = 0.25
"""Share that is clipped white outside a backdrop."""
NIGHT = 64.0
"""99th percentile of brightness below which a quarter of the range of grey levels is used."""
SOME_NIGHT = 80.0
GLARE, SOME_GLARE = 0.10, 0.01
"""Share of the picture under reflections that forbids a verdict, and that is worth a warning."""
DEFECT_PX = 3.0
"""Pixels that the smallest defect must measure to be told from noise."""
NOISE, SOME_NOISE = 25.0, 12.0
FAINT = 16.0
"""Grey levels between the 1st and the 99th percentile."""
BLOCKS, SOME_BLOCKS, BLOCK_STEP = 1.0, 0.9, 1.5
"""Blockiness and height of the steps in grey levels; both must be passed to forbid a verdict."""
UNEVEN, SMOOTH = 2.5, 0.84
"""Ratio of the smooth part of the light, if that part explains this share of the brightness."""


class Limit(ToolResult):
    """Where a code begins."""

    code: Code
    figure: str
    """What is held against it."""
    warns_at: float | None
    forbids_at: float | None
    """None: it only warns."""
    rests_on: str
    """What was measured to put it there."""


def _limit(code: Code, figure: str, warns_at: float | None, forbids_at: float | None, rests_on: str) -> Limit:
    return Limit(code=code, figure=figure, warns_at=warns_at, forbids_at=forbids_at, rests_on=rests_on)


LIMITS: tuple[Limit, ...] = (
)
