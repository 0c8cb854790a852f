"""The report of one inspection: facts into blocks."""

from datetime import datetime
from typing import Literal

from agent.reasons import explain
from kenpin.contracts.review import State
from kenpin.contracts.trace import TraceImage, finished, proposal, proposer
from kenpin.reports.blocks import (
    Block,
    Cell,
    Document,
    Figure,
    Heading,
    Items,
    Line,
    Pairs,
    Stamp,
    Table,
    Text,
    VerdictBlock,
    cell,
)
from kenpin.reports.facts import ReportFacts, cited_cases
from kenpin.reports.reviewing import findings_table, history, legend, signatures
from kenpin.reports.steps import measures_table, taken_over, turns
from kenpin.reports.words import Lang, Words


def inspection_document(facts: ReportFacts, lang: Lang) -> Document:
    """The whole report of one inspection."""
    t = Words(lang, facts.at.tzinfo)
    blocks: list[Block] = [
        Heading(text=t("title"), level=1),
        stamp(facts, t),
        *verdict(facts, t),
        *picture(facts, t),
        Heading(text=t("findings")), *findings_table(facts, t),
        *measures(facts, t),
        Heading(text=t("signatures")), *signatures(facts, t),
        Heading(text=t("record")), record(facts, t),
        Heading(text=t("steps")), *turns(facts, t),
        *cases(facts, t),
        Heading(text=t("history")), *history(facts, t),
        Heading(text=t("hashes")), hashes(facts, t),
    ]
    return Document(title=f"{t('title')} {facts.trace.id}", running=facts.trace.id, lang=lang, at=facts.at,
                    blocks=tuple(blocks))


def stamp(facts: ReportFacts, t: Words) -> Stamp:
    """Where the record stands, as the first thing that is read."""
    if facts.foreign:
        return Stamp(text=t("state.foreign"), tone="ng")
    tones: dict[State, Literal["ok", "ng", "uncertain"]] = {State.SIGNED: "ok", State.REJECTED: "ng"}
    key = "unsigned" if not finished(facts.trace) and not facts.entries else facts.state.value
    names = [f"{s.signature.printed_name}, {t(f'meaning.{s.signature.meaning}')}, {t.time(s.at)}"
             for s in facts.signatures]
    text = " · ".join([t(f"state.{key}", needed=facts.needed), *names])
    return Stamp(text=text, tone=tones.get(facts.state, "uncertain"))


def verdict(facts: ReportFacts, t: Words) -> list[Block]:
    """The verdict as it stands and as proposed, and what it rests on."""
    d, answer = facts.decision, proposal(facts.trace)
    blocks: list[Block] = [
        Heading(text=t("verdict")),
        VerdictBlock(verdicts=(
            (t("verdict.stands"), t.verdict_line(d.verdict)), (t("verdict.proposed"), t.verdict_line(d.proposed)),
        )),
    ]
    for turn in facts.trace.turns:
        if answer and turn.answer is answer:
            blocks += taken_over(facts, turn, t)
    if d.disagrees:
        blocks.append(Text(text=t("disagrees"), tone="uncertain"))
    said = [(t("rule"), answer.rule if answer else None), (t("changed_why"), d.why), (t("cause"), d.cause),
            (t("disposition"), d.disposition),
            (t("judgements"), ", ".join(f"{name}: {t.verdict(v)}" for name, v in d.judgements))]
    rows = tuple((label, cell(text)) for label, text in said if text)
    if rows:
        blocks.append(Pairs(rows=rows))
    if answer and answer.reasons:
        reasons = Items(items=tuple(explain(code, t.lang) for code in answer.reasons))
        blocks += [Text(text=t("reasons"), tone="strong"), reasons]
    return blocks


def picture(facts: ReportFacts, t: Words, *, tall: float = 0.42) -> list[Block]:
    """The subject with its findings."""
    if facts.picture is None:
        return []
    subject = facts.trace.images[0]
    caption = t("caption.reduced" if facts.picture.reduced else "caption.view", role=_role(subject, t),
                width=subject.width, height=subject.height)
    return [Figure(picture=facts.picture, caption=f"{subject.id}: {caption}. {legend(facts, t)}".strip(), tall=tall)]


def measures(facts: ReportFacts, t: Words) -> list[Block]:
    """The measures that the proposed verdict rests on; other turns show their own."""
    answer = proposal(facts.trace)
    if not answer or not answer.measures:
        return []
    return [Heading(text=t("measures")), measures_table(answer.measures, t)]


