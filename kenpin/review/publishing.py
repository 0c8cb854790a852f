"""Past cases from signed work: what a signature adds to the case base, and what a revocation takes back."""

from kenpin.contracts.case import SIGNED, Case
from kenpin.contracts.review import Decision, JudgedFinding, StandingSignature
from kenpin.contracts.trace import Trace, proposal
from kenpin.contracts.verdict import Verdict


def cases_of(trace: Trace, decision: Decision, signatures: tuple[StandingSignature, ...]) -> tuple[Case, ...]:
    """The cases that a signed inspection stands for: one a defect if it is ng, none otherwise."""
    if decision.verdict is not Verdict.NG or not signatures:
        return ()
    defects = [finding for finding in decision.findings if _counts(finding, trace)]
    if not defects:
        return (_case(trace, decision, signatures, None),)
    return tuple(_case(trace, decision, signatures, finding) for finding in defects)


def _counts(finding: JudgedFinding, trace: Trace) -> bool:
    """Whether it is a defect; one that nobody ruled on is only if the judged answer holds it, not an earlier search."""
    if finding.decision == "proposed":
        answer = proposal(trace)
        return answer is not None and finding.id in {f.id for f in answer.findings}
    return finding.real


def _case(
    trace: Trace, decision: Decision, signatures: tuple[StandingSignature, ...], finding: JudgedFinding | None
) -> Case:
    last = signatures[-1]
    return Case(
        id=f"{SIGNED}{trace.id}-{finding.id if finding else 'whole'}",
        product=trace.product or "",
        defect_type=finding.type if finding else "other-defect",
        cause=decision.cause,
        disposition=decision.disposition,
        note=" ".join(filter(None, (finding.why if finding else "", decision.why))),
        lot=trace.lot,
        date=last.at.date().isoformat(),
        picture=trace.images[0].sha256,
        box=finding.box if finding else None,
        part=trace.part or trace.id,
        signed_by=", ".join(s.signature.printed_name for s in signatures),
        signed_at=last.at.isoformat(),
        source=f"inspection {trace.id}",
        origin="signed",
        inspection=trace.id,
        severity=finding.severity if finding else None,
        language=_language(decision, trace),
    )


def _language(decision: Decision, trace: Trace) -> str:
    text = decision.cause + decision.why + "".join(turn.say for turn in trace.turns)
    return "ja" if any("\u3040" <= sign <= "\u9fff" for sign in text) else "en"
