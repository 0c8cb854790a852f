"""What a tool is: a name, frozen arguments, and a function from a workbench to a report.

A tool file holds pure array functions (they see pixels of one view and return geometry in that view's pixels) and one
`run` that fetches the pixels, calls them, and maps every box and point to the original upload. Registering a tool is
one line in `catalog.py`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Protocol

from pydantic import BaseModel, ConfigDict, Field

from kenpin.contracts.camera import CameraProfile
from kenpin.contracts.errors import ToolInputError
from kenpin.contracts.ports import CaseSearch
from kenpin.contracts.view import IDENTITY, Box, Matrix3, RgbImage, View, ViewKind, compose, window


class ToolArgs(BaseModel):
    """Arguments of a tool. Boxes and points are pixels of the original upload."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    why: Annotated[
        str, Field(min_length=1, max_length=400, description="One sentence for the reviewer: why this step.")
    ]


class OnView(ToolArgs):
    """Arguments of a tool that works on one view, or on a box of it."""

    view: Annotated[str, Field(description="Id of the view to work on; v0 is the picture as uploaded.")] = "v0"
    box: Annotated[
        Box | None, Field(description="[x0, y0, x1, y1] in pixels of the original; null is the whole view.")
    ] = None


class ToolResult(BaseModel):
    """What a tool found out. Goes into the trace as it is, so all geometry is in original pixels."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True)
class Picture:
    """A view with its pixels, (H, W, 3) uint8 RGB, not writeable."""

    view: View
    pixels: RgbImage


@dataclass(frozen=True)
class Plane:
    """The plane that a scale was found in, as the subject's picture shows it."""

    matrix: Matrix3
    """From straightened pixels of the upload to the plane, where one unit is `Scale.mm_per_px` everywhere."""
    lens: tuple[float, ...] = ()
    """fx, fy, cx, cy and OpenCV's distortion coefficients by which pixels are straightened; empty for none."""


@dataclass(frozen=True)
class Scale:
    """How large a pixel of the subject is."""

    mm_per_px: float
    relative_uncertainty: float = 0.0
    """Half width of the 95 % interval, as a share of the scale."""
    origin: str = "said"
    """`said`, `configured`, `marker`, `chessboard`, `known length`, `camera profile`."""
    step: int | None = None
    """The step that found it."""
    plane: Plane | None = None
    """Set where tilt or lens make the scale differ from place to place; holds for what lies in this plane only."""
    others: tuple[Plane, ...] = ()
    """The plane with one independent source of doubt off by one sigma each."""
    in_plane: float = 0.0
    """95 % half width, as a share, of what is left to doubt once the plane is used; `others` come on top."""


def scale_from(data: Mapping[str, Any]) -> Scale:
    """A scale back from its JSON form."""
    planes = [None if p is None else Plane(_matrix(p["matrix"]), tuple(p["lens"]))
              for p in (data.get("plane"), *data.get("others", ()))]
    return Scale(**{**data, "plane": planes[0], "others": tuple(p for p in planes[1:] if p is not None)})


def _matrix(rows: Any) -> Matrix3:
    a, b, c = ((float(x), float(y), float(z)) for x, y, z in rows)
    return (a, b, c)


@dataclass(frozen=True)
class Region:
    """Something that an earlier step found and that a later one may point to by id: `f1` a defect, `o1` an object."""

    id: str
    label: str
    box: Box
    outline: tuple[tuple[int, int], ...] = ()
    score: float = 1.0
    source: str = "v0"
    step: int | None = None


class Workbench(Protocol):
    """What a tool can reach: pictures by view id, what is known so far, and past cases. Nothing else."""

    @property
    def references(self) -> tuple[Picture, ...]:
        """Golden samples; empty if none was given."""

    @property
    def good(self) -> tuple[RgbImage, ...]:
        """A few good samples of the same surface; empty if none was given."""

    @property
    def scale(self) -> Scale | None:
        """Scale of the subject, if known."""

    @property
    def camera(self) -> CameraProfile | None:
        """Profile of the camera that took the subject, fitted to its size; None if none was given."""

    @property
    def regions(self) -> Mapping[str, Region]:
        """Findings and objects of earlier steps by id."""

    @property
    def cases(self) -> CaseSearch | None:
        """Past cases; None if there is no case base."""

    def fresh(self, prefix: str, count: int) -> tuple[str, ...]:
        """The next `count` free region ids: prefix `f` for findings, `o` for objects, `t` for texts."""

    def picture(self, view_id: str) -> Picture:
        """A view with its pixels.

        Raises:
            ToolInputError: There is no such view.
        """


@dataclass(frozen=True)
class NewView:
    """A picture that a tool made, with its place on the upload that it came from."""

    pixels: RgbImage
    kind: ViewKind
    parent: View
    to_parent: Matrix3 = IDENTITY
    altered: bool = False
    """True if values of pixels were changed (a zoom interpolates and is not called altered; sharpening is)."""

    @property
    def to_source(self) -> Matrix3:
        return compose(self.parent.to_source, self.to_parent)


@dataclass(frozen=True)
class Report:
    """Outcome of one tool call."""

    result: ToolResult
    boxes: tuple[Box, ...] = ()
    """What to draw on the original, original pixels."""
    made: NewView | None = None
    regions: tuple[Region, ...] = ()
    """New findings and objects, with ids from `Workbench.fresh`."""
    scale: Scale | None = None
    """A newly found scale."""
    evidence: tuple[RgbImage, ...] = field(default=())
    """Pictures to keep beside the ones the loop draws, for instance a difference map."""


Run = Callable[[Workbench, Any], Report]


@dataclass(frozen=True)
class Tool:
    """One entry of the catalogue."""

    name: str
    description: str
    """For a planner: what it does, when to use it, what it returns."""
    args: type[ToolArgs]
    run: Run
    version: str = "1"

    def schema(self) -> dict[str, Any]:
        """JSON schema of the arguments."""
        return self.args.model_json_schema()


@dataclass(frozen=True)
class Patch:
    """The pixels that a tool works on: a view, or the part of it that a box names."""

    view: View
    pixels: RgbImage
    offset: tuple[int, int]

    def box_to_source(self, box: Box) -> Box:
        """Box of the patch to pixels of the original upload."""
        dx, dy = self.offset
        return self.view.box_to_source((box[0] + dx, box[1] + dy, box[2] + dx, box[3] + dy))

    def points_to_source(self, points: Any) -> Any:
        """(N, 2) points of the patch to pixels of the original upload."""
        return self.view.points_to_source(points + self.offset)

    @property
    def to_parent(self) -> Matrix3:
        return window(*self.offset)


def patch(bench: Workbench, args: OnView, *, minimum: int = 1) -> Patch:
    """Cut what `args` names out of its view.

    Raises:
        ToolInputError: No such view, the box lies outside the picture, or it is smaller than `minimum` pixels.
    """
    picture = bench.picture(args.view)
    view, box = picture.view, (0, 0, picture.view.width, picture.view.height)
    if args.box is not None:
        inside = view.box_from_source(args.box)
        if inside is None:
            raise ToolInputError(f"box {list(args.box)} lies outside view {view.id}; it shows {list(view.place())}")
        box = inside
    x0, y0, x1, y1 = box
    if min(x1 - x0, y1 - y0) < minimum:
        raise ToolInputError(
            f"region is {x1 - x0}x{y1 - y0} px, at least {minimum}x{minimum} needed; name a larger one"
        )
    return Patch(view=view, pixels=picture.pixels[y0:y1, x0:x1], offset=(x0, y0))
