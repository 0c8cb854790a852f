"""The picture of `detect` without samples in docs/tools/detect.md, from a bundled picture of cloth.

    python -m bench.tool_pictures.detect
"""

from pathlib import Path

import cv2
import numpy as np

from tools.detection.alone import inspect_alone
from tools.detection.outcome import heat_picture

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "kenpin/samples/fabric_stain.jpg"
TARGET = ROOT / "docs/pictures/tools/detect.webp"


def figure() -> np.ndarray:
    """Findings with their outlines beside the ranking of all pixels, (H, W, 3) uint8 BGR."""
    pixels = cv2.cvtColor(cv2.imread(str(SOURCE)), cv2.COLOR_BGR2RGB)
    seen = inspect_alone(pixels)
    shown = pixels.copy()
    for region in seen.regions:
        x0, y0, x1, y1 = region.box
        cv2.rectangle(shown, (x0 - 4, y0 - 4), (x1 + 3, y1 + 3), (255, 60, 60), 2)
        cv2.polylines(shown, [np.round(region.outline).astype(np.int32)], True, (255, 220, 0), 1, cv2.LINE_AA)
        cv2.putText(shown, f"{region.kind.value} {region.score:.2f}", (max(x0 - 4, 4), max(y0 - 10, 14)),
                    cv2.FONT_HERSHEY_SIMPLEX, 0.55, (255, 255, 255), 1, cv2.LINE_AA)
    return cv2.cvtColor(np.hstack([shown, heat_picture(pixels, seen.heat)]), cv2.COLOR_RGB2BGR)


def main() -> None:
    """Draw it again."""
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(TARGET), figure(), [cv2.IMWRITE_WEBP_QUALITY, 70])


if __name__ == "__main__":
    main()
