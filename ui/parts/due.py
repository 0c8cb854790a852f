"""What is older than its rule says: shown before anybody deletes it."""

import streamlit as st

from kenpin.contracts.people import Actor
from ui.backend import services
from ui.i18n import Texts

SHOWN = 50
"""Inspections that are listed; how many there are in all is said."""


def show_due(actor: Actor, t: Texts) -> None:
    """How many inspections are due by rule, and the oldest of them."""
    found = services().retention.due(actor)
    if not found:
        st.info(t("due.none"), icon=":material/inventory_2:")
        return
    st.warning(t("due.lead", n=len(found)), icon=":material/auto_delete:")
    st.caption(t("due.first", n=min(SHOWN, len(found))))
    rows = [{t.raw("due.id"): one.id, t.raw("rules.product"): one.product or "",
             t.raw("due.state"): t.known("state", one.state.value),
             t.raw("due.since"): f"{one.since.astimezone():%Y-%m-%d}",
             t.raw("due.rule"): t.raw("due.days", days=one.days, of=one.of or t.raw("rules.others"))}
            for one in found[:SHOWN]]
    st.dataframe(rows, hide_index=True, width="stretch")
