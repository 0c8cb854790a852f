"""What a page says of signing in: who is signed in, the way out, and the way in."""

import streamlit as st

from kenpin.contracts.errors import KenpinError
from kenpin.contracts.people import Actor
from kenpin.security.forms import form_token
from ui.backend import installation
from ui.i18n import Texts
from ui.parts.plain import plain
from ui.parts.uploads import say_error
from ui.parts.viewer import read

_out = st.components.v2.component("kenpin_sign_out", css=read("signout.css"), js=read("signout.js"))


def show_signed_out(t: Texts) -> None:
    """Say that the session has ended, and lead to the form, which is a page of its own."""
    st.info(t("signin.ended"), icon=":material/lock:")
    # A link in the same window; Streamlit's link button opens another one.
    st.html(f'<a href="/auth/sign-in" target="_self">{t.raw("signin.enter")}</a>')


def show_person(actor: Actor, t: Texts) -> None:
    """Say who is signed in, at the side of the page."""
    if actor.kind == "guest":
        st.caption(t("person.guest"), help=t("person.guest_help"))
        return
    with st.popover(plain(actor.name), icon=":material/person:", width="stretch"):
        st.markdown(f"**{plain(installation().people.own(actor).printed_name)}**")
        st.caption(role_words(actor, t) or t("person.no_roles"))
        if installation().people.own(actor).has_password:
            _password(actor, t)
        assert actor.session
        _out(key="sign-out", data={"token": form_token(actor.session), "label": t.raw("person.sign_out")},
             height="content")


def role_words(actor: Actor, t: Texts) -> str:
    """The roles of a person in words."""
    return ", ".join(t.known("role", role) for role in sorted(actor.roles))


def _password(actor: Actor, t: Texts) -> None:
    with st.form("own-password", clear_on_submit=True, border=False):
        old = st.text_input(t("person.old"), type="password", autocomplete="current-password")
        new = st.text_input(t("person.new"), type="password", autocomplete="new-password", help=t("person.new_help"))
        if st.form_submit_button(t("person.change"), width="stretch"):
            try:
                installation().people.change_password(actor, old, new)
            except KenpinError as exc:
                say_error(str(exc))
            else:
                st.success(t("person.changed"))
