"""Past cases: a gallery to look through and to search, by words or by a picture."""

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from kenpin.cases.desk import CaseFilter, CaseNames
from kenpin.contracts.case import Case, CaseHit, CaseQuery
from kenpin.contracts.people import Actor
from kenpin.contracts.view import Box
from kenpin.security.uploads import Upload
from tools.recall import cut_out
from ui.backend import case_desk
from ui.frame import framed
from ui.i18n import Texts
from ui.parts.case_card import LAST, card, show_case
from ui.parts.drawing import draw
from ui.parts.empty import head, nothing
from ui.parts.filters import choice, clear, filters, written
from ui.parts.paging import pager
from ui.parts.plain import one_line, plain
from ui.parts.uploads import TYPES, read_files
from ui.parts.viewer import load_pixels
from ui.parts.worklist import number
from ui.state import Session

KEYS = ("words", "product", "type", "done", "signed")
PAGE = "page"
PAGE_SIZE = 24
LONGEST = 200


@dataclass(frozen=True)
class Shown:
    """The picture that is searched with."""

    upload: Upload
    box: Box | None


@framed
def cases(session: Session, actor: Actor, t: Texts) -> None:
    """The gallery."""
    params = {key: value[:LONGEST] for key, value in st.query_params.to_dict().items()}
    wanted = CaseFilter(product=params.get("product"), defect_type=params.get("type"), disposition=params.get("done"),
                        signed={"yes": True, "no": False}.get(params.get("signed", "")))
    page = number(params, PAGE, least=1) or 1
    found = case_desk().page(actor, wanted, offset=(page - 1) * PAGE_SIZE, limit=PAGE_SIZE)
    head(t("page.cases"), t("cases.lead", n=found.total))
    _filters(found.names, params, t)
    shown = _picture(session, t)
    words = params.get("words", "").strip() or None
    if words or shown:
        _hits(_search(actor, wanted, words, shown), wanted, actor, t)
    elif found.cases:
        _gallery([(case, None) for case in found.cases], actor, t)
        pager(page, found.total, PAGE_SIZE, key=PAGE, t=t)
    else:
        _empty(bool(found.names.types), t)


def _filters(names: CaseNames, params: dict[str, str], t: Texts) -> None:
    with filters("cases"):
        written("words", t("cases.words"), t.raw("cases.words_holder"), t)
        choice("product", t("cases.product"), names.products, t("filter.any"), t)
        choice("type", t("cases.type"), names.types, t("filter.any"), t, lambda k: t.raw_known("kind", k))
        choice("done", t("cases.disposition"), names.dispositions, t("filter.any"), t)
        choice("signed", t("cases.signed"), ("yes", "no"), t("filter.any"), t,
               lambda s: t.raw("cases.signed_yes" if s == "yes" else "cases.signed_no"))
        if any(params.get(key) for key in KEYS):
            clear(KEYS, t)


def _picture(session: Session, t: Texts) -> Shown | None:
    """A picture to search with, and the box that is drawn on it."""
    with st.expander(t("cases.by_picture"), icon=":material/image_search:"):
        left, right = st.columns([2, 3], gap="medium")
        with left:
            file = st.file_uploader(t("cases.picture"), type=TYPES, key="case-picture")
            uploads = read_files([file]) if file is not None else []
            st.caption(t("cases.picture_help"))
        if not uploads:
            return None
        upload = uploads[0]
        height, width = upload.pixels.shape[:2]
        with right:
            with st.container(key="pixels"):
                load_pixels(upload.pixels, name=upload.sha256)
            box = draw(upload.sha256, size=(width, height), token=f"case-{upload.sha256}", box=None, t=t,
                       alt=t.raw("picture.alt", width=width, height=height, n=0), key="case-box")
        return Shown(upload=upload, box=box)


def _search(actor: Actor, wanted: CaseFilter, words: str | None, shown: Shown | None) -> Sequence[CaseHit]:
    asked = (actor.name, wanted, words, shown and (shown.upload.sha256, shown.box))
    kept = st.session_state.get(LAST)
    if kept is not None and kept[0] == asked:
        hits: Sequence[CaseHit] = kept[1]
        return hits
    query = CaseQuery(words=words, product=wanted.product, defect_type=wanted.defect_type,
                      disposition=wanted.disposition, k=PAGE_SIZE)
    pixels, box = (shown.upload.pixels, shown.box) if shown else (None, None)
    region = cut_out(pixels, box) if pixels is not None and box is not None else None
    hits = case_desk().search(actor, query, region=region, picture=pixels if region is None else None)
    st.session_state[LAST] = (asked, hits)
    return hits


def _hits(hits: Sequence[CaseHit], wanted: CaseFilter, actor: Actor, t: Texts) -> None:
    passing = [(hit.case, hit.likeness) for hit in hits if wanted.passes(hit.case)]
    if not passing:
        _empty(True, t)
        return
    st.caption(t("cases.hits", n=len(passing)))
    _gallery(passing, actor, t)


def _gallery(found: Sequence[tuple[Case, float | None]], actor: Actor, t: Texts) -> None:
    with st.container(key="gallery", gap=None):
        for i, (case, likeness) in enumerate(found):
            with st.container(key=f"card-{i}"):
                st.html(card(case, likeness, t))
                label = t("queue.open", what=plain(one_line(f"{t.raw_known('kind', case.defect_type)} {case.product}")))
                if st.button(label, key=f"open-row-{i}", type="tertiary"):
                    show_case(case.id, actor, t)


def _empty(anything: bool, t: Texts) -> None:
    with st.container(key="empty", horizontal_alignment="center", gap="small"):
        if anything:
            nothing("filter_alt_off", t("filter.none"), t("filter.none_do"))
        else:
            nothing("photo_library", t("cases.nothing"), t("cases.nothing_do"))
