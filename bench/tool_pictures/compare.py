"""The picture of `compare` in the documentation: bundled panel, golden sample, and what differs."""

from importlib.resources import files
from pathlib import Path

import cv2
import numpy as np

from tools.comparing.together import compare


def draw(path: Path) -> None:
    """Write subject with findings beside the golden sample as a WebP."""
    golden, subject = (cv2.imdecode(np.frombuffer(files("kenpin.samples").joinpath(n).read_bytes(), np.uint8), 1)
                       for n in ("panel_golden.png", "panel.png"))
    found = compare(subject[..., ::-1].copy(), golden[..., ::-1].copy(), whole=subject[..., ::-1].copy(),
                    place=np.eye(3))
    for change in found.changes:
        cv2.rectangle(subject, change.box[:2], change.box[2:], (40, 40, 230), 2)
    pair = [cv2.resize(p, (480, round(480 * p.shape[0] / p.shape[1])), interpolation=cv2.INTER_AREA)
            for p in (golden, subject)]
    low = min(p.shape[0] for p in pair)
    cv2.imwrite(str(path), np.hstack([p[:low] for p in pair]), [cv2.IMWRITE_WEBP_QUALITY, 60])


if __name__ == "__main__":
    draw(Path(__file__).parents[2] / "docs/pictures/tools/compare.webp")
