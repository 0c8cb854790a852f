"""The chat page."""

import json
import logging
from pathlib import Path

import streamlit as st

from ui.parts.sidebar import show_sidebar
from ui.screens.conversation import show_conversation
from ui.screens.prepare import show_prepare
from ui.state import Session, session

LOG = logging.getLogger(__name__)
ADDRESS = "inspection"
STYLE = Path(__file__).parents[1] / "style.css"


def chat() -> None:
    """Prepare an inspection, or go on with the one that is open."""
    state = session()
    t = state.texts
    _keep_address(state)
    st.html(STYLE)
    # Streamlit's own word on upload buttons has no translation; ours takes its place.
    st.html(f"<style>:root {{ --kenpin-choose: {json.dumps(t.raw('upload.button'), ensure_ascii=False)}; }}</style>")
    show_sidebar(state, t)
    trouble = st.empty()
    try:
        if state.inspection is None:
            show_prepare(state, t)
        else:
            show_conversation(state, t)
    except Exception:
        # A bug: its traceback goes into the server's log, and the engineer is told in words what to do. Streamlit's own
        # signals (run anew, stop) are no `Exception` and pass.
        state.running = False
        LOG.exception("the chat page failed")
        trouble.error(t("app.bug"), icon=":material/bug_report:")


def _keep_address(state: Session) -> None:
    """The open inspection stands in the page's address, so that a reload or a link comes back to it."""
    asked = st.query_params.get(ADDRESS)
    if state.fresh and asked:
        state.open(asked)
    state.fresh = False
    if state.inspection is None:
        st.query_params.pop(ADDRESS, None)
    elif asked != state.inspection:
        st.query_params[ADDRESS] = state.inspection
