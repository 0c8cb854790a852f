"""`compare` and `count` beside the recipes that one finds first, on the same pairs and pictures in the same run.

    pip install scikit-image
    python -m bench.recipes MANIFEST.jsonl

Pairs: structural similarity, its map cut at Otsu's threshold; ORB features, a homography, the absolute difference cut
at 30 grey levels; the absolute difference as they lie, opened. Counts: Otsu's threshold and connected components; the
same split by watershed. Each recipe keeps the settings of the tutorials that it comes from, as a user would at first.
"""

import argparse
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from kenpin.evaluate.benchmark.counting import Count, count_surface
from kenpin.evaluate.benchmark.counting import by_tool as counted
from kenpin.evaluate.benchmark.manifest import Labelled, read_manifest
from kenpin.evaluate.benchmark.pairing import Compare, Differences, compare_pairs
from kenpin.evaluate.benchmark.pairing import by_tool as compared
from kenpin.evaluate.benchmark.predictions import Writer, fixed_threads
from kenpin.evaluate.benchmark.rows import Outcome, Row
from kenpin.evaluate.benchmark.run import by_surface
from kenpin.evaluate.benchmark.table import shown

SMALLEST = 40
"""Contours below this area are dropped, px."""


def _boxes(mask: Any) -> Differences:
    """The contours of a (H, W) uint8 mask as differences without a type."""
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    rects = [cv2.boundingRect(c) for c in contours if cv2.contourArea(c) >= SMALLEST]
    return Differences(boxes=tuple((x, y, x + w, y + h) for x, y, w, h in rects), scores=(1.0,) * len(rects),
                       types=("",) * len(rects))


def similarity(picture: Any, golden: Any) -> Differences:
    """Structural similarity (Wang et al. 2004), cut at Otsu's threshold."""
    from skimage.metrics import structural_similarity

    a, b = (cv2.cvtColor(p, cv2.COLOR_RGB2GRAY) for p in (picture, golden))
    b = cv2.resize(b, a.shape[::-1]) if a.shape != b.shape else b
    _, map_ = structural_similarity(a, b, full=True)
    _, mask = cv2.threshold((255 * np.clip(map_, 0, 1)).astype(np.uint8), 0, 255,
                            cv2.THRESH_BINARY_INV | cv2.THRESH_OTSU)
    return _boxes(mask)


def features(picture: Any, golden: Any) -> Differences:
    """ORB (Rublee et al. 2011), homography by RANSAC, absolute difference."""
    a, b = (cv2.cvtColor(p, cv2.COLOR_RGB2GRAY) for p in (picture, golden))
    orb = cv2.ORB_create(2000)
    (ka, da), (kb, db) = (orb.detectAndCompute(p, None) for p in (a, b))
    if da is None or db is None:
        return Differences((), (), (), aligned=False)
    pairs = sorted(cv2.BFMatcher(cv2.NORM_HAMMING, crossCheck=True).match(db, da), key=lambda m: m.distance)[:300]
    if len(pairs) < 8:
        return Differences((), (), (), aligned=False)
    source = np.array([kb[m.queryIdx].pt for m in pairs], np.float32)
    target = np.array([ka[m.trainIdx].pt for m in pairs], np.float32)
    matrix, _ = cv2.findHomography(source, target, cv2.RANSAC, 3.0)
    if matrix is None:
        return Differences((), (), (), aligned=False)
    laid = cv2.warpPerspective(b, matrix, a.shape[::-1], borderMode=cv2.BORDER_REPLICATE)
    apart = cv2.GaussianBlur(cv2.absdiff(a, laid), (5, 5), 0)
    return _boxes(cv2.dilate((apart > 30).astype(np.uint8), np.ones((5, 5), np.uint8)))


def opened(picture: Any, golden: Any) -> Differences:
    """Pixel by pixel where both lie alike: absolute difference, opened, its parts joined and boxed with a margin."""
    a, b = (cv2.cvtColor(p, cv2.COLOR_RGB2GRAY) for p in (picture, golden))
    if a.shape != b.shape:
        return Differences((), (), (), aligned=False)
    mask = cv2.morphologyEx((cv2.absdiff(a, b) > 60).astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    return _boxes(cv2.dilate(mask, np.ones((15, 15), np.uint8)))


def components(picture: Any, _noun: str) -> tuple[int, bool]:
    """Otsu's threshold, the smaller side as the foreground, connected components above a thousandth of the picture."""
    grey = cv2.GaussianBlur(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), (5, 5), 0)
    _, mask = cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    mask = 255 - mask if mask.mean() > 127 else mask
    _, _, stats, _ = cv2.connectedComponentsWithStats(mask)
    return int((stats[1:, cv2.CC_STAT_AREA] > 0.001 * mask.size).sum()), True


def watershed(picture: Any, _noun: str) -> tuple[int, bool]:
    """The same, touching ones split at the peaks of the distance transform (OpenCV's tutorial)."""
    grey = cv2.GaussianBlur(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), (5, 5), 0)
    _, mask = cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    mask = 255 - mask if mask.mean() > 127 else mask
    depth = cv2.distanceTransform(cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)), cv2.DIST_L2, 5)
    count, _ = cv2.connectedComponents((depth > 0.7 * depth.max()).astype(np.uint8))
    return count - 1, True


PAIRS: dict[str, Compare] = {"kenpin": compared, "similarity": similarity, "ORB, difference": features,
                             "difference, opened": opened}
COUNTS: dict[str, Count] = {"kenpin": counted, "components": components, "watershed": watershed}


def line(surface: str, name: str, row: Row | None, figures: tuple[str, ...]) -> None:
    """Print some figures of a row."""
    if row is not None:
        cells = "".join(f"{shown(f, row.figures[f]).replace(chr(10), ' '):>22}" for f in figures)
        print(f"{surface:22} {name:16}{cells}", flush=True)


def main() -> None:
    """Print a line a surface and method."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("manifest", type=Path)
    data: Labelled = read_manifest(parser.parse_args().manifest)
    with fixed_threads(1):
        pair = ("precision", "recall", "f1", "ms")
        print(f"{'pairs':39}" + "".join(f"{f:>22}" for f in pair))
        for surface, records in by_surface(data.records, "pair"):
            for name, compare in PAIRS.items():
                line(surface, name, compare_pairs(surface, data, records, writer=Writer(None), compare=compare), pair)
        number = ("exact", "mean_error", "ms")
        print(f"\n{'counts':39}" + "".join(f"{f:>22}" for f in number))
        for surface, records in by_surface(data.records, "count"):
            for name, count in COUNTS.items():
                line(surface, name, count_surface(surface, data, records, writer=Writer(None), outcome=Outcome(),
                                                  count=count), number)


if __name__ == "__main__":
    main()
