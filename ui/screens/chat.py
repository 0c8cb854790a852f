"""The chat page."""

import streamlit as st

from kenpin.contracts.people import Actor
from ui.frame import framed
from ui.i18n import Texts
from ui.screens.conversation import show_conversation
from ui.screens.prepare import show_prepare
from ui.state import Session

ADDRESS = "inspection"


@framed
def chat(session: Session, actor: Actor, t: Texts) -> None:
    """Prepare an inspection, or go on with the one that is open."""
    _keep_address(session)
    if session.inspection is None:
        show_prepare(session, t)
    else:
        show_conversation(session, t)


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
