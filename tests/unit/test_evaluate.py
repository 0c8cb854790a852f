"""Suites: reading them, each key of `expect` both ways, wrong actions, and the count."""

import json
from pathlib import Path
from typing import Any

import pytest

from kenpin.contracts.errors import FileRefused, StoreError
from kenpin.contracts.trace import Answer, Finding, Measure, PlannerInfo, Step, Trace, TraceImage, Turn
from kenpin.contracts.view import View, ViewKind, window
from kenpin.evaluate.checks import missed, wrong_action
from kenpin.evaluate.run import run_suite
from kenpin.evaluate.suite import Expect, read_suite

SIZE = (800, 600)
VIEWS = {
    "v0": View(id="v0", source="v0", kind=ViewKind.UPLOAD, sha256="0" * 64, width=800, height=600),
    "v1": View(
        id="v1", source="v0", kind=ViewKind.CROP, sha256="0" * 64, width=400, height=300, to_source=window(0, 300)
    ),
}


def step(n: int, tool: str, *, status: str = "ok", args: dict[str, Any] | None = None, **result: Any) -> Step:
    return Step.model_validate(
        {"n": n, "tool": tool, "why": "w", "args": args or {}, "status": status, "result": result, "ms": 1}
    )


def answer(kind: str = "answer", text: str = "A scratch [2].", **more: Any) -> Answer:
    return Answer.model_validate({"kind": kind, "text": text, "verdict": None, "rule": None, **more})


FOUND = Finding(id="f1", type="scratch", box=(150, 395, 335, 435), score=0.9)
LENGTH = Measure(quantity="length", value=45.6, unit="mm", step=3)
STEPS = (step(1, "check_image"), step(2, "detect", args={"view": "v1"}), step(3, "measure"),
         step(4, "zoom", box=[420, 10, 780, 280]), step(5, "compare", status="refused"))  # fmt: skip
TURN = Turn(say="s", steps=STEPS, answer=answer(verdict="ng", findings=(FOUND,), measures=(LENGTH,), cites=(1, 2)))


def misses(
    expect: dict[str, Any], turn: Turn = TURN, *, scaled: bool = False, earlier: tuple[Step, ...] = STEPS[:1]
) -> list[str]:
    return missed(Expect.model_validate(expect), turn, size=SIZE, scaled=scaled, earlier=earlier, views=VIEWS)


@pytest.mark.parametrize(
    ("key", "holds", "fails"),
    [
        ("tools", ["detect", "measure"], ["detect", "count"]),
        ("tools", ["zoom"], ["compare"]),  # refused is not called with success
        ("any", [["count"], ["detect", "zoom"]], [["count"], ["detect", "crop"]]),
        ("not_tools", ["crop", "recall"], ["crop", "zoom"]),
        ("not_tools", ["enhance"], ["compare"]),  # even a refused call was tried
        ("verdict", ["ng", "uncertain"], ["ok", None]),
        ("finds", [[150, 395, 335, 435]], [[600, 100, 640, 150]]),
        ("finds", [[200, 400, 300, 430]], [[150, 395, 335, 435], [0, 0, 40, 40]]),
        ("finds", [[140, 380, 400, 600]], [[336, 395, 500, 435]]),
        ("finds", [[230, 300, 500, 450]], [[320, 430, 500, 600]]),  # IoU 0.04, the centre outside
        ("region", "upper right", "upper left"),
        ("region", "right", "centre"),
        ("region", "lower left", "lower right"),  # where detect worked: the view v1
        ("region", "top-right", "bottom right"),
        ("covers", [450, 20, 700, 200], [400, 20, 700, 200]),
        ("number", {"value": 45.0, "unit": "mm", "tol": 0.05}, {"value": 45.0, "unit": "mm", "tol": 0.01}),
        ("number", {"value": 45.6, "unit": "mm"}, {"value": 45.6, "unit": "px", "tol": 0.5}),
        ("text", "(?i)scratch", "^scratch"),
        ("not_text", "stain", r"\[2\]"),
        ("clarify", False, True),
        ("not_clarify", True, False),
        ("cites", True, False),
        ("honest", False, True),
    ],
)
def test_each_key_both_ways(key: str, holds: Any, fails: Any) -> None:
    assert misses({key: holds}) == []
    assert misses({key: fails}) == [key]


def test_all_keys_that_are_present_must_hold() -> None:
    assert misses({"tools": ["detect"], "verdict": ["ok"], "text": "stain", "clarify": False}) == ["verdict", "text"]


