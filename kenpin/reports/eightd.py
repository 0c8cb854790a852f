"""The starting sheet of an 8D report for an ng: what is on record is filled in, everything else is for the team.

Source: the eight disciplines (Ford Global 8D, VDA "8D problem solving in 8 disciplines"), with D0 before them.
"""

from collections.abc import Sequence

from kenpin.contracts.errors import BadInput
from kenpin.contracts.trace import proposal
from kenpin.contracts.verdict import Verdict
from kenpin.reports.blocks import Blank, Block, Cell, Document, Heading, Line, Pairs, Table, Text, Ticks, cell
from kenpin.reports.facts import Relative, ReportFacts, cited_cases
from kenpin.reports.inspection import hashes, picture, stamp
from kenpin.reports.reviewing import findings_table
from kenpin.reports.words import Lang, Words

EMPTY: Cell = ()
MOST_RELATIVES = 40
"""Other inspections of the lot that are listed; all of them are counted."""


def eightd_document(facts: ReportFacts, relatives: Sequence[Relative], lang: Lang) -> Document:
    """The starting sheet.

    Args:
        facts: Of the ng.
        relatives: The other inspections of its lot.
        lang: Language of the sheet.
    Raises:
        BadInput: The verdict as it stands is not ng.
    """
    if facts.decision.verdict is not Verdict.NG:
        stands = facts.decision.verdict.value if facts.decision.verdict else "missing"
        raise BadInput(
            f"the verdict of inspection {facts.trace.id} is {stands}; an 8D sheet is made for an ng, "
            "so change the verdict in the review first if it is wrong"
        )
    t = Words(lang, facts.at.tzinfo)
    blocks: list[Block] = [
        Heading(text=t("8d.title"), level=1), stamp(facts, t), Text(text=t("8d.note"), tone="dim"), _head(facts, t),
        *_symptom(facts, t), *_team(t), *_problem(facts, relatives, t), *_containment(relatives, t),
        *_cause(facts, t), *_rest(t),
        Heading(text=t("hashes")), hashes(facts, t),
    ]
    return Document(title=f"{t('8d.title')} {facts.trace.id}", running=facts.trace.id, lang=lang, at=facts.at,
                    blocks=tuple(blocks))


def _head(facts: ReportFacts, t: Words) -> Table:
    trace = facts.trace
    rows = (
        (cell(t("8d.of")), cell(trace.id), cell(t("8d.number")), EMPTY),
        (cell(t("product")), cell(trace.product or "–"), cell(t("8d.customer")), EMPTY),
        (cell(t("lot")), cell(trace.lot or "–"), cell(t("8d.opened")), EMPTY),
        (cell(t("part")), cell(trace.part or "–"), cell(t("created")), cell(t.time(trace.created))),
    )
    return Table(head=("", "", "", ""), rows=rows, widths=(0.17, 0.33, 0.17, 0.33), form=True)


def _symptom(facts: ReportFacts, t: Words) -> list[Block]:
    answer = proposal(facts.trace)
    real = [f for f in facts.decision.findings if f.real]
    symptom = ", ".join(f"{f.id} {t.name(f.type)}" for f in real) or t("none")
    rows: list[tuple[str, Cell]] = [(t("8d.0.symptom"), cell(Line(text=symptom, tone="strong")))]
    if answer:
        rows.append((t("8d.0.answer"), cell(answer.text)))
    if facts.decision.disposition:
        rows.append((t("disposition"), cell(facts.decision.disposition)))
    return [
        Heading(text=t("8d.0")), Pairs(rows=tuple(rows)), *picture(facts, t, tall=0.3),
        Ticks(label=t("8d.0.needed"), choices=(t("is_yes"), t("is_no"))), Blank(label=t("8d.0.action"), lines=2),
    ]


def _team(t: Words) -> list[Block]:
    roles = ("champion", "leader", "member", "member", "member")
    rows = tuple((cell(t(f"8d.1.{role}")), EMPTY, EMPTY, EMPTY) for role in roles)
    head = (t("8d.1.role"), t("8d.1.name"), t("8d.1.area"), t("8d.1.contact"))
    return [Heading(text=t("8d.1")), Table(head=head, rows=rows, widths=(0.2, 0.3, 0.25, 0.25), form=True)]


