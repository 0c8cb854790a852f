"""One past case: as a card of the gallery, and opened. All text of a case is data and is escaped."""

import streamlit as st

from kenpin.cases.desk import inspection_of
from kenpin.contracts.case import Case
from kenpin.contracts.errors import KenpinError
from kenpin.contracts.people import Actor, Right
from tools.recall import in_words
from ui.backend import case_desk, installation
from ui.go import go, offered
from ui.i18n import Texts
from ui.parts.markup import NOTHING, capital, light, picture, piece, quiet_mark, strong
from ui.parts.plain import one_line, plain
from ui.parts.results import signed_words
from ui.parts.thumbs import CARD, small
from ui.parts.uploads import say_error
from ui.parts.viewer import Mark, load_stored, show

LAST = "kenpin-cases-search"
"""The last search of this session with its hits; a click on something else does not search again."""
TOLD = "kenpin-cases-withdrawn"
"""What came of a withdrawal: None if it is done, else why not."""
MOST = 220
"""Characters of a cause or a note on a card."""


def card(case: Case, likeness: float | None, t: Texts) -> str:
    """HTML of a card."""
    kind = capital(t.raw_known("kind", case.defect_type))
    signed = _signed(case, t)
    date = case.date if case.date and case.date not in signed else None
    lot = t.raw("queue.lot_of", lot=case.lot) if case.lot else None
    alike = quiet_mark(f"{alike_words(likeness, t)} · {likeness:.2f}") if likeness is not None else ""
    return piece(
        "card",
        piece("shot", picture(small(case.picture, box=case.box, size=CARD), t.raw("cases.alt", type=kind)), alike),
        piece("facts", strong(kind), light(case.product or t.raw("queue.no_product"), lot),
              piece("cause", *_field(t.raw("case.cause"), case.cause)),
              piece("done", *_field(t.raw("case.disposition"), case.disposition)),
              piece("foot", light(capital(signed), date), light(one_line(case.source, most=MOST)))),
    )


def _signed(case: Case, t: Texts) -> str:
    by = one_line(case.signed_by, most=60) if case.signed_by else None
    return signed_words({"signed_by": by, "signed_on": (case.signed_at or "")[:10], "origin": case.origin}, t.raw)


def alike_words(likeness: float, t: Texts) -> str:
    """Likeness as a person says it."""
    return t.words[f"case.{in_words(likeness).replace(' ', '_')}"]


def show_case(case_id: str, actor: Actor, t: Texts) -> None:
    """Open a case over the page."""
    st.dialog(t("cases.one"), width="large", icon=":material/photo_library:")(_opened)(case_id, actor, t)


def _opened(case_id: str, actor: Actor, t: Texts) -> None:
    if TOLD in st.session_state:
        refused = st.session_state.pop(TOLD)
        if refused is None:
            # It is withdrawn: close, and draw the gallery without it.
            st.rerun()
        say_error(refused)
    try:
        case = case_desk().get(actor, case_id)
        height, width = installation().pictures.get(case.picture).shape[:2]
    except KenpinError as exc:
        say_error(str(exc))
        return
    left, right = st.columns([3, 2], gap="medium")
    with left:
        with st.container(key="pixels"):
            load_stored(case.picture)
        marks = [Mark(box=case.box, label=t.raw_known("kind", case.defect_type), tone="finding")] if case.box else []
        show(case.picture, size=(width, height), marks=marks, t=t, key="case-viewer",
             alt=t.raw("picture.alt", width=width, height=height, n=len(marks)))
    with right:
        with st.container(key="case-facts"):
            st.markdown("\n\n".join(_facts(case, t)))
        st.caption(plain(case.id))
        _leave(case, actor, t)


def _facts(case: Case, t: Texts) -> list[str]:
    known = (
        ("cases.type", capital(t.raw_known("kind", case.defect_type))), ("cases.product", case.product),
        ("queue.lot", case.lot), ("cases.part", case.part), ("case.cause", case.cause),
        ("case.disposition", case.disposition), ("case.note", case.note), ("case.date", case.date),
        ("cases.signer", capital(_signed(case, t))), ("cases.source", case.source),
    )
    return [f":gray[:small[{capital(t(word))}]]  \n{plain(value)}" for word, value in known if value]


def _leave(case: Case, actor: Actor, t: Texts) -> None:
    """The inspection that it stands on, or a way to withdraw it."""
    inspection = inspection_of(case)
    if inspection is not None:
        if Right.CASES in actor.rights or Right.SIGN in actor.rights:
            st.info(t("cases.stands_on"), icon=":material/lock:")
        if offered("inspection") and st.button(t("cases.inspection"), key="case-inspection",
                                               icon=":material/fact_check:"):
            go("inspection", {"inspection": inspection})
        return
    if Right.CASES not in actor.rights:
        return
    with st.popover(t("cases.withdraw"), icon=":material/delete:"):
        st.caption(t("cases.withdraw_sure"))
        st.button(t("cases.withdraw_do"), key="case-withdraw", type="primary", icon=":material/delete:",
                  on_click=_withdraw, args=(case.id, actor))


def _withdraw(case_id: str, actor: Actor) -> None:
    try:
        case_desk().withdraw(actor, case_id)
        st.session_state[TOLD] = None
    except KenpinError as exc:
        st.session_state[TOLD] = str(exc)
    st.session_state.pop(LAST, None)


def _field(name: str, value: str) -> tuple[str, str]:
    return light(capital(name)), strong(one_line(value, most=MOST) or NOTHING)
