"""`kenpin inspect`: clean output, exit codes, and one line for everything that is wrong."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kenpin.contracts.trace import Trace

Kenpin = Callable[..., Any]


def nothing_stored(home: Path) -> bool:
    """Whether nothing of what was given is there: an empty database and a key are an installation that was opened."""
    return not [
        path for path in home.rglob("*") if path.is_file() and "sqlite" not in path.name and path.name != "master.key"
    ]


def test_json_is_the_trace_and_nothing_else(kenpin: Kenpin, folder: Path) -> None:
    ran = kenpin("inspect", folder / "部品 A.png", "左下を拡大して", "--json", "--mm-per-px", "0.25")

    trace = Trace.model_validate_json(ran.out)
    assert (ran.code, ran.err, ran.out.count("\n")) == (0, "", 1)
    assert trace.turns[0].say == "左下を拡大して" and trace.images[0].mm_per_px == 0.25
    assert [step.tool for step in trace.turns[0].steps] == ["zoom"] and trace.turns[0].steps[0].boxes == (
        (0, 120, 160, 240),
    )
    assert trace.planner.backend == "embedded"


def test_steps_and_answer_are_shown(kenpin: Kenpin, folder: Path) -> None:
    ran = kenpin("inspect", folder / "part.png", "Zoom in on the upper right and read the text")

    assert ran.code == 0 and ran.err == ""
    assert "planner: embedded" in ran.out and "[1]" in ran.out and "zoom" in ran.out
    assert "v1" in ran.out and "[160, 0, 320, 120]" in ran.out


def test_a_verdict_can_set_the_exit_code(kenpin: Kenpin, folder: Path) -> None:
    asked = (
        folder / "part.png",
        "Is it OK? Look for scratches.",
        "--mm-per-px",
        0.25,
        "--criteria",
        folder / "good.yaml",
    )

    told = kenpin("inspect", *asked, "--json")
    verdict = Trace.model_validate_json(told.out).turns[0].answer
    assert told.code == 0 and verdict and verdict.verdict in ("ng", "uncertain")
    assert kenpin("inspect", *asked, "--fail-on", "uncertain").code == 1
    assert kenpin("inspect", *asked, "--fail-on", "ng", "--json").code == (1 if verdict.verdict == "ng" else 0)


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["nothing.png", "Look"], "there is no such file"),
        (["empty.png", "Look"], "empty.png: the file is empty"),
        (["text.png", "Look"], "text.png: is not a picture"),
        (["part.jpg", "Look"], "part.jpg: the picture is damaged or cut off"),
        (["good", "Look"], "is a folder"),
        (["part.png", ""], "the instruction is empty"),
        (["part.png", "  　 "], "the instruction is empty"),
        (["part.png", "a" * 20_000], "20000 characters; at most 8000"),
        (["part.png", "傷" * 20_000], "20000 characters; at most 8000"),
        (["part.png", "caf\udce9"], "not UTF-8"),
        (["part.png", "Look", "--criteria", "bad.yaml"], "bad.yaml: is not YAML"),
        (["part.png", "Look", "--criteria", "none.yaml"], "there is no such criteria file"),
        (["part.png", "Look", "--reference", "text.png"], "text.png: is not a picture"),
        (["part.png", "Look", "--good", "part.png"], "is no folder; --good takes a folder"),
        (["part.png", "Look", "--good", "."], "empty.png: the file is empty"),
        (["part.png", "Look", "--mm-per-px", "0"], "expected millimetres per pixel"),
        (["part.png", "Look", "--mm-per-px", "nan"], "expected millimetres per pixel"),
        (["part.png", "Look", "--mm-per-px", "wide"], "--mm-per-px"),
        (["part.png", "Look", "--lang", "de"], "--lang"),
        (["part.png", "Look", "--planner", "gpt"], "planner"),
        (["part.png", "Look", "--fail-on", "ok"], "--fail-on"),
        (["part.png", "Look", "--loud"], "No such option"),
        (["part.png"], "Missing argument"),
        (["part.png", "Look", "twice"], "unexpected extra argument"),
    ],
)
def test_bad_input_is_one_line_and_stores_nothing(
    kenpin: Kenpin, folder: Path, home: Path, monkeypatch: pytest.MonkeyPatch, args: list[str], says: str
) -> None:
    monkeypatch.chdir(folder)

    ran = kenpin("inspect", *args)

    assert ran.code == 2 and says in ran.line
    assert nothing_stored(home)


def test_boxes_refer_to_the_upright_picture(kenpin: Kenpin, folder: Path, tmp_path: Path) -> None:
    with Image.open(folder / "part.png") as opened:
        upright = opened.copy()
    exif = Image.Exif()
    exif[0x0112] = 6  # stored lying on its left side
    upright.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "turned.png", exif=exif)

    seen = []
    for path in (folder / "part.png", tmp_path / "turned.png"):
        seen.append(Trace.model_validate_json(kenpin("inspect", path, "Zoom in on the lower left", "--json").out))

    assert seen[0].images[0].sha256 == seen[1].images[0].sha256
    assert seen[1].images[0].notes == ("turned upright by its EXIF orientation",)
    assert seen[0].turns[0].steps[0].boxes == seen[1].turns[0].steps[0].boxes == ((0, 120, 160, 240),)


@pytest.mark.parametrize(
    ("name", "mode", "note"),
    [
        ("a.jpg", "CMYK", "converted from CMYK; colours are approximate"),
        ("a.png", "I;16", "reduced to 8 bit from 0..65535, 65535 is white"),
        ("a.png", "LA", "transparent parts shown on white"),
        ("a.gif", "P", None),
        ("a.bmp", "1", None),
    ],
)
def test_unusual_pictures_go_through_a_turn(
    kenpin: Kenpin, folder: Path, tmp_path: Path, name: str, mode: str, note: str | None
) -> None:
    with Image.open(folder / "part.png") as opened:
        image = opened.copy()
    if mode == "I;16":
        image = Image.fromarray(np.linspace(0, 65535, 320 * 240).round().astype(np.uint16).reshape(240, 320))
    elif mode == "LA":
        image = image.convert("LA")
        image.putalpha(128)
    else:
        image = image.convert(mode)
    image.save(tmp_path / name)

    trace = Trace.model_validate_json(kenpin("inspect", tmp_path / name, "Zoom in on the lower left", "--json").out)

    assert trace.images[0].notes == ((note,) if note else ())
    assert [(s.tool, s.status) for s in trace.turns[0].steps] == [("zoom", "ok")]


@pytest.mark.parametrize(
    "args",
    [
        ["polish"],
        ["cases"],
        ["cases", "search"],
        ["cases", "search", "x", "--k", "0"],
        ["--loud"],
        ["ui", "--port", "many"],
    ],
)
def test_wrong_usage_is_one_line(kenpin: Kenpin, args: list[str]) -> None:
    ran = kenpin(*args)

    assert ran.code == 2 and ran.line


def test_a_planner_that_does_not_answer_is_exit_3(
    kenpin: Kenpin, folder: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KENPIN_VLLM_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("KENPIN_VLLM_RETRIES", "0")

    ran = kenpin("inspect", folder / "part.png", "Look", "--planner", "vllm")

    assert ran.code == 3 and "http://127.0.0.1:9/v1" in ran.line and nothing_stored(home)


@pytest.mark.parametrize("command", [["inspect", "part.png", "Look"], ["chat", "part.png"], ["cases", "list"]])
@pytest.mark.parametrize("broken", ["a file", "below a file", "no database"])
def test_a_data_folder_that_cannot_be_used_is_one_line(
    kenpin: Kenpin, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str], broken: str
) -> None:
    monkeypatch.chdir(folder)
    place = tmp_path / "place"
    if broken == "no database":
        (place / "checkpoints.sqlite").mkdir(parents=True)
        (place / "cases").write_text("")
    else:
        place.write_text("")
    monkeypatch.setenv("KENPIN_HOME", str(place / "below" if broken == "below a file" else place))

    ran = kenpin(*command)

    assert ran.code == 2 and str(place) in ran.line


def test_a_broken_settings_file_is_one_line(kenpin: Kenpin, folder: Path, home: Path) -> None:
    home.mkdir()
    (home / "kenpin.toml").write_text("planner = [")

    assert "kenpin.toml cannot be read" in kenpin("inspect", folder / "part.png", "Look").line


def test_a_local_model_that_is_not_there_is_one_line(kenpin: Kenpin, folder: Path) -> None:
    """With or without the extra: it ends, and no other planner takes its place."""
    ran = kenpin("inspect", folder / "part.png", "Is it fine?", "--planner", "local", "--json")

    assert (ran.code, ran.out) == (3, "")
    assert "kenpin[local]" in ran.err or "KENPIN_LOCAL_MODEL" in ran.err
    assert "Traceback" not in ran.err and "embedded" not in ran.err
