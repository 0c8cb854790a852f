"""`measure`: one length, area or angle, to a fraction of a pixel, with how sure it is."""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from kenpin.contracts.errors import ToolInputError
from kenpin.contracts.trace import Unit
from kenpin.contracts.view import Box, Mask, Points
from tools.measuring import between as pairs
from tools.measuring.contour import outline
from tools.measuring.corner import enclosed_angle
from tools.measuring.doubt import plane_doubt
from tools.measuring.features import fitted_distance
from tools.measuring.frame import Frame, frame, known_region
from tools.measuring.markers import Marker, find_markers
from tools.measuring.reading import Reading, read
from tools.measuring.shape import LINE_LIKE, Shape, box_of, find_shape
from tools.measuring.shapes import moments, perimeter
from tools.pixels.grey import grey
from tools.spec import OnView, Region, Report, Scale, Tool, ToolResult, Workbench

Quantity = Literal["length", "width", "height", "diameter", "radius", "area", "perimeter", "angle", "distance", "pitch",
                   "roundness", "feret_max", "feret_min", "major_axis", "minor_axis"]
COVER = 2.0
"""Half width of the 95 % interval in standard deviations."""
ONE_PLANE = "true for what lies in the plane that gave the scale"
RECTIFIED = 0.02
"""What the lens still does to the scale once the tilt is taken out, as a share: on photographs of boards with a short
focal length, distances of one to eight squares came out within 1.7 % (tests/unit/test_calibrate.py)."""


class MeasureArgs(OnView):
    """What to measure."""

    quantity: Annotated[Quantity, Field(description="What to measure.")] = "length"
    of: Annotated[str | None, Field(description="Id of an earlier finding or object, for instance f1 or o2.")] = None
    to: Annotated[str | None, Field(description="Second id, for a distance or angle between two.")] = None
    points: Annotated[tuple[tuple[float, float], ...], Field(max_length=3, description=(
        "Original pixels. Two: their distance, or the angle of their line. Three: the angle at the second."))] = ()
    between: Annotated[Literal["centres", "edges", "fitted", "sides"], Field(description=(
        "Distance from centre to centre of area, or from edge to edge; fitted: of fitted circles and straight sides "
        "(hole to side, gap of two sides); sides: the angle that two sides of one thing enclose."))] = "centres"
    unit: Annotated[Literal["auto", "px", "mm"], Field(description="auto: mm if the scale is known, else px.")] = "auto"


class MeasureResult(ToolResult):
    """One measured number, always taken on the pixels of the upload."""

    quantity: str
    value: float
    unit: Unit
    uncertainty: float
    """Half width of the interval that covers the truth in 95 % of cases, same unit."""
    value_px: float | None
    """The same in pixels (px or px2); None for angles and ratios."""
    of: str | None = None
    label: str | None = None
    box: Box
    line: tuple[tuple[float, float], ...] = ()
    """What was measured: end points, centre line or contour, original pixels."""
    method: str
    mm_per_px: float | None = None
    scale_origin: str | None = None
    on_original: bool = True
    note: str = ""


def run(bench: Workbench, args: MeasureArgs) -> Report:
    """Measure on the upload behind the view and report in the unit that was asked for.

    Raises:
        ToolInputError: Nothing to measure, an unknown id, or mm without a scale.
    """
    place = frame(bench, args)
    scale = bench.scale
    if args.unit == "mm" and scale is None:
        raise ToolInputError("no scale is known, so there are no mm; calibrate first (marker, board, known length)")
    if scale is not None and scale.plane is not None and args.unit != "px" and place.source_is_subject:
        place = place.on(scale.plane)
    reading, box, label, note = _measured(bench, args, place)
    # An angle needs no scale, but the plane that a scale was found in puts it in doubt like a length.
    used = None if args.unit == "px" or (reading.power == 0 and (scale is None or scale.plane is None)) else scale
    return Report(result=_result(args, reading, used, box=box, label=label, note=note, place=place), boxes=(box,))


