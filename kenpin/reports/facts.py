"""The facts of a report, gathered from the records before a word of it is written."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from agent.wording import language
from kenpin.contracts.audit import AuditHead
from kenpin.contracts.errors import NotAllowed
from kenpin.contracts.ports import PictureStore
from kenpin.contracts.review import Decision, Dossier, Entry, JudgedFinding, StandingSignature, State
from kenpin.contracts.trace import Step, Trace, trace_sha256
from kenpin.contracts.verdict import Verdict
from kenpin.reports.blocks import Shown
from kenpin.reports.drawing import LONG_SIDE, marked, stored
from kenpin.reports.words import Lang
from kenpin.review.folding import decided, standing, state_of

Detail = Literal["full", "small", "none"]
"""Pictures of a report: with all evidence; one small one, for a lot; none, for a table."""

SHORT_SIDE = 560
"""Longest side of a picture in a report of a whole lot, px: 40 mm on paper at 350 dpi."""


@dataclass(frozen=True)
class ReportFacts:
    """Everything that a report of one inspection says."""

    trace: Trace
    entries: tuple[Entry, ...]
    decision: Decision
    state: State
    signatures: tuple[StandingSignature, ...]
    needed: int
    """Signatures that complete the record."""
    asker: str | None
    content_sha256: str | None
    """What a signature given now would sign; None for a trace alone."""
    trace_sha256: str
    head: AuditHead | None
    """Head of the audit log when the report was made."""
    at: datetime
    """When the report is made; times are shown in its zone."""
    picture: Shown | None
    """The original with the findings as reviewed; None for a table."""
    turns: Mapping[int, Shown] = field(default_factory=dict)
    """By index of the turn: the original with that answer's findings, where they are not those of the whole."""
    evidence: Mapping[str, Shown] = field(default_factory=dict)
    """By sha256; empty unless the report has all detail."""

    @property
    def foreign(self) -> bool:
        """Whether a signature that stands was given to another content than what is shown: the records are broken."""
        return any(s.signature.content_sha256 != self.content_sha256 for s in self.signatures)

    def lang(self, lang: str) -> Lang:
        """The language of the report: as asked for, or for `auto` that of the last instruction."""
        found = language(lang, self.trace.turns[-1].say if self.trace.turns else "")
        return "ja" if found == "ja" else "en"


@dataclass(frozen=True)
class LotFacts:
    """Everything that a report of a lot says."""

    lot: str
    product: str | None
    """None: the lot's inspections of every product."""
    inspections: tuple[ReportFacts, ...]
    """Oldest first."""
    unshown: tuple[tuple[str, str], ...]
    """Id and reason of each inspection that could not be shown."""
    head: AuditHead | None
    at: datetime

    def lang(self, lang: str) -> Lang:
        """The language of the report: as asked for, or for `auto` that of the first inspection."""
        if self.inspections:
            return self.inspections[0].lang(lang)
        return "ja" if lang == "ja" else "en"


@dataclass(frozen=True)
class Relative:
    """Another inspection of the same lot, for an 8D sheet."""

    id: str
    created: datetime
    part: str | None
    verdict: Verdict | None
    state: State
    hidden: bool = False


class CitedCase(BaseModel):
    """A past case as a step told of it. Older traces may say less, and newer ones more."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    case_id: str = "?"
    product: str | None = None
    lot: str | None = None
    date: str | None = None
    defect_type: str = ""
    cause: str = ""
    disposition: str = ""
    signed_by: str | None = None
    likeness: float = 0.0


@dataclass(frozen=True)
class Cited:
    """A past case that a step brought up."""

    step: int
    case: CitedCase


def trace_facts(trace: Trace, pictures: PictureStore, *, at: datetime | None = None) -> ReportFacts:
    """Facts of a trace alone: a proposal that nobody has reviewed.

    Raises:
        StoreError: A picture that the trace names is missing or was changed.
    """
    return _facts(trace, (), pictures, needed=1, asker=trace.asker, content=None, head=None, at=at, detail="full")


def dossier_facts(
    dossier: Dossier, pictures: PictureStore, *, head: AuditHead | None, at: datetime | None = None,
    detail: Detail = "full",
) -> ReportFacts:
    """Facts of a reviewed inspection.

    Args:
        dossier: As the reader may see it.
        pictures: The store.
        head: Head of the audit log now.
        at: Time of the report; now if None.
        detail: How many pictures.
    Raises:
        NotAllowed: Blind review hides the proposal from the reader.
        StoreError: As `trace_facts`.
    """
    if dossier.hidden:
        raise NotAllowed(
            f"inspection {dossier.trace.id} is reviewed blind: give your own judgement before you ask for its report"
        )
    given = max((s.signature.needed for s in dossier.signatures), default=dossier.needed)
    return _facts(dossier.trace, dossier.entries, pictures, needed=given, asker=dossier.asker,
                  content=dossier.content_sha256, head=head, at=at, detail=detail)


def cited_cases(trace: Trace) -> tuple[Cited, ...]:
    """The past cases that steps brought up, each once, most alike first within its step."""
    found: dict[str, Cited] = {}
    for step in steps_of(trace):
        for hit in _hits(step):
            found.setdefault(hit.case_id, Cited(step=step.n, case=hit))
    return tuple(found.values())


def steps_of(trace: Trace) -> Iterator[Step]:
    """Every step of the conversation, in order."""
    for turn in trace.turns:
        yield from turn.steps


def _hits(step: Step) -> Iterator[CitedCase]:
    hits: Any = step.result.get("hits") if step.tool == "recall" and step.status == "ok" else None
    for hit in hits if isinstance(hits, list | tuple) else ():
        try:
            yield CitedCase.model_validate(hit)
        except ValidationError:
            # What cannot be read is still named: that a case was cited is part of the record.
            yield CitedCase(case_id=str(hit.get("case_id", "?")) if isinstance(hit, dict) else "?")


def _facts(
    trace: Trace, entries: Sequence[Entry], pictures: PictureStore, *, needed: int, asker: str | None,
    content: str | None, head: AuditHead | None, at: datetime | None, detail: Detail,
) -> ReportFacts:
    decision = decided(trace, entries)
    subject = trace.images[0].sha256
    picture: Shown | None = None
    evidence: dict[str, Shown] = {}
    if detail != "none":
        long_side = SHORT_SIDE if detail == "small" else LONG_SIDE
        picture = marked(pictures, subject, decision.findings, long_side=long_side)
    if detail == "full":
        evidence = {sha256: stored(pictures, sha256) for step in steps_of(trace) for sha256 in step.evidence}
    return ReportFacts(
        trace=trace, entries=tuple(entries), decision=decision, state=state_of(trace, entries),
        signatures=standing(entries), needed=needed, asker=asker, content_sha256=content,
        trace_sha256=trace_sha256(trace), head=head, at=at or datetime.now(UTC), picture=picture, evidence=evidence,
        turns=_turn_pictures(trace, pictures, decision) if detail == "full" else {},
    )


def _turn_pictures(trace: Trace, pictures: PictureStore, decision: Decision) -> dict[int, Shown]:
    """What each answer pointed at, where it is not what the picture of the whole shows."""
    whole = {(finding.id, finding.box) for finding in decision.findings}
    shown = {}
    for i, turn in enumerate(trace.turns):
        found = turn.answer.findings if turn.answer else ()
        if found and {(f.id, f.box) for f in found} != whole:
            judged = [JudgedFinding(id=f.id, type=f.type, box=f.box, decision="proposed", score=f.score) for f in found]
            shown[i] = marked(pictures, trace.images[0].sha256, judged)
    return shown
