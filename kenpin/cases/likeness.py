"""How alike a case is to what is asked: one rule for every store, so that all of them rank the same way."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from kenpin.contracts.case import SURROUNDINGS, Case, CaseHead, CaseHit, CaseQuery
from kenpin.contracts.ports import Embedder
from kenpin.contracts.view import Box, RgbImage

Part = Literal["region", "picture", "words"]
PARTS: tuple[Part, ...] = ("region", "picture", "words")
Vectors = NDArray[np.float32]
"""(N, D) unit vectors of one part of a case; a part may be described by several."""

WEIGHTS: dict[Part, float] = {"region": 0.55, "picture": 0.25, "words": 0.2}
"""A region that a person drew says most, the whole picture mostly says which product it is."""

MARGINS = (0.0, 0.15, 0.3, 0.6, 1.0)
"""A case's region is stored with these margins (shares of its longer side), since a person's box is never tight."""

LOOKS: tuple[Part, Part] = ("picture", "region")
"""What is the same where one case is a copy of another; `same` of the embedder, if it has it, gives the cosines."""

SMALLEST_SIDE = 12
"""A region is widened to this many px; less shows nothing of its surroundings."""


@dataclass(frozen=True)
class Asked:
    """A query as vectors; None where a part was not asked for."""

    region: Vectors | None = None
    picture: Vectors | None = None
    words: Vectors | None = None

    def given(self) -> tuple[tuple[Part, Vectors], ...]:
        """The parts that were asked for, weightiest first."""
        return tuple((part, vectors) for part in PARTS if (vectors := getattr(self, part)) is not None)


def cut_outs(pixels: RgbImage, box: Box | None) -> tuple[RgbImage, ...]:
    """The region of a case with several margins; the whole picture if no region is known."""
    if box is None:
        return (pixels, without_surroundings(pixels))
    return tuple(with_margin(pixels, box, margin) for margin in MARGINS)


def with_margin(pixels: RgbImage, box: Box, margin: float) -> RgbImage:
    """Cut a box and a margin (a share of its longer side) out of (H, W, 3) pixels, inside the picture."""
    height, width = pixels.shape[:2]
    x0, y0, x1, y1 = box
    side = max(x1 - x0, y1 - y0, SMALLEST_SIDE)
    pad_x = max(margin * side, (SMALLEST_SIDE - (x1 - x0)) / 2)
    pad_y = max(margin * side, (SMALLEST_SIDE - (y1 - y0)) / 2)
    left, top = max(0, round(x0 - pad_x)), max(0, round(y0 - pad_y))
    left, top = min(left, width - 1), min(top, height - 1)
    return pixels[top:max(top + 1, min(height, round(y1 + pad_y))), left:max(left + 1, min(width, round(x1 + pad_x)))]


def without_surroundings(cut: RgbImage) -> RgbImage:
    """A region as it was asked for (`SURROUNDINGS`), without what was cut out around it.

    A box that a person draws is too wide by nobody knows how much, so a query looks at both.
    """
    height, width = cut.shape[:2]
    pad = round(SURROUNDINGS / (1 + 2 * SURROUNDINGS) * max(height, width))
    pad_y, pad_x = (max(0, min(pad, (side - SMALLEST_SIDE) // 2)) for side in (height, width))
    return cut[pad_y:height - pad_y, pad_x:width - pad_x]


def case_texts(case: Case) -> tuple[str, ...]:
    """What a case says, field by field, so that a short query is not drowned in a long note."""
    fields = (f"{case.defect_type} {case.product}", case.cause, case.disposition, case.note)
    return tuple(text for text in fields if text.strip())


def describe_case(embedder: Embedder, case: Case, pixels: RgbImage) -> dict[Part, Vectors]:
    """All vectors of a case; `pixels` is the whole picture."""
    looks = _looks(embedder, [*cut_outs(pixels, case.box), pixels])
    return {"region": looks[:-1], "picture": looks[-1:], "words": _said(embedder, case_texts(case))}


def describe_query(embedder: Embedder, query: CaseQuery, *, region: RgbImage | None, picture: RgbImage | None) -> Asked:
    """The query as vectors."""
    crops = () if region is None else (region, without_surroundings(region))
    shown = [*crops, *([] if picture is None else [picture])]
    looks = _looks(embedder, shown) if shown else np.zeros((0, 0), np.float32)
    return Asked(region=looks[:len(crops)] if crops else None,
                 picture=None if picture is None else looks[len(crops):],
                 words=_said(embedder, [query.words]) if query.words and query.words.strip() else None)


def _looks(embedder: Embedder, pictures: Sequence[RgbImage]) -> Vectors:
    """(N, D) of pictures; at once where the embedder can."""
    many: Callable[[Sequence[RgbImage]], Vectors] | None = getattr(embedder, "pictures", None)
    return many(pictures) if many else np.stack([embedder.picture(pixels) for pixels in pictures])


def _said(embedder: Embedder, texts: Sequence[str]) -> Vectors:
    """(N, D) of texts; at once where the embedder can."""
    many: Callable[[Sequence[str]], Vectors] | None = getattr(embedder, "texts", None)
    return many(texts) if many else np.stack([embedder.words(text) for text in texts])


def passes(case: Case | CaseHead, query: CaseQuery) -> bool:
    """Whether a case passes the filters, which are exact."""
    filters = ("product", "defect_type", "disposition")
    return (all(getattr(query, name) in {None, getattr(case, name)} for name in filters)
            and (query.exclude_part is None or case.part != query.exclude_part))


def fold_key(case: Case) -> str:
    """Cases of one part, or of one picture where the part is not known, are shown once."""
    return f"part:{case.part}" if case.part else f"picture:{case.picture}"


def ranked(candidates: Iterable[tuple[Case, dict[Part, Vectors]]], asked: Asked, query: CaseQuery,
           embedder: Embedder) -> list[CaseHit]:
    """Best cases first, one for each part, at most `query.k`. `candidates` bring the parts asked for, and `LOOKS`.

    Likeness is the weighted mean over the parts that were asked for, stretched so that unrelated pictures (`baseline`
    of the embedder) come out at 0. Below it the order still follows the cosine.
    """
    given = asked.given()
    total = sum(WEIGHTS[part] for part, _ in given)
    base = baselines(embedder) or getattr(embedder, "prior", {})
    scored = []
    for case, vectors in candidates:
        if not passes(case, query):
            continue
        score = sum(WEIGHTS[part] * stretched(alike(vectors[part], wanted), base[part]) for part, wanted in given)
        scored.append((round(score / total, 4) if given else 0.0, case, vectors))
    scored.sort(key=lambda one: (-one[0], one[1].id))
    return folded(scored, asked, query.k, embedder)


def folded(scored: Iterable[tuple[float, Case, Mapping[Part, Vectors]]], asked: Asked, k: int,
           embedder: Embedder) -> list[CaseHit]:
    """The first `k` of ranked cases that are no further exposure, and no copy, of a part already there.

    Two cases whose parts are both named are no copies of each other, however alike they look.
    """
    by = "+".join(part for part, _ in asked.given()) or "filters"
    hits: dict[str, CaseHit] = {}
    kept: list[tuple[Case, Mapping[Part, Vectors]]] = []
    same: Mapping[Part, float] = getattr(embedder, "same", {})
    for score, case, vectors in scored:
        if len(hits) == k:
            break
        if fold_key(case) in hits or any(_copies(case, vectors, *other, same) for other in kept):
            continue
        hits[fold_key(case)] = CaseHit(case=case, likeness=min(1.0, max(0.0, score)), by=by)
        kept.append((case, vectors))
    return list(hits.values())


def _copies(case: Case, vectors: Mapping[Part, Vectors], other: Case, theirs: Mapping[Part, Vectors],
            same: Mapping[Part, float]) -> bool:
    """Whether two cases show the same defect in the same place: saved again, moved a little, a little brighter."""
    if (case.part and other.part) or not _overlap(case.box, other.box):
        return False
    return all(part in same and float(vectors[part][0] @ theirs[part][0]) >= same[part] for part in LOOKS)


def _overlap(one: Box | None, other: Box | None) -> bool:
    """Whether two boxes cover half of their union, or neither case has one."""
    if one is None or other is None:
        return one is other
    wide, high = (min(one[i + 2], other[i + 2]) - max(one[i], other[i]) for i in (0, 1))
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    shared = max(wide, 0) * max(high, 0)
    return 2 * shared >= sum(areas) - shared


def alike(vectors: Vectors, wanted: Vectors) -> float:
    """Cosine of each vector asked for with the best of a case's, on average."""
    return float((wanted @ vectors.T).max(axis=1).mean())


def baselines(embedder: Embedder) -> Mapping[Part, float] | None:
    """Cosines that unrelated cases have, as the embedder knows them; None if they are to be measured in the store."""
    if (baseline := getattr(embedder, "baseline", 0.0)) is None:
        return None
    return {"region": float(baseline), "picture": float(baseline), "words": 0.0}


def stretched(cosine: float, baseline: float) -> float:
    """Cosine over the baseline; negative below it."""
    over = cosine - baseline
    return over / (1.0 - baseline) if over > 0 else over


def stretched_all(cosines: NDArray[np.float32], baseline: float) -> NDArray[np.float64]:
    """(N,) as `stretched`, of many at once."""
    over = cosines.astype(np.float64) - baseline
    return np.where(over > 0, over / (1.0 - baseline), over)
