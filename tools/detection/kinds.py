"""What kind of defect a region looks like, by rules on its shape. A guess with a score, never a verdict."""

from kenpin.contracts.verdict import DefectType
from tools.detection.shapes import Shape
from tools.detection.spots import Spot

LINES = frozenset({DefectType.SCRATCH, DefectType.CRACK})
HOLLOWS = frozenset({DefectType.PIT, DefectType.DENT, DefectType.STAIN, DefectType.BUBBLE, DefectType.CORROSION,
                     DefectType.FOREIGN, DefectType.CHIP, DefectType.MISSING, DefectType.WEAR})
EDGES = frozenset({DefectType.CHIP, DefectType.BURR, DefectType.DEFORM, DefectType.MISSING, DefectType.DENT})
GROUPS = (LINES, HOLLOWS, EDGES)
SOFT = 2.6
"""Widest border of a sharp edge, px between a quarter and three quarters of the contrast."""


def kind_of(spot: Spot, shape: Shape, picture: tuple[int, ...], softness: float) -> tuple[DefectType, float]:
    """Guess the type of a region.

    Args:
        spot: The region.
        shape: Its geometry.
        picture: Shape of the picture.
        softness: Width of its border in px, see `tools.detection.shapes.softness`.
    Returns:
        The type, and how well the rule fits, 0 to 1.
    """
    height, width = picture[:2]
    x0, y0, x1, y1 = spot.box
    reach = max(shape.length, shape.width)
    at_border = x0 == 0 or y0 == 0 or x1 == width or y1 == height
    if shape.slender >= 4 and not (at_border and shape.width > 8):
        winding = shape.bend * shape.length > max(1.1, 0.3 * shape.width, 0.008 * shape.length)
        kind = DefectType.CRACK if winding and spot.sign < 0 else DefectType.SCRATCH
        return kind, min(0.95, 0.5 + 0.04 * shape.slender)
    fits = ((DefectType.FOREIGN, 0.7, spot.colour > max(8.0, 0.4 * abs(spot.contrast))),
            (DefectType.CHIP, 0.5, at_border),
            (DefectType.STAIN, 0.45, spot.sign > 0 and softness > SOFT),
            (DefectType.FOREIGN, 0.55, spot.sign > 0),
            (DefectType.PIT, 0.75 if shape.slender < 1.6 else 0.55, reach <= max(0.045 * max(height, width), 12.0)),
            (DefectType.STAIN, 0.6, softness > SOFT or shape.round < 0.975))
    return next(((kind, score) for kind, score, holds in fits if holds), (DefectType.DENT, 0.55))


def may_be(kind: DefectType, asked: frozenset[DefectType]) -> bool:
    """Whether a region of this guessed type may be of an asked type: look-alikes count, and unknown ones always."""
    if kind in asked or kind is DefectType.OTHER or DefectType.OTHER in asked:
        return True
    return any(kind in group and group & asked for group in GROUPS)
