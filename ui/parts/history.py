"""What is on record about an inspection: its entries, what it was made with, and the past cases that it used."""

import streamlit as st

from kenpin.contracts.review import (
    Amendment,
    Comment,
    Dossier,
    Entry,
    Judgement,
    Revocation,
    Ruling,
    Signature,
    VerdictChange,
)
from kenpin.contracts.trace import Trace, proposer
from kenpin.contracts.verdict import Verdict
from ui.i18n import Texts
from ui.parts.adapters import adapter_of
from ui.parts.plain import plain, step_link
from ui.parts.reviewed import change_words
from ui.parts.signing import short_hash
from ui.parts.steps import show_case

ICONS = {"judgement": "visibility", "ruling": "rule", "verdict": "gavel", "comment": "comment", "signature": "draw",
         "revocation": "undo", "amendment": "edit_note"}


def show_history(seen: Dossier, t: Texts) -> None:
    """Every entry: who, when, what stood before and what stands since."""
    label = t("review.history", n=len(seen.entries))
    with st.expander(label, icon=":material/history:", expanded=bool(seen.entries)):
        if not seen.entries:
            st.caption(t("review.no_history"))
        for entry in seen.entries:
            with st.container(key=f"entry-{entry.n}", gap=None):
                when = f"{entry.at.astimezone():%Y-%m-%d %H:%M:%S}"
                st.markdown(f":gray[{entry.n}] &nbsp; :material/{ICONS[entry.act.kind]}: {entry_words(entry, t)}")
                st.caption(f"{plain(entry.by)} · {plain(when)} · {short_hash(entry.sha256)}")


def entry_words(entry: Entry, t: Texts) -> str:
    """One act in words, as old → new. Everything that a person typed is escaped."""
    match entry.act:
        case Judgement(verdict=verdict, why=why, blind=blind):
            head = t("review.judged_blind" if blind else "review.judged")
            return _said(f"{head} **{t('verdict.' + verdict.value)}**", why)
        case Ruling() as ruling:
            return _said(change_words(ruling, t), ruling.why)
        case VerdictChange() as act:
            change = f"{_verdict(act.old, t)} → **{_verdict(act.verdict, t)}**"
            more = [f"{t('case.cause')}: {plain(act.cause)}" if act.cause else "",
                    f"{t('case.disposition')}: {plain(act.disposition)}" if act.disposition else ""]
            return " · ".join(filter(None, [_said(f"{t('review.verdict_word')} {change}", act.why), *more]))
        case Comment(text=text):
            return plain(text)
        case Signature() as act:
            return (f"{t('review.signed')} **{t('meaning.' + act.meaning)}** · {plain(act.printed_name)} · "
                    f"{short_hash(act.content_sha256)}")
        case Revocation(of=of, why=why):
            return _said(t("review.revoked", n=of), why)
        case Amendment(why=why):
            return _said(t("review.amended"), why)


def show_cases(trace: Trace, t: Texts) -> None:
    """Past cases that steps looked up."""
    found = [(step.n, hit) for turn in trace.turns for step in turn.steps if step.tool == "recall"
             for hit in step.result.get("hits", ())]
    if not found:
        return
    with st.expander(t("review.cases", n=len(found)), icon=":material/photo_library:"):
        for number, hit in found:
            st.caption(f"{t('col.steps')} {step_link(number)}")
            show_case(hit, t)


def show_record(trace: Trace, t: Texts) -> None:
    """What the answer was made with: criteria, planner, prompt, tools, pictures."""
    with st.expander(t("review.record"), icon=":material/fact_check:"):
        st.table({t("review.what"): [name for name, _ in _rows(trace, t)],
                  t("review.value"): [value for _, value in _rows(trace, t)]}, border="horizontal", hide_index=True)


def _rows(trace: Trace, t: Texts) -> list[tuple[str, str]]:
    planner, criteria = proposer(trace), trace.criteria
    rows = [
        (t("review.asker"), plain(trace.asker or "–")),
        (t("head.planner"), plain(f"{planner.backend} · {planner.model}")),
        (t("review.prompt"), plain(f"{planner.prompt} {(planner.prompt_sha256 or '')[:16]}".strip())),
        (t("review.adapter"), plain(adapter_of(planner))),
        (t("review.tools"), plain(", ".join(f"{name} {of}" for name, of in sorted(trace.tools.items())) or "–")),
        (t("material.criteria"), plain(" · ".join(filter(None, (
            criteria.source, criteria.product or "", criteria.revision or ""))) if criteria else "–")),
    ]
    if criteria:
        rows.append((t("review.limits"), plain(" · ".join(limit.name for limit in criteria.limits) or "–")))
    rows += [(f"{t('review.picture')} {plain(image.id)}",
              plain(f"{image.width} × {image.height} px · sha256 {image.sha256[:16]}…")) for image in trace.images]
    if trace.good:
        rows.append((t("material.good"), plain(str(len(trace.good)))))
    return rows


def _verdict(verdict: Verdict | None, t: Texts) -> str:
    return t("verdict." + verdict.value) if verdict else "–"


def _said(what: str, why: str) -> str:
    return f"{what} — {plain(why)}" if why else what
