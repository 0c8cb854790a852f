"""The scale of a camera's object plane, from its profile."""

import numpy as np

from kenpin.contracts.camera import CameraProfile
from kenpin.contracts.view import IDENTITY
from tools.measuring.lens import lens_from
from tools.measuring.plane import as_rows, stretch
from tools.measuring.pose import plane_matrix
from tools.spec import Plane, Scale


def profile_scale(camera: CameraProfile) -> Scale | None:
    """The scale that a profile fixes; None if it only describes the lens.

    Args:
        camera: Fitted to the size of the picture.
    """
    lens = lens_from(camera)
    share = camera.relative_uncertainty
    if camera.mm_per_px is not None:
        return Scale(camera.mm_per_px, share, "camera profile", plane=Plane(IDENTITY, lens.numbers()), in_plane=share)
    if camera.plane is None:
        return None
    matrix = plane_matrix(np.array(camera.plane.rotation), np.array(camera.plane.translation_mm), lens)
    back = np.linalg.inv(matrix)
    # The mean scale is that in the middle of the picture, where the part most likely lies.
    middle = np.array([camera.width / 2, camera.height / 2, 1.0])
    foot = back @ middle
    place = (foot[:2] / foot[2])[None]
    mm_per_px = float(1.0 / stretch(matrix, place).mean())
    flat = np.diag([1 / mm_per_px, 1 / mm_per_px, 1.0]) @ back
    return Scale(mm_per_px, share, "camera profile", plane=Plane(as_rows(flat), lens.numbers()), in_plane=share)
