"""The picture under review: every box as it stands, and the field in which one is drawn."""

from collections.abc import Sequence

import streamlit as st

from kenpin.contracts.review import Dossier, Entry, JudgedFinding, Ruling, Severity
from kenpin.contracts.trace import TraceImage
from kenpin.contracts.verdict import DefectType
from kenpin.review.service import Reviews
from ui.i18n import Texts
from ui.parts.desk import Desk, told
from ui.parts.drawing import draw, drawn
from ui.parts.picture import ANSWER, caption, scale_of, scene, switch
from ui.parts.plain import plain
from ui.parts.results import box_words, kind_words
from ui.parts.viewer import Mark, show

LOOKS = {"proposed": ("finding", ""), "accepted": ("accepted", "✓"), "corrected": ("corrected", "✎"),
         "false_alarm": ("refuted", "✕"), "missed": ("missed", "+")}
"""Tone and sign of a finding by what was decided: never by colour alone."""
NOW = "now"
"""What the picture shows first: the findings as they stand."""
FIELD = "review-drawing"
SEVERITIES = tuple(severity.value for severity in Severity)
MOST_TYPE, MOST_WHY = 80, 400


def marks_of(findings: Sequence[JudgedFinding], *, but: str | None = None) -> tuple[Mark, ...]:
    """What is drawn for findings as they stand, without the one of id `but`."""
    return tuple(_mark(finding) for finding in findings if finding.id != but)


def show_reviewed(desk: Desk, seen: Dossier, t: Texts, *, may: bool) -> None:
    """The picture with its switch, or the drawing field with its form while a box is drawn by someone who `may`."""
    trace = seen.trace
    if may and desk.editing is not None:
        _draw(desk, seen, t)
        return
    place = st.container()
    heads = {NOW: t("review.now"), ANSWER: t("review.proposed")} if _ruled(seen) else {NOW: t("review.now")}
    focus = NOW if seen.hidden else switch(trace, t, heads=heads, every=True)
    image, marks = scene(trace, focus)
    if focus == NOW:
        marks = () if seen.hidden else marks_of(seen.decision.findings) or marks
    with place:
        show(image.sha256, size=(image.width, image.height), marks=marks, t=t, key="viewer-review",
             alt=t.raw("picture.alt", width=image.width, height=image.height, n=len(marks)))
        caption(image, trace, t)


def _ruled(seen: Dossier) -> bool:
    return any(finding.decision != "proposed" for finding in seen.decision.findings)


def _draw(desk: Desk, seen: Dossier, t: Texts) -> None:
    image = seen.trace.images[0]
    scale, _ = scale_of(image, seen.trace)
    others = marks_of(seen.decision.findings, but=desk.editing)
    box = draw(image.sha256, size=(image.width, image.height), token=desk.token, box=desk.start, marks=others,
               mm_per_px=scale, t=t, key=FIELD,
               alt=t.raw("picture.alt", width=image.width, height=image.height, n=len(others)))
    finding = next((f for f in seen.decision.findings if f.id == desk.editing), None)
    with st.form(desk.key("edit"), enter_to_submit=True):
        _head(finding, t)
        st.caption(t("review.draw_box", box=box_words(box)) if box else t("review.draw_hint"))
        _fields(desk, finding, t)
        with st.container(horizontal=True):
            st.form_submit_button(t("review.save"), key="edit-save", type="primary", icon=":material/check:",
                                  on_click=_save, args=(desk, image, finding))
            st.form_submit_button(t("review.leave"), key="edit-leave", icon=":material/close:", on_click=desk.leave)
    told(desk, "edit")


def _head(finding: JudgedFinding | None, t: Texts) -> None:
    name = t("review.missed_new") if finding is None else t("review.correcting", name=finding.id)
    st.markdown(f"**{name}**")


def _fields(desk: Desk, finding: JudgedFinding | None, t: Texts) -> None:
    """Type, severity, reason. The keys hold the drawing's number: each begins with what the finding has."""
    kinds = [kind.value for kind in DefectType]
    if finding and finding.type not in kinds:
        kinds.insert(0, finding.type)
    left, right = st.columns(2)
    with left:
        st.selectbox(t("review.type"), kinds, index=kinds.index(finding.type) if finding else None,
                     key=desk.key(f"edit-type-{desk.drawing}"), format_func=lambda kind: _kind(kind, t),
                     accept_new_options=True, placeholder=t.raw("review.type_holder"))
    with right:
        severity_field(desk, f"edit-severity-{desk.drawing}", finding.severity if finding else None, t, label=True)
    st.text_input(t("review.why"), key=desk.key(f"edit-why-{desk.drawing}"), max_chars=MOST_WHY)


def _kind(kind: str, t: Texts) -> str:
    """A type for a field that shows characters as they are."""
    return t.words.get(f"kind.{kind}", kind)


def severity_field(desk: Desk, name: str, severity: Severity | None, t: Texts, *, label: bool = False) -> None:
    """Choose how bad a defect is; nothing is sent until a button beside it is pressed."""
    st.segmented_control(t("review.severity"), SEVERITIES, default=severity.value if severity else None,
                         key=desk.key(name), format_func=lambda s: t("severity." + s), on_change="ignore",
                         label_visibility="visible" if label else "collapsed")


def severity_in(desk: Desk, name: str) -> Severity | None:
    """What was chosen there."""
    chosen = desk.choice(name)
    return Severity(chosen) if chosen in SEVERITIES else None


def _save(desk: Desk, image: TraceImage, finding: JudgedFinding | None) -> None:
    box = drawn(FIELD, token=desk.token, size=(image.width, image.height), start=desk.start)
    kind = str(desk.choice(f"edit-type-{desk.drawing}") or "")
    severity, why = severity_in(desk, f"edit-severity-{desk.drawing}"), desk.text(f"edit-why-{desk.drawing}")
    actor, head, typed = desk.actor, desk.head, (f"edit-why-{desk.drawing}",)
    if finding is None and box is None:
        desk.refuse("edit", "review.no_box")
        return

    def write(reviews: Reviews) -> Entry:
        if finding is None:
            assert box is not None
            return reviews.add_missed(actor, desk.inspection, head=head, type=kind, box=box, severity=severity, why=why)
        return reviews.correct(actor, desk.inspection, finding.id, head=head, type=kind, box=box, severity=severity,
                               why=why)

    if desk.act("edit", write, empties=typed):
        desk.leave()


def _mark(finding: JudgedFinding) -> Mark:
    tone, sign = LOOKS[finding.decision]
    score = f" {finding.score:.2f}" if finding.decision == "proposed" and finding.score is not None else ""
    outline = finding.proposed.outline if finding.proposed and finding.proposed.box == finding.box else ()
    return Mark(box=finding.box, label=f"{finding.id}{score} {sign}".rstrip(), tone=tone, outline=outline)


def change_words(ruling: Ruling, t: Texts) -> str:
    """A ruling as old → new."""
    parts = [t("decision." + ruling.decision), kind_words(ruling.type, t)]
    old = ruling.old
    if old is not None and old.type != ruling.type:
        parts[-1] = f"{kind_words(old.type, t)} → {kind_words(ruling.type, t)}"
    if old is None:
        parts.append(plain(box_words(ruling.box)))
    elif old.box != ruling.box:
        parts.append(plain(f"{box_words(old.box)} → {box_words(ruling.box)}"))
    if ruling.severity:
        parts.append(t("severity." + ruling.severity))
    return f"**{plain(ruling.finding)}** " + " · ".join(parts)