@pytest.mark.parametrize(
    ("box", "parts"),
    [
        ([0, 0, 400, 300], {"upper left", "upper", "left"}),
        ([400, 0, 800, 600], {"right"}),  # in the middle of the height, so neither upper nor lower
        ([200, 150, 600, 450], {"centre"}),
        ([300, 0, 500, 200], {"upper", "upper centre"}),
        ([0, 0, 800, 600], set()),  # more than 60 % of the picture
    ],
)
def test_parts_of_the_picture(box: list[int], parts: set[str]) -> None:
    turn = Turn(say="s", steps=(step(1, "crop", box=box),), answer=answer())
    names = {
        "upper",
        "lower",
        "left",
        "right",
        "centre",
        "upper left",
        "upper right",
        "lower left",
        "lower right",
        "upper centre",
    }

    assert {name for name in names if misses({"region": name}, turn) == []} == parts


def test_millimetres_need_a_scale() -> None:
    assert misses({"not_number": "mm_without_scale"}) == ["not_number"]
    assert misses({"not_number": "mm_without_scale"}, scaled=True) == []
    px = TURN.model_copy(update={"answer": answer(measures=(LENGTH.model_copy(update={"unit": "px"}),))})
    assert misses({"not_number": "mm_without_scale"}, px) == []


def test_citing_means_an_earlier_turns_step() -> None:
    assert misses({"cites": True}, earlier=()) == ["cites"]


@pytest.mark.parametrize(
    ("given", "honest"),
    [
        (answer("refusal", "I cannot weigh it."), True),
        (answer("question", "Which one?"), True),
        (answer("refusal", "  "), False),
        (answer("refusal", "No.", verdict="uncertain"), False),
        (answer("refusal", "No.", findings=(FOUND,)), False),
        (answer("answer", "It weighs 5 kg."), False),
    ],
)
def test_honest(given: Answer, honest: bool) -> None:
    assert (misses({"honest": True}, Turn(say="s", answer=given)) == []) is honest


def test_a_turn_without_an_answer_misses_everything() -> None:
    assert misses({"tools": ["detect"], "clarify": False}, Turn(say="s", steps=STEPS)) == ["tools", "clarify"]


@pytest.mark.parametrize(
    ("expect", "turn", "wrong"),
    [
        ({"clarify": True}, TURN, True),  # acted instead of asking
        ({"honest": True}, TURN, True),
        ({"clarify": True}, Turn(say="s", steps=STEPS[:1], answer=answer("refusal")), False),  # did not act, only spoke
        ({"honest": True}, Turn(say="s", answer=answer()), False),
        ({"honest": True}, Turn(say="s", answer=answer(verdict="ok")), True),  # a verdict out of nothing
        ({"not_tools": ["zoom"]}, TURN, True),
        ({"verdict": ["ok"]}, TURN, True),
        ({"verdict": ["ok"]}, Turn(say="s", answer=answer("question")), False),  # gave none
        ({"tools": ["count"]}, TURN, True),  # ran tools, none of them expected
        ({"any": [["count"], ["recall"]]}, TURN, True),
        ({"tools": ["detect", "recall"]}, TURN, False),  # one of them was right
        ({"tools": ["count"]}, Turn(say="s", answer=answer("question")), False),
        ({"number": {"value": 1, "unit": "mm"}}, TURN, False),
        ({"tools": ["detect"]}, TURN, False),  # did not fail at all
    ],
)
def test_wrong_actions(expect: dict[str, Any], turn: Turn, wrong: bool) -> None:
    assert wrong_action(Expect.model_validate(expect), turn, misses(expect, turn)) is wrong


LINE = {"id": "a", "image": "a.png", "turns": [{"say": "Inspect", "expect": {"tools": ["detect"]}}]}


def written(folder: Path, *lines: Any) -> Path:
    path = folder / "suite.jsonl"
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines), encoding="utf-8")
    return path


