"""The command line: clean output, exit codes, and one line for everything that is wrong."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import pytest
from PIL import Image

from kenpin import cli
from kenpin.contracts.errors import Unavailable
from kenpin.contracts.trace import Trace

ROOT = Path(__file__).parents[2]
HEAVY = (
    "langgraph",
    "langchain_core",
    "cv2",
    "chromadb",
    "numpy",
    "streamlit",
    "rich",
    "pydantic",
    "yaml",
    "PIL",
    "httpx",
    "scipy",
    "torch",
)


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


def nothing_stored(home: Path) -> bool:
    return not [
        path for path in home.rglob("*") if path.is_file() and path.suffix != ".sqlite" and "sqlite" not in path.name
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


def test_a_talk_is_read_from_stdin_and_can_be_taken_up_again(kenpin: Kenpin, folder: Path, home: Path) -> None:
    talk = kenpin(
        "chat",
        folder / "part.png",
        stdin="Zoom in on the upper left.\n" + "x" * 9000 + "\n右下を切り出して\n\nnever read\n",
    )

    assert talk.code == 0 and "9000 characters" in talk.out and "never" not in talk.out
    key = talk.out.split("inspection ")[1].split()[0]
    more = kenpin("chat", folder / "part.png", "--resume", key, stdin="Crop the left half")
    assert more.code == 0
    trace = Trace.model_validate_json((home / "traces" / f"{key}.json").read_bytes())
    assert [[s.tool for s in turn.steps] for turn in trace.turns] == [["zoom"], ["crop"], ["crop"]]
    assert [s.n for turn in trace.turns for s in turn.steps] == [1, 2, 3]


def test_taking_up_what_is_not_there_is_said(kenpin: Kenpin, folder: Path) -> None:
    ran = kenpin("chat", folder / "part.png", "--resume", "20260101T000000-00000000")

    assert ran.code == 2 and "there is no inspection" in ran.err and "Traceback" not in ran.err


def test_a_server_that_goes_away_in_the_middle_loses_nothing(
    kenpin: Kenpin, folder: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from agent.planners.embedded import EmbeddedChat

    answer = EmbeddedChat._generate

    def gone(self: Any, messages: list[Any], *args: Any, **kwargs: Any) -> Any:
        if any(m.type == "tool" for m in messages):
            raise Unavailable("the server went away; start it again")
        return answer(self, messages, *args, **kwargs)

    with monkeypatch.context() as broken:
        broken.setattr(EmbeddedChat, "_generate", gone)
        ran = kenpin("inspect", folder / "part.png", "Zoom in on the upper left.", "--json")
    assert ran.code == 3 and ran.line == "the server went away; start it again"

    (key,) = (path.stem for path in (home / "traces").iterdir())
    assert len(Trace.model_validate_json((home / "traces" / f"{key}.json").read_bytes()).turns[0].steps) == 1
    assert kenpin("chat", folder / "part.png", "--resume", key).code == 0
    turn = Trace.model_validate_json((home / "traces" / f"{key}.json").read_bytes()).turns[0]
    assert len(turn.steps) == 1 and turn.answer and turn.answer.cites == (1,)


def test_a_suite_is_run_and_a_bar_can_be_asked_for(kenpin: Kenpin, folder: Path, home: Path) -> None:
    told = kenpin("evaluate", folder / "suite.jsonl", "--json")

    report = json.loads(told.out)
    assert told.code == 0 and (report["turns"], report["passed"], report["rate"]) == (2, 1, 0.5)
    assert [(f["id"], f["turn"], f["missed"]) for f in report["failures"]] == [("b", 1, ["text"])]
    assert report["failures"][0]["trace"]["version"] == 1
    assert nothing_stored(home)
    assert kenpin("evaluate", folder / "suite.jsonl", "--require", "0.5").code == 0
    shown = kenpin("evaluate", folder / "suite.jsonl", "--require", "0.51")
    assert (
        shown.code == 1 and "1 of 2 turns passed (50.0%), 0 wrong actions" in shown.out and "missed text" in shown.out
    )


@pytest.mark.parametrize(
    ("suite", "says"), [("none.jsonl", "no such suite"), ("bad.jsonl", "line 1"), ("gone.jsonl", "gone.png")]
)
def test_a_bad_suite_is_one_line(kenpin: Kenpin, folder: Path, suite: str, says: str) -> None:
    ran = kenpin("evaluate", folder / suite)

    assert ran.code == 2 and says in ran.err and "Traceback" not in ran.err


def test_doctor_says_what_is_there(kenpin: Kenpin, home: Path) -> None:
    ran = kenpin("doctor", "--json")

    found = {f["what"]: f for f in json.loads(ran.out)}
    missing = [name for name, f in found.items() if f["vital"] and not f["ok"] and name != "kenpin"]
    assert missing == [] and ran.code == (0 if found["kenpin"]["ok"] else 3)
    assert found["planner embedded"]["ok"] and found["data folder"]["ok"] and found["past cases"]["ok"]
    assert all(found[f"package {root}"]["ok"] for root in ("agent", "kenpin", "prompts", "tools", "ui"))


def test_doctor_names_what_is_missing(kenpin: Kenpin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("KENPIN_HOME", str(tmp_path / "file"))

    ran = kenpin("doctor")

    assert (
        ran.code == 3
        and "set KENPIN_HOME to a writeable folder" in " ".join(ran.out.split())
        and "Traceback" not in ran.err
    )


def test_cases_are_listed_searched_written_out_and_taken_in(
    kenpin: Kenpin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cases = json.loads(kenpin("cases", "list", "--json").out)
    assert len(cases) >= 3 and all(case["cause"] and case["disposition"] for case in cases)
    hits = json.loads(kenpin("cases", "search", cases[0]["cause"], "--k", "2", "--json").out)
    assert 1 <= len(hits) <= 2
    assert kenpin("cases", "export", tmp_path / "out").code == 0

    monkeypatch.setenv("KENPIN_HOME", str(tmp_path / "other"))
    ran = kenpin("cases", "add", tmp_path / "out")

    assert ran.code == 0 and f"{len(cases)} cases added" in ran.out
    assert kenpin("cases", "add", tmp_path / "nowhere").code == 2


def test_help_without_anything_heavy() -> None:
    code = f"import sys, kenpin.cli; print([m for m in {HEAVY!r} if m in sys.modules])"

    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def cpu_of(*command: str) -> float:
    """Processor seconds of a command, the least of three runs."""
    spent = []
    for _ in range(3):
        before = os.times()
        subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, check=True)
        after = os.times()
        spent.append(after.children_user - before.children_user + after.children_system - before.children_system)
    return min(spent)


def test_help_is_there_at_once() -> None:
    # Measured against Python's own start, since machines differ and this one may be busy.
    assert cpu_of("-m", "kenpin.cli", "--help") - cpu_of("-c", "pass") < 0.3


def test_the_program_itself_answers_in_one_line(folder: Path, tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "KENPIN_HOME": str(tmp_path / "home"),
        "PYTHONPATH": str(ROOT),
        "PYTHONIOENCODING": "ascii",
    }

    done = subprocess.run(
        [sys.executable, "-m", "kenpin.cli", "inspect", folder / "部品 B.png", "傷を探して"],
        env=environment, cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.count("\n") == 1 and "there is no such file" in done.stderr


def test_a_closed_pipe_is_no_traceback(tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    environment = {**os.environ, "KENPIN_HOME": str(tmp_path / "home"), "PYTHONPATH": str(ROOT)}

    done = subprocess.run(
        [sys.executable, "-m", "kenpin.cli", "--help"], env=environment, stdout=write, stderr=subprocess.PIPE, text=True, check=False
    )  # fmt: skip
    os.close(write)

    assert "Traceback" not in done.stderr and "BrokenPipe" not in done.stderr