def _result(args: MeasureArgs, reading: Reading, scale: Scale | None, *, box: Box, label: str | None, note: str,
            place: Frame) -> MeasureResult:
    length = reading.power > 0
    factor = scale.mm_per_px**reading.power if scale is not None else 1.0
    value, doubt = reading.value * factor, COVER * reading.sigma * factor
    if scale is not None:
        doubt = float(np.hypot(doubt, _scale_doubt(reading, scale, place) * (value if length else 1.0)))
        if scale.plane is not None and length:
            note = "; ".join(filter(None, (note, ONE_PLANE)))
    pixel_units: tuple[Unit, Unit] = ("px", "px2")
    units: tuple[Unit, Unit] = ("mm", "mm2") if scale is not None else pixel_units
    unit: Unit = units[reading.power - 1] if length else "" if args.quantity == "roundness" else "deg"
    line = tuple((round(float(x), 2), round(float(y), 2)) for x, y in reading.line)
    shown = scale if length else None
    return MeasureResult(
        quantity=args.quantity, value=float(value), unit=unit, uncertainty=float(doubt),
        value_px=float(reading.value) if length else None, of=args.of, label=label, box=box, line=line,
        method=reading.method, mm_per_px=shown.mm_per_px if shown else None,
        scale_origin=shown.origin if shown else None, note=note)


def _scale_doubt(reading: Reading, scale: Scale, place: Frame) -> float:
    """95 % half width from the scale: a share for lengths and areas, degrees for angles."""
    if scale.plane is None:
        share = min(scale.relative_uncertainty, RECTIFIED) if place.to_plane is not None else scale.relative_uncertainty
        return reading.power * share
    others = COVER * plane_doubt(reading, place, scale.others)
    return float(np.hypot(reading.power * scale.in_plane, others))


Measured = tuple[Reading, Box, str | None, str]


def _measured(bench: Workbench, args: MeasureArgs, place: Frame) -> Measured:
    if args.points:
        return _of_points(args, place)
    if args.quantity == "pitch":
        return _pitch(bench, args, place)
    if args.to is not None or args.quantity == "distance":
        return _of_two(bench, args, place)
    region = known_region(bench, args.of, place) if args.of is not None else None
    shape = region_shape(region, place) if region else _main_shape(args, place)
    label = region.label if region else None
    if args.quantity == "angle" and args.between == "sides":
        return enclosed_angle(shape, place.flat), shape.box, label, _note(shape, named=region is not None)
    defect = region is None or region.id.startswith("f") or region.label in LINE_LIKE
    reading = read(shape, args.quantity, place.flat, centre_line=defect)
    return reading, shape.box, label, _note(shape, named=region is not None)


def region_shape(region: Region, place: Frame) -> Shape:
    """The thing that an earlier step pointed at, outlined anew on the upload.

    Raises:
        ToolInputError: Nothing stands out there.
    """
    outlined: Points | None = np.array(region.outline, dtype=np.float64) if len(region.outline) >= 3 else None
    shape = find_shape(place.picture.pixels, region.box, outlined=outlined, label=region.label)
    if shape is None:
        raise ToolInputError(f"nothing stands out at {region.id} {list(region.box)}; zoom in and look, or give points")
    return shape


def _main_shape(args: MeasureArgs, place: Frame) -> Shape:
    pixels = place.picture.pixels
    skip = tuple(_with_light_zone(marker) for marker in find_markers(pixels)) if place.whole else ()
    shape = find_shape(pixels, place.box, tight=not place.whole, skip=skip,
                       rank=lambda mask: _suits(args.quantity, mask))
    if shape is None:
        raise ToolInputError(f"nothing stands out in {list(place.box)}; run detect or count first, or draw a box")
    return shape


def _with_light_zone(marker: Marker) -> Box:
    x0, y0, x1, y1 = marker.box
    zone = round(0.3 * marker.side_px) + 2
    return (x0 - zone, y0 - zone, x1 + zone, y1 + zone)


def _suits(quantity: str, mask: Mask) -> float:
    """How well a shape suits a quantity: round ones for a diameter, long ones for a length."""
    points = outline(mask)
    area, around = moments(points).area, perimeter(points)
    compact = 4 * np.pi * area / max(around**2, 1e-9)
    if quantity in ("diameter", "radius", "roundness"):
        return float(np.clip(compact, 0.05, 1.0) ** 2)
    if quantity in ("length", "angle"):
        return float(np.clip(1 - compact, 0.2, 1.0))
    return 1.0


