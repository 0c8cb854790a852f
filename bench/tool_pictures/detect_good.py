"""Draw `docs/pictures/tools/detect_good.webp` again: `python -m bench.tool_pictures.detect_good`."""

from pathlib import Path

import cv2
import numpy as np

from tools.detection.outcome import heat_picture
from tools.detection.taught import inspect_taught

ROOT = Path(__file__).parents[2]
SIDE = 200
"""Side of the good samples, cut from the corners of one clean picture, px."""


def main() -> None:
    """A stained fabric, its evidence over four good samples, and the outline of what was found."""
    folder = ROOT / "kenpin" / "samples"
    clean, stained = (cv2.cvtColor(cv2.imread(str(folder / n)), cv2.COLOR_BGR2RGB).astype(np.uint8)
                      for n in ("fabric_clean.png", "fabric_stain.jpg"))
    good = tuple(np.ascontiguousarray(clean[y, x]) for y in (slice(0, SIDE), slice(-SIDE, None))
                 for x in (slice(0, SIDE), slice(-SIDE, None)))
    seen = inspect_taught(stained, good)
    shown = stained.copy()
    for region in seen.regions:
        cv2.polylines(shown, [np.round(region.outline).astype(np.int32)], True, (255, 0, 0), 2, cv2.LINE_AA)
    strip = np.hstack([cv2.resize(p, (360, 360), interpolation=cv2.INTER_AREA)
                       for p in (stained, heat_picture(stained, seen.heat), shown)])
    target = ROOT / "docs" / "pictures" / "tools" / "detect_good.webp"
    cv2.imwrite(str(target), cv2.cvtColor(strip, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_WEBP_QUALITY, 70])
    print(target.stat().st_size, [(r.kind.value, r.box, round(r.score, 2)) for r in seen.regions], seen.code)


if __name__ == "__main__":
    main()
