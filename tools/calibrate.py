"""`calibrate`: how many millimetres a pixel is, from a marker, a chessboard, a known length, or as said."""

from dataclasses import dataclass, replace
from typing import Annotated, Literal

import cv2
import numpy as np
from pydantic import Field

from kenpin.contracts.errors import ToolInputError
from kenpin.contracts.view import (
    IDENTITY,
    Box,
    Matrix3,
    Points,
    RgbImage,
    ViewKind,
    compose,
)
from tools.measure import COVER, region_shape
from tools.measuring.between import point_distance
from tools.measuring.chessboard import Board, board_plane, find_board
from tools.measuring.ellipse import fit_ellipse
from tools.measuring.frame import Frame, frame, known_region
from tools.measuring.markers import Marker, find_markers
from tools.measuring.plane import PlaneScale, fit_plane, rectification
from tools.measuring.pose import fit_view
from tools.measuring.reading import ROUND, Reading, read
from tools.measuring.shape import Shape, box_of, find_shape
from tools.measuring.shapes import moments, roundness
from tools.measuring.target import Flat, fitted_plane, level_plane, mean_square, tilt_seen
from tools.pixels.grey import grey
from tools.spec import NewView, OnView, Report, Scale, Tool, ToolResult, Workbench

Method = Literal["marker", "chessboard", "said", "known"]
ORIGINS = {"marker": "marker", "chessboard": "chessboard", "said": "said", "known": "known length"}
LEAST, MOST = 1e-6, 1e3
"""Scales outside this range (1 nm to 1 m a pixel) are slips of the pen."""
TILT_SHARE = 0.005
"""A rectified view is made from this spread of the scale over the board on."""
PRINTED = 0.001
"""How well printed markers and boards keep their size (95 %, share): office printers stretch by about this."""
LEVEL = 1.03
"""A round thing that is longer than wide by less than this share is seen straight."""
OVAL = 0.01
"""What an ellipse fits to this share of its width is an ellipse."""
BOARD_CORNER = 0.06
"""One sigma of a corner of a sharp chessboard, px; the fit enlarges it where the corners scatter more."""
IN_PLANE = "; holds for what lies in its plane, not for what lies nearer or farther"
UNIT_SQUARE = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], dtype=np.float64)


class CalibrateArgs(OnView):
    """Where the scale comes from."""

    method: Annotated[Method, Field(description=(
        "marker: ArUco or AprilTag with size_mm = side of its black square. chessboard: size_mm = side of one square. "
        "said: mm_per_px as the user gave it. known: size_mm = length of `of`, two points or what is in the box."))]
    mm_per_px: Annotated[float | None, Field(description="For said: millimetres a pixel.")] = None
    size_mm: Annotated[float | None, Field(description="Side of the marker or square, or the known length.")] = None
    of: Annotated[str | None, Field(description="For known: id of the finding or object whose length is known.")] = None
    points: Annotated[tuple[tuple[float, float], ...], Field(
        max_length=2, description="For known: two points whose distance is known, original pixels.")] = ()


class CalibrateResult(ToolResult):
    """The scale of the subject."""

    mm_per_px: float
    relative_uncertainty: float
    """95 % half width as a share of the scale; tilt is part of it."""
    method: Method
    tilt_deg: float | None = None
    """Tilt of the marker or board against a plane square to the line of sight."""
    boxes: tuple[Box, ...] = ()
    size_px: float | None = None
    """Length in pixels of what has `size_mm`."""
    note: str = ""


@dataclass(frozen=True)
class _Found:
    mm_per_px: float
    relative: float
    boxes: tuple[Box, ...] = ()
    tilt_deg: float | None = None
    size_px: float | None = None
    note: str = ""
    made: NewView | None = None
    in_plane: float = 0.0
    flat: Flat | None = None
    """The plane of a marker or board."""


def run(bench: Workbench, args: CalibrateArgs) -> Report:
    """Find the scale and hand it to the bench.

    Raises:
        ToolInputError: A size is missing or out of range, or what should give the scale was not found.
    """
    place = frame(bench, args)
    found = _FINDERS[args.method](bench, args, place)
    if not LEAST <= found.mm_per_px <= MOST:
        raise ToolInputError(f"{found.mm_per_px:g} mm per px, expected {LEAST:g} to {MOST:g}; check the unit")
    result = CalibrateResult(mm_per_px=found.mm_per_px, relative_uncertainty=found.relative, method=args.method,
                             tilt_deg=found.tilt_deg, boxes=found.boxes, size_px=found.size_px, note=found.note)
    scale = Scale(mm_per_px=found.mm_per_px, relative_uncertainty=found.relative, origin=ORIGINS[args.method])
    if found.flat is not None:
        scale = replace(scale, plane=found.flat.plane, others=found.flat.others, in_plane=found.in_plane)
    return Report(result=result, boxes=found.boxes, scale=scale, made=found.made)


