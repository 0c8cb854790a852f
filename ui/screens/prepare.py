"""Before an inspection: the picture, what belongs to it, and the first instruction."""

from pathlib import Path

import streamlit as st

from agent.inspector import Material
from kenpin.contracts.errors import BadInput, KenpinError
from kenpin.security.uploads import Upload, read_upload
from ui.backend import installation, services
from ui.i18n import Texts
from ui.parts.line import Said, ask_line
from ui.parts.paste import listen
from ui.parts.plain import one_line, plain
from ui.parts.products import choose, lot_and_part, register, with_product
from ui.parts.samples import FOLDER, Sample, samples, tile
from ui.parts.sidebar import planner_name
from ui.parts.uploads import TYPES, forget_files, photo, read_files, read_limits, say_error
from ui.parts.viewer import load_pixels, show
from ui.state import Draft, Session
from ui.who import visitor

GENERIC = 4
"""Suggestions for a picture that is not a sample: texts `suggest.1` to `suggest.4`."""


def show_prepare(session: Session, t: Texts) -> None:
    """The start of an inspection."""
    _ask_line(session, t)
    with st.container(key="pane-prepare"):
        if session.error:
            say_error(session.error)
        if session.draft.subject is None:
            _welcome(session, t)
        else:
            _ready(session.draft.subject, session, t)


def begin(session: Session, instruction: str) -> None:
    """Start the inspection and leave its first instruction to be run; nothing is lost if it cannot start."""
    draft = session.draft
    assert draft.subject is not None
    session.hear(instruction)
    try:
        whole, golden, good, product = with_product(draft)
        material = Material(
            subject=photo(draft.subject), references=golden, mm_per_px=draft.mm_per_px, good=good,
            criteria=whole.criteria, lang=installation().settings.lang, product=product,
            lot=draft.lot, part=draft.part)
        started = services().asking.start(visitor(), material, planner=planner_name(session))
    except KenpinError as exc:
        session.error, session.kept = str(exc), instruction
        return
    session.open(started)
    session.given[started], session.pending = draft, instruction
    forget_files()


def _ask_line(session: Session, t: Texts) -> None:
    said = ask_line(t.raw("ask.first" if session.draft.subject is None else "ask.instruction"))
    if said is None:
        return
    session.error = None
    take_in(session, said)
    if said.picture is not None or not said.refused:
        st.rerun()


def take_in(session: Session, said: Said) -> None:
    """Make what was written, with its picture if there is one, the start of an inspection, as far as it goes."""
    if said.picture is not None:
        session.draft.subject, session.draft.suggestions = said.picture, {}
    if said.text and session.draft.subject is not None and not said.refused:
        begin(session, said.text)
    elif said.text:
        session.kept = said.text


def _welcome(session: Session, t: Texts) -> None:
    st.markdown(f"### {t('prepare.title')}", anchors=False)
    st.caption(t("prepare.lead"))
    _kept(session, t, ready=False)
    field = f"subject-{session.nonce}"
    file = st.file_uploader(t("prepare.picture"), type=TYPES, key=field)
    listen(field_key=field, name=t.raw("prepare.pasted"))
    if file is not None and (uploads := read_files([file])):
        session.draft.subject = uploads[0]
        st.rerun()
    if session.draft.has_material:
        st.caption(":material/inventory_2: " + t("prepare.carried", material=_material_words(session.draft, t)))
    _samples(session, t)


def _samples(session: Session, t: Texts) -> None:
    found = samples(FOLDER)
    if not found:
        return
    st.markdown(f"**{t('prepare.samples')}**")
    columns = st.columns(4)
    for i, sample in enumerate(found):
        with columns[i % 4], st.container(key=f"sample-{i}", gap="xxsmall"):
            st.image(tile(FOLDER / sample.file), width="stretch", alt=sample.title(t.lang))
            if st.button(plain(sample.title(t.lang)), key=f"try-{i}", type="tertiary", icon=":material/arrow_forward:"):
                _take(sample, session)
                st.rerun()


def _take(sample: Sample, session: Session) -> None:
    names = [sample.reference] if sample.reference else []
    try:
        session.draft = Draft(subject=_bundled(sample.file), references=[_bundled(n) for n in names],
                              good=[_bundled(n) for n in sample.good], mm_per_px=sample.mm_per_px,
                              suggestions=sample.suggestions())
    except BadInput as exc:
        session.error = str(exc)


def _bundled(name: str) -> Upload:
    return read_upload(FOLDER / Path(name))


