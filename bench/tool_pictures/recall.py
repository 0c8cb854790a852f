"""The picture of docs/tools/recall.md: a rough box on a bundled part, and the past cases that it recalls.

    python bench/tool_pictures/recall.py docs/pictures/tools/recall.webp
"""

import sys

import cv2
import numpy as np

from kenpin.cases.bundle import bundles
from kenpin.cases.embed_offline import OfflineEmbedder
from kenpin.cases.memory import InMemoryCases
from kenpin.cases.portable import picture_of, read_cases
from kenpin.contracts.case import CaseQuery
from kenpin.contracts.view import Box, RgbImage
from tools.detection.backbone import WEIGHTS
from tools.recall import cut_out, in_words

HEIGHT = 240
ASKED = "example-drawn-housing-01"
BLUE, RED = (20, 90, 220), (210, 30, 30)


def tile(pixels: RgbImage, box: Box, colour: tuple[int, int, int], title: str) -> RgbImage:
    """A picture of one height with its box and a line of text above."""
    scale = HEIGHT / pixels.shape[0]
    shown = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    x0, y0, x1, y1 = (round(v * scale) for v in box)
    cv2.rectangle(shown, (x0, y0), (x1, y1), colour, 2)
    line = np.full((26, shown.shape[1], 3), 255, np.uint8)
    cv2.putText(line, title, (3, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (20, 20, 20), 1, cv2.LINE_AA)
    return np.asarray(np.pad(np.vstack([line, shown]), ((0, 0), (0, 6), (0, 0)), constant_values=255))


def draw() -> RgbImage:
    """The query and its three most alike cases of other parts."""
    store, pictures = InMemoryCases(OfflineEmbedder(WEIGHTS)), dict[str, RgbImage]()
    for folder in bundles():
        for file, case in read_cases(folder):
            pictures[case.id] = picture_of(folder, file)
            store.add(case.model_copy(update={"picture": case.id}), pixels=pictures[case.id])
    asked = store.get(ASKED)
    assert asked.box is not None
    x0, y0, x1, y1 = asked.box
    rough = (x0 - 18, max(0, y0 - 22), x1 + 25, y1 + 14)
    hits = store.search(CaseQuery(k=3, exclude_part=asked.part), region=cut_out(pictures[ASKED], rough))
    tiles = [tile(pictures[ASKED], rough, BLUE, "a rough box")]
    for hit in hits:
        assert hit.case.box is not None
        title = f"{hit.case.defect_type}, {in_words(hit.likeness)}"
        tiles.append(tile(pictures[hit.case.id], hit.case.box, RED, title))
    return np.asarray(np.hstack(tiles))


def main() -> None:
    cv2.imwrite(sys.argv[1], cv2.cvtColor(draw(), cv2.COLOR_RGB2BGR), [cv2.IMWRITE_WEBP_QUALITY, 80])


if __name__ == "__main__":
    main()
