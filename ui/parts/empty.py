"""The head of a list page, and what it says where there is nothing to show."""

import streamlit as st


def head(title: str, about: str) -> None:
    """Title, and what is below it in one line. Both are Markdown, values in them escaped."""
    with st.container(key="page-head", gap=None):
        st.markdown(f"### {title}", anchors=False)
        st.caption(about)


def nothing(icon: str, title: str, what_to_do: str) -> None:
    """What there is not, and what to do about it."""
    st.markdown(f"## :gray[:material/{icon}:]", anchors=False, width="content")
    st.markdown(f"**{title}**", width="content")
    st.caption(what_to_do, width="content")
