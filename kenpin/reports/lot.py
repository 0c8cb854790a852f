"""The report of a lot: counts, a table of all its inspections, then a section for each."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from kenpin.contracts.review import State
from kenpin.contracts.trace import proposer
from kenpin.contracts.verdict import Verdict
from kenpin.reports.blocks import Block, Break, Document, Heading, Line, Pairs, Table, Text, cell
from kenpin.reports.facts import LotFacts, ReportFacts
from kenpin.reports.inspection import hashes, measures, picture, stamp, verdict
from kenpin.reports.reviewing import findings_table, signatures
from kenpin.reports.steps import turns
from kenpin.reports.words import Lang, Words


@dataclass(frozen=True)
class LotCounts:
    """What the inspections of a lot came to."""

    verdicts: Counter[Verdict | None]
    """By the verdict as it stands."""
    signed: int
    rejected: int
    overkill: int
    """Proposed ng, signed ok: a good part that Kenpin alone would have thrown away."""
    escape: int
    """Proposed ok, signed ng: a bad part that Kenpin alone would have let through."""


def counts_of(inspections: Sequence[ReportFacts]) -> LotCounts:
    """Count a lot. Overkill and escape count signed records only: until then nobody has found either."""
    signed = [f for f in inspections if f.state is State.SIGNED]
    changed = Counter((f.decision.proposed, f.decision.verdict) for f in signed)
    return LotCounts(
        verdicts=Counter(f.decision.verdict for f in inspections),
        signed=len(signed),
        rejected=sum(f.state is State.REJECTED for f in inspections),
        overkill=changed[Verdict.NG, Verdict.OK],
        escape=changed[Verdict.OK, Verdict.NG],
    )


def lot_document(facts: LotFacts, lang: Lang) -> Document:
    """The whole report of a lot."""
    t = Words(lang, facts.at.tzinfo)
    name = f"{t('lot')} {facts.lot}"
    blocks: list[Block] = [
        Heading(text=t("lot.title"), level=1),
        _head(facts, t),
        Heading(text=t("l.counts")),
        _counts(facts, t),
        Heading(text=t("l.list")),
        _list(facts, t),
    ]
    if facts.unshown:
        rows = tuple((cell(key), cell(reason)) for key, reason in facts.unshown)
        blocks += [Heading(text=t("l.unreadable")), Table(head=(t("id"), t("reasons")), rows=rows, widths=(0.3, 0.7))]
    for one in facts.inspections:
        blocks += [Break(), *_section(one, t)]
    return Document(title=f"{t('lot.title')} {facts.lot}", running=name, lang=lang, at=facts.at, blocks=tuple(blocks))


def _head(facts: LotFacts, t: Words) -> Pairs:
    rows = [
        (t("lot"), cell(Line(text=facts.lot, tone="strong"))),
        (t("product"), cell(facts.product or t("l.any_product"))),
        (t("made"), cell(t.time(facts.at))),
    ]
    if facts.head:
        at = t.time(datetime.fromisoformat(facts.head.at))
        told = Line(text=t("x.event", seq=facts.head.seq, at=at), tone="dim")
        rows.append((t("x.audit"), cell(Line(text=facts.head.sha256, tone="code"), told)))
    return Pairs(rows=tuple(rows))


def _counts(facts: LotFacts, t: Words) -> Pairs:
    c = counts_of(facts.inspections)
    everything = len(facts.inspections)
    rows = [(t("l.inspections"), str(everything))]
    rows += [(t("l.verdict", verdict=t.verdict(v)), str(c.verdicts[v])) for v in Verdict]
    if c.verdicts[None]:
        rows.append((t("l.noverdict"), str(c.verdicts[None])))
    rows += [
        (t("l.signed"), str(c.signed)),
        (t("l.unsigned"), str(everything - c.signed - c.rejected)),
        (t("l.rejected"), str(c.rejected)),
        (t("l.overkill"), str(c.overkill)),
        (t("l.escape"), str(c.escape)),
    ]
    if facts.unshown:
        rows.append((t("l.unreadable"), str(len(facts.unshown))))
    return Pairs(rows=tuple((label, cell(value)) for label, value in rows))


def _list(facts: LotFacts, t: Words) -> Block:
    if not facts.inspections:
        return Text(text=t("none"))
    head = (t("id"), t("part"), t("created"), t("verdict.proposed"), t("verdict.stands"), t("l.row.findings"),
            t("state"), t("l.row.signed"))
    rows = tuple(
        (
            cell(Line(text=f.trace.id, tone="code")),
            cell(f.trace.part or "–"),
            cell(t.time(f.trace.created)),
            cell(t.verdict_line(f.decision.proposed)),
            cell(t.verdict_line(f.decision.verdict)),
            cell(str(sum(finding.real for finding in f.decision.findings))),
            cell(t(f"s.{f.state}")),
            cell(", ".join(s.signature.printed_name for s in f.signatures) or "–"),
        )
        for f in facts.inspections
    )
    return Table(head=head, rows=rows, widths=(0.19, 0.1, 0.18, 0.11, 0.11, 0.08, 0.1, 0.13))


def _section(facts: ReportFacts, t: Words) -> list[Block]:
    """One inspection in short: where it stands, picture, findings, measures, steps, signatures, hashes."""
    named = [(t(key), cell(value)) for key, value in (
        ("product", facts.trace.product), ("part", facts.trace.part), ("asker", facts.asker),
        ("planner", proposer(facts.trace).backend), ("model", proposer(facts.trace).model)) if value]
    return [
        Heading(text=facts.trace.id),
        stamp(facts, t),
        Pairs(rows=((t("created"), cell(t.time(facts.trace.created))), *named)),
        *_lowered(verdict(facts, t)),
        *picture(facts, t, tall=0.3),
        *findings_table(facts, t),
        *_lowered(measures(facts, t)),
        Heading(text=t("signatures"), level=3), *signatures(facts, t),
        *turns(facts, t, short=True),
        hashes(facts, t),
    ]


def _lowered(blocks: Sequence[Block]) -> list[Block]:
    """The same with headings of the third level."""
    return [block.model_copy(update={"level": 3}) if isinstance(block, Heading) else block for block in blocks]
