"""Past cases: of five that are recalled for a defect, how many are of its type, with its own part left out."""

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np

from kenpin.cases.memory import InMemoryCases
from kenpin.contracts.case import Case, CaseQuery
from kenpin.contracts.ports import Embedder
from kenpin.contracts.view import Box, RgbImage
from kenpin.evaluate.benchmark.manifest import Labelled, PackageMissing, Record
from kenpin.evaluate.benchmark.metrics import mean_figure
from kenpin.evaluate.benchmark.rows import Row
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
    shown: Callable[[], RgbImage]
    """Reads the picture: hundreds of them would not fit into memory at once."""

    @property
    def pixels(self) -> RgbImage:
        return self.shown()


def labelled(data: Labelled, records: Sequence[Record]) -> list[Defect]:
    """Every labelled box with a type whose picture can be read."""
    defects = []
    by_id = {record.id: record for record in records}
    read = lru_cache(maxsize=4)(lambda name: data.picture(by_id[name]))
    for record in records:
        if record.label != "ng" or not record.boxes or not record.box_types:
            continue
        try:
            data.place(record)
        except PackageMissing:
            continue  # counted where the picture is inspected
        defects += [Defect(f"{record.id}#{i}", record.surface, kind, data.part(record), box, partial(read, record.id))
                    for i, (box, kind) in enumerate(zip(record.boxes, record.box_types, strict=True))]
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


def chance(one: Defect, defects: Sequence[Defect]) -> float | None:
    """Share of its type among the other parts' defects, every part counting once; None below `K` parts with it."""
    by_part: dict[str, list[bool]] = defaultdict(list)
    for other in defects:
        if other.part != one.part:
            by_part[other.part].append(other.type == one.type)
    if sum(any(same) for same in by_part.values()) < K:
        return None
    return float(np.mean([np.mean(same) for same in by_part.values()]))


def filled(defects: Sequence[Defect], embedder: Embedder, boxes: Mapping[str, Box] | None = None) -> InMemoryCases:
    """A case base of defects, marked by their labels' boxes or by these."""
    store = InMemoryCases(embedder)
    for one in defects:
        case = Case(id=one.id, product=one.surface, defect_type=one.type, cause="-", disposition="-", picture="0" * 64,
                    box=boxes[one.id] if boxes else one.box, part=one.part)
        store.add(case, pixels=one.pixels)
    return store


def retrieve(surface: str, defects: Sequence[Defect], embedder: Embedder, *, seed: int = 1) -> Row | None:
    """P@5 by the label's box, by a rough box and by the whole picture, with chance beside it.

    Every defect becomes a case. A query whose type lies on fewer than five other parts is left out. Hits of one part
    are folded, so that exposures of one part are one hit.
    """
    chances = {one.id: share for one in defects if (share := chance(one, defects)) is not None}
    asked = [one for one in defects if one.id in chances]
    if len({d.type for d in defects}) < 2 or not asked:
        return None
    store = filled(defects, embedder)
    rng = np.random.default_rng(seed)
    hits: dict[str, list[float]] = defaultdict(list)
    for one in asked:
        pixels, query = one.pixels, CaseQuery(k=K, exclude_part=one.part)
        loose = cut_out(pixels, rough(one.box, pixels.shape, rng))
        started = time.perf_counter()
        found = {"rough_box": store.search(query, region=loose)}
        hits["ms"].append(1000 * (time.perf_counter() - started))
        found["label_box"] = store.search(query, region=cut_out(pixels, one.box))
        found["whole_picture"] = store.search(query, picture=pixels)
        for name, cases in found.items():
            hits[f"p5_{name}"].append(sum(hit.case.defect_type == one.type for hit in cases) / K)
        hits["chance"].append(chances[one.id])
    parts = [one.part for one in asked]
    counts = {"queries": len(asked), "cases": len(defects), "types": len({d.type for d in defects})}
    return Row(surface, "retrieval", counts, {name: mean_figure(values, parts) for name, values in hits.items()})
