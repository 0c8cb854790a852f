"""What all pages share: styles, the side, and errors in words."""

import json
import logging
from collections.abc import Callable
from functools import wraps
from pathlib import Path

import streamlit as st

from kenpin.contracts.errors import KenpinError
from kenpin.contracts.people import Actor
from ui.i18n import Texts
from ui.parts.sidebar import show_sidebar
from ui.parts.uploads import say_error
from ui.state import Session, session
from ui.who import visitor

LOG = logging.getLogger(__name__)
STYLE = Path(__file__).parent / "style.css"
Page = Callable[[Session, Actor, Texts], None]


def framed(draw: Page) -> Callable[[], None]:
    """A page for `st.Page`: `draw(session, actor, texts)` between the side and the guards.

    What Kenpin refuses is said in one line. A bug goes into the server's log with its traceback, and the person is told
    what to do. Streamlit's own signals (run anew, stop, another page) are no `Exception` and pass.
    """

    @wraps(draw)
    def page() -> None:
        actor = visitor()
        state = session()
        t = state.texts
        _styles(t)
        trouble = st.empty()
        try:
            show_sidebar(state, t, actor, chat=draw.__name__ == "chat")
            draw(state, actor, t)
        except KenpinError as exc:
            with trouble:
                say_error(str(exc))
        except Exception:
            state.running = False
            LOG.exception("the page %s failed", draw.__name__)
            trouble.error(t("app.bug"), icon=":material/bug_report:")

    return page


def _styles(t: Texts) -> None:
    st.html(STYLE)
    # Streamlit's own word on upload buttons has no translation; ours takes its place.
    st.html(f"<style>:root {{ --kenpin-choose: {json.dumps(t.raw('upload.button'), ensure_ascii=False)}; }}</style>")
