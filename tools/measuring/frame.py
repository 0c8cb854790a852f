"""Where a measurement is taken: always on the pixels of the upload, in the plane that a rectified view stands for."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from kenpin.contracts.errors import ToolInputError
from kenpin.contracts.view import IDENTITY, Box, Points, Role, View, ViewKind, apply_homography, clip
from tools.measuring.lens import Lens, lens_from, lens_of
from tools.spec import OnView, Picture, Plane, Region, Workbench


@dataclass(frozen=True)
class Frame:
    """The upload to measure on, the part of it that was asked for, and the plane that lengths are taken in."""

    picture: Picture
    box: Box
    """In original pixels, clipped to the picture."""
    whole: bool
    """True if neither a box nor a part of the picture was named."""
    to_plane: NDArray[np.float64] | None
    """(3, 3) from straightened pixels to a rectified plane; None if lengths are taken on the upload as it is."""
    lens: Lens | None = None
    """By which pixels of the upload are straightened; None for no known lens."""

    @property
    def source_is_subject(self) -> bool:
        """Whether the upload is the one that scale and camera belong to."""
        return self.picture.view.role is Role.SUBJECT

    def straight(self, points: Points) -> Points:
        """(N, 2) original points without what the lens does to them."""
        return points if self.lens is None else self.lens.straight(points)

    def flat(self, points: Points) -> Points:
        """(N, 2) original points in the plane of measurement."""
        points = self.straight(points)
        return points if self.to_plane is None else apply_homography(self.to_plane, points)

    def on(self, plane: Plane) -> "Frame":
        """The same place with lengths taken in the plane of a scale."""
        identity = plane.matrix == IDENTITY
        return replace(self, lens=lens_of(plane.lens), to_plane=None if identity else np.array(plane.matrix))


def frame(bench: Workbench, args: OnView) -> Frame:
    """Find the upload behind a view.

    Raises:
        ToolInputError: No such view, or the box lies outside the picture.
    """
    view = bench.picture(args.view).view
    source = bench.picture(view.source)
    width, height = source.view.width, source.view.height
    place = clip(view.place(), width, height) or (0, 0, width, height)
    box = place if args.box is None else clip(args.box, width, height)
    if box is None:
        raise ToolInputError(f"box {list(args.box or ())} lies outside the picture; it is {width}x{height} px")
    lens = lens_from(bench.camera) if bench.camera is not None and source.view.role is Role.SUBJECT else None
    to_plane = _plane(bench, view)
    # A rectified view was made from the bent picture, so its plane is that of bent pixels.
    return Frame(picture=source, box=box, whole=box == (0, 0, width, height), to_plane=to_plane,
                 lens=lens if to_plane is None else None)


def _plane(bench: Workbench, view: View) -> NDArray[np.float64] | None:
    """From original pixels to the nearest rectified ancestor of a view; None if there is none."""
    step: View | None = view
    while step is not None:
        if step.kind is ViewKind.ALIGN:
            matrix = np.asarray(step.to_source, dtype=np.float64)
            return np.asarray(np.linalg.inv(matrix)) if _tilts(matrix, step) else None
        step = bench.picture(step.parent).view if step.parent is not None else None
    return None


def _tilts(matrix: NDArray[np.float64], view: View) -> bool:
    """Whether a homography changes shapes: an aligned view that is only turned and moved leaves lengths as they are."""
    corners = np.array([[0, 0], [view.width, 0], [view.width, view.height], [0, view.height]], dtype=np.float64)
    mapped = apply_homography(matrix, corners)
    sides = np.linalg.norm(np.roll(mapped, -1, axis=0) - mapped, axis=1) / np.array(
        [view.width, view.height, view.width, view.height])
    diagonals = np.linalg.norm(mapped[[2, 3]] - mapped[[0, 1]], axis=1)
    return bool(np.ptp(sides) > 0.003 * sides.mean() or np.ptp(diagonals) > 0.003 * diagonals.mean())


def known_region(bench: Workbench, name: str, place: Frame) -> Region:
    """A finding or object of an earlier step on the same upload.

    Raises:
        ToolInputError: There is none of this id, or it lies on another picture.
    """
    region = bench.regions.get(name)
    if region is None:
        known = ", ".join(bench.regions) or "none yet; run detect or count first, or give a box"
        raise ToolInputError(f"there is no finding or object {name}; known: {known}")
    if region.source != place.picture.view.id:
        raise ToolInputError(f"{name} lies on picture {region.source}, not on {place.picture.view.id}; name that view")
    return region