def _ready(subject: Upload, session: Session, t: Texts) -> None:
    with st.container(key="pixels"):
        load_pixels(subject.pixels, name=subject.sha256)
    left, right = st.columns([6, 5], gap="large")
    with left:
        height, width = subject.pixels.shape[:2]
        show(subject.sha256, size=(width, height), t=t, key=f"preview-{session.nonce}",
             alt=t.raw("picture.alt", width=width, height=height, n=0))
        with st.container(horizontal=True, vertical_alignment="center"):
            name = plain(one_line(subject.name, most=60))
            words = (name, t("picture.size", width=width, height=height), *map(plain, subject.notes))
            st.caption(" · ".join(filter(None, words)))
            register(subject, session.draft, t, key=f"register-{session.nonce}")
            if st.button(t("prepare.other"), key="other", type="tertiary", icon=":material/swap_horiz:"):
                session.draft.subject, session.draft.suggestions = None, {}
                session.nonce += 1
                st.rerun()
    with right:
        _kept(session, t, ready=True)
        _suggest(session, t)
        _material(session, t)


def _kept(session: Session, t: Texts, *, ready: bool) -> None:
    """An instruction that waits for a picture or for another try."""
    if not session.kept:
        return
    with st.container(border=True, key="kept"):
        st.caption(t("prepare.kept" if ready else "prepare.kept_waiting"))
        with st.container(horizontal=True, vertical_alignment="center"):
            st.text(one_line(session.kept, most=300), width="stretch")
            if ready and st.button(t("prepare.send"), key="send-kept", type="primary", icon=":material/send:"):
                begin(session, session.kept)
                st.rerun()


def _suggest(session: Session, t: Texts) -> None:
    said = session.draft.suggestions.get(t.lang) or [t.raw(f"suggest.{n}") for n in range(1, GENERIC + 1)]
    st.markdown(f"**{t('prepare.try')}**")
    with st.container(key="suggestions", horizontal=True, gap="xsmall"):
        for i, text in enumerate(said):
            if st.button(plain(text), key=f"suggest-{i}", icon=":material/arrow_outward:"):
                begin(session, text)
                st.rerun()


def _material(session: Session, t: Texts) -> None:
    draft = session.draft
    with st.expander(t("material.title"), expanded=True, icon=":material/inventory_2:"):
        choose(draft, t, key=f"product-{session.nonce}")
        lot_and_part(draft, t, key=f"which-{session.nonce}")
        left, right = st.columns(2)
        with left:
            _pictures(draft.references, t, "references", session)
        with right:
            _pictures(draft.good, t, "good", session)
        left, right = st.columns(2)
        with left:
            draft.mm_per_px = st.number_input(
                t("material.scale"), value=draft.mm_per_px, min_value=0.000001, max_value=1000.0, format="%.5g",
                key=f"scale-{session.nonce}", placeholder=t.raw("material.scale_holder"), help=t("material.scale_help"))
        with right:
            file = st.file_uploader(t("material.criteria"), type=("yaml", "yml"), key=f"criteria-{session.nonce}",
                                    help=t("material.criteria_help"))
            if file is not None:
                draft.criteria = read_limits(file)
        if draft.criteria:
            names = ", ".join(f"`{limit.name.replace('`', '')}`" for limit in draft.criteria.limits)
            revision = draft.criteria.revision or "–"
            st.caption(t("material.limits", source=draft.criteria.source, revision=revision) + f" {names}")


def _pictures(held: list[Upload], t: Texts, kind: str, session: Session) -> None:
    """An upload field for several pictures, and those already held (from a sample or an earlier inspection)."""
    key = f"{kind}-{session.nonce}"
    files = st.file_uploader(t(f"material.{kind}"), type=TYPES, accept_multiple_files=True, key=key,
                             help=t(f"material.{kind}_help"))
    known = {upload.sha256 for upload in held}
    taken: set[str] = st.session_state.setdefault(f"{key}-taken", set())
    uploads = read_files(files)
    # A picture that was removed from the field leaves the draft too; one that came from elsewhere stays until cleared.
    held[:] = [u for u in held if u.sha256 not in taken - {x.sha256 for x in uploads}]
    held += [u for u in uploads if u.sha256 not in known]
    st.session_state[f"{key}-taken"] = {u.sha256 for u in uploads}
    if held:
        with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
            for upload in held[:6]:
                st.image(upload.pixels, width=84, alt=one_line(upload.name, most=60))
            clear = t("material.clear")
            if not files and st.button(clear, key=f"{key}-clear", type="tertiary", icon=":material/close:"):
                held.clear()
                st.rerun()


def _material_words(draft: Draft, t: Texts) -> str:
    parts = [t.raw("material.n_references", n=len(draft.references)) if draft.references else "",
             t.raw("material.n_good", n=len(draft.good)) if draft.good else "",
             f"{draft.mm_per_px:g} mm/px" if draft.mm_per_px else "", draft.product or "", draft.lot or "",
             draft.criteria.source if draft.criteria else ""]
    return ", ".join(part for part in parts if part)
