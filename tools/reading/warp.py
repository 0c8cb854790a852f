"""Cutting a slanted box out of a picture."""

import cv2
import numpy as np

from kenpin.contracts.view import Points, RgbImage


def straight(pixels: RgbImage, corners: Points) -> RgbImage:
    """Cut a slanted box out of a picture so that its first side lies on top."""
    width = max(4, round(float(np.linalg.norm(corners[1] - corners[0]))))
    height = max(4, round(float(np.linalg.norm(corners[3] - corners[0]))))
    # The recogniser brings every line to 48 px; large text is reduced on the way, small text is left to it.
    scale = min(1.0, 96.0 / height)
    target = np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float32) * np.float32(scale)
    matrix = cv2.getPerspectiveTransform(corners.astype(np.float32), target)
    size = (max(4, round(width * scale)), max(4, round(height * scale)))
    line = cv2.warpPerspective(pixels, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(line, dtype=np.uint8)
