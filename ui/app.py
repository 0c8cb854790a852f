"""Kenpin's pages. Started by `kenpin ui`."""

from pathlib import Path

import streamlit as st

from ui.navigation import pages
from ui.state import session
from ui.who import visitor

# An own file: Streamlit would fetch the picture of a named icon from an outside server.
ICON = Path(__file__).parent / "icon.svg"

st.set_page_config(page_title=session().texts.raw("app.title"), page_icon=str(ICON), layout="wide")
actor = visitor()
st.navigation(pages(actor, session().texts)).run()
