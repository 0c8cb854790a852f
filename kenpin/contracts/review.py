"""Reviews: what people decided about an inspection. Every act is a new entry that holds what it replaces."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from kenpin.contracts.trace import Finding, Trace
from kenpin.contracts.verdict import Verdict
from kenpin.contracts.view import Box

MOST_TEXT = 4000
"""Characters of a comment, a reason or a cause."""
Words = Annotated[str, Field(max_length=MOST_TEXT)]
Reason = Annotated[str, Field(min_length=1, max_length=MOST_TEXT)]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Severity(StrEnum):
    """How bad a defect is, as sampling plans have it (ISO 2859)."""

    CRITICAL = "critical"
    MAJOR = "major"
    MINOR = "minor"


class Meaning(StrEnum):
    """What a signature says."""

    REVIEWED = "reviewed"
    APPROVED = "approved"
    REJECTED = "rejected"
    """The record itself is not accepted, whatever the part is: it makes no case and is to be asked again."""


class State(StrEnum):
    """Where an inspection stands."""

    OPEN = "open"
    """A turn has not ended, or nothing was asked yet."""
    WAITING = "waiting"
    """It waits for a review or a signature."""
    HALF_SIGNED = "half_signed"
    """One of two people has signed."""
    SIGNED = "signed"
    AMENDING = "amending"
    """It was signed, and an amendment has begun that is not signed yet."""
    REJECTED = "rejected"


LOCKED = frozenset({State.HALF_SIGNED, State.SIGNED, State.REJECTED})
"""States in which nothing but signing, revoking and amending is possible."""


class Judgement(_Record):
    """A reviewer's own verdict. Under blind review it comes before the proposal is shown."""

    kind: Literal["judgement"] = "judgement"
    verdict: Verdict
    why: Words = ""
    blind: bool = False
    """The proposal had not been shown to this person."""


class Ruling(_Record):
    """What a reviewer says of one finding, or one that a reviewer adds."""

    kind: Literal["ruling"] = "ruling"
    finding: str
    """Id in the answer (`f1`), or a new one (`m1`) for a missed defect."""
    decision: Literal["accepted", "corrected", "false_alarm", "missed"]
    old: Finding | None
    """The finding as it stood before; None for a missed defect that is added."""
    type: str = Field(max_length=80)
    box: Box
    """Pixels of the original upload."""
    severity: Severity | None = None
    why: Words = ""


class VerdictChange(_Record):
    """The verdict of the part as a person sees it, with its reason; also the cause and what is done with the part."""

    kind: Literal["verdict"] = "verdict"
    old: Verdict | None
    verdict: Verdict
    why: Reason
    cause: Words = ""
    disposition: Annotated[str, Field(max_length=200)] = ""


class Comment(_Record):
    """A remark."""

    kind: Literal["comment"] = "comment"
    text: Reason


class Signature(_Record):
    """A person's electronic signature on exactly one content."""

    kind: Literal["signature"] = "signature"
    meaning: Meaning
    content_sha256: str
    """Over trace, pictures, criteria and decision; see `kenpin.review.content`."""
    method: Literal["password", "oidc"]
    printed_name: str
    """The person's name as printed in reports."""
    needed: int = 1
    """Signatures that the product's rules asked for when it was given."""


class Revocation(_Record):
    """A signature that no longer stands, and why."""

    kind: Literal["revocation"] = "revocation"
    of: int
    """Number of the entry that holds the signature."""
    why: Reason


class Amendment(_Record):
    """The beginning of changes to a signed record. The signatures before it stay on record and stand no longer."""

    kind: Literal["amendment"] = "amendment"
    why: Reason


Act = Annotated[
    Judgement | Ruling | VerdictChange | Comment | Signature | Revocation | Amendment, Field(discriminator="kind")
]


class Entry(_Record):
    """One act on record."""

    inspection: str
    n: int
    """Counts from 1 through the inspection's review."""
    at: datetime
    by: str
    act: Act
    previous: str
    """sha256 of the entry before; 64 zeros for the first."""
    sha256: str


