"""`kenpin benchmark` from outside: a folder of drawn pictures with their labels, its figures, predictions and refusals."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from bench.drawn_parts import part

FAULTS = ("crack", "stain", "dent", "scratch")


def saved(path: Path, rgb) -> str:
    assert cv2.imwrite(str(path), rgb if rgb.ndim == 2 else cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
    return path.name


def washers(number: int):
    grey = np.full((240, 320), 210, np.uint8)
    for i in range(number):
        cv2.circle(grey, (45 + 75 * (i % 4), 60 + 90 * (i // 4)), 24, 60, -1, cv2.LINE_AA)
    return cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB)


def board(*, missing: bool):
    grey = np.full((200, 260), 40, np.uint8)
    for i in range(4):
        cv2.rectangle(grey, (20 + 60 * i, 30), (55 + 60 * i, 90), 200, -1)
    for i in range(3):
        cv2.putText(grey, f"R{i}", (20 + 80 * i, 150), cv2.FONT_HERSHEY_SIMPLEX, 1, 170, 2)
    if missing:
        grey[28:93, 138:178] = 40
    return cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB)


def chessboard():
    grey = np.full((300, 360), 235, np.uint8)
    for i in range(6):
        for j in range(7):
            if (i + j) % 2 == 0:
                grey[45 + 35 * i:80 + 35 * i, 55 + 35 * j:90 + 35 * j] = 20
    return cv2.cvtColor(cv2.GaussianBlur(grey, (0, 0), 0.8), cv2.COLOR_GRAY2RGB)


@pytest.fixture(scope="module")
def labelled(tmp_path_factory) -> Path:
    """A manifest beside its pictures."""
    folder = tmp_path_factory.mktemp("labelled")
    (folder / "masks").mkdir()
    records: list[dict[str, Any]] = []
    for i in range(7):
        records.append({"id": f"ok{i}", "task": "inspect", "surface": "ceramic", "label": "ok",
                        "path": saved(folder / f"ok{i}.png", part("ceramic", 100 + i).pixels)})
    for i, fault in enumerate(FAULTS):
        drawn = part("ceramic", 1000 + i, fault=fault)
        saved(folder / "masks" / f"ng{i}.png", drawn.mask.astype(np.uint8) * 255)
        records.append({"id": f"ng/{i}", "task": "inspect", "surface": "ceramic", "label": "ng", "group": f"g{i}",
                        "path": saved(folder / f"ng{i}.png", drawn.pixels), "mask": f"masks/ng{i}.png",
                        "boxes": [list(b) for b in drawn.boxes], "box_types": [fault] * len(drawn.boxes)})
    saved(folder / "golden.png", board(missing=False))
    for name, missing in (("whole", False), ("part_missing", True)):
        records.append({"id": name, "task": "pair", "surface": "board", "label": "ng" if missing else "ok",
                        "path": saved(folder / f"{name}.png", board(missing=missing)), "template": "golden.png",
                        "boxes": [[140, 30, 176, 91]] if missing else [], "box_types": ["missing"] if missing else []})
    records.append({"id": "tray", "task": "count", "surface": "tray", "label": None, "truth": {"washers": 7},
                    "path": saved(folder / "tray.png", washers(7))})
    records.append({"id": "squares", "task": "measure", "surface": "squares", "label": None,
                    "truth": {"square_mm": 10}, "path": saved(folder / "squares.png", chessboard())})
    records.append({"id": "pitch", "task": "measure", "surface": "squares", "label": None, "scale_px_per_mm": 5.0,
                    "path": saved(folder / "pitch.png", chessboard()), "truth": {"measures": [
                        {"quantity": "distance", "points": [[90, 80], [160, 80]], "value": 14.0}]}})
    records.append({"id": "sealed", "task": "inspect", "surface": "sealed", "label": "ok", "path": None,
                    "package": {"pypi": "no-such-package==1", "file": "no_such_package/a.png"}})
    records.append({"id": "grass", "task": "texture", "surface": "grass", "label": "ok", "path": "ok0.png"})
    manifest = folder / "manifest.jsonl"
    manifest.write_text("\n".join(json.dumps(r) for r in records), encoding="utf-8")
    return manifest


@pytest.fixture(scope="module")
def reported(labelled, tmp_path_factory):
    """The JSON of one run with four good samples, and its predictions by id."""
    from kenpin.cases.embed_offline import OfflineEmbedder
    from kenpin.evaluate.benchmark.manifest import read_manifest
    from kenpin.evaluate.benchmark.predictions import Writer
    from kenpin.evaluate.benchmark.run import run_benchmark

    target = tmp_path_factory.mktemp("said") / "predictions.jsonl"
    with Writer(target) as writer:
        outcome = run_benchmark(read_manifest(labelled), embedder=OfflineEmbedder(), writer=writer, good=4)
    lines = [json.loads(line) for line in target.read_text(encoding="utf-8").splitlines()]
    return outcome.report(), {line["id"]: line for line in lines}, target.parent


def row(report, task, surface=None):
    return next(r for r in report["rows"] if r["task"] == task and surface in (None, r["surface"]))


def test_surfaces_are_scored_with_good_samples_that_are_never_scored(reported):
    report, said, _ = reported
    figures = row(report, "inspect", "ceramic")
    assert figures["counts"] == {"ok": 3, "ng": 4, "good": 4}
    assert len(figures["good"]) == 4 and not set(figures["good"]) & set(said)
    values = {name: f["value"] for name, f in figures["figures"].items()}
    assert values["picture_auroc"] >= 0.9 and values["pixel_auroc"] >= 0.85
    for f in figures["figures"].values():
        assert f["value"] is None or (f["low"] <= f["value"] + 1e-9 and f["value"] <= f["high"] + 1e-9)


def test_pairs_counts_and_sizes_are_scored(reported):
    report, said, _ = reported
    pairs = row(report, "pair")["figures"]
    assert pairs["recall"]["value"] == 1 and pairs["recall_typed"]["value"] == 1 and pairs["overkill"]["value"] == 0
    assert said["part_missing"]["boxes"] and said["whole"]["boxes"] == []
    assert row(report, "count")["figures"]["exact"]["value"] == 1 and said["tray"]["count"] == 7
    sizes = row(report, "measure")
    assert sizes["counts"]["measures"] > 40 and sizes["figures"]["median_error"]["value"] < 0.01


def test_what_cannot_be_scored_is_counted(reported):
    report, _, _ = reported
    assert report["skipped"] == {"needs the package no-such-package==1": 1, "task 'texture' is not benchmarked": 1}


def test_predictions_follow_the_contract(reported):
    _, said, folder = reported
    line = said["ng/0"]
    assert {"id", "task", "score", "boxes", "box_scores", "box_types", "map", "count", "ms"} <= set(line)
    assert line["task"] == "inspect" and line["ms"] > 0 and line["count"] is None
    assert len(line["boxes"]) == len(line["box_scores"]) == len(line["box_types"])
    drawn = cv2.imread(str(folder / line["map"]), cv2.IMREAD_UNCHANGED)
    assert drawn.dtype == np.uint16 and drawn.shape == part("ceramic", 1000).pixels.shape[:2]
    ok = [s["score"] for i, s in said.items() if i.startswith("ok")]
    assert max(ok) < max(s["score"] for i, s in said.items() if i.startswith("ng/"))


def test_the_command_prints_tables_and_writes_json(kenpin, labelled, tmp_path):
    done = kenpin("benchmark", labelled, "--task", "pair", "--task", "count", "--save", tmp_path / "figures.json")
    assert done.code == 0 and "F1 with type" in done.out and "count" in done.out
    report = json.loads((tmp_path / "figures.json").read_text(encoding="utf-8"))
    assert {r["task"] for r in report["rows"]} == {"pair", "count"}
    as_json = kenpin("benchmark", labelled, "--surface", "tray", "--json")
    assert row(json.loads(as_json.out), "count")["counts"] == {"pictures": 1, "counts": 1}


@pytest.mark.parametrize(("line", "says"), [
    ("{", "line 2: is not JSON"), ('{"task": "inspect"}', "line 2: id: Field required"),
    ('{"id": "a", "task": "count", "path": "ok0.png", "boxes": [[5, 5, 4, 9]]}', "expected x0 < x1"),
    ('{"id": "a", "task": "count", "path": "ok0.png", "boxes": [[1, 1, 4, 9]], "box_types": []}', "1 boxes and 0 types"),
    ('{"id": "tray", "task": "count", "path": "ok0.png"}', "stands twice"),
    ('{"id": "a", "task": "count", "path": "../../etc/hosts", "truth": {"x": 1}}', "outside the manifest's folder"),
    ('{"id": "a", "task": "count", "path": "tray.png", "sha256": "0", "truth": {"x": 1}}', "not the picture that was"),
    ('{"id": "a", "task": "measure", "path": "pitch.png", "truth": {"measures": [{"quantity": "girth"}]}}',
     "a: truth.measures"),
    ('{"id": "a", "task": "count", "path": "gone.png", "truth": {"x": 1}}', "a: there is no such file")])
def test_a_bad_manifest_is_one_line(kenpin, labelled, line, says):
    bad = labelled.parent / "bad.jsonl"
    first = '{"id": "tray", "task": "count", "surface": "tray", "truth": {"washers": 7}, "path": "tray.png"}'
    bad.write_text(f"{first}\n{line}\n", encoding="utf-8")
    done = kenpin("benchmark", bad)
    assert done.code == 2 and says in done.line


@pytest.mark.parametrize(("options", "says"), [
    (["--surface", "moon"], "there is no surface 'moon'"), (["--task", "dance"], "expected inspect, pair"),
    (["--part", "("], "no regular expression"), (["--good", "60"], "less than or equal to 50")])
def test_a_wrong_option_is_one_line(kenpin, labelled, options, says):
    done = kenpin("benchmark", labelled, *options)
    assert done.code == 2 and says in done.line
