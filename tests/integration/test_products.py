"""A product's registered samples: from the command line into an inspection and its trace."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

Kenpin = Callable[..., Any]
YAML = "product: Panel A\nrevision: '3'\nlimits:\n  - {defect: scratch, quantity: length, max: 25, unit: px}\n"


@pytest.fixture
def samples(tmp_path: Path) -> Path:
    """Four pictures of a plain surface."""
    folder = tmp_path / "good"
    folder.mkdir()
    for n in range(4):
        noise = np.random.default_rng(n).normal(150, 4, (120, 160))
        Image.fromarray(np.clip(noise, 0, 255).astype(np.uint8)).convert("RGB").save(folder / f"g{n}.png")
    return folder


@pytest.fixture
def part(tmp_path: Path) -> Path:
    noise = np.random.default_rng(9).normal(150, 4, (120, 160))
    noise[40:80, 70:74] = 60
    path = tmp_path / "part.png"
    Image.fromarray(np.clip(noise, 0, 255).astype(np.uint8)).convert("RGB").save(path)
    return path


def test_samples_are_registered_used_and_told_in_the_trace(kenpin: Kenpin, samples: Path, part: Path) -> None:
    added = kenpin("products", "add", "Panel A", "--good", samples, "--reference", samples / "g0.png")
    assert (added.code, added.out) == (0, "Panel A: 4 good samples, 1 golden samples\n")

    trace = json.loads(kenpin("inspect", part, "Zoom in on the upper left.", "--product", "panel a", "--json").out)
    assert trace["product"] == "Panel A" and len(trace["good"]) == 4
    assert [image["role"] for image in trace["images"]] == ["subject", "reference"]
    plain = json.loads(kenpin("inspect", part, "Zoom in on the upper left.", "--json").out)
    assert plain["product"] is None and plain["good"] == [] and len(plain["images"]) == 1


def test_what_is_given_wins(kenpin: Kenpin, samples: Path, part: Path, tmp_path: Path) -> None:
    kenpin("products", "add", "Panel A", "--good", samples, "--reference", samples / "g0.png")
    one = tmp_path / "one"
    one.mkdir()
    (samples / "g3.png").rename(one / "g3.png")

    trace = json.loads(kenpin("inspect", part, "Zoom in on the upper left.", "--product", "Panel A", "--good", one,
                              "--reference", part, "--json").out)
    assert len(trace["good"]) == 1 and trace["images"][1]["sha256"] == trace["images"][0]["sha256"]


def test_a_criteria_file_brings_its_product(kenpin: Kenpin, samples: Path, part: Path, tmp_path: Path) -> None:
    limits = tmp_path / "panel.yaml"
    limits.write_text(YAML, encoding="utf-8")
    before = json.loads(kenpin("inspect", part, "Zoom in on the upper left.", "--criteria", limits, "--json").out)
    assert before["product"] == "Panel A" and before["good"] == []

    kenpin("products", "add", "panel a", "--good", samples)
    after = json.loads(kenpin("inspect", part, "Zoom in on the upper left.", "--criteria", limits, "--json").out)
    assert after["product"] == "panel a" and len(after["good"]) == 4


def test_a_criteria_file_may_call_its_product_anything(kenpin: Kenpin, part: Path, tmp_path: Path) -> None:
    limits = tmp_path / "panel.yaml"
    limits.write_text(YAML.replace("Panel A", "'../x: y/z'"), encoding="utf-8")
    assert kenpin("inspect", part, "Zoom in on the upper left.", "--criteria", limits).code == 0


def test_products_are_listed_and_removed_only_when_told(kenpin: Kenpin, samples: Path, tmp_path: Path) -> None:
    limits = tmp_path / "panel.yaml"
    limits.write_text(YAML, encoding="utf-8")
    kenpin("products", "add", "Panel A", "--good", samples, "--criteria", limits)

    rows = json.loads(kenpin("products", "list", "--json").out)
    assert [(row["name"], len(row["good"]), row["criteria"]["revision"]) for row in rows] == [("Panel A", 4, "3")]
    assert "panel.yaml, 3" in kenpin("products", "list").out
    refused = kenpin("products", "remove", "Panel A")
    assert refused.code == 2 and "--yes" in refused.line
    assert kenpin("products", "remove", "Panel A", "--yes").out == "Panel A: removed\n"
    assert kenpin("products", "list", "--json").out == "[]\n"


@pytest.mark.parametrize(("args", "said"), [
    (("products", "add", "../x", "--good", "GOOD"), "cannot name a product"),
    (("products", "add", "panel"), "would hold nothing"),
    (("products", "add", "panel", "--good", "EMPTY"), "1 to 50 good samples"),
    (("products", "add", "panel", "--good", "missing"), "is no folder"),
    (("products", "add", "panel", "--reference", "missing.png"), "there is no such file"),
    (("products", "add", "panel", "--criteria", "missing.yaml"), "there is no such criteria file"),
    (("products", "remove", "panel", "--yes"), "there is no product 'panel'"),
    (("inspect", "PART", "Look for scratches.", "--product", "panel"), "there is no product 'panel'; registered: none"),
    (("chat", "PART", "--product", "a/b"), "cannot name a product")])
def test_errors_are_one_clear_line(kenpin: Kenpin, samples: Path, part: Path, tmp_path: Path, args: tuple[str, ...],
                                   said: str) -> None:
    (tmp_path / "empty").mkdir()
    files = {"GOOD": samples, "PART": part, "EMPTY": tmp_path / "empty"}
    ran = kenpin(*(files.get(arg, arg) for arg in args))
    assert ran.code == 2 and said in ran.line


@pytest.mark.parametrize(("lang", "words"), [("en", ("Product", "Good samples")), ("ja", ("製品", "良品サンプル"))])
def test_the_report_names_the_product_and_its_samples(
    kenpin: Kenpin, samples: Path, part: Path, tmp_path: Path, lang: str, words: tuple[str, str]
) -> None:
    kenpin("products", "add", "Panel (B)", "--good", samples)
    report = tmp_path / "report.html"
    done = kenpin("inspect", part, "Zoom in on the upper left.", "--product", "Panel (B)", "--report", report, "--lang", lang)
    html = report.read_text(encoding="utf-8")
    assert done.code == 0 and all(f"<th>{word}</th>" in html for word in words) and "Panel (B)" in html and "4: " in html
