"""The page of one inspection, as the person of `tests/ui/reviewing.py`: `AppTest` and `streamlit run` start this file."""

import streamlit as st

from ui.screens.inspection import inspection

st.set_page_config(layout="wide")
inspection()
