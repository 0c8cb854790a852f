"""What differs between two runs of one inspection, and what does not count."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kenpin.contracts.trace import Answer, Finding, Measure, PlannerInfo, Step, Trace, TraceImage, Turn
from kenpin.contracts.verdict import Verdict
from kenpin.replaying.differences import Difference, differences, iou, matched

FIRST = Finding(id="f1", type="scratch", box=(20, 50, 40, 70), score=0.93, steps=(2,))
SECOND = Finding(id="f2", type="pit", box=(100, 50, 110, 60), score=0.7, steps=(2,))
LENGTH = Measure(quantity="length", value=28.8, unit="mm", uncertainty=0.3, of="f1", step=3)
COUNT = Measure(quantity="count", value=4, unit="", uncertainty=0.0, of="hole", step=4)


def step(n: int, tool: str, **more: Any) -> Step:
    return Step(**{"n": n, "tool": tool, "why": "A reason.", "args": {}, "status": "ok", "ms": float(n), **more})


STEPS = (step(1, "check_image", result={"focus": 1.5}), step(2, "detect"), step(3, "measure", args={"of": "f1"}))


def answer(**more: Any) -> Answer:
    given = {"kind": "answer", "text": "f1 [2].", "verdict": Verdict.NG, "rule": "no-finding",
             "findings": (FIRST, SECOND), "measures": (LENGTH, COUNT)}  # fmt: skip
    return Answer(**{**given, **more})


def trace(*turns: Turn, **more: Any) -> Trace:
    return Trace(
        id=more.pop("id", "old"),
        created=datetime(2026, 1, 31, 9, tzinfo=UTC),
        planner=PlannerInfo(backend="embedded", model="m", prompt="p"),
        images=(TraceImage(id="v0", role="subject", sha256="0" * 64, width=200, height=150),),
        turns=turns or (Turn(say="Look.", steps=STEPS, answer=answer()),),
        **more,
    )


def against(**turn: Any) -> list[Difference]:
    given = {"say": "Look.", "steps": STEPS, "answer": answer(), **turn}
    return differences(trace(), trace(Turn(**given), id="new"))


def lines(found: list[Difference]) -> list[str]:
    return [difference.line() for difference in found]


def test_two_runs_that_say_the_same_do_not_differ() -> None:
    later = tuple(s.model_copy(update={"ms": s.ms * 3, "why": "Another.", "evidence": ("1" * 64,)}) for s in STEPS)
    told = against(steps=later, answer=answer(text="Said in other words [2].", cites=(2,)), ms=5.0, by="tanaka")
    assert told == [] and differences(trace(), trace()) == []


@pytest.mark.parametrize(
    ("changed", "kind", "line"),
    [
        ({"verdict": Verdict.UNCERTAIN}, "verdict", "turn 1 verdict: ng → uncertain"),
        ({"verdict": None}, "verdict", "turn 1 verdict: ng → none"),
        ({"rule": "scratch.length<=25mm"}, "rule", "turn 1 rule: no-finding → scratch.length<=25mm"),
        ({"kind": "refusal"}, "verdict", "turn 1 kind: answer → refusal"),
        ({"measures": (LENGTH.model_copy(update={"value": 29.0}), COUNT)}, "number",
         "turn 1 length of f1: 28.8 mm ± 0.3 mm → 29.0 mm ± 0.3 mm "
         "(apart by 0.2 mm, within the uncertainty of both, 0.4243 mm)"),
        ({"measures": (LENGTH.model_copy(update={"value": 30.0}), COUNT)}, "number",
         "turn 1 length of f1: 28.8 mm ± 0.3 mm → 30.0 mm ± 0.3 mm "
         "(apart by 1.2 mm, beyond the uncertainty of both, 0.4243 mm)"),
        ({"measures": (LENGTH.model_copy(update={"unit": "px"}), COUNT)}, "number",
         "turn 1 length of f1: 28.8 mm ± 0.3 mm → 28.8 px ± 0.3 px (another unit)"),
        ({"measures": (LENGTH, COUNT.model_copy(update={"value": 5.0}))}, "number",
         "turn 1 count of hole: 4.0 → 5.0 (apart by 1)"),
        ({"measures": (LENGTH,)}, "number", "turn 1 count of hole: 4.0 → not measured"),
        ({"findings": (FIRST,)}, "box", "turn 1 finding f2: pit at [100, 50, 110, 60] → not found"),
        ({"findings": (FIRST.model_copy(update={"box": (20, 50, 40, 80)}), SECOND)}, "box",
         "turn 1 finding f1: scratch at [20, 50, 40, 70] → scratch at [20, 50, 40, 80] (IoU 0.667)"),
        ({"findings": (FIRST.model_copy(update={"type": "crack"}), SECOND)}, "box",
         "turn 1 finding f1: scratch at [20, 50, 40, 70] → crack at [20, 50, 40, 70]"),
        ({"findings": (FIRST.model_copy(update={"score": 0.94}), SECOND)}, "number",
         "turn 1 finding f1 score: 0.93 → 0.94"),
    ],
)  # fmt: skip
def test_one_thing_of_the_answer_is_named(changed: dict[str, Any], kind: str, line: str) -> None:
    (difference,) = against(answer=answer(**changed))
    assert (difference.kind, difference.line()) == (kind, line)


def test_a_finding_that_is_numbered_anew_is_the_same_one_and_so_is_its_length() -> None:
    moved = (SECOND.model_copy(update={"id": "f1"}), FIRST.model_copy(update={"id": "f2"}))
    told = against(answer=answer(findings=moved, measures=(LENGTH.model_copy(update={"of": "f2"}), COUNT)))
    assert told == []


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ((STEPS[0], STEPS[2]), ["turn 1 step 2: detect → no step"]),
        ((STEPS[0], step(2, "zoom"), *STEPS[1:]), ["turn 1 step 2: no step → zoom"]),
        ((STEPS[0], step(2, "compare"), STEPS[2]), ["turn 1 step 2: detect → compare"]),
        ((*STEPS[:2], step(3, "measure", args={"of": "f2"})), ["turn 1 step 3 (measure) args.of: 'f1' → 'f2'"]),
        ((step(1, "check_image", result={"focus": 1.25}), *STEPS[1:]),
         ["turn 1 step 1 (check_image) result.focus: 1.5 → 1.25"]),
        ((STEPS[0], step(2, "detect", status="failed", error="no weights"), STEPS[2]),
         ["turn 1 step 2 (detect): ok → failed no weights"]),
    ],
)  # fmt: skip
def test_steps_are_aligned_by_their_tools(steps: tuple[Step, ...], expected: list[str]) -> None:
    assert lines(against(steps=steps)) == expected


def test_many_values_of_one_step_are_counted_not_listed() -> None:
    many = (step(1, "check_image", result={"focus": 1.0, **{f"v{n}": n for n in range(9)}}), *STEPS[1:])
    found = against(steps=many)
    assert len(found) == 3 and found[-1].note == "and 7 more of this step"


def test_turns_that_are_missing_or_open_are_named() -> None:
    whole, half = Turn(say="Look.", steps=STEPS, answer=answer()), Turn(say="Look.", steps=STEPS)
    assert lines(differences(trace(whole), trace(whole, half))) == ["turns: 1 → 2"]
    assert lines(differences(trace(whole), trace(half))) == ["turn 1 end: ended → has not ended"]
    assert lines(differences(trace(half), trace(whole))) == ["turn 1 end: has not ended → ended"]


boxes = st.tuples(*[st.integers(0, 60)] * 2, *[st.integers(1, 40)] * 2).map(
    lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3])
)


@given(boxes, boxes)
def test_iou_is_symmetric_and_one_only_for_the_same_box(one: Any, other: Any) -> None:
    assert iou(one, other) == iou(other, one) and 0 <= iou(one, other) <= 1
    assert (iou(one, other) == 1) == (one == other)


@given(st.lists(boxes, max_size=6, unique=True))
def test_findings_match_themselves_in_any_order(found: list[Any]) -> None:
    old = [Finding(id=f"f{n}", type="pit", box=box, score=0.5) for n, box in enumerate(found)]
    pairs = matched(old, old[::-1])
    assert len(pairs) == len(old) and all(a is b for a, b in pairs)
