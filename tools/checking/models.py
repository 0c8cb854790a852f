"""What `check_image` reports."""

from kenpin.contracts.view import Box
from tools.checking.limits import Code, Limit
from tools.spec import ToolResult


class FocusResult(ToolResult):
    """Sharpness. All widths in pixels of the original."""

    passed: bool
    value: float | None
    """Blur (sigma) of the sharper quarter of the edges; None if there is no edge to tell from."""
    limit: float
    edge_width_px: float | None
    """Distance from 10 % to 90 % of the sharper edges."""
    edges: int
    """Number of edge points that the figures rest on."""
    motion: bool
    motion_px: float | None
    """Length of the movement, if there was one."""
    motion_deg: float | None
    """Its direction, degrees clockwise from the x axis."""


class ExposureResult(ToolResult):
    """Brightness."""

    passed: bool
    mean: float
    """Mean grey level, 0 to 255."""
    range_low: float
    """First and 99th percentile of grey levels."""
    range_high: float
    clipped_bright_share: float
    clipped_dark_share: float
    black_and_white: bool
    """The picture is binary on purpose, so clipping is no fault."""


class GlareResult(ToolResult):
    """Reflections: clipped white that fades out softly."""

    passed: bool
    share: float
    limit: float
    boxes: tuple[Box, ...]
    """The largest ones, original pixels."""


class ResolutionResult(ToolResult):
    """Whether the smallest defect would be seen."""

    passed: bool
    width: int
    """Of what was looked at, pixels of its view."""
    height: int
    smallest_px: float | None
    """As asked, in pixels of the original; a size asked for in mm is converted by the scale."""
    smallest_mm: float | None = None
    """As asked, mm."""
    scale_known: bool = True
    """False: a size in mm was asked for and no scale is known, so this could not be judged."""
    needed_px: float
    """Smallest defect that this picture can show, pixels of the original."""


class CodingResult(ToolResult):
    """Steps between the blocks of a JPEG."""

    passed: bool
    blockiness: float
    """How much larger steps are on the borders of blocks than beside them, as a share."""
    step: float
    """Height of these steps, grey levels."""
    limit: float


class EvennessResult(ToolResult):
    """Light that falls off across the picture."""

    passed: bool
    ratio: float
    """Of the brightest to the darkest place of the smooth part of the light; 1 where the light is not what varies."""
    limit: float


class TwinResult(ToolResult):
    """Another picture of this inspection that shows the very same shot."""

    name: str
    """View id of a golden sample, or `good N` for the N-th good sample."""
    exact: bool
    """Pixel for pixel; False: stored or sized anew, and still the same shot."""


class NoiseResult(ToolResult):
    """Pixel noise or texture of pixel size; the two look alike."""

    passed: bool
    sigma: float
    """Grey levels."""
    limit: float


class CheckImageResult(ToolResult):
    """Whether the picture is good enough, and why not."""

    passed: bool
    problems: tuple[Code, ...]
    """What forbids a verdict."""
    warnings: tuple[Code, ...]
    """What is not as it should be, and does not forbid one."""
    focus: FocusResult
    exposure: ExposureResult
    glare: GlareResult
    resolution: ResolutionResult
    noise: NoiseResult
    coding: CodingResult
    evenness: EvennessResult
    twins: tuple[TwinResult, ...] = ()
    limits: tuple[Limit, ...] = ()
    """Of the codes above: from where on each warns, from where on it forbids a verdict, and why there."""
    notes: tuple[str, ...] = ()