def _note(shape: Shape, *, named: bool) -> str:
    parts = []
    if shape.at_border:
        parts.append("it touches the border of the picture, part of it may be missing")
    if shape.rivals and not named:
        parts.append(f"{shape.rivals} other thing(s) there are nearly as prominent; name one by id or draw a box")
    if shape.contour.found < 0.7:
        parts.append("its edge is unclear over part of its contour")
    return "; ".join(parts)


def _of_points(args: MeasureArgs, place: Frame) -> Measured:
    width, height = place.picture.view.width, place.picture.view.height
    points = np.array(args.points, dtype=np.float64)
    if not np.isfinite(points).all() or (points < 0).any() or (points > [width, height]).any():
        raise ToolInputError(f"points {args.points} lie outside the picture; it is {width}x{height} px")
    if len(points) == 3 and args.quantity == "angle":
        reading = pairs.corner_angle(points, place.flat)
    elif len(points) == 2 and args.quantity == "angle":
        reading = pairs.line_angle(points, place.flat)
    elif len(points) == 2 and args.quantity in ("length", "width", "height", "distance", "diameter", "pitch", "radius"):
        image = grey(place.picture.pixels).astype(np.float32)
        reading = pairs.point_distance(image, points, place.flat, edges=args.between == "edges")
    else:
        raise ToolInputError(f"{len(points)} point(s) give no {args.quantity}; two give a distance, three an angle")
    return reading, box_of(reading.line, (width, height)), None, ""


def _of_two(bench: Workbench, args: MeasureArgs, place: Frame) -> Measured:
    if args.of is None or args.to is None:
        raise ToolInputError(f"{args.quantity} needs two things: name both ids (of, to), or give two points")
    regions = [known_region(bench, name, place) for name in (args.of, args.to)]
    first, second = (region_shape(region, place) for region in regions)
    if args.quantity == "angle":
        reading = pairs.angle_between(first, second, place.flat)
    elif args.quantity in ("distance", "length"):
        gap = {"edges": pairs.edge_distance, "fitted": fitted_distance}.get(args.between, pairs.centre_distance)
        reading = gap(first, second, place.flat)
    else:
        raise ToolInputError(f"{args.quantity} is of one thing; between two there is distance and angle")
    boxes = np.array([first.box, second.box])
    low, high = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
    label = f"{regions[0].label} {args.of} to {regions[1].label} {args.to}"
    note = "; ".join(filter(None, (_note(first, named=True), _note(second, named=True))))
    return reading, (int(low[0]), int(low[1]), int(high[0]), int(high[1])), label, note


def _pitch(bench: Workbench, args: MeasureArgs, place: Frame) -> Measured:
    known = [region for region in bench.regions.values() if region.source == place.picture.view.id
             and region.id.startswith("o") and _lies_in(region.box, place.box)]
    if args.of is not None:
        label = known_region(bench, args.of, place).label
        known = [region for region in known if region.label == label]
    elif known:
        label = known[-1].label
        known = [region for region in known if region.label == label]
    if len(known) < 2:
        raise ToolInputError(f"pitch needs two counted objects in {list(place.box)}, got {len(known)}; count first")
    centres = np.array([moments(region_shape(region, place).contour.points).centre for region in known])
    reading, note = pairs.pitch(centres, place.flat)
    boxes = np.array([region.box for region in known])
    low, high = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
    return reading, (int(low[0]), int(low[1]), int(high[0]), int(high[1])), known[0].label, note


def _lies_in(box: Box, place: Box) -> bool:
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    return place[0] <= x <= place[2] and place[1] <= y <= place[3]


TOOL = Tool(
    name="measure", version="2", args=MeasureArgs, run=run,
    description="Measure one thing to a fraction of a pixel: length, width, height, diameter, radius, area, perimeter, "
                "angle or roundness of a finding or object (of), or of the main thing in a box; distance or angle "
                "between two (of, to) or of given points; pitch of counted objects. Returns value, unit, 95 % "
                "uncertainty and the line that was measured. Gives mm only if the scale is known.")
