"""Values against limits. A value nearer to its limit than its uncertainty decides nothing.

Source: the decision rule follows ISO 14253-1, with the guard band on both sides of the limit.
"""

import math
from collections.abc import Sequence

from agent.evidence import SURE, Evidence, Judgement, distinct, open_searches, same_place, searches
from kenpin.contracts.trace import Finding, Measure, Step
from kenpin.contracts.verdict import Criterion, DefectType, Op, Verdict

DEFECTS = frozenset(DefectType)


def hold(limit: Criterion, evidence: Evidence) -> Judgement:
    """Hold every value that the limit speaks of against it: ng if one breaks it, ok if all keep it."""
    if limit.quantity == "count" and limit.of in DEFECTS:
        return _defects_counted(limit, evidence)
    values = [m for m in evidence.measures if m.quantity == limit.quantity and _speaks_of(limit, m, evidence)]
    if not values:
        return _unmeasured(limit, evidence)
    fitting = [m for m in values if m.unit == limit.unit]
    if not fitting:
        return _open(limit, f"limit.unit:{limit.name}")
    return _worst([*(_measured(limit, m, evidence) for m in fitting), *_left_out(limit, fitting, evidence)])


def rule_of(limit: Criterion) -> str:
    """The rule as the answer names it, with the revision of the file that it comes from."""
    return f"{limit.name} (rev {limit.revision})" if limit.revision else limit.name


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


def held(limit: Criterion, value: float, uncertainty: float = 0.0) -> Judgement:
    """One value against one limit: ok if its whole interval is accepted, ng if nothing of it is."""
    low, high = value - uncertainty, value + uncertainty
    if not (math.isfinite(low) and math.isfinite(high)):
        return _open(limit, f"limit.unmeasured:{limit.name}")
    ends = keeps(limit, low), keeps(limit, high)
    if all(ends):
        return Judgement(Verdict.OK, rule_of(limit))
    # A narrow accepted range may lie wholly inside the interval.
    within = limit.op in (Op.EQ, Op.BETWEEN) and low < limit.value < high
    if any(ends) or within:
        return _open(limit, f"limit.close:{limit.name}")
    return Judgement(Verdict.NG, rule_of(limit))


def _open(limit: Criterion, *reasons: str) -> Judgement:
    return Judgement(Verdict.UNCERTAIN, rule_of(limit), reasons)


def _worst(outcomes: Sequence[Judgement]) -> Judgement:
    order = (Verdict.NG, Verdict.UNCERTAIN, Verdict.OK)
    return min(outcomes, key=lambda outcome: order.index(outcome.verdict or Verdict.OK))


def _measured(limit: Criterion, measure: Measure, evidence: Evidence) -> Judgement:
    """One measure against the limit, unless what it rests on decides nothing."""
    step = next((s for s in evidence.steps if s.n == measure.step), None)
    if step is not None and step.result.get("sure") is False:
        return _counted(limit, step)
    outcome = held(limit, measure.value, measure.uncertainty or 0.0)
    undecided = [
        s.n
        for s in searches(evidence)
        if s.result.get("decided") is False and measure.of in {f["id"] for f in s.result.get("findings", ())}
    ]
    if undecided and outcome.verdict is Verdict.NG:
        # What an undecided search reported may be no defect at all, however long it is.
        return _open(limit, *(f"search.undecided:{n}" for n in undecided))
    return outcome


def _counted(limit: Criterion, step: Step) -> Judgement:
    """A count that is not sure: it decides only if every number that the picture leaves possible says the same."""
    fewest, most = step.result.get("fewest"), step.result.get("most")
    if fewest is None or most is None:
        return _open(limit, f"count.unsure:{step.n}")
    outcome = held(limit, (fewest + most) / 2, (most - fewest) / 2)
    return outcome if outcome.verdict is not Verdict.UNCERTAIN else _open(limit, f"count.unsure:{step.n}")


def _left_out(limit: Criterion, fitting: Sequence[Measure], evidence: Evidence) -> list[Judgement]:
    """An open judgement if a finding that the limit speaks of was not measured: it may be the one that breaks it."""
    if limit.of not in DEFECTS:
        return []
    named = {m.of for m in fitting}
    measured = [f for f in evidence.findings if f.id in named]
    left = [
        f
        for f in evidence.findings
        if f.type == limit.of and f.id not in named and not any(same_place(f, m) for m in measured)
    ]
    return [_open(limit, _why_left(limit, left))] if left else []


def _why_left(limit: Criterion, left: Sequence[Finding]) -> str:
    return f"limit.unmeasured:{limit.name}" if any(f.score >= SURE for f in left) else "findings.weak"


def _speaks_of(limit: Criterion, measure: Measure, evidence: Evidence) -> bool:
    label = evidence.labels.get(measure.of or "", measure.of)
    return limit.of is None or label is None or label == limit.of


def _unmeasured(limit: Criterion, evidence: Evidence) -> Judgement:
    """Nothing was measured: fine if a search that decides found nothing of the kind, uncertain otherwise."""
    present = [f for f in evidence.findings if limit.of is None or f.type == limit.of]
    if present and limit.of in DEFECTS:
        return _open(limit, _why_left(limit, present))
    if searches(evidence) and not present and limit.of in DEFECTS:
        undecided = open_searches(evidence)
        return _open(limit, *undecided) if undecided else Judgement(Verdict.OK, rule_of(limit))
    return _open(limit, f"limit.unmeasured:{limit.name}")


def _defects_counted(limit: Criterion, evidence: Evidence) -> Judgement:
    """Count the findings of a type: the sure ones at least, the weak ones and those of undecided searches at most."""
    if not searches(evidence):
        return _open(limit, "nothing.searched")
    undecided = {s.n for s in searches(evidence) if s.result.get("decided") is False}
    found = distinct([f for f in evidence.findings if f.type == limit.of])
    sure = [f for f in found if f.score >= SURE and not set(f.steps) <= undecided]
    fewest, most = held(limit, float(len(sure))), held(limit, float(len(found)))
    if fewest.verdict is most.verdict is Verdict.NG:
        return fewest
    if doubts := open_searches(evidence):
        return _open(limit, *doubts)
    return fewest if fewest.verdict is most.verdict else _open(limit, "findings.weak")
