"""The way from one page to another."""

from collections.abc import Mapping

import streamlit as st
from streamlit.navigation.page import StreamlitPage

PAGES = "kenpin-pages"


def keep_pages(pages: Mapping[str, StreamlitPage]) -> None:
    """Remember the pages that this person is offered, by name."""
    st.session_state[PAGES] = dict(pages)


def offered(name: str) -> bool:
    """Whether a page is among those that this person is offered."""
    return name in st.session_state.get(PAGES, {})


def go(name: str, params: Mapping[str, str] | None = None) -> None:
    """Leave for another page, with `params` in its address; nothing happens if the page is not offered."""
    if offered(name):
        st.switch_page(st.session_state[PAGES][name], query_params=dict(params or {}))
