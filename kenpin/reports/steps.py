"""What was asked, done and answered, turn by turn."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from agent.reasons import explain, told, took_over
from kenpin.contracts.trace import Measure, Step, Turn, planner_of, proposal
from kenpin.reports.blocks import Block, Cell, Figure, Heading, Items, Line, Table, Text, Thumb, cell
from kenpin.reports.facts import ReportFacts
from kenpin.reports.words import Words

MOST = 360
"""Characters of a step's arguments or results in a report; the trace holds all of them."""
MOST_ITEMS = 6
"""Things of a list in a result that are written out."""
MOST_NESTED = 2
"""Values of a thing inside a result that are written out."""


def turns(facts: ReportFacts, t: Words, *, short: bool = False) -> list[Block]:
    """Every turn: instruction, answer and steps.

    Args:
        facts: Of the inspection.
        t: Words.
        short: Without arguments, results and evidence, for a lot.
    """
    return [block for i, turn in enumerate(facts.trace.turns) for block in _turn(facts, i, turn, t, short)]


def measures_table(measures: Sequence[Measure], t: Words) -> Table:
    """Measures with their uncertainty."""
    amounts = [(m, *t.amount(m)) for m in measures]
    rows = tuple(
        (cell(t.name(m.quantity)), cell(value), cell(margin or "–"), cell(m.of or "–"), cell(f"[{m.step}]"))
        for m, value, margin in amounts
    )
    head = (t("m.quantity"), t("m.value"), t("m.uncertainty"), t("m.of"), t("m.step"))
    return Table(head=head, rows=rows, widths=(0.32, 0.22, 0.22, 0.12, 0.12))


def in_short(values: Mapping[str, Any]) -> str:
    """Arguments or results on one line: names and values, lists of things by their number, the rest in brief.

    >>> in_short({"a": 1, "b": [1.23456, 2], "c": None, "d": {}, "e": [{"x": 1}, {"x": 2}]})
    'a: 1; b: [1.235, 2]; e: 2'
    >>> in_short({"focus": {"passed": True, "value": 0.5, "limit": 1, "edges": {"n": 4}}})
    'focus: {passed: true; value: 0.5; …}'
    """
    return "; ".join(f"{key}: {_value(value)}" for key, value in values.items() if value not in (None, "", [], {}, ()))


def _value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        plain = {key: v for key, v in value.items() if not isinstance(v, Mapping | list | tuple)}
        first = dict(list(plain.items())[:MOST_NESTED])
        return "{" + in_short(first) + ("; …" if len(first) < len(value) else "") + "}"
    if isinstance(value, list | tuple):
        if any(isinstance(item, Mapping | list | tuple) for item in value):
            return str(len(value))
        shown = ", ".join(_value(item) for item in value[:MOST_ITEMS])
        return f"[{shown}{f', … ({len(value)})' if len(value) > MOST_ITEMS else ''}]"
    return json.dumps(value, ensure_ascii=False, default=str)


def _turn(facts: ReportFacts, i: int, turn: Turn, t: Words, short: bool) -> list[Block]:
    by = turn.by or facts.asker
    blocks: list[Block] = [
        Heading(text=t("asked", n=i + 1) + (f" · {by}" if by else ""), level=3),
        Text(text=turn.say, quoted=True),
        *taken_over(facts, turn, t),
    ]
    if turn.answer:
        a = turn.answer
        if a.kind != "answer":
            blocks.append(Text(text=t(a.kind), tone="strong"))
        blocks.append(Text(text=f"{t('answer')}: {a.text}"))
        ends = [t.verdict(a.verdict)] if a.verdict else []
        ends += [f"{t('rule')}: {a.rule}"] if a.rule else []
        if ends:
            blocks.append(Text(text=" · ".join(ends), tone="dim"))
        if a.reasons:
            blocks.append(Items(items=tuple(explain(code, t.lang) for code in a.reasons)))
        if a.unverified:
            blocks.append(Text(text=f"{t('unverified')}: {', '.join(a.unverified)}", tone="uncertain"))
        if i in facts.turns:
            blocks.append(Figure(picture=facts.turns[i], caption=t("answered"), tall=0.3))
        # Those of the answer that the verdict stands in are listed beside the verdict.
        if a.measures and a is not proposal(facts.trace):
            blocks.append(measures_table(a.measures, t))
    if turn.steps:
        blocks.append(_short_steps(turn.steps, t) if short else _full_steps(turn.steps, facts, t))
    return blocks


def taken_over(facts: ReportFacts, turn: Turn, t: Words) -> list[Block]:
    """That another planner than the one that was asked for answered a turn, and why; nothing for other turns."""
    if not turn.fallback:
        return []
    by = planner_of(facts.trace, turn)
    words = took_over(turn.fallback, by, t.lang, steps=turn.steps, ended=turn.answer is not None)
    return [Text(text=words, tone="uncertain"), Text(text=turn.fallback.because, tone="dim")]


def _full_steps(steps: Sequence[Step], facts: ReportFacts, t: Words) -> Table:
    rows = tuple((cell(f"[{step.n}]"), _tool(step, t), _done(step, t), _evidence(step, facts)) for step in steps)
    return Table(head=(t("step"), t("tool"), t("done"), t("evidence")), rows=rows, widths=(0.08, 0.15, 0.47, 0.3))


def _short_steps(steps: Sequence[Step], t: Words) -> Table:
    rows = tuple((cell(f"[{step.n}]"), _tool(step, t), cell(step.why, _error(step, t))) for step in steps)
    return Table(head=(t("step"), t("tool"), t("why")), rows=rows, widths=(0.08, 0.22, 0.7))


def _tool(step: Step, t: Words) -> Cell:
    status = f"{t(f'status.{step.status}')} · {step.ms:.0f} ms"
    return cell(t.name(step.tool), Line(text=status, tone="dim" if step.status == "ok" else "uncertain"))


def _done(step: Step, t: Words) -> Cell:
    lines = [
        Line(text=f"{t(label)}: {_cut(in_short(values), t)}", tone="code")
        for label, values in (("args", step.args), ("result", _listed(step))) if in_short(values)
    ]
    return cell(step.why, told(step.result, t.lang), *lines, _error(step, t))


def _listed(step: Step) -> dict[str, Any]:
    """Results without the reason, which is told in words."""
    return {key: value for key, value in step.result.items() if key not in ("reason", "reason_code", "causes")}


def _error(step: Step, t: Words) -> Line | None:
    return Line(text=f"{t('error')}: {step.error}", tone="uncertain") if step.error else None


def _evidence(step: Step, facts: ReportFacts) -> Cell:
    shown = [facts.evidence[sha256] for sha256 in step.evidence if sha256 in facts.evidence]
    return cell(*(Thumb(picture=picture, caption=picture.sha256[:12]) for picture in shown))


def _cut(text: str, t: Words) -> str:
    return text if len(text) <= MOST else text[:MOST] + t("cut")
