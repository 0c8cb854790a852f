"""How long a search takes: describing a region, and looking through a case base of many cases.

    python bench/recall_speed.py [--cases 10000] [--chroma]

The cases' pictures are described by chance, in clusters as defect types are; the query is described by the shipped
embedder. Times are CPU milliseconds of this process: median and 95th percentile of 60 queries.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from kenpin.cases.chroma import ChromaCases
from kenpin.cases.embed_offline import OfflineEmbedder
from kenpin.cases.memory import InMemoryCases
from kenpin.contracts.case import Case, CaseQuery
from kenpin.contracts.view import RgbImage
from tools.detection.backbone import WEIGHTS
from tools.recall import cut_out

QUERIES = 60


class Filling:
    """An embedder that invents vectors while a case base is filled, and is the shipped one for queries."""

    def __init__(self) -> None:
        self._real, self._rng, self.filling = OfflineEmbedder(WEIGHTS), np.random.default_rng(0), True
        self.name, self.baseline, self.same = self._real.name, self._real.baseline, self._real.same
        self.picture_dim, self.words_dim = self._real.picture_dim, self._real.words_dim
        self._middles = self._rng.normal(0, 1, (40, self.picture_dim))

    def picture(self, pixels: RgbImage) -> NDArray[np.float32]:
        if not self.filling:
            return self._real.picture(pixels)
        vector = self._middles[self._rng.integers(40)] + self._rng.normal(0, 0.7, self.picture_dim)
        return np.asarray(vector / np.linalg.norm(vector), dtype=np.float32)

    def words(self, text: str) -> NDArray[np.float32]:
        return self._real.words(text)


def timed(work: Callable[[], object]) -> str:
    """Median and 95th percentile."""
    work()
    spent = []
    for _ in range(QUERIES):
        started = time.process_time()
        work()
        spent.append(1000 * (time.process_time() - started))
    return f"{np.median(spent):6.1f} {np.quantile(spent, 0.95):6.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--chroma", action="store_true", help="the case base in a folder too")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    embedder = Filling()
    picture = np.random.default_rng(1).integers(90, 130, (600, 800, 3), dtype=np.uint8)
    cv2.line(picture, (300, 200), (420, 330), (30, 30, 30), 3, cv2.LINE_AA)
    asked = cut_out(picture, (290, 190, 430, 340))
    with tempfile.TemporaryDirectory() as folder:
        stores = {"in memory": InMemoryCases(embedder)}
        if options.chroma:
            stores["Chroma in a folder"] = ChromaCases(embedder, folder=Path(folder))
        for store in stores.values():
            for number in range(options.cases):
                store.add(Case(id=f"c{number}", product=f"p{number % 7}", defect_type=f"t{number % 5}", cause="a cause",
                               disposition="scrap", picture=f"{number:064x}", box=(1, 1, 9, 9), part=f"{number // 2}"),
                          pixels=picture[:16, :16])
        embedder.filling = False
        print(f"CPU ms, {options.cases} cases                median    p95")
        print(f"{'describing a region':36s}{timed(lambda: [embedder.picture(asked) for _ in range(2)])}")
        for name, store in stores.items():
            print(f"{name + ', a region':36s}{timed(lambda s=store: s.search(CaseQuery(), region=asked))}")
            print(f"{name + ', one product':36s}"
                  f"{timed(lambda s=store: s.search(CaseQuery(product='p3'), region=asked))}")
            print(f"{name + ', words':36s}{timed(lambda s=store: s.search(CaseQuery(words='割れ')))}")
        if options.chroma:
            stores["Chroma in a folder"].close()


if __name__ == "__main__":
    main()
