"""Evidence in, verdict out: a table of what makes ok, ng and uncertain, and that nothing else makes ok."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.evidence import SEARCHES, Evidence
from agent.policy import judge
from agent.tolerance import held, keeps
from kenpin.contracts.trace import Finding, Measure, Step
from kenpin.contracts.verdict import Criterion, DefectType, Op, Verdict

OK, NG, UNCERTAIN = Verdict.OK, Verdict.NG, Verdict.UNCERTAIN
GOOD = Step(n=1, tool="check_image", why="w", args={}, status="ok", result={"passed": True}, ms=1)
POOR = GOOD.model_copy(update={"result": {"passed": False, "problems": ["blur", "glare"]}})
SCRATCH_25 = Criterion(of="scratch", quantity="length", op=Op.LE, value=25, unit="mm")
HOLE = Criterion(of="hole", quantity="diameter", op=Op.BETWEEN, value=5.9, upper=6.1, unit="mm")
TWELVE = Criterion(quantity="count", op=Op.EQ, value=12)
NO_SCRATCH = Criterion(of="scratch", quantity="count", op=Op.LE, value=0)


def step(n: int, tool: str, *, status: str = "ok", args: dict[str, Any] | None = None, **result: Any) -> Step:
    error = None if status == "ok" else "it could not be done"
    found = {"n": n, "tool": tool, "why": "w", "args": args or {}, "status": status, "result": result, "ms": 1}
    return Step.model_validate({**found, "error": error})


def detect(n: int = 2, *found: str, decided: bool = True, **args: Any) -> Step:
    return step(n, "detect", args=args, decided=decided, findings=[{"id": i} for i in found])


def finding(name: str = "f1", kind: str = "scratch", score: float = 0.9, n: int = 2, x: int = 0) -> Finding:
    return Finding(id=name, type=kind, box=(x, 0, x + 10, 10), score=score, steps=(n,))


def measure(
    value: float, unit: str = "mm", *, u: float = 0.1, of: str | None = "f1", n: int = 3, quantity: str = "length"
) -> Measure:
    return Measure(quantity=quantity, value=value, unit=unit, uncertainty=u, of=of, step=n)


def evidence(*steps: Step, **more: Any) -> Evidence:
    given = {
        "findings": (),
        "measures": (),
        "quality": GOOD,
        "labels": {"f1": "scratch", "f2": "scratch", "o1": "hole"},
    }
    return Evidence(steps=steps, **{**given, **more})


MEASURED = step(3, "measure")
COUNTED = step(2, "count", count=12, sure=True)
TABLE: dict[str, tuple[Evidence, Verdict | None, str | None, tuple[str, ...]]] = {
    # Without a judgement there is no verdict.
    "nothing done": (evidence(), None, None, ()),
    "only looked": (evidence(step(1, "zoom"), step(2, "read_text")), None, None, ()),
    "only measured": (evidence(MEASURED, measures=[measure(12)]), None, None, ()),
    "a judgement was asked for and nothing done": (evidence(asked=True), UNCERTAIN, "no-finding", ("nothing.searched",)),
    # The default rule.
    "clean": (evidence(detect()), OK, "no-finding", ()),
    "clean by comparison": (evidence(step(2, "compare", decided=True, findings=[])), OK, "no-finding", ()),
    "a finding": (evidence(detect(2, "f1"), findings=[finding()]), NG, "no-finding", ()),
    "a finding at the threshold": (evidence(detect(2, "f1"), findings=[finding(score=0.5)]), NG, "no-finding", ()),
    "a weak finding": (evidence(detect(2, "f1"), findings=[finding(score=0.49)]), UNCERTAIN, "no-finding", ("findings.weak",)),
    "an undecided search": (evidence(detect(decided=False)), UNCERTAIN, "no-finding", ("search.undecided:2",)),
    "a finding of an undecided search": (
        evidence(detect(2, "f1", decided=False), findings=[finding()]), UNCERTAIN, "no-finding", ("search.undecided:2",)),
    "a search that does not say whether it decides": (
        evidence(step(2, "detect", findings=[])), UNCERTAIN, "no-finding", ("search.undecided:2",)),
    "a comparison decides for an undecided search": (
        evidence(detect(decided=False), step(3, "compare", decided=True)), OK, "no-finding", ()),
    "one half searched, the other undecided": (
        evidence(detect(2, decided=False, box=[0, 0, 50, 100]), detect(3, box=[50, 0, 100, 100])),
        UNCERTAIN, "no-finding", ("search.undecided:2",)),
    "the whole decides for the half": (
        evidence(detect(2, decided=False, box=[0, 0, 50, 100]), detect(3, box=[0, 0, 100, 100])), OK, "no-finding", ()),
    "a search on a changed picture": (
        evidence(detect(), altered=frozenset({2})), UNCERTAIN, "no-finding", ("search.altered:2",)),
    "a changed picture and the original": (evidence(detect(), detect(3), altered=frozenset({2})), OK, "no-finding", ()),
    # Quality of the picture.
    "unchecked": (evidence(detect(), quality=None), UNCERTAIN, "no-finding", ("quality.unchecked",)),
    "not fit": (evidence(detect(), quality=POOR), UNCERTAIN, "no-finding", ("quality.failed:1:blur+glare",)),
    "a finding on a picture that is not fit": (
        evidence(detect(2, "f1"), findings=[finding()], quality=POOR), UNCERTAIN, "no-finding", ("quality.failed:1:blur+glare",)),
    # Steps that could not be done.
    "a failed search": (
        evidence(step(2, "detect", status="failed")), UNCERTAIN, "no-finding", ("step.failed:2:detect", "nothing.searched")),
    "a refused step": (evidence(step(2, "zoom", status="refused"), detect(3)), UNCERTAIN, "no-finding", ("step.refused:2:zoom",)),
    "a refused step, then done": (evidence(step(2, "detect", status="refused"), detect(3)), OK, "no-finding", ()),
    "a failed half, the other half done": (
        evidence(step(2, "detect", status="failed", args={"box": [0, 0, 9, 9]}), detect(3, box=[9, 0, 18, 9])),
        UNCERTAIN, "no-finding", ("step.failed:2:detect",)),
    "a step refused after it was done": (
        evidence(detect(2), step(3, "detect", status="refused")), UNCERTAIN, "no-finding", ("step.refused:3:detect",)),
    "a finding and a refused step": (
        evidence(detect(2, "f1"), step(3, "zoom", status="refused"), findings=[finding()]),
        UNCERTAIN, "no-finding", ("step.refused:3:zoom",)),
    # A limit on a defect.
    "within the limit": (
        evidence(detect(2, "f1"), MEASURED, findings=[finding()], measures=[measure(24)], limits=[SCRATCH_25]),
        OK, "scratch.length<=25mm", ()),
    "over the limit": (
        evidence(detect(2, "f1"), MEASURED, findings=[finding()], measures=[measure(26)], limits=[SCRATCH_25]),
        NG, "scratch.length<=25mm", ()),
    "too near to the limit": (
        evidence(detect(2, "f1"), MEASURED, findings=[finding()], measures=[measure(25.05)], limits=[SCRATCH_25]),
        UNCERTAIN, "scratch.length<=25mm", ("limit.close:scratch.length<=25mm",)),
    "in pixels while the limit is in millimetres": (
        evidence(detect(2, "f1"), MEASURED, findings=[finding()], measures=[measure(24, "px")], limits=[SCRATCH_25]),
        UNCERTAIN, "scratch.length<=25mm", ("limit.unit:scratch.length<=25mm",)),
    "not measured": (
        evidence(detect(2, "f1"), findings=[finding()], limits=[SCRATCH_25]),
        UNCERTAIN, "scratch.length<=25mm", ("limit.unmeasured:scratch.length<=25mm",)),
    "one of two not measured": (
        evidence(detect(2, "f1", "f2"), MEASURED, findings=[finding(), finding("f2", x=50)], measures=[measure(24)], limits=[SCRATCH_25]),
        UNCERTAIN, "scratch.length<=25mm", ("limit.unmeasured:scratch.length<=25mm",)),
    "one over the limit, the other not measured": (
        evidence(detect(2, "f1", "f2"), MEASURED, findings=[finding(), finding("f2", x=50)], measures=[measure(30)], limits=[SCRATCH_25]),
        NG, "scratch.length<=25mm", ()),
    "one of two over the limit": (
        evidence(detect(2, "f1", "f2"), MEASURED, findings=[finding(), finding("f2", x=50)],
                 measures=[measure(10), measure(30, of="f2")], limits=[SCRATCH_25]),
        NG, "scratch.length<=25mm", ()),
    "the same scratch found twice, measured once": (
        evidence(detect(2, "f1"), step(4, "compare", decided=True), MEASURED,
                 findings=[finding(), finding("f2", n=4, x=2)], measures=[measure(24)], limits=[SCRATCH_25]),
        OK, "scratch.length<=25mm", ()),
    "a weak scratch not measured": (
        evidence(detect(2, "f1"), findings=[finding(score=0.3)], limits=[SCRATCH_25]),
        UNCERTAIN, "scratch.length<=25mm", ("findings.weak",)),
    "nothing of the kind": (evidence(detect(), limits=[SCRATCH_25]), OK, "scratch.length<=25mm", ()),
    "nothing of the kind, undecided": (
        evidence(detect(decided=False), limits=[SCRATCH_25]), UNCERTAIN, "scratch.length<=25mm & no-finding", ("search.undecided:2",)),
    "nothing searched": (
        evidence(limits=[SCRATCH_25], asked=True), UNCERTAIN, "scratch.length<=25mm", ("limit.unmeasured:scratch.length<=25mm",)),
    "another defect beside the limit": (
        evidence(detect(2, "f1", "f2"), MEASURED, findings=[finding(), finding("f2", "pit", x=50)], measures=[measure(10)], limits=[SCRATCH_25]),
        NG, "scratch.length<=25mm & no-finding", ()),
    "a long scratch of an undecided search": (
        evidence(detect(2, "f1", decided=False), MEASURED, findings=[finding()], measures=[measure(30)], limits=[SCRATCH_25]),
        UNCERTAIN, "scratch.length<=25mm & no-finding", ("search.undecided:2",)),
    "a revision is named": (
        evidence(detect(), limits=[SCRATCH_25.model_copy(update={"revision": "C", "origin": "panel.yaml"})]),
        OK, "scratch.length<=25mm (rev C)", ()),
    # Types that count, and types that do not.
    "only scratches count": (
        evidence(detect(2, "f1"), findings=[finding(kind="pit")], only=frozenset({"scratch"})), OK, "no-finding", ()),
    "ignored": (evidence(detect(2, "f1"), findings=[finding(kind="stain")], ignore=frozenset({"stain"})), OK, "no-finding", ()),
    "ignored, and another": (
        evidence(detect(2, "f1", "f2"), findings=[finding(kind="stain"), finding("f2")], ignore=frozenset({"stain"})), NG, "no-finding", ()),
    # Counts.
    "the right number": (
        evidence(COUNTED, measures=[measure(12, "", u=0, of="washer", n=2, quantity="count")], limits=[TWELVE]), OK, "count==12", ()),
    "one is missing": (
        evidence(step(2, "count", count=11, sure=True), measures=[measure(11, "", u=0, of="washer", n=2, quantity="count")], limits=[TWELVE]),
        NG, "count==12", ()),
    "a count that is not sure": (
        evidence(step(2, "count", count=12, sure=False), measures=[measure(12, "", u=0, of="washer", n=2, quantity="count")], limits=[TWELVE]),
        UNCERTAIN, "count==12", ("count.unsure:2",)),
    "a count that is not sure, with the limit within its range": (
        evidence(step(2, "count", count=11, sure=False, fewest=10, most=12), measures=[measure(11, "", u=0, of="washer", n=2, quantity="count")], limits=[TWELVE]),
        UNCERTAIN, "count==12", ("count.unsure:2",)),
    "a count that is not sure and without an upper end": (
        evidence(step(2, "count", count=13, sure=False, fewest=13, most=None), measures=[measure(13, "", u=0, of="washer", n=2, quantity="count")], limits=[TWELVE]),
        UNCERTAIN, "count==12", ("count.unsure:2",)),
    "a count that is not sure, with the limit beyond its range": (
        evidence(step(2, "count", count=11, sure=False, fewest=10, most=11), measures=[measure(11, "", u=0, of="washer", n=2, quantity="count")], limits=[TWELVE]),
        NG, "count==12", ()),
    "no scratch allowed, none there": (evidence(detect(), limits=[NO_SCRATCH]), OK, "scratch.count<=0", ()),
    "no scratch allowed, one there": (evidence(detect(2, "f1"), findings=[finding()], limits=[NO_SCRATCH]), NG, "scratch.count<=0", ()),
    "no scratch allowed, a weak one there": (
        evidence(detect(2, "f1"), findings=[finding(score=0.4)], limits=[NO_SCRATCH]), UNCERTAIN, "scratch.count<=0", ("findings.weak",)),
    "no scratch allowed, undecided": (
        evidence(detect(2, "f1", decided=False), findings=[finding()], limits=[NO_SCRATCH]),
        UNCERTAIN, "scratch.count<=0 & no-finding", ("search.undecided:2",)),
    "no scratch allowed, not searched": (
        evidence(step(2, "measure"), limits=[NO_SCRATCH]), UNCERTAIN, "scratch.count<=0", ("nothing.searched",)),
    "one allowed, one found by two searches": (
        evidence(detect(2, "f1"), step(4, "compare", decided=True), findings=[finding(), finding("f2", n=4, x=3)],
                 limits=[NO_SCRATCH.model_copy(update={"value": 1})]),
        OK, "scratch.count<=1", ()),
    "one allowed, two there": (
        evidence(detect(2, "f1", "f2"), findings=[finding(), finding("f2", x=3)], limits=[NO_SCRATCH.model_copy(update={"value": 1})]),
        NG, "scratch.count<=1", ()),
    # Things that are no defects.
    "a hole in tolerance": (
        evidence(MEASURED, measures=[measure(6.0, u=0.02, of="o1", quantity="diameter")], limits=[HOLE]), OK, "hole.diameter=5.9..6.1mm", ()),
    "a hole too near to the edge of its tolerance": (
        evidence(MEASURED, measures=[measure(6.09, u=0.02, of="o1", quantity="diameter")], limits=[HOLE]),
        UNCERTAIN, "hole.diameter=5.9..6.1mm", ("limit.close:hole.diameter=5.9..6.1mm",)),
    "a hole out of tolerance": (
        evidence(MEASURED, measures=[measure(6.2, u=0.02, of="o1", quantity="diameter")], limits=[HOLE]), NG, "hole.diameter=5.9..6.1mm", ()),
    "too uncertain for a narrow tolerance": (
        evidence(MEASURED, measures=[measure(6.15, u=0.5, of="o1", quantity="diameter")], limits=[HOLE]),
        UNCERTAIN, "hole.diameter=5.9..6.1mm", ("limit.close:hole.diameter=5.9..6.1mm",)),
    "another thing was measured": (
        evidence(MEASURED, measures=[measure(6.0, u=0.02, of="f1", quantity="diameter")], limits=[HOLE]),
        UNCERTAIN, "hole.diameter=5.9..6.1mm", ("limit.unmeasured:hole.diameter=5.9..6.1mm",)),
    "another quantity was measured": (
        evidence(MEASURED, measures=[measure(6.0, u=0.02, of="o1")], limits=[HOLE]),
        UNCERTAIN, "hole.diameter=5.9..6.1mm", ("limit.unmeasured:hole.diameter=5.9..6.1mm",)),
    "two limits, one broken": (
        evidence(MEASURED, COUNTED, measures=[measure(6.3, u=0.02, of="o1", quantity="diameter"),
                                              measure(12, "", u=0, of="washer", n=2, quantity="count")], limits=[HOLE, TWELVE]),
        NG, "hole.diameter=5.9..6.1mm & count==12", ()),
    "two limits, one not measured": (
        evidence(COUNTED, measures=[measure(12, "", u=0, of="washer", n=2, quantity="count")], limits=[HOLE, TWELVE]),
        UNCERTAIN, "hole.diameter=5.9..6.1mm & count==12", ("limit.unmeasured:hole.diameter=5.9..6.1mm",)),
    "limits that this turn has nothing to do with": (evidence(step(2, "zoom"), limits=[HOLE]), None, None, ()),
}  # fmt: skip


@pytest.mark.parametrize("case", TABLE)
def test_verdict_rule_and_reasons(case: str) -> None:
    given_, verdict, rule, reasons = TABLE[case]

    outcome = judge(given_)

    assert (outcome.verdict, outcome.rule, outcome.reasons) == (verdict, rule, reasons)


@pytest.mark.parametrize("case", [name for name, (_, verdict, _, _) in TABLE.items() if verdict in (OK, NG)])
def test_a_problem_forbids_ok_and_ng(case: str) -> None:
    outcome = judge(TABLE[case][0], problems=["claim.unverified:12"])

    assert outcome.verdict is UNCERTAIN and outcome.reasons[0] == "claim.unverified:12"


@pytest.mark.parametrize(
    ("op", "limit", "upper", "value", "u", "verdict"),
    [
        (Op.LE, 25, None, 25, 0, OK), (Op.LT, 25, None, 25, 0, NG), (Op.GE, 25, None, 25, 0, OK), (Op.GT, 25, None, 25, 0, NG),
        (Op.LE, 25, None, 24.9, 0.1, OK), (Op.LE, 25, None, 25.1, 0.1, UNCERTAIN), (Op.LE, 25, None, 25.11, 0.1, NG),
        (Op.GE, 5, None, 5.1, 0.2, UNCERTAIN), (Op.GE, 5, None, 4.7, 0.2, NG), (Op.GE, 5, None, 5.2, 0.2, OK),
        (Op.EQ, 12, None, 12, 0, OK), (Op.EQ, 12, None, 11, 0, NG), (Op.EQ, 12, None, 12.05, 0.1, UNCERTAIN),
        (Op.EQ, 12, None, 12, 0.1, UNCERTAIN), (Op.EQ, 12, None, 13, 0.1, NG),
        (Op.BETWEEN, 5, 6, 5.5, 0.1, OK), (Op.BETWEEN, 5, 6, 6.05, 0.1, UNCERTAIN), (Op.BETWEEN, 5, 6, 6.2, 0.1, NG),
        (Op.BETWEEN, 5, 5.01, 5.2, 1.0, UNCERTAIN), (Op.BETWEEN, 5, 6, 4.8, 0.1, NG),
        (Op.LE, 25, None, float("nan"), 0.1, UNCERTAIN), (Op.LE, 25, None, 1, float("inf"), UNCERTAIN),
    ],
)  # fmt: skip
def test_a_value_against_a_limit(
    op: Op, limit: float, upper: float | None, value: float, u: float, verdict: Verdict
) -> None:
    criterion = Criterion(quantity="length", op=op, value=limit, upper=upper, unit="mm")

    assert held(criterion, value, u).verdict is verdict


@given(st.floats(-50, 50), st.floats(0, 5), st.sampled_from(list(Op)), st.floats(-40, 40), st.floats(0, 10))
def test_a_guard_band_only_makes_less_sure(value: float, u: float, op: Op, limit: float, width: float) -> None:
    criterion = Criterion(quantity="length", op=op, value=limit, upper=limit + width, unit="mm")

    banded = held(criterion, value, u).verdict

    if banded is OK:
        assert keeps(criterion, value) and keeps(criterion, value - u) and keeps(criterion, value + u)
    if banded is NG:
        assert not keeps(criterion, value)


KINDS = st.sampled_from([*DefectType, "hole", "washer"])
NAMES = ("f1", "f2", "f3", "o1")


@st.composite
def any_evidence(draw: st.DrawFn) -> tuple[Evidence, list[str]]:
    """Steps, findings, measures and limits as a planner might bring them about, sensible or not."""
    boxes = st.sampled_from([None, [0, 0, 50, 50], [50, 0, 100, 50], [0, 0, 100, 100]])
    steps = []
    for n in range(1, draw(st.integers(0, 5)) + 1):
        tool = draw(st.sampled_from(["detect", "compare", "measure", "count", "zoom", "check_image"]))
        result: dict[str, Any] = {}
        if tool in SEARCHES:
            ids = draw(st.lists(st.sampled_from(NAMES), max_size=2, unique=True))
            result = {"findings": [{"id": i} for i in ids], "decided": draw(st.sampled_from([True, False, None]))}
        if tool == "count":
            result = {"count": 12, "sure": draw(st.booleans())}
        args = {} if (box := draw(boxes)) is None else {"box": box}
        steps.append(
            step(n, tool, status=draw(st.sampled_from(["ok", "ok", "ok", "refused", "failed"])), args=args, **result)
        )
    searched = [s.n for s in steps if s.tool in SEARCHES and s.status == "ok"]
    findings = [
        finding(name, draw(KINDS), draw(st.floats(0, 1)), draw(st.sampled_from(searched)), x=20 * i)
        for i, name in enumerate(draw(st.lists(st.sampled_from(NAMES), max_size=3, unique=True)) if searched else [])
    ]
    measured = [s.n for s in steps if s.tool in ("measure", "count") and s.status == "ok"]
    units = st.sampled_from(["mm", "px", ""])
    quantities = st.sampled_from(["length", "count", "diameter"])
    measures = [
        measure(draw(st.floats(0, 50)), draw(units), u=draw(st.floats(0, 3)), of=draw(st.sampled_from([None, *NAMES])),
                n=draw(st.sampled_from(measured)), quantity=draw(quantities))
        for _ in range(draw(st.integers(0, 3)) if measured else 0)
    ]  # fmt: skip
    limits = [
        Criterion(of=draw(st.none() | KINDS), quantity=draw(quantities), op=draw(st.sampled_from(list(Op))),
                  value=draw(st.floats(0, 50)), upper=50, unit=draw(units))
        for _ in range(draw(st.integers(0, 2)))
    ]  # fmt: skip
    made = evidence(
        *steps,
        findings=findings,
        measures=measures,
        limits=limits,
        labels={name: draw(KINDS) for name in NAMES},
        only=frozenset(draw(st.lists(KINDS, max_size=1))),
        ignore=frozenset(draw(st.lists(KINDS, max_size=1))),
        quality=draw(st.sampled_from([GOOD, GOOD, POOR, None])),
        asked=draw(st.booleans()),
        altered=frozenset(draw(st.lists(st.integers(1, 5), max_size=1))),
    )
    return made, draw(st.sampled_from([[], [], ["claim.unverified:7"]]))


@settings(max_examples=400)
@given(any_evidence())
def test_nothing_but_evidence_makes_ok(made: tuple[Evidence, list[str]]) -> None:
    given_, problems = made

    outcome = judge(given_, problems=problems)

    if outcome.verdict is OK:
        done = {s.n: s for s in given_.steps if s.status == "ok"}
        assert given_.quality is not None and given_.quality.result["passed"] and not problems and not outcome.reasons
        for bad in (s for s in given_.steps if s.status != "ok"):
            assert any(s.n > bad.n and s.tool == bad.tool for s in done.values())
        sure = [s for s in done.values() if s.tool in SEARCHES and s.result["decided"] and s.n not in given_.altered]
        searched = any(s.tool in SEARCHES for s in done.values())
        assert sure or (given_.limits and not searched)
        covered = {limit.of for limit in given_.limits} | given_.ignore
        judged = [f for f in given_.findings if not (given_.only and f.type not in given_.only)]
        assert not [f for f in judged if f.type not in covered]
        for limit in given_.limits:
            held_ = [m for m in given_.measures if m.quantity == limit.quantity and m.unit == limit.unit]
            absent = limit.of in set(DefectType) and sure
            assert absent or any(keeps(limit, m.value) for m in held_)
    if outcome.verdict is UNCERTAIN:
        assert outcome.reasons
    if outcome.verdict is not None:
        assert outcome.rule


@given(any_evidence())
def test_a_poor_picture_never_decides(made: tuple[Evidence, list[str]]) -> None:
    given_, _ = made
    unfit = Evidence(**{**given_.__dict__, "quality": POOR})

    assert judge(unfit).verdict in (None, UNCERTAIN)


@given(any_evidence())
def test_the_same_evidence_leads_to_the_same_verdict(made: tuple[Evidence, list[str]]) -> None:
    assert judge(made[0], problems=made[1]) == judge(made[0], problems=made[1])
