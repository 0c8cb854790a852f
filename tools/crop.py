"""Cut a region out of a view, pixel for pixel."""

from typing import Annotated

from pydantic import Field

from kenpin.contracts.view import Box, ViewKind, corners, enclosing
from tools.spec import NewView, OnView, Patch, Report, Tool, ToolResult, Workbench, patch


class CropArgs(OnView):
    """What to cut out."""

    box: Annotated[Box, Field(description="[x0, y0, x1, y1] in pixels of the original: the region to cut out.")]


class CropResult(ToolResult):
    """What the new view shows."""

    box: Box
    """Original pixels; the part of the asked box that the view shows."""
    width: int
    """Of the new view, px."""
    height: int
    note: str = ""


def shown(part: Patch) -> Box:
    """The place of a patch on the original upload."""
    height, width = part.pixels.shape[:2]
    return part.box_to_source((0, 0, width, height))


def clip_note(part: Patch, asked: Box) -> str:
    """Says so if the asked box reaches beyond what the view shows; empty if not."""
    wanted = enclosing(part.view.points_from_source(corners(asked)))
    if wanted[0] >= 0 and wanted[1] >= 0 and wanted[2] <= part.view.width and wanted[3] <= part.view.height:
        return ""
    return f"the asked box {list(asked)} reaches beyond the view; only {list(shown(part))} is shown"


def run(bench: Workbench, args: CropArgs) -> Report:
    """Make a view of exactly the pixels that the box names."""
    part = patch(bench, args)
    height, width = part.pixels.shape[:2]
    box = shown(part)
    result = CropResult(box=box, width=width, height=height, note=clip_note(part, args.box))
    made = NewView(pixels=part.pixels.copy(), kind=ViewKind.CROP, parent=part.view, to_parent=part.to_parent)
    return Report(result=result, boxes=(box,), made=made)


TOOL = Tool(
    name="crop",
    description=("Cuts a region out of a view without changing a pixel and makes it a new view. Use it to limit the "
                 "next steps to a part of the picture. Needs `box`. Returns the box as cut and its size."),
    args=CropArgs, run=run, version="1")
