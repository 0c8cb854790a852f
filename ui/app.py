"""Kenpin's pages. Started by `kenpin ui`."""

from pathlib import Path

import streamlit as st

from ui.screens.chat import chat
from ui.state import session

# An own file: Streamlit would fetch the picture of a named icon from an outside server.
ICON = Path(__file__).parent / "icon.svg"

t = session().texts
st.set_page_config(page_title=t.raw("app.title"), page_icon=str(ICON), layout="wide")
pages = [st.Page(chat, title=t.raw("page.chat"), icon=":material/forum:", url_path="chat", default=True)]
st.navigation(pages).run()
