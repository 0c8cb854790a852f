"""Ctrl+V anywhere on the page: a picture from the clipboard goes into the upload field."""

from pathlib import Path

import streamlit as st

_paste = st.components.v2.component(
    "kenpin_paste", js=(Path(__file__).parent / "paste.js").read_text(encoding="utf-8"), isolate_styles=False)


def listen(*, field_key: str, name: str) -> None:
    """Listen for pasted pictures while the upload field of this key is on the page; `name` is what they are called."""
    _paste(key="paste", data={"field": f"st-key-{field_key}", "name": name}, height="content")
