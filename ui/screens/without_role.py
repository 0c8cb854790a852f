"""What somebody sees whose account has no role yet."""

import streamlit as st

from kenpin.contracts.people import Actor
from ui.frame import framed
from ui.i18n import Texts
from ui.parts.empty import nothing
from ui.state import Session


@framed
def without_role(session: Session, actor: Actor, t: Texts) -> None:
    """Says what to do."""
    with st.container(key="empty", horizontal_alignment="center", gap="small"):
        nothing("lock", t("norole.title"), t("norole.do", name=actor.name))
