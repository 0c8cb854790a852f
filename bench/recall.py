"""Retrieval precision of past cases: P@5 with the query's own part left out, chance beside it.

    python bench/recall.py MANIFEST.jsonl [--backbone FILE.onnx] [--json FILE]

Every labelled defect of the manifest becomes a case; each is then asked for by its label box, by a rough box as a
person draws one, and by its whole picture. A hit counts if its defect type is the query's. Hits of one part are
folded, as in the product, so chance is the mean share of the query's type over the defects of each other part. Queries
whose type lies on fewer than five other parts are left out. Intervals are 95 % bootstrap intervals over parts.
"""

import argparse
import json
import re
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from recall_drawn import drawn_records

from kenpin.cases.embed_offline import OfflineEmbedder
from kenpin.cases.memory import InMemoryCases
from kenpin.contracts.case import Case, CaseQuery
from kenpin.contracts.view import Box, RgbImage
from tools.recall import cut_out

K = 5


@dataclass(frozen=True)
class Defect:
    """One labelled defect."""

    id: str
    surface: str
    type: str
    part: str
    box: Box
    pixels: RgbImage


def part_of(surface: str, name: str) -> str:
    """Exposures of one part share a key: spindle position, housing, or minute on the roll; else the picture."""
    patterns = {"ballscrew": r"01_\d+_(\d+_\d+)_crop", "drawn_housing": r"(sample\d+)_", "fabric": r"((?:\d+_){5}\d+)_"}
    found = re.match(patterns[surface], name) if surface in patterns else None
    return f"{surface}/{found[1] if found else name}"


def labelled(manifest: Path) -> list[Defect]:
    """Every labelled box of the defective pictures that lie beside the manifest."""
    defects = []
    for line in manifest.read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        if record["label"] != "ng" or not record["path"] or not record["boxes"]:
            continue
        pixels = cv2.cvtColor(cv2.imread(str(manifest.parent / record["path"])), cv2.COLOR_BGR2RGB)
        part = part_of(record["surface"], Path(record["path"]).name)
        for i, (box, kind) in enumerate(zip(record["boxes"], record["box_types"], strict=True)):
            defects.append(Defect(f"{record['id']}#{i}", record["surface"], kind, part, tuple(box), pixels))
    return defects


def rough(box: Box, shape: tuple[int, ...], rng: np.random.Generator) -> Box:
    """A box as a person draws it: each side 10 to 60 % too far out, the whole off by up to 20 %."""
    x0, y0, x1, y1 = box
    width, height = x1 - x0, y1 - y0
    out = rng.uniform(0.1, 0.6, 4)
    dx, dy = rng.uniform(-0.2, 0.2, 2) * (width, height)
    wide, high = (max(side, 0.15 * (width + height)) for side in (width, height))
    left, top = max(0, int(x0 - out[0] * wide + dx)), max(0, int(y0 - out[1] * high + dy))
    right, bottom = int(x1 + out[2] * wide + dx), int(y1 + out[3] * high + dy)
    return (left, top, min(shape[1], max(left + 6, right)), min(shape[0], max(top + 6, bottom)))


def precision(defects: Sequence[Defect], embedder: OfflineEmbedder, *, seed: int = 1) -> dict[str, object]:
    """P@5 of three kinds of query, with chance and milliseconds a query."""
    store = InMemoryCases(embedder)
    for one in defects:
        case = Case(id=one.id, product=one.surface, defect_type=one.type, cause="-", disposition="-", picture="0" * 64,
                    box=one.box, part=one.part)
        store.add(case, pixels=one.pixels)
    rng = np.random.default_rng(seed)
    scores: dict[str, list[float]] = defaultdict(list)
    chances, parts, spent = [], [], []
    for one in defects:
        loose = rough(one.box, one.pixels.shape, rng)
        by_part: dict[str, list[bool]] = defaultdict(list)
        for other in defects:
            if other.part != one.part:
                by_part[other.part].append(other.type == one.type)
        if sum(any(same) for same in by_part.values()) < K:
            continue
        chances.append(float(np.mean([np.mean(same) for same in by_part.values()])))
        parts.append(one.part)
        query = CaseQuery(k=K, exclude_part=one.part)
        started = time.perf_counter()
        found = {"label box": store.search(query, region=cut_out(one.pixels, one.box))}
        spent.append(1000 * (time.perf_counter() - started))
        found["rough box"] = store.search(query, region=cut_out(one.pixels, loose))
        found["whole picture"] = store.search(query, picture=one.pixels)
        for name, hits in found.items():
            scores[name].append(sum(hit.case.defect_type == one.type for hit in hits) / K)
    return {"queries": len(parts), "types": len({d.type for d in defects}), "chance": round(float(np.mean(chances)), 3),
            "ms": round(float(np.median(spent)), 1),
            **{name: [round(float(np.mean(s)), 3), *interval(s, parts)] for name, s in scores.items()}}


def interval(scores: Sequence[float], parts: Sequence[str], rounds: int = 1000) -> tuple[float, float]:
    """95 % bootstrap interval of the mean, drawing parts."""
    names = sorted(set(parts))
    totals = {name: sum(s for s, p in zip(scores, parts, strict=True) if p == name) for name in names}
    sums = np.array([[totals[name], parts.count(name)] for name in names])
    drawn = sums[np.random.default_rng(0).integers(0, len(names), (rounds, len(names)))].sum(axis=1)
    low, high = np.quantile(drawn[:, 0] / drawn[:, 1], [0.025, 0.975])
    return round(float(low), 3), round(float(high), 3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--backbone", type=Path)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    embedder, defects = OfflineEmbedder(options.backbone), labelled(options.manifest)
    groups = {"across surfaces, all but pairs": [d for d in defects if d.surface != "pcb_pair"],
              "printed boards, types of one surface": [d for d in defects if d.surface == "pcb_pair"],
              "drawn, five types on mixed grounds": [Defect(**record) for record in drawn_records()]}
    rows = {name: precision(group, embedder) for name, group in groups.items() if group}
    kinds = ("label box", "rough box", "whole picture")
    print(f"embedder {embedder.name}\n{'P@5':40s}{''.join(f'{kind:>21s}' for kind in kinds)}  chance    n     ms")
    for name, row in rows.items():
        cells = "".join(f"{v[0]:8.2f} [{v[1]:.2f} {v[2]:.2f}]" for v in (row[kind] for kind in kinds))
        print(f"{name:40s}{cells}{row['chance']:8.2f}{row['queries']:5d}{row['ms']:7.1f}")
    if options.json:
        options.json.write_text(json.dumps({"embedder": embedder.name, "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
