"""An act of a page, and the one line about it after the page has run again."""

from collections.abc import Callable

import streamlit as st

from kenpin.contracts.errors import KenpinError
from ui.parts.plain import plain
from ui.parts.uploads import say_error


def do(act: Callable[[], object], done: str, note: str) -> None:
    """Do it and run the page again; what is refused is said where it was asked for.

    Args:
        act: What is done.
        done: What is said of it.
        note: Where in the session that is kept for `say_done`; each part of a page has its own.
    """
    try:
        act()
    except KenpinError as exc:
        say_error(str(exc))
        return
    st.session_state[note] = done
    st.rerun()


def say_done(note: str) -> None:
    """Say once what was done."""
    if done := st.session_state.pop(note, None):
        st.success(plain(done), icon=":material/check:")
