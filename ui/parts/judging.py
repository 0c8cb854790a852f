"""What a reviewer decides: each finding, the verdict, a remark, and the own judgement under blind review."""

import streamlit as st

from kenpin.contracts.review import MOST_TEXT, Dossier, JudgedFinding
from kenpin.contracts.verdict import Verdict
from ui.i18n import Texts
from ui.parts.answer import verdict_badge
from ui.parts.desk import Desk, told
from ui.parts.plain import one_line, plain
from ui.parts.results import box_words, kind_words
from ui.parts.reviewed import MOST_WHY, severity_field, severity_in

VERDICTS = tuple(verdict.value for verdict in Verdict)
BADGES = {"proposed": ("gray", "pending"), "accepted": ("green", "check"), "corrected": ("orange", "edit"),
          "false_alarm": ("gray", "block"), "missed": ("violet", "add")}
AT_ONCE = 40
"""Findings with buttons of their own; more are folded away, since each costs the page time."""


def show_findings(desk: Desk, seen: Dossier, t: Texts, *, may: bool) -> None:
    """Every finding as it stands; with what can be decided about it if the person `may`."""
    findings = seen.decision.findings
    left = [finding for finding in findings if finding.decision == "proposed"]
    with st.container(horizontal=True, vertical_alignment="center", key="findings-head"):
        st.markdown(f"**{t('review.findings', n=len(findings), left=len(left))}**", width="stretch")
        if may and len(left) > 1:
            st.button(t("review.accept_rest", n=len(left)), key="accept-rest", icon=":material/done_all:",
                      on_click=_accept_rest, args=(desk, tuple(finding.id for finding in left)))
        if may:
            st.button(t("review.add"), key="add-missed", icon=":material/add_box:", on_click=desk.add, shortcut="m",
                      disabled=desk.editing is not None, help=t("review.add_help"))
    if not findings:
        st.caption(t("review.no_findings"))
    for n, finding in enumerate(findings[:AT_ONCE]):
        _finding(n, finding, desk, t, may=may, first=bool(left) and finding.id == left[0].id)
    if len(findings) > AT_ONCE:
        with st.expander(t("review.more", n=len(findings) - AT_ONCE), expanded=desk.place.startswith("finding ")):
            for n, finding in enumerate(findings[AT_ONCE:], start=AT_ONCE):
                _finding(n, finding, desk, t, may=may, first=False)


def show_decisions(desk: Desk, seen: Dossier, t: Texts) -> None:
    """Change of the verdict, and a remark."""
    undecided = seen.decision.verdict in (None, Verdict.UNCERTAIN)
    open_now = undecided or desk.place == "verdict"
    with st.expander(t("review.verdict"), expanded=open_now, icon=":material/gavel:"), \
            st.form(desk.key("verdict-form"), border=False):
        _verdict_field(desk, "verdict", seen.decision.verdict, t)
        st.text_area(t("review.reason"), key=desk.key("verdict-why"), max_chars=MOST_TEXT, height=68)
        left, right = st.columns(2)
        left.text_input(t("review.cause"), key=desk.key("verdict-cause"), max_chars=MOST_WHY,
                        placeholder=one_line(seen.decision.cause, most=60) or None)
        right.text_input(t("review.disposition"), key=desk.key("verdict-disposition"), max_chars=200,
                         placeholder=one_line(seen.decision.disposition, most=60) or t.raw("review.disposition_holder"))
        st.form_submit_button(t("review.set_verdict"), key="verdict-save", icon=":material/gavel:",
                              on_click=_change_verdict, args=(desk, seen.decision.cause, seen.decision.disposition))
    told(desk, "verdict")
    with st.expander(t("review.comment"), expanded=desk.place == "comment", icon=":material/comment:"), \
            st.form(desk.key("comment-form"), border=False):
        st.text_area(t("review.comment"), key=desk.key("comment"), max_chars=MOST_TEXT, height=68,
                     label_visibility="collapsed", placeholder=t.raw("review.comment_holder"))
        st.form_submit_button(t("review.add_comment"), key="comment-save", icon=":material/send:", on_click=_comment,
                              args=(desk,))
    told(desk, "comment")


def show_judge(desk: Desk, t: Texts) -> None:
    """The own judgement, before the proposal is shown."""
    with st.container(border=True, key="judge"):
        st.markdown(f"**:material/visibility_off: {t('review.blind')}**")
        st.caption(t("review.blind_help"))
        with st.form(desk.key("judge-form"), border=False):
            _verdict_field(desk, "judge", None, t)
            st.text_area(t("review.why"), key=desk.key("judge-why"), max_chars=MOST_TEXT, height=68)
            st.form_submit_button(t("review.judge"), key="judge-save", type="primary", icon=":material/gavel:",
                                  on_click=_judge, args=(desk,))
        told(desk, "judge")


