"""Limits on a turn, and the rules that a verdict follows from. No model has a say here."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from kenpin.contracts.trace import Finding, Measure, Step
from kenpin.contracts.verdict import Criterion, DefectType, Op, Verdict

SEARCHES = frozenset({"detect", "compare"})
"""Tools whose success can show that nothing is wrong."""
JUDGED = SEARCHES | {"count", "measure"}
"""Tools whose results a limit can be held against."""
SURE = 0.5
"""A finding of at least this score makes ng; a weaker one makes uncertain. Tools put their own threshold at 0.5."""
NO_FINDING = "no-finding"
"""The rule where no limit was given: any finding is ng, a decided search without one is ok."""


@dataclass(frozen=True)
class Limits:
    """Where a turn is cut off. A turn that is cut off ends in `uncertain`."""

    steps: int = 32
    seconds: float = 180.0
    invalid: int = 3
    """Calls in a row that may be refused."""


@dataclass(frozen=True)
class Evidence:
    """Everything a verdict may rest on."""

    steps: Sequence[Step]
    """Of this turn."""
    findings: Sequence[Finding]
    """Of this turn; on a follow-up, those that it points to."""
    measures: Sequence[Measure]
    limits: Sequence[Criterion] = ()
    only: frozenset[str] = frozenset()
    """Defect types to judge by, if the user named them; all others are shown and do not count."""
    ignore: frozenset[str] = frozenset()
    labels: dict[str, str] = field(default_factory=dict)
    """What each region id is: defect type or noun."""
    quality: Step | None = None
    """The last `check_image` of the subject, from this turn or an earlier one."""
    asked: bool = False
    """The user asked for a judgement, whatever tools ran."""


@dataclass(frozen=True)
class Judgement:
    """A verdict with the rule that it follows from, and what kept it from being better."""

    verdict: Verdict | None
    rule: str | None
    reasons: tuple[str, ...] = ()


def judge(evidence: Evidence, *, problems: Sequence[str] = ()) -> Judgement:
    """Hold the evidence against the rules.

    Args:
        evidence: What this turn found out.
        problems: Anything else that forbids a verdict: a limit was reached, a claim has no evidence.
    Returns:
        `ng` if a rule is broken beyond doubt, `ok` if every rule is kept and a decided search or a comparison on a
        picture of sufficient quality backs it, otherwise `uncertain` with reasons; None where no judgement was asked.
    Source: the decision rule at limits follows ISO 14253-1: a value nearer to its limit than its uncertainty decides
        nothing.
    """
    done = [step for step in evidence.steps if step.status == "ok"]
    ran = {step.tool for step in done}
    tried = {step.tool for step in evidence.steps}
    wanted = evidence.asked or bool(tried & SEARCHES) or bool(evidence.limits and tried & JUDGED)
    if not wanted:
        return Judgement(None, None)
    parts = [_limit(limit, evidence) for limit in evidence.limits]
    if ran & SEARCHES or not evidence.limits:
        parts.append(_default(evidence, done))
    rule = " & ".join(dict.fromkeys(part.rule for part in parts if part.rule)) or NO_FINDING
    doubts = [*problems, *_doubts(evidence), *(r for part in parts for r in part.reasons)]
    verdicts = {part.verdict for part in parts}
    # A failed quality check or an untraceable claim makes even a broken limit uncertain: the contract says so.
    blocking = [*problems, *_doubts(evidence)]
    if Verdict.NG in verdicts and not blocking:
        return Judgement(Verdict.NG, rule, tuple(dict.fromkeys(doubts)))
    if verdicts == {Verdict.OK} and not doubts and ran & JUDGED:
        return Judgement(Verdict.OK, rule)
    return Judgement(Verdict.UNCERTAIN, rule, tuple(dict.fromkeys(doubts)) or ("nothing.searched",))


def _doubts(evidence: Evidence) -> list[str]:
    doubts = [f"step.{step.status}:{step.n}:{step.tool}" for step in evidence.steps
              if step.status != "ok" and not _made_good(step, evidence.steps)]
    if evidence.quality is None:
        doubts.append("quality.unchecked")
    elif not evidence.quality.result.get("passed"):
        named = "+".join(str(name) for name in evidence.quality.result.get("problems", ())) or "failed"
        doubts.append(f"quality.failed:{evidence.quality.n}:{named}")
    return doubts


def _made_good(step: Step, steps: Sequence[Step]) -> bool:
    """A refused call that the planner repeated with success is no doubt any more."""
    return any(later.n > step.n and later.tool == step.tool and later.status == "ok" for later in steps)


def _default(evidence: Evidence, done: Sequence[Step]) -> Judgement:
    """Any finding is ng; types under a limit, ignored types and types outside `only` do not count here."""
    covered = {limit.of for limit in evidence.limits}
    counted = [f for f in evidence.findings
               if f.type not in covered | evidence.ignore and not (evidence.only and f.type not in evidence.only)]
    rule = NO_FINDING if not covered - {None} or counted else None
    open_steps = {step.n for step in done if step.tool in SEARCHES and step.result.get("decided") is False}
    if any(f.score >= SURE and not set(f.steps) & open_steps for f in counted):
        return Judgement(Verdict.NG, NO_FINDING)
    if any(f.score >= SURE for f in counted):
        # Where the search cannot say "nothing there", it cannot say "defect" either: a person looks at what it shows.
        return Judgement(Verdict.UNCERTAIN, NO_FINDING, tuple(f"search.undecided:{n}" for n in sorted(open_steps)))
    if counted:
        return Judgement(Verdict.UNCERTAIN, NO_FINDING, ("findings.weak",))
    searches = [step for step in done if step.tool in SEARCHES]
    decided = any(step.result.get("decided") for step in searches)
    undecided = () if decided else tuple(f"search.undecided:{step.n}" for step in searches)
    if undecided or not searches:
        return Judgement(Verdict.UNCERTAIN, rule or NO_FINDING, undecided or ("nothing.searched",))
    return Judgement(Verdict.OK, rule)


def _limit(limit: Criterion, evidence: Evidence) -> Judgement:
    """Hold every value that the limit speaks of against it."""
    if limit.quantity == "count" and limit.of in set(DefectType):
        searched = [s for s in evidence.steps if s.tool in SEARCHES and s.status == "ok"]
        if not searched:
            return Judgement(Verdict.UNCERTAIN, limit.name, ("nothing.searched",))
        number = sum(f.type == limit.of and f.score >= SURE for f in evidence.findings)
        return _held(limit, float(number), 0.0)
    values = [m for m in evidence.measures if m.quantity == limit.quantity and _speaks_of(limit, m, evidence)]
    if not values:
        return _unmeasured(limit, evidence)
    fitting = [m for m in values if m.unit == limit.unit]
    if not fitting:
        return Judgement(Verdict.UNCERTAIN, limit.name, (f"limit.unit:{limit.name}",))
    outcomes = [_held(limit, m.value, m.uncertainty or 0.0) for m in fitting]
    if open_steps := _open_search(fitting, evidence):
        # What an undecided search reported may be no defect at all, however long it is.
        outcomes = [o if o.verdict is not Verdict.NG else Judgement(Verdict.UNCERTAIN, limit.name, open_steps) for o in outcomes]
    for verdict in (Verdict.NG, Verdict.UNCERTAIN, Verdict.OK):
        for outcome in outcomes:
            if outcome.verdict is verdict:
                return outcome
    return Judgement(Verdict.UNCERTAIN, limit.name, (f"limit.unmeasured:{limit.name}",))


def _open_search(measures: Sequence[Measure], evidence: Evidence) -> tuple[str, ...]:
    """Searches of this turn that do not decide and whose findings were measured."""
    measured = {m.of for m in measures}
    return tuple(f"search.undecided:{s.n}" for s in evidence.steps
                 if s.tool in SEARCHES and s.status == "ok" and s.result.get("decided") is False
                 and measured & {f["id"] for f in s.result.get("findings", ())})


def _speaks_of(limit: Criterion, measure: Measure, evidence: Evidence) -> bool:
    label = evidence.labels.get(measure.of or "", measure.of)
    return limit.of is None or label is None or label == limit.of


def _unmeasured(limit: Criterion, evidence: Evidence) -> Judgement:
    """Nothing was measured: fine if a decided search found nothing of the kind, uncertain otherwise."""
    searches = [s for s in evidence.steps if s.tool in SEARCHES and s.status == "ok"]
    present = [f for f in evidence.findings if limit.of is None or f.type == limit.of]
    if searches and not present and limit.of in set(DefectType):
        undecided = tuple(f"search.undecided:{s.n}" for s in searches if s.result.get("decided") is False)
        return Judgement(Verdict.UNCERTAIN if undecided else Verdict.OK, limit.name, undecided)
    return Judgement(Verdict.UNCERTAIN, limit.name, (f"limit.unmeasured:{limit.name}",))


def _held(limit: Criterion, value: float, uncertainty: float) -> Judgement:
    """One value against one limit, with the guard band of its uncertainty on both sides."""
    kept = [keeps(limit, value + shift) for shift in (-uncertainty, 0.0, uncertainty)]
    if all(kept):
        return Judgement(Verdict.OK, limit.name)
    if not any(kept):
        return Judgement(Verdict.NG, limit.name)
    return Judgement(Verdict.UNCERTAIN, limit.name, (f"limit.close:{limit.name}",))


def keeps(limit: Criterion, value: float) -> bool:
    """Whether a value is accepted, without regard to its uncertainty."""
    match limit.op:
        case Op.LE:
            return value <= limit.value
        case Op.LT:
            return value < limit.value
        case Op.GE:
            return value >= limit.value
        case Op.GT:
            return value > limit.value
        case Op.EQ:
            return value == limit.value
        case Op.BETWEEN:
            return limit.value <= value <= (limit.upper if limit.upper is not None else limit.value)