def _size(args: CalibrateArgs, what: str) -> float:
    if args.size_mm is None:
        raise ToolInputError(f"the {what} in mm is missing; ask the user for size_mm")
    if not 1e-3 <= args.size_mm <= 1e5:
        raise ToolInputError(f"size_mm is {args.size_mm:g}, expected 0.001 to 100000; check the unit")
    return args.size_mm


def _said(_bench: Workbench, args: CalibrateArgs, _place: Frame) -> _Found:
    if args.mm_per_px is None:
        raise ToolInputError("mm_per_px is missing; method said needs the number that the user gave")
    if not LEAST <= args.mm_per_px <= MOST:
        raise ToolInputError(f"mm_per_px is {args.mm_per_px:g}, expected {LEAST:g} to {MOST:g}; check the unit")
    return _Found(args.mm_per_px, 0.0, note="taken as said, not checked on the picture")


def _marker(_bench: Workbench, args: CalibrateArgs, place: Frame) -> _Found:
    size = _size(args, "side of the marker's black square")
    markers = [_moved(marker, place.box) for marker in find_markers(_cut(place))]
    if not markers:
        raise ToolInputError("no marker found; expected a sharp ArUco or AprilTag square with a light zone around it; "
                             "give a known length instead")
    planes = [(m, p) for m in markers if (p := fit_plane(UNIT_SQUARE * size, place.straight(m.corners))) is not None]
    if not planes:
        raise ToolInputError("the corners of the marker do not lie on a plane; use another method")
    scales = np.array([plane.mm_per_px for _, plane in planes])
    # The middle one of several, and of two the larger marker: a small one is the likelier mistake.
    mean = float(np.sort(scales)[(len(scales) - 1) // 2])
    alike = [entry for entry in planes if abs(entry[1].mm_per_px / mean - 1) < 0.25]
    mean = float(np.mean([plane.mm_per_px for _, plane in alike]))
    corner = COVER * float(np.mean([m.corner_sigma / m.side_px for m, _ in alike])) / np.sqrt(len(alike))
    spread = max(_beyond_noise(plane.spread, m) for m, plane in alike)
    apart = float(np.ptp([plane.mm_per_px for _, plane in alike])) / mean / 2
    flat, tilt = _marker_plane(alike[0][0], size, mean, place)
    names = ", ".join(f"{m.dictionary} id {m.id}" for m, _ in alike)
    note = f"{names}; side of the black square without the light zone around it" + _tilt_note(tilt) + IN_PLANE
    if len(alike) < len(planes):
        note += f"; {len(planes) - len(alike)} marker(s) of another size left out"
    return _Found(flat.mm_per_px, float(np.sqrt(corner**2 + spread**2 + apart**2)),
                  boxes=tuple(m.box for m, _ in alike), tilt_deg=tilt, size_px=size / flat.mm_per_px, note=note,
                  flat=flat, in_plane=float(np.hypot(corner, PRINTED)))


def _marker_plane(marker: Marker, size: float, mean: float, place: Frame) -> tuple[Flat, float]:
    """Plane of the largest marker, and its tilt; 0 where none is seen."""
    shape = (place.picture.view.width, place.picture.view.height)
    target = UNIT_SQUARE * size
    fit = fit_view(target, marker.corners, shape, known=place.lens, corner_sigma=marker.corner_sigma)
    if fit is None:
        raise ToolInputError("the corners of the marker do not lie on a plane; use another method")
    if not tilt_seen(fit):
        return level_plane(fit, mean, marker.corners, shape, place.lens), 0.0
    return fitted_plane(fit, target, marker.corners), fit.tilt_deg


def _beyond_noise(spread: float, marker: Marker) -> float:
    """The part of the spread of the scale that uncertain corners do not explain."""
    noise = 2 * COVER * marker.corner_sigma / marker.side_px
    return spread if spread > noise else 0.0


def _moved(marker: Marker, box: Box) -> Marker:
    shift = np.array(box[:2], dtype=np.float64)
    return Marker(marker.id, marker.dictionary, marker.corners + shift, marker.side_px, marker.corner_sigma)


def _cut(place: Frame) -> RgbImage:
    x0, y0, x1, y1 = place.box
    return place.picture.pixels[y0:y1, x0:x1]


def _tilt_note(tilt: float) -> str:
    return f"; tilted by about {tilt:.0f} degrees, which measuring takes out" if tilt >= 3 else ""


def _chessboard(_bench: Workbench, args: CalibrateArgs, place: Frame) -> _Found:
    size = _size(args, "side of one square")
    board = find_board(grey(_cut(place)))
    if board is None:
        raise ToolInputError("no chessboard found; expected at least 3 x 3 inner corners, sharp, not cut off; "
                             "draw a box around it or use another method")
    board = Board(board.rows, board.columns, board.corners + np.array(place.box[:2]))
    width, height = place.picture.view.width, place.picture.view.height
    plane = board_plane(board, square=size)
    fit = fit_view(board.places * size, board.corners, (width, height), known=place.lens, corner_sigma=BOARD_CORNER)
    if plane is None or fit is None:
        raise ToolInputError("the corners of the chessboard do not lie on a plane; use another method")
    made = _rectified(place, plane, board, size) if plane.spread > TILT_SHARE else None
    flat = fitted_plane(fit, board.places * size, board.corners)
    # A lens that the model does not follow would make the mean square too large or too small.
    share = mean_square(fit, board.corners, (board.rows, board.columns)) / size
    flat = replace(flat, mm_per_px=flat.mm_per_px / share)
    steps = np.linalg.norm(np.diff(board.corners.reshape(board.rows, board.columns, 2), axis=1), axis=2)
    rest = fit.residual_px / float(steps.mean()) / np.sqrt(len(board.corners))
    relative = float(np.sqrt(plane.spread**2 + rest**2 + PRINTED**2))
    note = f"{board.columns} x {board.rows} inner corners; mean over the board" + _tilt_note(plane.tilt_deg) + IN_PLANE
    if made is not None:
        note += "; the new view shows it rectified"
    if (bend := plane.residual_px) > max(0.02 * float(steps.mean()), 2 * fit.residual_px):
        note += f"; the lens bends straight lines by about {bend:.1f} px, which measuring takes out"
    return _Found(flat.mm_per_px, relative, boxes=(box_of(board.corners, (width, height)),), tilt_deg=plane.tilt_deg,
                  size_px=size / flat.mm_per_px, note=note, made=made, flat=flat,
                  in_plane=float(np.hypot(PRINTED, 2 * abs(share - 1))))


def _rectified(place: Frame, plane: PlaneScale, board: Board, size: float) -> NewView:
    """The upload seen square to the board, one pixel being the mean scale everywhere; as large as the upload."""
    matrix = rectification(plane, board.places * size, board.corners)
    view, pixels = place.picture.view, place.picture.pixels
    centre = np.array([[1.0, 0.0, -0.5], [0.0, 1.0, -0.5], [0.0, 0.0, 1.0]])
    warp = centre @ matrix @ np.linalg.inv(centre)
    flat = cv2.warpPerspective(pixels, warp, (view.width, view.height), flags=cv2.INTER_LINEAR)
    to_parent: Matrix3 = compose(IDENTITY, np.linalg.inv(matrix).tolist())
    return NewView(pixels=np.asarray(flat, dtype=np.uint8), kind=ViewKind.ALIGN, parent=view, to_parent=to_parent)


def _known(bench: Workbench, args: CalibrateArgs, place: Frame) -> _Found:
    size = _size(args, "known length")
    width, height = place.picture.view.width, place.picture.view.height
    if args.points:
        reading = _pointed(args.points, place)
        box, what = box_of(reading.line, (width, height)), "distance of the two points"
    else:
        region = known_region(bench, args.of, place) if args.of is not None else None
        if region is not None:
            shape: Shape | None = region_shape(region, place)
        else:
            shape = find_shape(place.picture.pixels, place.box, tight=not place.whole)
        if shape is None:
            raise ToolInputError(f"nothing stands out in {list(place.box)}; draw a box around what has this size")
        reading, what = _longest(shape, place)
        box = shape.box
    return _Found(size / reading.value, COVER * reading.sigma / reading.value, boxes=(box,), size_px=reading.value,
                  note=f"{what} is {reading.value:.2f} px = {size:g} mm")


def _pointed(points: tuple[tuple[float, float], ...], place: Frame) -> Reading:
    found: Points = np.array(points, dtype=np.float64)
    size = (place.picture.view.width, place.picture.view.height)
    if len(found) != 2 or (found < 0).any() or (found > size).any():
        raise ToolInputError(f"expected two points inside the picture ({size[0]}x{size[1]} px), got {list(points)}")
    return point_distance(grey(place.picture.pixels).astype(np.float32), found, place.flat, edges=False)


def _longest(shape: Shape, place: Frame) -> tuple[Reading, str]:
    """Diameter of a round thing (a coin), its longest one where it is seen at a slant; length of any other."""
    points = place.flat(shape.contour.points)
    if roundness(points) > ROUND and moments(points).elongation < LEVEL:
        return read(shape, "diameter", place.flat, centre_line=False), "its diameter"
    ellipse = fit_ellipse(points)
    if shape.line is None and ellipse is not None and ellipse.scatter < OVAL * ellipse.minor:
        reading = read(shape, "major_axis", place.flat, centre_line=False)
        return reading, "its longest diameter (it looks oval, so it may be tilted)"
    return read(shape, "length", place.flat, centre_line=False), "its length"


_FINDERS = {"marker": _marker, "chessboard": _chessboard, "said": _said, "known": _known}

TOOL = Tool(
    name="calibrate", version="2", args=CalibrateArgs, run=run,
    description="Find the scale in mm per px, from a square marker, a chessboard, a thing of known size, or as the "
                "user said. Needed before anything can be measured in mm. Returns the scale, its uncertainty and the "
                "tilt; a tilted board also gives a rectified view to measure on.")