def _finding(n: int, finding: JudgedFinding, desk: Desk, t: Texts, *, may: bool, first: bool) -> None:
    with st.container(key=f"finding-{n}", gap="xxsmall"):
        colour, icon = BADGES[finding.decision]
        badge = f":{colour}-badge[:material/{icon}: {t('decision.' + finding.decision)}]"
        open_now = may and desk.editing is None
        with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
            name = f"**{plain(finding.id)}** &nbsp; {kind_words(finding.type, t)} &nbsp; {badge}"
            st.markdown(name, width="stretch")
            if open_now:
                _buttons(finding, desk, t, first=first)
        st.caption(" · ".join(filter(None, _facts(finding, t))))
        if open_now:
            _fields(finding, desk, t)
        told(desk, f"finding {finding.id}")


def _facts(finding: JudgedFinding, t: Texts) -> list[str]:
    x0, y0, x1, y1 = finding.box
    facts = [t("severity." + finding.severity) if finding.severity else "",
             f"{t('col.score')} {finding.score:.2f}" if finding.score is not None else "",
             plain(f"{box_words(finding.box)} · {x1 - x0} × {y1 - y0} px")]
    if finding.proposed and finding.proposed.type != finding.type:
        facts.append(t("review.was", value=t.words.get(f"kind.{finding.proposed.type}", finding.proposed.type)))
    said = f": {plain(one_line(finding.why, most=200))}" if finding.why else ""
    return [*facts, f"{plain(finding.by)}{said}" if finding.by else ""]


def _buttons(finding: JudgedFinding, desk: Desk, t: Texts, *, first: bool) -> None:
    """One click each. The first finding that nobody has ruled on answers to the keyboard."""
    name = finding.id
    if finding.decision in ("proposed", "false_alarm"):
        st.button(t("review.accept"), key=f"accept-{name}", icon=":material/check:", on_click=_accept,
                  args=(desk, name), type="primary" if finding.decision == "proposed" else "secondary",
                  shortcut="a" if first else None)
    st.button(t("review.correct"), key=f"correct-{name}", icon=":material/edit:", on_click=desk.correct,
              args=(finding,), shortcut="e" if first else None)
    if finding.decision != "false_alarm":
        st.button(t("review.false_alarm"), key=f"refute-{name}", icon=":material/block:", on_click=_refute,
                  args=(desk, name), shortcut="f" if first else None)


def _fields(finding: JudgedFinding, desk: Desk, t: Texts) -> None:
    """What goes with the next click."""
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
        severity_field(desk, f"severity-{finding.id}", finding.severity, t)
        st.text_input(t("review.why"), key=desk.key(f"why-{finding.id}"), max_chars=MOST_WHY, on_change="ignore",
                      label_visibility="collapsed", placeholder=t.raw("review.why_holder"))


def _verdict_field(desk: Desk, name: str, verdict: Verdict | None, t: Texts) -> None:
    st.segmented_control(t("review.your_verdict"), VERDICTS, default=verdict.value if verdict else None,
                         key=desk.key(name), format_func=lambda v: verdict_badge(Verdict(v), t))


def _accept(desk: Desk, finding: str) -> bool:
    actor, head = desk.actor, desk.head
    severity, why = severity_in(desk, f"severity-{finding}"), desk.text(f"why-{finding}")
    return desk.act(f"finding {finding}", lambda reviews: reviews.accept(
        actor, desk.inspection, finding, head=head, severity=severity, why=why), empties=(f"why-{finding}",))


def _accept_rest(desk: Desk, findings: tuple[str, ...]) -> None:
    for finding in findings:
        if not _accept(desk, finding):
            return


def _refute(desk: Desk, finding: str) -> None:
    actor, head, why = desk.actor, desk.head, desk.text(f"why-{finding}")
    desk.act(f"finding {finding}", lambda reviews: reviews.false_alarm(
        actor, desk.inspection, finding, head=head, why=why), empties=(f"why-{finding}",))


def _change_verdict(desk: Desk, cause: str, disposition: str) -> None:
    actor, head, chosen = desk.actor, desk.head, desk.choice("verdict")
    if chosen not in VERDICTS:
        desk.refuse("verdict", "review.no_verdict")
        return
    desk.act("verdict", lambda reviews: reviews.change_verdict(
        actor, desk.inspection, head=head, verdict=Verdict(chosen), why=desk.text("verdict-why"),
        cause=desk.text("verdict-cause") or cause, disposition=desk.text("verdict-disposition") or disposition),
        empties=("verdict-why", "verdict-cause", "verdict-disposition"))


def _comment(desk: Desk) -> None:
    actor, head, text = desk.actor, desk.head, desk.text("comment")
    desk.act("comment", lambda reviews: reviews.comment(actor, desk.inspection, head=head, text=text),
             empties=("comment",))


def _judge(desk: Desk) -> None:
    actor, head, chosen, why = desk.actor, desk.head, desk.choice("judge"), desk.text("judge-why")
    if chosen not in VERDICTS:
        desk.refuse("judge", "review.no_verdict")
        return
    desk.act("judge", lambda reviews: reviews.judge(
        actor, desk.inspection, head=head, verdict=Verdict(chosen), why=why), empties=("judge-why",))
