"""Makes the acts of a review from what is on record, or refuses in one line."""

from kenpin.contracts.errors import BadInput, Conflict, Locked
from kenpin.contracts.people import Actor
from kenpin.contracts.review import (
    Act,
    Amendment,
    Dossier,
    JudgedFinding,
    Judgement,
    Meaning,
    Revocation,
    Ruling,
    Severity,
    Signature,
    State,
    VerdictChange,
)
from kenpin.contracts.trace import Finding, Trace, finished
from kenpin.contracts.view import Box, clip
from kenpin.review.folding import locked
from kenpin.review.signing import check_may_sign

MOST_MISSED = 200
"""Missed defects that can be added to one inspection."""


def accepted(seen: Dossier, finding: str, *, severity: Severity | None, why: str) -> Ruling:
    """Agreement with a finding."""
    old = _finding(seen, finding)
    return Ruling(finding=old.id, decision="accepted", old=_as_finding(old), type=old.type, box=old.box,
                  severity=severity or old.severity, why=why.strip())


def corrected(seen: Dossier, finding: str, *, kind: str | None, box: Box | None, severity: Severity | None,
              why: str) -> Ruling:
    """A finding with another type, box or severity; what is None stays."""
    old = _finding(seen, finding)
    return Ruling(finding=old.id, decision="corrected", old=_as_finding(old), type=_type(kind, old.type),
                  box=_box(box, seen.trace) if box else old.box, severity=severity or old.severity, why=why.strip())


def false_alarm(seen: Dossier, finding: str, *, why: str) -> Ruling:
    """A finding that is none."""
    old = _finding(seen, finding)
    return Ruling(finding=old.id, decision="false_alarm", old=_as_finding(old), type=old.type, box=old.box,
                  why=why.strip())


def missed(seen: Dossier, *, kind: str, box: Box, severity: Severity | None, why: str) -> Ruling:
    """A defect that no tool reported, under the next free id."""
    taken = {finding.id for finding in seen.decision.findings}
    free = next((f"m{n}" for n in range(1, MOST_MISSED + 1) if f"m{n}" not in taken), None)
    if free is None:
        raise BadInput(f"{MOST_MISSED} missed defects are on record already; no more can be added")
    return Ruling(finding=free, decision="missed", old=None, type=_type(kind, ""), box=_box(box, seen.trace),
                  severity=severity, why=why.strip())


def amendment(seen: Dossier, *, why: str) -> Amendment:
    """The opening of a signed record."""
    if not locked(seen.state):
        raise BadInput("the record is not signed, so it needs no amendment; change it")
    return Amendment(why=why.strip())


def signature(actor: Actor, seen: Dossier, meaning: Meaning, *, content_sha256: str, method: str,
              printed_name: str) -> Signature:
    """A signature on what the person saw, if the rules allow it.

    Raises:
        Conflict: What is on record is not what was seen.
    """
    check_may_sign(actor, seen, meaning)
    if seen.content_sha256 != content_sha256:
        raise Conflict(f"inspection {seen.trace.id} is not what you saw any more; look at it again, then sign")
    return Signature.model_validate({"meaning": meaning, "content_sha256": content_sha256, "method": method,
                                     "printed_name": printed_name, "needed": seen.needed})


def revocation(actor: Actor, seen: Dossier, n: int, *, why: str) -> Revocation:
    """The end of one's own signature."""
    signed = next((s for s in seen.signatures if s.n == n), None)
    if signed is None:
        raise BadInput(f"entry {n} is no signature that stands")
    if signed.by != actor.name:
        raise BadInput(f"the signature is {signed.by}'s; only {signed.by} can revoke it, others amend")
    return Revocation(of=n, why=why.strip())


def check_open(seen: Dossier, trace: Trace, *, closed: bool, half_signed: bool) -> None:
    """Make sure that the record can be written to.

    Args:
        closed: The act is one for signed records.
        half_signed: The act is possible on a record that waits for its second signature.
    """
    if not finished(trace):
        raise BadInput("the inspection has not ended; go on with its last turn first")
    if closed or (half_signed and seen.state is State.HALF_SIGNED) or not locked(seen.state):
        return
    raise Locked("the record is signed; open it with an amendment first")


def told(act: Act) -> dict[str, object]:
    """What the audit log says of an act: no free text."""
    match act:
        case Judgement(verdict=verdict, blind=blind):
            return {"verdict": verdict.value, "blind": blind}
        case Ruling(finding=finding, decision=decision):
            return {"finding": finding, "decision": decision}
        case VerdictChange(old=old, verdict=verdict):
            return {"old": old.value if old else None, "new": verdict.value}
        case Signature(meaning=meaning, content_sha256=sha256, method=method):
            return {"meaning": meaning.value, "content": sha256, "method": method}
        case Revocation(of=of):
            return {"of": of}
        case _:
            return {}


def _finding(seen: Dossier, finding: str) -> JudgedFinding:
    for judged in seen.decision.findings:
        if judged.id == finding:
            return judged
    known = ", ".join(f.id for f in seen.decision.findings) or "none"
    raise BadInput(f"there is no finding {finding[:40]!r}; there are: {known}")


def _as_finding(judged: JudgedFinding) -> Finding:
    """How a finding stood, as an entry keeps it."""
    kept = judged.proposed
    if kept is None:
        return Finding(id=judged.id, type=judged.type, box=judged.box, score=1.0)
    same = kept.box == judged.box
    return kept.model_copy(update={"type": judged.type, "box": judged.box, "outline": kept.outline if same else ()})


def _type(given: str | None, old: str) -> str:
    kind = " ".join((given if given is not None else old).split())
    if not 1 <= len(kind) <= 80:
        raise BadInput("a defect needs a type of 1 to 80 characters, for instance: scratch")
    return kind


def _box(box: Box, trace: Trace) -> Box:
    """A box inside the subject's picture.

    Raises:
        BadInput: It lies outside, or nothing is in it.
    """
    image = trace.images[0]
    x0, y0, x1, y1 = (int(v) for v in box)
    inside = clip((x0, y0, x1, y1), image.width, image.height) if x0 < x1 and y0 < y1 else None
    if inside != (x0, y0, x1, y1):
        raise BadInput(f"box {[x0, y0, x1, y1]} does not lie inside the picture of {image.width}x{image.height} px")
    return inside
