"""Change a picture for the eye: light, contrast, sharpness, noise, glare, edges."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from kenpin.contracts.view import Box, RgbImage, ViewKind
from tools.crop import clip_note, shown
from tools.pixels import enhancing
from tools.spec import NewView, OnView, Report, Tool, ToolResult, Workbench, patch

Operation = Literal["sharpen", "contrast", "brighten", "darken", "denoise", "flatten", "deglare", "edges"]

CHANGES: Mapping[Operation, enhancing.Change] = {
    "sharpen": enhancing.sharpen,
    "contrast": enhancing.raise_contrast,
    "brighten": lambda pixels: enhancing.gamma(pixels, brighter=True),
    "darken": lambda pixels: enhancing.gamma(pixels, brighter=False),
    "denoise": enhancing.denoise,
    "flatten": enhancing.flatten,
    "deglare": enhancing.deglare,
    "edges": enhancing.edge_view,
}
NOTE = "pixel values were changed; measuring goes back to the original picture"


class EnhanceArgs(OnView):
    """What to change."""

    operation: Annotated[Operation, Field(description=(
        "sharpen, contrast (local, adaptive), brighten, darken, denoise, flatten (even out uneven light), deglare "
        "(press down reflections), or edges (an edge picture)."))]


class Figures(ToolResult):
    """What a change does to a picture."""

    brightness: float
    """Mean grey level, 0 to 255."""
    contrast: float
    """Spread of the middle 98 % of grey levels."""
    sharpness: float
    """Mean size of the gradient, grey levels per pixel."""
    noise: float
    """Standard deviation of pixel noise, grey levels."""


class EnhanceResult(ToolResult):
    """What was changed, with figures before and after."""

    operation: Operation
    box: Box
    """Original pixels; what the new view shows."""
    before: Figures
    after: Figures
    note: str


def figures(pixels: RgbImage) -> Figures:
    """Brightness, contrast, sharpness and noise of (H, W, 3) uint8 RGB."""
    return Figures(brightness=round(float(pixels[::4, ::4].mean()), 2),
                   contrast=round(enhancing.contrast_of(pixels), 2),
                   sharpness=round(enhancing.sharpness_of(pixels), 3), noise=round(enhancing.noise_sigma(pixels), 3))


def run(bench: Workbench, args: EnhanceArgs) -> Report:
    """Make a changed view of the whole view or of the box."""
    part = patch(bench, args, minimum=2)
    pixels = CHANGES[args.operation](part.pixels)
    box = shown(part)
    notes = [NOTE, clip_note(part, args.box) if args.box else ""]
    result = EnhanceResult(operation=args.operation, box=box, before=figures(part.pixels), after=figures(pixels),
                           note="; ".join(filter(None, notes)))
    made = NewView(pixels=pixels, kind=ViewKind.ENHANCE, parent=part.view, to_parent=part.to_parent, altered=True)
    return Report(result=result, boxes=(box,) if args.box else (), made=made)


TOOL = Tool(
    name="enhance",
    description=("Makes a changed copy of a view, or of a box of it, for the eye or for a search: sharpen, contrast, "
                 "brighten, darken, denoise, flatten, deglare, edges. It changes pixel values and adds no detail; "
                 "measuring goes back to the original. Returns figures before and after."),
    args=EnhanceArgs, run=run, version="2")
