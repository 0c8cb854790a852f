"""Limits on a turn, and the rules that a verdict follows from. No model has a say here."""

from collections.abc import Sequence
from dataclasses import dataclass

from agent.evidence import JUDGED, SEARCHES, SURE, Evidence, Judgement, covers, open_searches, searches
from agent.tolerance import hold
from kenpin.contracts.trace import Step
from kenpin.contracts.verdict import Verdict

NO_FINDING = "no-finding"
"""The rule where no limit was given: any finding is ng, a decided search without one is ok."""


@dataclass(frozen=True)
class Limits:
    """Where a turn is cut off. A turn that is cut off ends in `uncertain`."""

    steps: int = 32
    seconds: float = 180.0
    invalid: int = 3
    """Calls in a row that may be refused."""


def judge(evidence: Evidence, *, problems: Sequence[str] = ()) -> Judgement:
    """Hold the evidence against the rules.

    Args:
        evidence: What this turn found out.
        problems: Anything else that forbids a verdict: a limit was reached, a claim has no evidence.
    Returns:
        `ng` if a rule is broken beyond doubt, `ok` if every rule is kept and a decided search or a comparison on a
        picture of sufficient quality backs it, otherwise `uncertain` with reasons; None where no judgement was asked.
    """
    done = [step for step in evidence.steps if step.status == "ok"]
    ran = {step.tool for step in done}
    tried = {step.tool for step in evidence.steps}
    wanted = evidence.asked or bool(tried & SEARCHES) or bool(evidence.limits and tried & JUDGED)
    if not wanted:
        return Judgement(None, None)
    parts = [hold(limit, evidence) for limit in evidence.limits]
    if ran & SEARCHES or not evidence.limits:
        parts.append(_default(evidence))
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
    doubts = [
        f"step.{step.status}:{step.n}:{step.tool}"
        for step in evidence.steps
        if step.status != "ok" and not _made_good(step, evidence.steps)
    ]
    if evidence.quality is None:
        doubts.append("quality.unchecked")
    elif not evidence.quality.result.get("passed"):
        named = "+".join(str(name) for name in evidence.quality.result.get("problems", ())) or "failed"
        doubts.append(f"quality.failed:{evidence.quality.n}:{named}")
    return doubts


def _made_good(step: Step, steps: Sequence[Step]) -> bool:
    """A call that the planner repeated with success is no doubt any more; a failed search only by one of its place."""
    place = step.tool in SEARCHES and step.status == "failed"
    again = (later for later in steps if later.n > step.n and later.tool == step.tool and later.status == "ok")
    return any(not place or covers(later, step) for later in again)


def _default(evidence: Evidence) -> Judgement:
    """Any finding is ng; types under a limit, ignored types and types outside `only` do not count here."""
    covered = {limit.of for limit in evidence.limits}
    counted = [
        f
        for f in evidence.findings
        if f.type not in covered | evidence.ignore and not (evidence.only and f.type not in evidence.only)
    ]
    rule = NO_FINDING if not covered - {None} or counted else None
    open_steps = {step.n for step in searches(evidence) if step.result.get("decided") is False}
    if any(f.score >= SURE and not set(f.steps) & open_steps for f in counted):
        return Judgement(Verdict.NG, NO_FINDING)
    if any(f.score >= SURE for f in counted):
        # Where the search cannot say "nothing there", it cannot say "defect" either: a person looks at what it shows.
        return Judgement(Verdict.UNCERTAIN, NO_FINDING, tuple(f"search.undecided:{n}" for n in sorted(open_steps)))
    if counted:
        return Judgement(Verdict.UNCERTAIN, NO_FINDING, ("findings.weak",))
    if not searches(evidence):
        return Judgement(Verdict.UNCERTAIN, rule or NO_FINDING, ("nothing.searched",))
    if undecided := open_searches(evidence):
        return Judgement(Verdict.UNCERTAIN, rule or NO_FINDING, undecided)
    return Judgement(Verdict.OK, rule)
