"""The pages, and which of them a person is offered. The services behind them check every right again."""

from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from kenpin.contracts.people import Actor, Right
from ui.go import keep_pages
from ui.i18n import Texts
from ui.screens.admin import admin
from ui.screens.audit import audit
from ui.screens.cases import cases
from ui.screens.chat import chat
from ui.screens.inspection import inspection
from ui.screens.queue import queue
from ui.screens.without_role import without_role


@dataclass(frozen=True)
class Entry:
    """One page of the menu."""

    name: str
    """Its address, and its name for `go`."""
    words: str
    """Key of its words in the menu."""
    run: Callable[[], None]
    icon: str
    right: Right
    shown: bool = True
    """Whether it stands in the menu; others are reached from a page that stands there."""


MENU = (
    Entry("chat", "page.chat", chat, "forum", Right.ASK),
    Entry("queue", "page.queue", queue, "checklist", Right.READ),
    Entry("inspection", "page.inspection", inspection, "fact_check", Right.READ, shown=False),
    Entry("cases", "page.cases", cases, "photo_library", Right.READ),
    Entry("audit", "page.audit", audit, "link", Right.AUDIT),
    Entry("admin", "page.admin", admin, "admin_panel_settings", Right.USERS),
)
NOTHING = Entry("none", "page.none", without_role, "lock", Right.READ)
"""For an account that has no role yet."""


def pages(actor: Actor, t: Texts) -> list[StreamlitPage]:
    """The pages that `actor` is offered, the first of them as the one to begin with."""
    allowed = [entry for entry in MENU if entry.right in actor.rights] or [NOTHING]
    built = {
        entry.name: st.Page(entry.run, title=t.raw(entry.words), icon=f":material/{entry.icon}:",
                            url_path=entry.name, default=entry is allowed[0],
                            visibility="visible" if entry.shown else "hidden")
        for entry in allowed
    }
    keep_pages(built)
    return list(built.values())
