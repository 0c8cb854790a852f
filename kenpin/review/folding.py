"""What all entries of an inspection come to: the decision, the signatures that stand, and the state. Pure functions."""

from collections.abc import Callable, Sequence

from kenpin.contracts.review import (
    LOCKED,
    Amendment,
    Decision,
    Entry,
    JudgedFinding,
    Judgement,
    Meaning,
    Revocation,
    Ruling,
    Signature,
    StandingSignature,
    State,
    VerdictChange,
)
from kenpin.contracts.trace import Finding, Trace, finished, proposal
from kenpin.contracts.verdict import Verdict


def decided(trace: Trace, entries: Sequence[Entry]) -> Decision:
    """Fold the entries over what the trace proposes."""
    answer = proposal(trace)
    proposed = answer.verdict if answer else None
    findings = {finding.id: _proposed(finding) for finding in proposed_findings(trace)}
    judgements: dict[str, Verdict] = {}
    changed: VerdictChange | None = None
    for entry in entries:
        match entry.act:
            case Judgement(verdict=verdict):
                judgements[entry.by] = verdict
            case Ruling() as ruling:
                findings[ruling.finding] = _ruled(ruling, entry.by, findings.get(ruling.finding))
            case VerdictChange() as change:
                changed = change
            case _:
                pass
    return Decision(
        proposed=proposed,
        verdict=changed.verdict if changed else proposed,
        why=changed.why if changed else "",
        cause=changed.cause if changed else "",
        disposition=changed.disposition if changed else "",
        findings=tuple(findings.values()),
        judgements=tuple(judgements.items()),
    )


def proposed_findings(trace: Trace) -> tuple[Finding, ...]:
    """Every finding of the answers, by id; a later answer's form of it counts."""
    found = {finding.id: finding for turn in trace.turns if turn.answer for finding in turn.answer.findings}
    return tuple(found.values())


def standing(entries: Sequence[Entry]) -> tuple[StandingSignature, ...]:
    """The signatures that neither a revocation nor an amendment has taken away."""
    kept: dict[int, StandingSignature] = {}
    for entry in entries:
        match entry.act:
            case Signature() as signature:
                kept[entry.n] = StandingSignature(n=entry.n, by=entry.by, at=entry.at, signature=signature)
            case Revocation(of=of):
                kept.pop(of, None)
            case Amendment():
                kept.clear()
            case _:
                pass
    return tuple(kept.values())


def state_of(trace: Trace, entries: Sequence[Entry]) -> State:
    """Where an inspection stands."""
    signatures = standing(entries)
    if any(s.signature.meaning is Meaning.REJECTED for s in signatures):
        return State.REJECTED
    if signatures:
        return State.SIGNED if len(signatures) >= signatures[-1].signature.needed else State.HALF_SIGNED
    if not finished(trace):
        return State.OPEN
    return State.AMENDING if amending(entries) else State.WAITING


def amending(entries: Sequence[Entry]) -> bool:
    """Whether an amendment has begun that nobody has signed yet."""
    last = max((e.n for e in entries if isinstance(e.act, Amendment)), default=0)
    return last > max((e.n for e in entries if isinstance(e.act, Signature)), default=0)


def locked(state: State) -> bool:
    """Whether the record is closed to everything but signing, revoking and amending."""
    return state in LOCKED


def has_judged(entries: Sequence[Entry], name: str) -> bool:
    """Whether this person's own judgement is in."""
    return _any(entries, lambda e: e.by == name and isinstance(e.act, Judgement))


def _any(entries: Sequence[Entry], holds: Callable[[Entry], bool]) -> bool:
    return any(holds(entry) for entry in entries)


def _proposed(finding: Finding) -> JudgedFinding:
    return JudgedFinding(
        id=finding.id, type=finding.type, box=finding.box, decision="proposed", score=finding.score, proposed=finding
    )


def _ruled(ruling: Ruling, by: str, before: JudgedFinding | None) -> JudgedFinding:
    proposed = before.proposed if before else None
    # A missed defect stays one when its box is drawn again: no tool proposed it.
    added = before is not None and before.proposed is None and ruling.decision in ("accepted", "corrected")
    return JudgedFinding(
        id=ruling.finding,
        type=ruling.type,
        box=ruling.box,
        decision="missed" if added else ruling.decision,
        severity=ruling.severity,
        score=proposed.score if proposed else None,
        proposed=proposed,
        by=by,
        why=ruling.why,
    )
