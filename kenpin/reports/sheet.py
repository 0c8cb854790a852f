"""Results as CSV, one row an inspection, that a spreadsheet opens without running anything in it."""

import csv
from collections.abc import Iterable, Sequence
from io import StringIO

from kenpin.contracts.trace import proposal, proposer
from kenpin.reports.facts import ReportFacts
from kenpin.reports.words import Words

COLUMNS = (
    "id", "created", "product", "lot", "part", "asker", "planner", "model", "proposed", "verdict", "rule", "state",
    "findings", "false_alarms", "missed", "types", "measures", "cause", "disposition", "signed_by", "signed_at",
    "meaning", "content_sha256", "trace_sha256",
)
"""Names of the columns, the same in every language: other programs read them."""
ORDERS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What a cell begins with that a spreadsheet takes for a formula (OWASP, CSV injection), full-width forms included."""


def csv_bytes(inspections: Sequence[ReportFacts]) -> bytes:
    """CSV of RFC 4180 in UTF-8 with a byte order mark, by which Excel knows the encoding."""
    out = StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for facts in inspections:
        writer.writerow([harmless(value) for value in _row(facts)])
    return b"\xef\xbb\xbf" + out.getvalue().encode("utf-8", errors="replace")


def harmless(value: str) -> str:
    """A cell that is shown as it is: one that could be a formula gets an apostrophe, which spreadsheets read as text.

    >>> harmless("=1+1"), harmless(" @x"), harmless("f1 12.5 mm")
    ("'=1+1", "' @x", 'f1 12.5 mm')
    """
    return f"'{value}" if value.lstrip(" \u3000\ufeff\u200b").startswith(ORDERS) or value.startswith("'") else value


def _row(facts: ReportFacts) -> Iterable[str]:
    trace, d = facts.trace, facts.decision
    t = Words("en", facts.at.tzinfo)
    answer = proposal(trace)
    real = [f for f in d.findings if f.real]
    yield from (trace.id, trace.created.astimezone(facts.at.tzinfo).isoformat(timespec="seconds"))
    yield from (trace.product or "", trace.lot or "", trace.part or "", facts.asker or "")
    yield from (proposer(trace).backend, proposer(trace).model, d.proposed or "", d.verdict or "")
    yield from ((answer.rule if answer else None) or "", facts.state.value)
    yield str(len(real))
    yield str(len(d.findings) - len(real))
    yield str(sum(f.decision == "missed" for f in d.findings))
    yield "; ".join(f"{f.id} {f.type}" for f in real)
    yield "; ".join(t.sized(m, m.quantity) for turn in trace.turns if turn.answer for m in turn.answer.measures)
    yield from (d.cause, d.disposition)
    yield "; ".join(s.signature.printed_name for s in facts.signatures)
    yield "; ".join(s.at.astimezone(facts.at.tzinfo).isoformat(timespec="seconds") for s in facts.signatures)
    yield "; ".join(s.signature.meaning.value for s in facts.signatures)
    yield from (facts.content_sha256 or "", facts.trace_sha256)
