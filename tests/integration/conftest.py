"""Fixtures of the command line: a data folder, files to give to commands, and a way to run them."""

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import pytest
from PIL import Image

from kenpin import cli


class Ran(NamedTuple):
    """What a command came to."""

    code: int
    out: str
    err: str

    @property
    def line(self) -> str:
        """The one line of an error."""
        assert self.out == "" and self.err.endswith("\n") and self.err.count("\n") == 1, self
        assert self.err.startswith("kenpin: ") and "Traceback" not in self.err and len(self.err) < 400
        return self.err.removeprefix("kenpin: ").strip()


Kenpin = Callable[..., Ran]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty data folder."""
    folder = tmp_path / "検品 home"
    monkeypatch.setenv("KENPIN_HOME", str(folder))
    for name in ("KENPIN_PLANNER", "KENPIN_LANG"):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture
def kenpin(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Kenpin:
    """Run a command in this process, through the entry point that the `kenpin` script calls."""

    def run(*args: object, stdin: str = "") -> Ran:
        monkeypatch.setattr(sys, "argv", ["kenpin", *map(str, args)])
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        with pytest.raises(SystemExit) as ended:
            cli.main()
        seen = capsys.readouterr()
        return Ran(int(ended.value.code or 0), seen.out, seen.err)

    return run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, house: ModuleType) -> Path:
    """Pictures and files to give to commands."""
    base = tmp_path_factory.mktemp("files") / "検査 画像"
    (base / "good").mkdir(parents=True)
    plate: np.ndarray = house.plate(320, 240)
    Image.fromarray(plate).save(base / "部品 A.png")
    scratched = plate.copy()
    for i in range(90):
        scratched[140 + i // 6 : 143 + i // 6, 80 + i] = 20
    Image.fromarray(scratched).save(base / "part.png")
    Image.fromarray(plate).save(base / "good" / "1.png")
    (base / "part.jpg").write_bytes((base / "part.png").read_bytes()[:4000])
    (base / "empty.png").write_bytes(b"")
    (base / "text.png").write_text("not a picture")
    (base / "bad.yaml").write_text("limits: [")
    (base / "good.yaml").write_text(
        "product: A\nrevision: '7'\nlimits: [{defect: scratch, quantity: length, max: 5, unit: mm}]"
    )
    expect: dict[str, Any] = {"tools": ["zoom"], "region": "lower left", "not_tools": ["detect"]}
    right, wrong = (
        {"id": i, "image": "part.png", "turns": [{"say": "Zoom in on the lower left.", "expect": {**expect, **more}}]}
        for i, more in (("a", {}), ("b", {"text": "^never$"}))
    )
    (base / "suite.jsonl").write_text("\n".join(map(json.dumps, (right, wrong))))
    (base / "bad.jsonl").write_text('{"id": 1}')
    (base / "gone.jsonl").write_text(json.dumps({**right, "image": "gone.png"}))
    return base
