"""Registered products in the preparation of an inspection: choose one, see what it brings, add a good sample to it."""

from dataclasses import replace

import streamlit as st

from agent.inspector import MAX_NAME, Photo
from kenpin.contracts.errors import KenpinError
from kenpin.contracts.people import Right
from kenpin.contracts.ports import PictureStore, ProductStore
from kenpin.contracts.product import Product
from kenpin.security.uploads import Upload
from kenpin.session import named, stored
from ui.backend import services
from ui.i18n import Texts
from ui.parts.plain import plain
from ui.parts.uploads import photo, say_error
from ui.state import Draft
from ui.who import visitor


def choose(draft: Draft, t: Texts, *, key: str) -> None:
    """A field with the registered products; nothing where none is registered."""
    try:
        names = [product.name for product in services().products.all(visitor())]
    except KenpinError as exc:
        say_error(str(exc))
        return
    if not names:
        draft.product = None
        return
    index = names.index(draft.product) if draft.product in names else None
    draft.product = st.selectbox(t("product.choose"), names, index=index, key=key, help=t("product.help"),
                                 placeholder=t.raw("product.none"))
    try:
        known = product_of(draft)
    except KenpinError as exc:
        say_error(str(exc))
        return
    if known is not None:
        st.caption(t("product.brings", name=plain(known.name), good=len(known.good), golden=len(known.references)))


def lot_and_part(draft: Draft, t: Texts, *, key: str) -> None:
    """Fields that say which part this is; both may stay empty."""
    left, right = st.columns(2)
    with left:
        draft.lot = _name(t("lot.lot"), draft.lot, key=f"{key}-lot", text=t("lot.lot_help"))
    with right:
        draft.part = _name(t("lot.part"), draft.part, key=f"{key}-part", text=t("lot.part_help"))


def _name(label: str, value: str | None, *, key: str, text: str) -> str | None:
    return st.text_input(label, value=value or "", max_chars=MAX_NAME, key=key, help=text).strip() or None


def product_of(draft: Draft) -> Product | None:
    """The product that was chosen, or the registered one that the criteria name.

    Raises:
        KenpinError: It is not registered any more, or cannot be read.
    """
    return named(draft.product, draft.criteria.product if draft.criteria else None, _shelf()[0])


def _shelf() -> tuple[ProductStore, PictureStore]:
    return services().shelf(visitor())


def with_product(draft: Draft) -> tuple[Draft, list[Photo], list[Photo], str | None]:
    """A draft with its product's limits, its golden and good samples, and the product's name; what was given wins.

    Raises:
        KenpinError: As `product_of`; StoreError if a picture of it is missing.
    """
    known, pictures = product_of(draft), _shelf()[1]
    golden, good = [photo(p) for p in draft.references], [photo(p) for p in draft.good]
    if known is None:
        return draft, golden, good, draft.criteria.product if draft.criteria else None
    return (replace(draft, criteria=draft.criteria or known.criteria), golden or stored(known.references, pictures),
            good or stored(known.good, pictures), known.name)


def register(subject: Upload, draft: Draft, t: Texts, *, key: str) -> None:
    """Add the picture at hand to a product's good samples; offered to those who may register products."""
    if Right.PRODUCTS not in visitor().rights:
        return
    with st.popover(t("product.register"), icon=":material/library_add:", type="tertiary"):
        name = st.text_input(t("product.name"), value=draft.product or "", max_chars=60, key=f"{key}-name")
        if not st.button(t("product.add"), key=f"{key}-add", icon=":material/add:", disabled=not name.strip()):
            return
        try:
            product = services().products.add(visitor(), name, good=[subject])
        except KenpinError as exc:
            say_error(str(exc))
            return
        st.success(t("product.added", name=plain(product.name), good=len(product.good)), icon=":material/check:")
