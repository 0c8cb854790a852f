"""How a turn ended: verdict and rule, what it says, what it rests on, and what it does not know."""

from collections.abc import Collection, Sequence

import streamlit as st

from agent.reasons import explain, took_over
from kenpin.contracts.trace import Answer, Fallback, Finding, Measure, PlannerInfo, Step
from kenpin.contracts.verdict import Verdict
from ui.i18n import Texts
from ui.parts.plain import cited, one_line, plain, step_link
from ui.parts.results import box_words, kind_words, quantity

LOOKS = {Verdict.OK: ("green", "check_circle"), Verdict.NG: ("red", "cancel"), Verdict.UNCERTAIN: ("orange", "help")}
KINDS = {"question": ("blue", "contact_support"), "refusal": ("violet", "do_not_disturb_on")}


def show_answer(answer: Answer, t: Texts, *, steps: Collection[int], key: str, reviewed: bool = False) -> None:
    """Show an answer, a question or a refusal.

    Args:
        answer: How a turn ended.
        t: Words.
        steps: The numbers that a citation may lead to.
        key: Of the place on the page.
        reviewed: Under review: the findings stand in a list of their own, and what is signed is said elsewhere.
    """
    look = answer.kind if answer.kind != "answer" else (answer.verdict or "none")
    with st.container(key=f"answer-{look}-{key}", gap="small"):
        _head(answer, t)
        st.markdown(cited(answer.text, steps, doubtful=answer.unverified))
        if answer.verdict is not None:
            _reasons(answer, steps, t)
        if answer.unverified:
            claims = " · ".join(answer.unverified)
            st.warning(t("answer.unverified", claims=claims), icon=":material/link_off:")
        if answer.kind == "answer":
            _findings(() if reviewed else answer.findings, steps, t)
            _measures(answer.measures, steps, t)
        if answer.verdict is not None and not reviewed:
            st.caption(":material/draw: " + t("answer.unsigned"))


def show_stand_in(fallback: Fallback, planner: PlannerInfo, t: Texts, *, steps: Sequence[Step] = (),
                  ended: bool = True) -> None:
    """That another planner than the one that was asked for has a turn in hand or answered it, and why.

    Args:
        fallback: Of the turn.
        planner: Which one took over.
        t: Words.
        steps: Of the turn, so far.
        ended: Whether the turn has ended.
    """
    words = plain(took_over(fallback, planner, t.lang, steps=steps, ended=ended))
    st.warning(f"{words}\n\n{plain(one_line(fallback.because, most=600))}", icon=":material/swap_horiz:")


def verdict_badge(verdict: Verdict | None, t: Texts) -> str:
    """A verdict as a coloured mark with its own shape and word, in Markdown."""
    if verdict is None:
        return f":gray-badge[:material/chat: {t('verdict.none')}]"
    colour, icon = LOOKS[verdict]
    return f":{colour}-badge[:material/{icon}: {t('verdict.' + verdict.value)}]"


def _head(answer: Answer, t: Texts) -> None:
    if answer.kind != "answer":
        colour, icon = KINDS[answer.kind]
        st.markdown(f"#### :{colour}-badge[:material/{icon}: {t('answer.' + answer.kind)}]", anchors=False)
        return
    if answer.verdict is None:
        return
    st.markdown(f"#### {verdict_badge(answer.verdict, t)}", anchors=False)
    if answer.rule:
        st.caption(f"{t('answer.rule')} `{answer.rule.replace('`', '')}` — {_rule_words(answer.rule, t)}")


def _rule_words(rule: str, t: Texts) -> str:
    known = {"no-finding": "rule.no_finding", "limits": "rule.limits", "grounding": "rule.grounding"}
    return "; ".join(t(known.get(part.strip(), "rule.limit")) for part in dict.fromkeys(rule.split("&")))


def _reasons(answer: Answer, steps: Collection[int], t: Texts) -> None:
    # Claims without evidence are marked where they stand and listed below.
    words = [explain(code, t.lang) for code in answer.reasons if not code.startswith("claim.unverified:")]
    if words:
        lines = "\n".join(f"- {cited(word, steps)}" for word in dict.fromkeys(words))
        st.markdown(f"**{t('answer.why_' + (answer.verdict or Verdict.UNCERTAIN).value)}**\n\n{lines}")


def _findings(findings: tuple[Finding, ...], steps: Collection[int], t: Texts) -> None:
    if not findings:
        return
    rows = {
        t("col.id"): [plain(f.id) for f in findings],
        t("col.type"): [kind_words(f.type, t) for f in findings],
        t("col.score"): [plain(f"{f.score:.2f}") for f in findings],
        t("col.box"): [plain(box_words(f.box)) for f in findings],
        t("col.steps"): [" ".join(_step(n, steps) for n in f.steps) for f in findings],
    }
    _table(t("answer.findings", n=len(findings)), rows)


def _measures(measures: tuple[Measure, ...], steps: Collection[int], t: Texts) -> None:
    if not measures:
        return
    rows = {
        t("col.quantity"): [t.known("quantity", m.quantity) for m in measures],
        t("col.value"): [plain(quantity(m.value, m.unit, m.uncertainty)) for m in measures],
        t("col.of"): [plain(m.of or "–") for m in measures],
        t("col.steps"): [_step(m.step, steps) for m in measures],
    }
    _table(t("answer.measures", n=len(measures)), rows)


def _table(title: str, rows: dict[str, list[str]]) -> None:
    st.markdown(f"**{title}**")
    st.table(rows, border="horizontal", hide_index=True, width="content")


def _step(number: int, steps: Collection[int]) -> str:
    return step_link(number) if number in steps else plain(f"[{number}]")