def _problem(facts: ReportFacts, relatives: Sequence[Relative], t: Words) -> list[Block]:
    trace, found = facts.trace, facts.decision.findings
    false = [t("8d.2.false", finding=f.id, type=t.name(f.type)) for f in found if not f.real]
    known = [r for r in relatives if not r.hidden]
    ok = sum(r.verdict is Verdict.OK for r in known)
    ng = 1 + sum(r.verdict is Verdict.NG for r in known)
    limits = tuple(t.limit(limit) for limit in trace.criteria.limits) if trace.criteria else ()
    source = [f"{trace.criteria.source}, {t('revision', revision=trace.criteria.revision)}"] if (
        trace.criteria and trace.criteria.revision) else []
    answer = proposal(trace)
    rule = f"{t('rule')}: {answer.rule}" if answer and answer.rule else None
    where = [f"{f.id}: {list(f.box)} px" for f in found if f.real]
    lot = t("8d.2.lotng", ng=ng, all=1 + len(known)) if trace.lot else t("8d.2.nolot")
    sizes = [t.sized(m, t.name(m.quantity)) for turn in trace.turns if turn.answer for m in turn.answer.measures]
    rows: tuple[tuple[Cell, ...], ...] = (
        (cell(t("8d.2.what")), cell(*(v for v in (trace.product, trace.lot, trace.part) if v)), EMPTY, EMPTY),
        (cell(t("8d.2.defect")), cell(*(_defect(f.type, f.id, f.severity, t) for f in found if f.real)),
         cell(*(false or [t("8d.2.nofalse")])), EMPTY),
        (cell(t("8d.2.where")), cell(*where), EMPTY, EMPTY),
        (cell(t("8d.2.when")), cell(t.time(trace.created)), EMPTY, EMPTY),
        (cell(t("8d.2.howmuch")), cell(*sizes, lot), cell(t("8d.2.otherok", n=ok)) if trace.lot else EMPTY, EMPTY),
        (cell(t("8d.2.against")), cell(*source, *limits, rule), EMPTY, EMPTY),
    )
    head = (t("8d.2.question"), t("8d.2.is"), t("8d.2.isnot"), t("8d.2.team"))
    return [Heading(text=t("8d.2")), Table(head=head, rows=rows, widths=(0.17, 0.33, 0.25, 0.25), form=True),
            *findings_table(facts, t)]


def _containment(relatives: Sequence[Relative], t: Words) -> list[Block]:
    blocks: list[Block] = [Heading(text=t("8d.3")), Text(text=t("8d.3.hint"), tone="dim"),
                           Text(text=f"{t('8d.3.others')}: {len(relatives)}", tone="strong")]
    if relatives:
        rows = tuple(
            (cell(Line(text=r.id, tone="code")), cell(r.part or "–"), cell(t.time(r.created)),
             cell(Line(text=t("l.hidden"), tone="dim") if r.hidden else t.verdict_line(r.verdict)),
             cell(t(f"s.{r.state}")))
            for r in relatives[:MOST_RELATIVES]
        )
        head = (t("id"), t("part"), t("created"), t("verdict"), t("state"))
        blocks.append(Table(head=head, rows=rows, widths=(0.32, 0.16, 0.24, 0.14, 0.14)))
    else:
        blocks.append(Text(text=t("8d.3.noothers")))
    head = (t("8d.3.action"), t("8d.3.where"), t("8d.3.who"), t("8d.3.due"), t("8d.3.effect"))
    return [*blocks, _form(head, (0.32, 0.2, 0.16, 0.12, 0.2), 4)]


def _cause(facts: ReportFacts, t: Words) -> list[Block]:
    blocks: list[Block] = [Heading(text=t("8d.4"))]
    if facts.decision.cause:
        blocks.append(Pairs(rows=((t("8d.4.recorded"), cell(Line(text=facts.decision.cause, tone="strong"))),)))
    cited = cited_cases(facts.trace)
    if cited:
        rows = tuple(
            (cell(c.case.case_id, Line(text=t("8d.likeness", likeness=f"{c.case.likeness:.2f}"), tone="dim")),
             cell(t.name(c.case.defect_type)), cell(c.case.cause, Line(text=c.case.disposition, tone="dim")),
             cell(c.case.signed_by or Line(text=t("c.unsigned"), tone="dim")), EMPTY)
            for c in cited
        )
        head = (t("c.id"), t("f.type"), t("c.cause"), t("c.signed"), t("8d.4.verified"))
        blocks += [Text(text=t("8d.4.candidates"), tone="uncertain"),
                   Table(head=head, rows=rows, widths=(0.2, 0.12, 0.28, 0.15, 0.25), form=True)]
    else:
        blocks.append(Text(text=t("8d.4.none")))
    return [*blocks, *(Blank(label=t(f"8d.4.{key}"), lines=3) for key in ("why", "escape", "verified"))]


def _rest(t: Words) -> list[Block]:
    who, due = t("8d.3.who"), t("8d.3.due")
    return [
        Heading(text=t("8d.5")),
        _form((t("8d.5.action"), t("8d.5.against"), t("8d.5.proof")), (0.4, 0.25, 0.35), 3),
        Heading(text=t("8d.6")),
        _form((t("8d.5.action"), who, due, t("8d.6.done"), t("8d.6.result")), (0.34, 0.16, 0.12, 0.12, 0.26), 3),
        Heading(text=t("8d.7")),
        _form((t("8d.7.document"), t("8d.7.change"), who, due), (0.36, 0.34, 0.16, 0.14), 3),
        Heading(text=t("8d.8")),
        _form((t("8d.8.sign"), t("8d.1.role"), t("8d.8.closed")), (0.5, 0.25, 0.25), 2),
        Blank(label=t("8d.8.thanks"), lines=2),
    ]


def _form(head: tuple[str, ...], widths: tuple[float, ...], rows: int) -> Table:
    return Table(head=head, rows=((EMPTY,) * len(head),) * rows, widths=widths, form=True)


def _defect(kind: str, key: str, severity: str | None, t: Words) -> str:
    return f"{key} {t.name(kind)}" + (f", {t(f'sev.{severity}')}" if severity else "")
