"""Administration: people and what each may do, the rules by which inspections are reviewed and kept, and adapters of
the model."""

import streamlit as st

from kenpin.contracts.people import Actor, Right
from ui.frame import framed
from ui.i18n import Texts
from ui.parts.adapters import show_adapters
from ui.parts.due import show_due
from ui.parts.empty import head
from ui.parts.people import show_people
from ui.parts.rules import show_rules
from ui.state import Session


@framed
def admin(session: Session, actor: Actor, t: Texts) -> None:
    """People and rules. What is shown follows the rights; the services behind check each act again."""
    head(t("page.admin"), t("admin.lead"))
    parts = [(Right.USERS, t("admin.people"), show_people), (Right.PRODUCTS, t("admin.rules"), show_rules),
             (Right.RETENTION, t("admin.retention"), show_due), (Right.ADAPTERS, t("admin.adapters"), show_adapters)]
    allowed = [(name, show) for right, name, show in parts if right in actor.rights]
    for tab, (_, show) in zip(st.tabs([name for name, _ in allowed]), allowed, strict=True):
        with tab:
            show(actor, t)
