"""Retrieval precision of past cases: P@5 with the query's own part left out, chance beside it.

    python bench/recall.py [MANIFEST.jsonl] [--form] [--learnt FILE.npz] [--sets ceramic ...] [--seed 11] [--json FILE]

Every labelled defect of the manifest, and of drawn sets of a seed that nothing was learnt from, becomes a case; each is
then asked for by its label box, by a rough box as a person draws one, and by its whole picture; and by a rough box
where the cases were marked by rough boxes too. A hit counts if its defect type is the query's. Hits of one part are
folded, as in the product, so chance is the mean share of the query's type over the defects of each other part. Queries
whose type lies on fewer than five other parts are left out. Intervals are 95 % bootstrap intervals over parts.

The second table says what a likeness is worth: of the hits of rough boxes at each level, how many are of the query's
type; and how often the best hit reaches the level where the case base knows the type, and where it does not.
"""

import argparse
import hashlib
import json
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from recall_drawn import drawn_records
from recall_tiles import SETS, tile_records

from kenpin.cases.embed_offline import OfflineEmbedder
from kenpin.cases.learnt import read_learnt
from kenpin.contracts.case import CaseHit, CaseQuery
from kenpin.contracts.view import RgbImage
from kenpin.evaluate.benchmark.manifest import read_manifest
from kenpin.evaluate.benchmark.metrics import mean_figure
from kenpin.evaluate.benchmark.retrieval import Defect, chance, filled, labelled, rough
from tools.detection.backbone import WEIGHTS
from tools.recall import ALIKE, FLOOR, VERY_ALIKE, cut_out

K = 5
HELD_OUT = 11
KINDS = ("label box", "rough box", "rough, rough cases", "whole picture")
LEVELS = (("very alike", VERY_ALIKE), ("alike", ALIKE), ("somewhat alike", FLOOR), ("not listed", -1.0))
PARTS = (r"^01_\d+_(\d+_\d+)_crop", r"^(sample\d+)_", r"^((?:\d+_){5}\d+)_")
"""File names of exposures of one part: spindle position, housing, or minute on the roll."""

GOODS = ("bottle", "cap")
"""Labelled things that are counted and are no defects."""

Hits = list[tuple[float, bool]]
"""Likeness of a hit, and whether it is of the query's type."""


class Remembering:
    """An embedder that describes equal pixels once."""

    def __init__(self, embedder: OfflineEmbedder) -> None:
        self._embedder, self._known = embedder, dict[str, NDArray[np.float32]]()
        self.name, self.baseline, self.same = embedder.name, embedder.baseline, embedder.same
        self.picture_dim, self.words_dim = embedder.picture_dim, embedder.words_dim

    def picture(self, pixels: RgbImage) -> NDArray[np.float32]:
        key = f"{pixels.shape} {hashlib.sha1(np.ascontiguousarray(pixels).tobytes()).hexdigest()}"
        if key not in self._known:
            self._known[key] = self._embedder.picture(pixels)
        return self._known[key]

    def words(self, text: str) -> NDArray[np.float32]:
        return self._embedder.words(text)


def drawn(name: str, seed: int) -> list[Defect]:
    """The defects of a drawn set."""
    records = drawn_records(20, seed) if name == "mixed" else tile_records(name, seed=seed)
    return [Defect(**{key: value for key, value in record.items() if key != "pixels"},
                   shown=partial(record.__getitem__, "pixels")) for record in records]


def real(manifest: Path) -> Iterator[tuple[str, list[Defect]]]:
    """The labelled defects of a manifest: all surfaces together, and each that has several types by itself."""
    data = read_manifest(manifest, parts=PARTS)
    found = [d for d in labelled(data, data.records) if d.type not in GOODS]
    own = sorted({d.surface for d in found if len({o.type for o in found if o.surface == d.surface}) > 2})
    yield "all surfaces with one or two types", [d for d in found if d.surface not in own]
    for surface in own:
        yield surface, [d for d in found if d.surface == surface]


