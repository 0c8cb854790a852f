"""What people decided: findings as reviewed, the history of acts, the signatures."""

from kenpin.contracts.review import (
    Amendment,
    Comment,
    Entry,
    JudgedFinding,
    Judgement,
    Revocation,
    Ruling,
    Signature,
    VerdictChange,
)
from kenpin.reports.blocks import Block, Cell, Line, Table, Text, Tone, cell
from kenpin.reports.facts import ReportFacts
from kenpin.reports.words import Words

LEGENDS = {"proposed": "orange", "accepted": "red", "corrected": "red", "missed": "violet"}


def findings_table(facts: ReportFacts, t: Words) -> list[Block]:
    """Findings as they stand, each with what it was before."""
    found = facts.decision.findings
    if not found:
        return [Text(text=t("f.none"))]
    head = tuple(t(f"f.{key}") for key in ("id", "type", "box", "score", "severity", "decision", "steps"))
    rows = tuple(_finding(finding, t) for finding in found)
    return [Table(head=head, rows=rows, widths=(0.09, 0.17, 0.22, 0.09, 0.13, 0.21, 0.09))]


def legend(facts: ReportFacts, t: Words) -> str:
    """What the colours on the picture mean, of those that are on it."""
    if not facts.decision.findings:
        return ""
    used = dict.fromkeys(LEGENDS[f.decision] for f in facts.decision.findings if f.decision in LEGENDS)
    sep = "、" if t.lang == "ja" else "; "
    return t("legend", which=sep.join(t(f"legend.{colour}") for colour in used) or t("none"))


def history(facts: ReportFacts, t: Words) -> list[Block]:
    """Every entry, old and new."""
    if not facts.entries:
        return [Text(text=t("h.none"))]
    rows = tuple(
        (cell(str(e.n)), cell(t.time(e.at)), cell(e.by), _act(e, t)) for e in facts.entries
    )
    head = (t("h.n"), t("h.at"), t("h.by"), t("h.what"))
    return [Table(head=head, rows=rows, widths=(0.08, 0.2, 0.17, 0.55))]


def signatures(facts: ReportFacts, t: Words) -> list[Block]:
    """Every signature on record with printed name, date and time, and meaning (21 CFR 11.50), and whether it stands."""
    given = [(entry, entry.act) for entry in facts.entries if isinstance(entry.act, Signature)]
    if not given:
        return [Text(text=t("g.none"), tone="uncertain")]
    rows = tuple(
        (
            cell(Line(text=act.printed_name, tone="strong"), Line(text=f"{t('g.account')}: {entry.by}", tone="dim")),
            cell(t.time(entry.at), Line(text=f"{t('g.method')}: {t(f'g.{act.method}')}", tone="dim")),
            cell(Line(text=t(f"meaning.{act.meaning}"), tone="strong")),
            cell(Line(text=act.content_sha256, tone="code")),
            cell(_stands(facts, entry, t)),
        )
        for entry, act in given
    )
    head = (t("g.name"), t("g.at"), t("g.meaning"), t("g.content"), t("g.stands"))
    return [Table(head=head, rows=rows, widths=(0.22, 0.24, 0.12, 0.28, 0.14))]


def _stands(facts: ReportFacts, entry: Entry, t: Words) -> Line:
    for standing in facts.signatures:
        if standing.n == entry.n:
            same = standing.signature.content_sha256 == facts.content_sha256
            return Line(text=t("is_yes"), tone="ok") if same else Line(text=t("g.foreign"), tone="ng")
    revoked = any(isinstance(e.act, Revocation) and e.act.of == entry.n for e in facts.entries)
    return Line(text=t("g.revoked" if revoked else "g.amended"), tone="ng")


def _finding(f: JudgedFinding, t: Words) -> tuple[Cell, ...]:
    old = f.proposed
    tone: Tone = "struck" if f.decision == "false_alarm" else "plain"
    was_type = old.type if old and old.type != f.type else None
    was_box = old.box if old and old.box != f.box else None
    return (
        cell(Line(text=f.id, tone="strong")),
        cell(Line(text=t.name(f.type), tone=tone), _was(t.name(was_type) if was_type else None, t)),
        cell(Line(text=str(list(f.box)), tone=tone), _was(str(list(was_box)) if was_box else None, t)),
        cell(f"{f.score:.2f}" if f.score is not None else "–"),
        cell(t(f"sev.{f.severity}") if f.severity else "–"),
        cell(t(f"d.{f.decision}"), Line(text=f.by, tone="dim") if f.by else None, f.why),
        cell(", ".join(f"[{n}]" for n in old.steps) if old and old.steps else "–"),
    )


def _was(text: str | None, t: Words) -> Line | None:
    return Line(text=f"{t('f.was')} {text}", tone="dim") if text else None


def _act(entry: Entry, t: Words) -> Cell:
    match entry.act:
        case Judgement() as act:
            blind = Line(text=t("h.blind"), tone="dim") if act.blind else None
            return cell(t("h.judgement", verdict=t.verdict(act.verdict)), blind, act.why)
        case Ruling() as act:
            return cell(t("h.ruling", finding=act.finding, decision=t(f"d.{act.decision}")), *_changes(act, t), act.why)
        case VerdictChange() as act:
            more = [f"{t(label)}: {value}" for label, value in (("cause", act.cause), ("disposition", act.disposition))
                    if value]
            return cell(t("h.verdict", old=t.verdict(act.old), new=t.verdict(act.verdict)), act.why, *more)
        case Comment() as act:
            return cell(Line(text=t("h.comment"), tone="dim"), act.text)
        case Signature() as act:
            name = f"{t('h.signature', meaning=t(f'meaning.{act.meaning}'))} · {act.printed_name}"
            return cell(Line(text=name, tone="strong"), Line(text=act.content_sha256, tone="code"))
        case Revocation() as act:
            return cell(Line(text=t("h.revocation", n=act.of), tone="strong"), act.why)
        case Amendment() as act:
            return cell(Line(text=t("h.amendment"), tone="strong"), act.why)


def _changes(act: Ruling, t: Words) -> list[Line]:
    """Old → new of a ruling, of what changed."""
    new_type, new_box = t.name(act.type), str(list(act.box))
    severity = f" · {t('f.severity')}: {t(f'sev.{act.severity}')}" if act.severity else ""
    if act.old is None:
        return [Line(text=f"{new_type} {new_box}{severity}", tone="dim")]
    old_type, old_box = t.name(act.old.type), str(list(act.old.box))
    parts = [f"{old} → {new}" if old != new else old for old, new in ((old_type, new_type), (old_box, new_box))]
    return [Line(text=" · ".join(parts) + severity, tone="dim")]
