"""Links between an answer, its steps and the picture."""

from collections.abc import Callable
from pathlib import Path

import streamlit as st

_guide = st.components.v2.component(
    "kenpin_guide", js=(Path(__file__).parent / "guide.js").read_text(encoding="utf-8"), isolate_styles=False)
KEY = "guide"


def guide(*, at: str | None, follow: bool, on_step: Callable[[int], None]) -> None:
    """Make citations `[n]` lead to their step, and bring the container of key `at` into sight once.

    Args:
        at: Key of the container to scroll to; nothing moves while it stays the same.
        follow: Keep the newest step in sight instead, while a turn runs.
        on_step: Called with a step's number when a citation of it was clicked, before the page is drawn anew.
    """
    def clicked() -> None:
        step = st.session_state[KEY].get("step")
        if step is not None:
            on_step(int(step))

    _guide(key=KEY, data={"at": at, "follow": follow}, on_step_change=clicked)
