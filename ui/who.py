"""Who sits before the page."""

import streamlit as st

from kenpin.contracts.errors import KenpinError, SignInRefused
from kenpin.contracts.people import Actor
from kenpin.security.people import GUEST, People
from ui.backend import installation
from ui.parts.signin import show_signed_out
from ui.parts.uploads import say_error
from ui.state import session

COOKIE = "kenpin_session"
"""Set by `ui.web.signin`; out of reach of scripts."""
PERSON = "kenpin-person"


def visitor() -> Actor:
    """The person of this browser session, held against the stored session at each run of the page.

    Where nobody is signed in and there are accounts, the page ends here with the way to the sign-in form. Every service
    checks again what this person may do.
    """
    actor = _known_or_stop()
    if st.session_state.get(PERSON, actor.name) != actor.name:
        # Another person came back over the same connection: nothing that the one before had open is shown.
        st.session_state.clear()
    st.session_state[PERSON] = actor.name
    return actor


def token() -> str | None:
    """The session token that the browser sent when this page was opened."""
    found = st.context.cookies.get(COOKIE)
    return found if isinstance(found, str) else None


def _known_or_stop() -> Actor:
    try:
        kenpin = installation()
        assert kenpin.vault  # asked for at the door: with a wrong master key, every page is one line that says so
        if (actor := _known(kenpin.people)) is not None:
            return actor
    except KenpinError as exc:
        say_error(str(exc))
    else:
        st.session_state.clear()
        show_signed_out(session().texts)
    st.stop()
    raise AssertionError("stopped")


def _known(people: People) -> Actor | None:
    given = token()
    try:
        if given:
            return people.actor(given)
    except SignInRefused:
        pass
    return None if people.any_accounts() else GUEST
