"""The way through a long list."""

import streamlit as st

from ui.i18n import Texts
from ui.parts.filters import moved


def pager(page: int, total: int, size: int, *, key: str, t: Texts) -> None:
    """Draw where in a list one is, and the way on and back.

    Args:
        page: Counts from 1.
        total: Entries in all.
        size: Entries of a page.
        key: Of the page in the address.
        t: Words.
    """
    last = max(1, -(-total // size))
    with st.container(key="pager", horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(t("pager.shown", first=(page - 1) * size + 1, last=min(total, page * size), total=total),
                   width="stretch")
        if last == 1:
            return
        if st.button(t("pager.previous"), key="pager-previous", icon=":material/chevron_left:", disabled=page == 1):
            moved({key: str(page - 1) if page > 2 else ""})
        if st.button(t("pager.next"), key="pager-next", icon=":material/chevron_right:", icon_position="right",
                     disabled=page >= last):
            moved({key: str(page + 1)})
