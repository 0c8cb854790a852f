"""The accounts of an installation, and what an administrator does with them."""

import streamlit as st

from kenpin.contracts.people import Actor, Role
from kenpin.security.accounts import Account, Accounts
from ui.backend import installation
from ui.i18n import Texts
from ui.parts.acting import do, say_done
from ui.parts.plain import plain

MANY = 15
"""Accounts from which on a field to look for one is shown."""
WIDTHS = [3, 4, 3, 2]
DONE = "kenpin-admin-done"
"""One line about what was done, shown after the page has run again."""


def show_people(actor: Actor, t: Texts) -> None:
    """Every account in a line of its own, and a form for a new one."""
    say_done(DONE)
    found = _accounts().all(actor)
    with st.popover(t("people.add"), icon=":material/person_add:"):
        _new(actor, t)
    if len(found) > MANY:
        part = st.text_input(t("people.find"), key="people-find").strip().casefold()
        found = tuple(a for a in found if part in a.name or part in a.printed_name.casefold())
    titles = st.columns(WIDTHS, vertical_alignment="bottom")
    for column, words in zip(titles, ("people.name", "people.roles", "people.state"), strict=False):
        column.caption(t(words))
    for account in found:
        _line(actor, account, t)


def _line(actor: Actor, account: Account, t: Texts) -> None:
    with st.container(key=f"person-{account.name}"):
        name, roles, state, more = st.columns(WIDTHS, vertical_alignment="center")
        name.markdown(f"**{plain(account.name)}**  \n:small[:gray[{plain(account.printed_name)}]]")
        roles.markdown(", ".join(t.known("role", role) for role in sorted(account.roles)) or t("person.no_roles"))
        state.markdown(_state(account, t))
        with more.popover(t("people.change"), width="stretch"):
            _change(actor, account, t)


def _state(account: Account, t: Texts) -> str:
    if not account.active:
        return f":gray-badge[{t('people.disabled')}]"
    if account.locked_until:
        return f":orange-badge[{t('people.locked', until=f'{account.locked_until.astimezone():%H:%M}')}]"
    return f":green-badge[{t('people.live', n=account.sessions)}]" if account.sessions else t("people.away")


def _change(actor: Actor, account: Account, t: Texts) -> None:
    name = account.name
    with st.form(f"roles-{name}", border=False):
        roles = _roles_field(t, f"roles-field-{name}", sorted(account.roles))
        if st.form_submit_button(t("people.set_roles"), width="stretch"):
            do(lambda: _accounts().set_roles(actor, name, roles), t("people.roles_set", name=name), DONE)
    with st.form(f"password-{name}", border=False, clear_on_submit=True):
        password = st.text_input(t("person.new"), type="password", autocomplete="new-password",
                                 help=t("person.new_help"), key=f"password-field-{name}")
        if st.form_submit_button(t("people.set_password"), width="stretch"):
            do(lambda: _accounts().set_password(actor, name, password), t("people.password_set", name=name), DONE)
    with st.container(horizontal=True):
        if account.locked_until and st.button(t("people.unlock"), key=f"unlock-{name}", icon=":material/lock_open:"):
            do(lambda: _accounts().unlock(actor, name), t("people.unlocked", name=name), DONE)
        if account.sessions and st.button(t("people.end"), key=f"end-{name}", icon=":material/logout:"):
            do(lambda: _accounts().end_sessions(actor, name), t("people.ended", name=name), DONE)
        if account.active:
            if st.button(t("people.disable"), key=f"disable-{name}", icon=":material/block:"):
                do(lambda: _accounts().disable(actor, name), t("people.was_disabled", name=name), DONE)
        elif st.button(t("people.enable"), key=f"enable-{name}", icon=":material/check_circle:"):
            do(lambda: _accounts().enable(actor, name), t("people.enabled", name=name), DONE)


def _new(actor: Actor, t: Texts) -> None:
    with st.form("person-new", border=False):
        name = st.text_input(t("people.name"), key="new-name", autocomplete="off", max_chars=64)
        printed = st.text_input(t("people.printed"), key="new-printed", max_chars=128, help=t("people.printed_help"))
        roles = _roles_field(t, "new-roles", [])
        password = st.text_input(t("signin.password"), type="password", key="new-password",
                                 autocomplete="new-password", help=t("person.new_help"))
        issuer = st.text_input(t("people.issuer"), key="new-issuer", help=t("people.issuer_help"))
        subject = st.text_input(t("people.subject"), key="new-subject")
        if st.form_submit_button(t("people.make"), type="primary", width="stretch"):
            oidc = (issuer, subject) if issuer.strip() or subject.strip() else None
            do(lambda: _accounts().add(actor, name, roles=roles, printed_name=printed, password=password or None,
                                       oidc=oidc), t("people.made", name=name.strip()), DONE)


def _roles_field(t: Texts, key: str, chosen: list[Role]) -> list[Role]:
    taken = st.multiselect(t("people.roles"), list(Role), default=chosen, key=f"{key}-{t.lang}",
                           format_func=lambda role: t.known("role", role), placeholder=t.raw("people.choose"))
    return [Role(role) for role in taken]


def _accounts() -> Accounts:
    return installation().people.accounts
