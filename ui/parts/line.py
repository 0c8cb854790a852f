"""The line at the bottom of the page: an instruction, and a picture with it if one is dropped or pasted there."""

from dataclasses import dataclass

import streamlit as st

from kenpin.security.uploads import Upload
from ui.parts.uploads import TYPES, read_files


@dataclass(frozen=True)
class Said:
    """What was sent."""

    text: str
    picture: Upload | None = None
    refused: bool = False
    """A picture was sent and could not be let in; the page has said why."""


def ask_line(holder: str) -> Said | None:
    """Draw the line; the same field on every screen, so that one never lies over the other while a turn runs."""
    given = st.chat_input(holder, key="say", accept_file=True, file_type=TYPES, submit_mode="disable")
    if not given:
        return None
    uploads = read_files(given.files) if given.files else []
    return Said(text=given.text.strip(), picture=uploads[0] if uploads else None,
                refused=bool(given.files and not uploads))
