"""Say whether a picture is good enough to judge by: focus, motion, exposure, glare, size, noise, coding, twins."""

from typing import Annotated

from pydantic import Field

from tools.checking.judging import check
from tools.checking.models import CheckImageResult
from tools.checking.twins import twins_of
from tools.spec import OnView, Report, Tool, Workbench, patch


class CheckImageArgs(OnView):
    """What the picture must be good enough for."""

    smallest_px: Annotated[float | None, Field(gt=0, description=(
        "Size of the smallest defect that must be seen, in pixels of the original; null if unknown."))] = None
    smallest_mm: Annotated[float | None, Field(gt=0, description=(
        "The same in mm; needs a known scale. The smaller of the two counts."))] = None


def run(bench: Workbench, args: CheckImageArgs) -> Report:
    """Check the view or the box."""
    part = patch(bench, args, minimum=4)
    sizes = [args.smallest_px] if args.smallest_px else []
    if args.smallest_mm and bench.scale:
        sizes.append(args.smallest_mm / bench.scale.mm_per_px)
    result = check(part, min(sizes, default=None), smallest_mm=args.smallest_mm, scale_known=bench.scale is not None,
                   twins=twins_of(bench, part.view))
    return Report(result=result, boxes=result.glare.boxes)


TOOL = Tool(
    name="check_image",
    description=("Says whether a picture is good enough to judge by: focus, motion blur, exposure, glare, size for the "
                 "smallest defect (`smallest_px` or `smallest_mm`), noise, JPEG blocks, uneven light, and whether it "
                 "is the same shot as a golden or good sample. Returns `passed`, `problems` that forbid a verdict, "
                 "`warnings`, the figures and the limits. Run it before any verdict."),
    args=CheckImageArgs, run=run, version="2")

__all__ = ["TOOL", "CheckImageArgs", "CheckImageResult", "check", "run"]