def test_a_suite_is_read_with_blank_lines_remarks_and_any_character(tmp_path: Path) -> None:
    other = {
        **LINE,
        "id": "b",
        "remark": "kept apart",
        "turns": [{"say": "傷\u2028は？", "expect": {"region": "top left"}}],
    }

    first, second = read_suite(
        written(tmp_path, "\ufeff" + json.dumps(LINE), "", json.dumps(other, ensure_ascii=False))
    )

    assert (first.id, first.turns[0].expect.tools) == ("a", ("detect",))
    assert (second.turns[0].say, second.turns[0].expect.region) == ("傷\u2028は？", "upper left")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{", "line 2: is not JSON"),
        ("[]", "line 2"),
        ({**LINE, "turns": []}, "line 2: turns"),
        ({**LINE, "mm_per_px": 0}, "line 2: mm_per_px"),
        ({"id": "x", "turns": LINE["turns"]}, "line 2: image: Field required"),
        ({**LINE, "turns": [{"say": "x", "expect": {"tolls": ["detect"]}}]}, "tolls: Extra inputs"),
        ({**LINE, "turns": [{"say": "x", "expect": {"region": "middle-earth"}}]}, "no part of a picture"),
        ({**LINE, "turns": [{"say": "x", "expect": {"text": "(unclosed"}}]}, "no regular expression"),
        ({**LINE, "turns": [{"say": "x", "expect": {"finds": [[5, 5, 1, 1]]}}]}, "expected x0 < x1"),
        ({**LINE, "turns": [{"say": "x", "expect": {"not_number": "inches"}}]}, "not_number"),
    ],
)
def test_a_broken_suite_is_refused_in_one_line(tmp_path: Path, line: Any, says: str) -> None:
    with pytest.raises(FileRefused) as caught:
        read_suite(written(tmp_path, LINE, line))

    assert says in str(caught.value) and "\n" not in str(caught.value)


def test_a_missing_or_empty_suite_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileRefused, match="there is no such suite"):
        read_suite(tmp_path / "none.jsonl")
    with pytest.raises(FileRefused, match="holds no conversation"):
        read_suite(written(tmp_path, "", " "))
    with pytest.raises(FileRefused, match="cannot be read"):
        read_suite(tmp_path)


class Talker:
    """Does the same for every instruction: a search; `fail` is refused."""

    def __init__(self) -> None:
        self.turns: dict[str, list[Turn]] = {}

    def begin(self, image: Path, reference: Path | None, mm_per_px: float | None) -> str:
        self.turns[image.name] = []
        return image.name

    def say(self, inspection: str, text: str) -> None:
        if text == "fail":
            raise StoreError("it could not be done")
        n = sum(len(turn.steps) for turn in self.turns[inspection]) + 1
        self.turns[inspection].append(Turn(say=text, steps=(step(n, text),), answer=answer(text=text, cites=(1,))))

    def trace(self, inspection: str) -> Trace:
        image = TraceImage(id="v0", role="subject", sha256="0" * 64, width=800, height=600)
        planner = PlannerInfo(backend="scripted", model="m", prompt="p")
        created = "2026-01-31T09:00:00Z"
        data = {
            "id": inspection,
            "created": created,
            "planner": planner,
            "images": (image,),
            "turns": tuple(self.turns[inspection]),
        }
        return Trace.model_validate(data)


def test_a_suite_is_run_and_counted(tmp_path: Path) -> None:
    def turn(say: str, **expect: Any) -> dict[str, Any]:
        return {"say": say, "expect": expect}

    lines = [
        {
            "id": "a",
            "image": "a.png",
            "group": "search",
            "turns": [turn("detect", tools=["detect"]), turn("zoom", tools=["zoom"], cites=True)],
        },
        {
            "id": "b",
            "image": "b.png",
            "turns": [turn("fail", tools=["detect"]), turn("detect", tools=["detect"], text="detect")],
        },
        {"id": "c", "image": "c.png", "turns": [turn("crop", tools=["count"]), turn("zoom", text="傷")]},
    ]
    conversations = read_suite(written(tmp_path, *lines))

    report = run_suite(conversations, tmp_path, Talker()).report()

    assert (report["turns"], report["passed"], report["rate"], report["wrong_actions"]) == (6, 3, 0.5, 1)
    told = [(f["id"], f["turn"], f["missed"], f["wrong_action"], f["error"]) for f in report["failures"]]
    assert told == [
        ("b", 1, ["error"], False, "it could not be done"),
        ("c", 1, ["tools"], True, None),
        ("c", 2, ["text"], False, None),
    ]
    assert report["failures"][1]["trace"]["turns"][0]["steps"][0]["tool"] == "crop"
    assert report["groups"]["search"] == {"passed": 2, "turns": 2} and report["groups"]["follow-up"]["turns"] == 3
    json.dumps(report)