def measured(defects: Sequence[Defect], embedder: Remembering, seed: int) -> tuple[dict[str, object], Hits, Hits]:
    """P@5 of each kind of query; hits of rough boxes; best hits where the query's type is not in the case base."""
    rng = np.random.default_rng(seed)
    loose = {one.id: rough(one.box, one.pixels.shape, rng) for one in defects}
    again = {one.id: rough(one.box, one.pixels.shape, rng) for one in defects}
    store, marked = filled(defects, embedder), filled(defects, embedder, again)
    without = {kind: filled([d for d in defects if d.type != kind], embedder)
               for kind in sorted({d.type for d in defects})}
    scores: dict[str, list[float]] = defaultdict(list)
    parts, spent, hits, strangers = [], [], Hits(), Hits()
    for one in defects:
        if (by_chance := chance(one, defects)) is None:
            continue
        query = CaseQuery(k=K, exclude_part=one.part)
        asked = cut_out(one.pixels, loose[one.id])
        started = time.process_time()
        found = dict(zip(KINDS, (
            store.search(query, region=cut_out(one.pixels, one.box)), store.search(query, region=asked),
            marked.search(query, region=asked), store.search(query, picture=one.pixels)), strict=True))
        spent.append(1000 * (time.process_time() - started) / len(KINDS))
        for kind, cases in found.items():
            scores[kind].append(sum(hit.case.defect_type == one.type for hit in cases) / K)
        scores["chance"].append(by_chance)
        parts.append(one.part)
        hits += [(hit.likeness, hit.case.defect_type == one.type) for hit in found["rough box"]]
        strangers += best(without[one.type].search(query, region=asked))
    row = {kind: mean_figure(values, parts).report() for kind, values in scores.items()}
    return {**row, "queries": len(parts), "ms": float(np.median(spent))}, hits, strangers


def best(hits: Sequence[CaseHit]) -> Hits:
    """The best hit, of another type."""
    return [(hits[0].likeness, False)] if hits else []


def levels(hits: Hits, strangers: Hits) -> list[dict[str, object]]:
    """What each level of likeness is worth."""
    rows, above = [], np.inf
    firsts = np.array([hit[0] for hit in hits[::K]])
    unknown = np.array([likeness for likeness, _ in strangers])
    for name, least in LEVELS:
        same = [ok for likeness, ok in hits if least <= likeness < above]
        rows.append({"level": name, "from": max(least, 0.0), "hits": len(same),
                     "same type": round(float(np.mean(same)), 3) if same else None,
                     "best hit, type known": round(float(np.mean((firsts >= least) & (firsts < above))), 3),
                     "best hit, type not known": round(float(np.mean((unknown >= least) & (unknown < above))), 3)})
        above = least
    return rows


def show(rows: dict[str, dict[str, object]], worth: dict[str, list[dict[str, object]]]) -> None:
    """Both tables."""
    print(f"{'P@5':36s}{''.join(f'{kind:>21s}' for kind in KINDS)}  chance    n     ms")
    for name, row in rows.items():
        figures = [row[kind] for kind in KINDS]
        cells = "".join(f"{f['value']:8.2f} [{f['low']:.2f} {f['high']:.2f}]" for f in figures)
        print(f"{name:36s}{cells}{row['chance']['value']:8.2f}{row['queries']:5d}{row['ms']:7.1f}")
    for name, table in worth.items():
        print(f"\n{name}")
        for line in table:
            print("  " + "  ".join(f"{key} {value}" for key, value in line.items()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("manifest", type=Path, nargs="?")
    parser.add_argument("--form", action="store_true", help="without the network: what the embedder was before")
    parser.add_argument("--learnt", type=Path, help="another file of bench/learn_likeness.py")
    parser.add_argument("--sets", nargs="*", default=["mixed", *SETS], choices=["mixed", *SETS])
    parser.add_argument("--seed", type=int, default=HELD_OUT)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    learnt = read_learnt(options.learnt) if options.learnt else None
    embedder = Remembering(OfflineEmbedder(None if options.form else WEIGHTS, learnt=learnt))
    groups = {f"drawn: {name}": drawn(name, options.seed) for name in options.sets}
    if options.manifest:
        groups |= dict(real(options.manifest))
    rows, known, strange = {}, dict[str, Hits](), dict[str, Hits]()
    for name, defects in groups.items():
        rows[name], hits, strangers = measured(defects, embedder, options.seed)
        kind = "drawn" if name.startswith("drawn") else "real"
        known.setdefault(kind, []).extend(hits)
        strange.setdefault(kind, []).extend(strangers)
    worth = {kind: levels(hits, strange[kind]) for kind, hits in known.items()}
    print(f"embedder {embedder.name}")
    show(rows, worth)
    if options.json:
        options.json.write_text(json.dumps({"embedder": embedder.name, "rows": rows, "levels": worth}, indent=1))


if __name__ == "__main__":
    main()
