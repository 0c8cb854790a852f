"""Learn from drawn defects what tells defect types apart, and write it to a file.

    python bench/learn_likeness.py --out FILE.npz [--without SET] [--seeds 1 2]

Every defect of the drawn sets is described by its label box and by two kinds of boxes that a person might draw, each
with three margins. What differs within a type (shape of the box, light, size, ground) is then played down. `--without`
leaves one set out, so that it can be measured on a surface and on types that were never seen.
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from recall_drawn import drawn_records
from recall_tiles import SETS, tile_records

from kenpin.cases.backbone import Backbone
from kenpin.cases.embed_offline import describe
from kenpin.cases.learnt import RIDGE, Learnt
from kenpin.cases.likeness import with_margin
from kenpin.contracts.view import Box
from kenpin.evaluate.benchmark.retrieval import rough
from tools.detection.backbone import WEIGHTS

DIM = 128
MARGINS = (0.0, 0.15, 0.3)
Values = NDArray[np.float64]
Group = tuple[str, tuple[Values, Values, Values]]
"""A defect type of a set, and the (N, F), (N, C), (N, C) descriptions of its defects."""


def looser(box: Box, shape: tuple[int, ...], rng: np.random.Generator) -> Box:
    """A box drawn in haste: a rough one of a rough one."""
    return rough(rough(box, shape, rng), shape, rng)


def groups(seeds: Sequence[int], without: str | None, backbone: Backbone) -> Iterator[Group]:
    """Descriptions by set and type."""
    rng = np.random.default_rng(0)
    for name in ("mixed", *SETS):
        if name == without:
            continue
        by_type: dict[str, list[tuple[Values, Values, Values]]] = {}
        for seed in seeds:
            for one in drawn_records(20, seed) if name == "mixed" else tile_records(name, seed=seed):
                pixels, box = one["pixels"], one["box"]
                boxes = (box, rough(box, pixels.shape, rng), looser(box, pixels.shape, rng))
                by_type.setdefault(one["type"], []).extend(
                    describe(backbone, with_margin(pixels, b, m)) for b in boxes for m in MARGINS)
        for kind, rows in by_type.items():
            form, difference, look = (np.stack(part) for part in zip(*rows, strict=True))
            yield f"{name}/{kind}", (form, difference, look)


def learn(found: Sequence[Group]) -> Learnt:
    """Whiten by the scatter within the groups, then keep the `DIM` widest directions."""
    form, look = (np.concatenate([parts[i] for _, parts in found]).mean(axis=0) for i in (0, 2))
    size = len(form) + 2 * len(look)
    start = Learnt(form, look, np.zeros(size), np.eye(size))
    joined = [start.joined(*parts) for _, parts in found]
    everything = np.concatenate(joined)
    within = np.concatenate([rows - rows.mean(axis=0) for rows in joined])
    values, axes = np.linalg.eigh(within.T @ within / len(within))
    values = np.clip(values, 0, None)
    white = (axes * (values + RIDGE * values.mean()) ** -0.5) @ axes.T
    mean = everything.mean(axis=0)
    spread = (everything - mean) @ white
    _, widest = np.linalg.eigh(spread.T @ spread)
    return Learnt(form, look, mean, white @ widest[:, ::-1][:, :DIM])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--without", choices=("mixed", *SETS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    options = parser.parse_args()
    cv2.setNumThreads(1)
    learnt = learn(list(groups(options.seeds, options.without, Backbone(WEIGHTS))))
    scale = np.abs(learnt.projection).max()
    kept = {"form_mean": learnt.form_mean, "look_mean": learnt.look_mean, "mean": learnt.mean,
            "projection": learnt.projection / scale}
    np.savez(options.out, **{name: values.astype(np.float16 if name == "projection" else np.float32)
                             for name, values in kept.items()})


if __name__ == "__main__":
    main()