def record(facts: ReportFacts, t: Words) -> Pairs:
    """What the inspection is: id, part, who, planner, versions, criteria, pictures."""
    trace = facts.trace
    planner = proposer(trace)
    rows: list[tuple[str, Cell]] = [
        (t("id"), cell(Line(text=trace.id, tone="code"))),
        (t("created"), cell(t.time(trace.created))),
        (t("made"), cell(t.time(facts.at))),
        (t("state"), cell(t(f"s.{facts.state}"))),
    ]
    named = (("product", trace.product), ("lot", trace.lot), ("part", trace.part), ("asker", facts.asker))
    rows += [(t(key), cell(value)) for key, value in named if value]
    rows += [
        (t("planner"), cell(planner.backend)),
        (t("model"), cell(planner.model)),
        (t("prompt"), cell(planner.prompt, Line(text=planner.prompt_sha256 or "", tone="code"))),
    ]
    if planner.adapter:
        sha256 = Line(text=planner.adapter_sha256, tone="code") if planner.adapter_sha256 else None
        rows.append((t("adapter"), cell(planner.adapter, *filter(None, [sha256]))))
    if trace.tools:
        versions = ", ".join(f"{name} {version}" for name, version in sorted(trace.tools.items()))
        rows.append((t("tools"), cell(versions)))
    if c := trace.criteria:
        source = f"{c.source}, {t('revision', revision=c.revision)}" if c.revision else c.source
        rows.append((t("criteria"), cell(source, *(t.limit(limit) for limit in c.limits))))
    rows += [(f"{t('picture')} {image.id}", _image(image, t)) for image in trace.images]
    if trace.good:
        shorts = " ".join(sha256[:12] for sha256 in trace.good)
        rows.append((t("good"), cell(f"{len(trace.good)}: {shorts}")))
    return Pairs(rows=tuple(rows))


def cases(facts: ReportFacts, t: Words) -> list[Block]:
    """Past cases that the steps brought up, with who signed them."""
    cited = cited_cases(facts.trace)
    if not cited:
        return []
    rows = tuple(
        (
            cell(Line(text=c.case.case_id, tone="strong"), Line(text=t("c.step", n=c.step), tone="dim")),
            cell(t.name(c.case.defect_type), Line(text=f"{c.case.likeness:.2f}", tone="dim")),
            cell(" · ".join(v for v in (c.case.product, c.case.lot, c.case.date) if v)),
            cell(c.case.cause, Line(text=c.case.disposition, tone="dim") if c.case.disposition else None),
            cell(c.case.signed_by or Line(text=t("c.unsigned"), tone="dim")),
        )
        for c in cited
    )
    head = (t("c.id"), f"{t('f.type')}, {t('c.likeness')}", f"{t('product')}, {t('lot')}", t("c.cause"), t("c.signed"))
    return [Heading(text=t("cases")), Table(head=head, rows=rows, widths=(0.2, 0.16, 0.2, 0.28, 0.16))]


def hashes(facts: ReportFacts, t: Words) -> Pairs:
    """Hashes by which the report can be held against the records later."""
    rows: list[tuple[str, Cell]] = []
    if facts.content_sha256:
        rows.append((t("x.content"), _code(facts.content_sha256)))
    rows.append((t("x.trace"), _code(facts.trace_sha256)))
    if facts.entries:
        rows.append((t("x.entry"), _code(facts.entries[-1].sha256)))
    if head := facts.head:
        event = t("x.event", seq=head.seq, at=t.time(datetime.fromisoformat(head.at)))
        rows.append((t("x.audit"), cell(Line(text=head.sha256, tone="code"), Line(text=event, tone="dim"))))
    else:
        rows.append((t("x.audit"), cell(Line(text=t("x.none"), tone="dim"))))
    return Pairs(rows=tuple(rows))


def _image(image: TraceImage, t: Words) -> Cell:
    scale = f", {image.mm_per_px:g} mm/px" if image.mm_per_px else ""
    notes = "".join(f"; {note}" for note in image.notes)
    upload = f"{t('upload')}: {image.upload_sha256}" if image.upload_sha256 else ""
    return cell(
        f"{_role(image, t)}, {image.width} × {image.height} px{scale}{notes}",
        Line(text=image.sha256, tone="code"), Line(text=upload, tone="code") if upload else None,
    )


def _role(image: TraceImage, t: Words) -> str:
    return t(f"role.{image.role}") if image.role in ("subject", "reference", "good") else image.role


def _code(text: str) -> Cell:
    return cell(Line(text=text, tone="code"))
