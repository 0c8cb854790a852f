"""A camera profile: how one camera with one lens bends a picture, and, if known, where the object plane lies."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from kenpin.contracts.errors import FileRefused
from kenpin.contracts.view import Matrix3

SAME_SHAPE = 0.005
"""A picture whose sides have the same ratio to within this share is the same picture made larger or smaller."""
LENGTHS = (0, 4, 5, 8, 12, 14)
"""Numbers of distortion coefficients that OpenCV knows."""


class PlanePose(BaseModel):
    """Where the plane in which things are measured lies, in the camera's frame (x right, y down, z ahead)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rotation: tuple[float, float, float]
    """Rodrigues vector from the plane's frame to the camera's, radians, as OpenCV's `rvec`."""
    translation_mm: tuple[float, float, float]
    """Origin of the plane in the camera's frame, mm, as OpenCV's `tvec`."""


class CameraProfile(BaseModel):
    """Camera matrix and lens distortion in OpenCV's convention, for one picture size."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = ""
    width: Annotated[int, Field(gt=0)]
    height: Annotated[int, Field(gt=0)]
    matrix: Matrix3
    """Pixels; the centre of the first pixel is (0, 0), as OpenCV has it."""
    distortion: tuple[float, ...] = ()
    """k1 k2 p1 p2, then k3, then k4 k5 k6, and so on; none for a lens without distortion."""
    reprojection_px: float | None = None
    """Root mean square distance of the corners from the calibrated model."""
    pictures: int | None = None
    """Pictures that it was calibrated from."""
    mm_per_px: Annotated[float | None, Field(gt=0)] = None
    """Scale of the object plane, if that plane is square to the line of sight and always at the same distance."""
    plane: PlanePose | None = None
    """The object plane, if it is fixed."""
    relative_uncertainty: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """95 % half width of the scale of the object plane, as a share."""
    note: str = ""

    @model_validator(mode="after")
    def _possible(self) -> "CameraProfile":
        rows = self.matrix
        if not (rows[0][0] > 0 and rows[1][1] > 0) or rows[2] != (0.0, 0.0, 1.0) or rows[1][0] != 0:
            raise ValueError("matrix: expected [[fx, skew, cx], [0, fy, cy], [0, 0, 1]] with fx and fy above 0")
        if len(self.distortion) not in LENGTHS:
            raise ValueError(f"distortion: expected {', '.join(map(str, LENGTHS))} numbers, got {len(self.distortion)}")
        if self.mm_per_px is not None and self.plane is not None:
            raise ValueError("give mm_per_px or plane, not both")
        return self

    def fitted(self, width: int, height: int) -> "CameraProfile":
        """The profile for a picture of this size.

        A picture that is the same one made smaller or larger has the matrix scaled with it. A picture of another shape
        was cropped somewhere, and where cannot be known.

        Raises:
            FileRefused: The picture has another shape.
        """
        if (width, height) == (self.width, self.height):
            return self
        across, down = width / self.width, height / self.height
        if abs(across / down - 1) > SAME_SHAPE:
            raise FileRefused(f"camera profile {self.name or 'given'} is for pictures of {self.width}x{self.height} "
                              f"px; this one has {width}x{height} px, another shape; calibrate at this size")
        (fx, skew, cx), (_, fy, cy), _ = self.matrix
        matrix: Matrix3 = ((fx * across, skew * across, (cx + 0.5) * across - 0.5),
                           (0.0, fy * down, (cy + 0.5) * down - 0.5), (0.0, 0.0, 1.0))
        per_px = None if self.mm_per_px is None else self.mm_per_px / across
        note = f"scaled from {self.width}x{self.height} px"
        return self.model_copy(update={"width": width, "height": height, "matrix": matrix, "mm_per_px": per_px,
                                       "note": f"{self.note}; {note}".lstrip("; ")})
