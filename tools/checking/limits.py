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
NIGHT = 45.0
"""99th percentile of brightness below which a fifth of the range of grey levels is used."""
SOME_NIGHT = 80.0
GLARE, SOME_GLARE = 0.10, 0.01
"""Share of the picture under reflections that forbids a verdict, and that is worth a warning."""
DEFECT_PX = 3.0
"""Pixels that the smallest defect must measure to be told from noise."""
NOISE, SOME_NOISE = 25.0, 12.0
FAINT = 16.0
"""Grey levels between the 1st and the 99th percentile."""
BLOCKS, SOME_BLOCKS, BLOCK_STEP = 2.0, 0.9, 1.0
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
    _limit("blur", "sigma of the sharper quarter of the edges, px", 0.9 * BLUR, BLUR,
           "pictures in focus of eleven surfaces: at most 1.65; after a Gaussian of sigma 3: 2.0 and more"),
    _limit("motion", "sigma across the movement, px", SOME_MOTION, MOTION,
           "in focus: at most 1.15, on a darkened screw 2.1; moved by 15 px or more: mostly 1.6 to 5"),
    _limit("overexposed", "share clipped white outside a backdrop", 0.05, BURNT,
           "one stop too much: forbidden on 10 % of pictures, two stops 42 %, three 67 %; none of 38 real good ones"),
    _limit("underexposed", "99th percentile of grey levels (below)", SOME_NIGHT, NIGHT,
           "the darkest good picture, of dark ceramic, has 60; a fabric 98; four stops too little leave 28 %"),
    _limit("glare", "share of the picture under soft clipped white", SOME_GLARE, GLARE,
           "pasted over 10 % of the picture: forbidden on 94 %, over 20 %: on all; none of 38 real good ones"),
    _limit("too_small", "pixels of the smallest defect (below)", 1.5 * DEFECT_PX, DEFECT_PX,
           "three pixels or the width of the picture's own edges, whichever is more; half as much again warns"),
    _limit("blank", "standard deviation of grey levels (below)", None, 0.8,
           "a lens cap with sensor noise: found on all"),
    _limit("noise", "standard deviation of pixel noise, grey levels", SOME_NOISE, NOISE,
           "fabric, the noisiest good surface, has 5; noise of 30 a colour channel is 20 in grey and warns on all"),
    _limit("low_contrast", "grey levels between the 1st and 99th percentile (below)", FAINT, FAINT,
           "contrast cut to 5 %: warns on all; it forbids only where pixel noise is below 0.6 as well"),
    _limit("compressed", "steps between JPEG blocks over those beside them, less one", SOME_BLOCKS, BLOCKS,
           "good pictures: at most 1.1, of quality 60: forbidden on 2 %, of 25: on 38 %, of 8: on 70 %"),
    _limit("uneven_light", "brightest over darkest of the smooth part of the light", UNEVEN, None,
           "light down to 30 % at one side: warns on 40 %, to 10 %: on 48 %, of good real pictures on 8 % at most"),
    _limit("same_picture", "grain shared with a sample, correlation", None, 0.25,
           "copies of JPEG quality 75: 0.29 and more on 11 of 12; other parts that lie almost alike: at most 0.23"))
