"""What a verdict may rest on, and what it says of itself. `agent.policy` and `agent.tolerance` judge by it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from kenpin.contracts.trace import Finding, Measure, Step
from kenpin.contracts.verdict import Criterion, Verdict

SEARCHES = frozenset({"detect", "compare"})
"""Tools whose success can show that nothing is wrong."""
JUDGED = SEARCHES | {"count", "measure"}
"""Tools whose results a limit can be held against."""
SURE = 0.5
"""A finding of at least this score makes ng; a weaker one makes uncertain. Tools put their own threshold at 0.5."""


@dataclass(frozen=True)
class Evidence:
    """Everything a verdict may rest on."""

    steps: Sequence[Step]
    """Of this turn, without those that looked at another picture than the subject."""
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
    """The last `check_image` of the whole subject as uploaded, from this turn or an earlier one."""
    asked: bool = False
    """The user asked for a judgement, whatever tools ran."""
    altered: frozenset[int] = frozenset()
    """Steps that looked at a view whose pixel values were changed."""


@dataclass(frozen=True)
class Judgement:
    """A verdict with the rule that it follows from, and what kept it from being better."""

    verdict: Verdict | None
    rule: str | None
    reasons: tuple[str, ...] = ()


def searches(evidence: Evidence) -> list[Step]:
    """Searches that ran."""
    return [step for step in evidence.steps if step.tool in SEARCHES and step.status == "ok"]


def open_searches(evidence: Evidence) -> tuple[str, ...]:
    """Reason codes of searches that cannot say "nothing there", unless another that can looked at the same place.

    A changed picture (less noise, less glare) may have lost the defect, so a search on it decides nothing by itself.
    """
    done = searches(evidence)
    sure = [step for step in done if _clear(step) and step.n not in evidence.altered]
    left = [step for step in done if step not in sure and not any(covers(other, step) for other in sure)]
    return tuple(f"search.{'altered' if _clear(s) else 'undecided'}:{s.n}" for s in left)


def _clear(step: Step) -> bool:
    """Whether a search without a finding, or without another, means that nothing else is there."""
    return bool(step.result.get("clear", step.result.get("decided")))


def covers(sure: Step, other: Step) -> bool:
    """Whether a search looked at everything that another looked at. Boxes of both are original pixels."""
    outer, inner = sure.args.get("box"), other.args.get("box")
    if outer is None:
        return sure.args.get("view", "v0") in ("v0", other.args.get("view", "v0"))
    if inner is None:
        return False
    return bool(outer[0] <= inner[0] and outer[1] <= inner[1] and outer[2] >= inner[2] and outer[3] >= inner[3])


def same_place(one: Finding, other: Finding) -> bool:
    """Whether two searches reported the same thing: the middle of one lies in the box of the other."""
    return _middle_in(one, other) or _middle_in(other, one)


def _middle_in(one: Finding, other: Finding) -> bool:
    x, y = (one.box[0] + one.box[2]) / 2, (one.box[1] + one.box[3]) / 2
    return other.box[0] <= x < other.box[2] and other.box[1] <= y < other.box[3]


def distinct(findings: Sequence[Finding]) -> list[Finding]:
    """Findings without those that another search reported too; one search never reports a thing twice."""
    kept: list[Finding] = []
    for finding in findings:
        if not any(same_place(finding, k) and set(k.steps).isdisjoint(finding.steps) for k in kept):
            kept.append(finding)
    return kept