class JudgedFinding(_Record):
    """A finding as it stands after the review."""

    id: str
    type: str
    box: Box
    decision: Literal["proposed", "accepted", "corrected", "false_alarm", "missed"]
    severity: Severity | None = None
    score: float | None = None
    """Of the tool; None for a missed defect."""
    proposed: Finding | None = None
    by: str | None = None
    why: str = ""

    @property
    def real(self) -> bool:
        """Whether it counts as a defect."""
        return self.decision != "false_alarm"


class StandingSignature(_Record):
    """A signature that stands."""

    n: int
    by: str
    at: datetime
    signature: Signature


class Decision(_Record):
    """What people have decided so far: all entries folded."""

    proposed: Verdict | None
    """The verdict that Kenpin proposed, of the last turn that has one."""
    verdict: Verdict | None
    """The verdict as it stands."""
    why: str = ""
    cause: str = ""
    disposition: str = ""
    findings: tuple[JudgedFinding, ...] = ()
    judgements: tuple[tuple[str, Verdict], ...] = ()
    """Each reviewer's own last verdict, by name."""

    @property
    def disagrees(self) -> bool:
        """Whether a person differs from the proposal or from another person."""
        said = {verdict for _, verdict in self.judgements} | ({self.verdict} if self.verdict else set())
        return len(said | ({self.proposed} if self.proposed else set())) > 1


class Rules(_Record):
    """How the inspections of a product are reviewed and kept. The rules of "" hold where a product has none."""

    product: str = ""
    two_person: bool = False
    """Two different people sign."""
    asker_cannot_sign: bool = False
    """Whoever started the inspection or said anything in it does not sign it."""
    blind: bool = False
    """The proposal is hidden from a reviewer until the own judgement is in."""
    keep_days: int | None = Field(default=None, ge=1)
    """Inspections older than this are deleted by `kenpin retention apply`; None keeps them."""
    keep_signed_days: int | None = Field(default=None, ge=1)
    """The same for signed ones."""


class QueueFilter(_Record):
    """What of the queue to show. Every value is bound as a parameter, never spliced into SQL."""

    product: str | None = None
    lot: str | None = None
    verdict: Verdict | None = None
    planner: str | None = None
    state: State | None = None
    older_than_days: float | None = None
    newer_than_days: float | None = None
    asker: str | None = None
    disagrees: bool | None = None
    waiting_only: bool = True
    """Only what needs a person: waiting, half signed, amending."""
    offset: int = Field(default=0, ge=0)
    limit: int = Field(default=25, ge=1, le=200)


class QueueRow(_Record):
    """One inspection in the queue."""

    id: str
    created: datetime
    asker: str | None
    product: str | None
    lot: str | None
    part: str | None
    picture: str | None
    """sha256 of the subject."""
    planner: str
    model: str
    proposed: Verdict | None
    verdict: Verdict | None
    """As it stands; under blind review None, as `proposed`, until the reader's own judgement is in."""
    rule: str | None
    findings: int | None
    disagrees: bool
    state: State
    signed_by: str | None
    signed_at: datetime | None
    hidden: bool = False
    """Whether blind review hides the proposal from the reader."""


class QueuePage(_Record):
    """Rows, and how many there are in all."""

    rows: tuple[QueueRow, ...]
    total: int


class Dossier(_Record):
    """Everything about one inspection that its reader may see."""

    trace: Trace
    """Under blind review without answers, steps and views."""
    entries: tuple[Entry, ...]
    """Under blind review the reader's own ones only."""
    decision: Decision
    state: State
    signatures: tuple[StandingSignature, ...]
    needed: int
    """Signatures that the product's rules ask for."""
    rules: Rules
    head: int
    """Number of the last entry; handed back with each act, so that nobody writes over what another has written."""
    hidden: bool
    content_sha256: str | None
    """What a signature given now would sign; None while hidden or open."""
    asker: str | None
