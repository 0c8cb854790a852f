"""Filters of a list. They are kept in the page's address, so that a link, a reload and the way back find them again."""

from collections.abc import Callable, Mapping, Sequence

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from ui.i18n import Texts

PAGES = ("page", "before")
"""Where in a list one is; another filter begins at its start."""
SHOWN = 80
"""Characters of a choice that a field shows."""


def filters(name: str) -> DeltaGenerator:
    """A row of fields."""
    return st.container(key=f"filters-{name}", horizontal=True, vertical_alignment="bottom", gap="small")


def choice(key: str, label: str, options: Sequence[str], anything: str, t: Texts,
           words: Callable[[str], str] = str) -> None:
    """A field for one key of the address.

    Args:
        key: In the address.
        label: Above the field.
        options: Values; one that stands in the address and not here is offered too, so that it can be seen.
        anything: What an empty field says.
        t: Words.
        words: How a value is shown.
    """
    value = st.query_params.get(key) or None
    known = [str(option) for option in options]
    shown = [value, *known] if value is not None and value not in known else known
    # One field a language: a field keeps the words that it was first drawn with.
    field = f"filter-{key}-{t.lang}"
    st.session_state[field] = value
    st.selectbox(label, shown, key=field, index=None, placeholder=anything, on_change=_keep,
                 args=(key, field), format_func=lambda v: (words(v) if v in known else v)[:SHOWN])


def written(key: str, label: str, holder: str, t: Texts) -> None:
    """A field for free text, compared as it is."""
    field = f"filter-{key}-{t.lang}"
    st.session_state[field] = st.query_params.get(key) or ""
    st.text_input(label, key=field, placeholder=holder, max_chars=200, on_change=_keep, args=(key, field))


def clear(keys: Sequence[str], t: Texts) -> None:
    """A button that empties every field."""
    st.button(t("filter.clear"), key="filter-clear", icon=":material/filter_alt_off:", type="tertiary",
              on_click=_forget, args=(tuple(keys),))


def moved(params: Mapping[str, str]) -> None:
    """Run the page anew with other values in its address; an empty one is left out."""
    for key, value in params.items():
        _put(key, value)
    st.rerun()


def _keep(key: str, field: str) -> None:
    _put(key, st.session_state.get(field) or "")
    for page in PAGES:
        _put(page, "")


def _forget(keys: Sequence[str]) -> None:
    for key in (*keys, *PAGES):
        _put(key, "")


def _put(key: str, value: str) -> None:
    if value:
        st.query_params[key] = value
    else:
        st.query_params.pop(key, None)
