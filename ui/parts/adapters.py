"""LoRA adapters of the model server: which are served, which one turns ask for, and what an administrator does."""

from datetime import datetime

import streamlit as st

from kenpin.adapter_service import AdapterRow, Adapters, AdapterService
from kenpin.contracts.people import Actor
from kenpin.contracts.trace import PlannerInfo
from ui.backend import installation, services
from ui.i18n import Texts
from ui.parts.acting import do, say_done
from ui.parts.plain import one_line, plain
from ui.parts.uploads import say_error

WIDTHS = [3, 3, 3, 2, 2]
SHORT = 12
"""Digits of a sha256 that are shown; the whole is in the audit log and in each trace."""
DONE = "kenpin-adapters-done"
"""One line about what was done, shown after the page has run again."""
STATES = {"served": "green", "lost": "orange", "other": "gray"}


def adapter_of(info: PlannerInfo) -> str:
    """The adapter of a planner with its sha256, not escaped; a dash if it had none."""
    if info.adapter is None:
        return "–"
    return f"{info.adapter} · sha256 {info.adapter_sha256[:SHORT]}…" if info.adapter_sha256 else info.adapter


def show_adapters(actor: Actor, t: Texts) -> None:
    """The server, every adapter in a line of its own, and a form to load another."""
    say_done(DONE)
    settings = installation().settings
    if settings.planner != "vllm":
        st.info(t("adapters.not_asked", planner=t.raw_known("planner", settings.planner)), icon=":material/info:")
        if not settings.names_vllm:
            return
    found = _service().all(actor)
    st.markdown(t("adapters.server", url=found.url, model=found.model or "–"))
    if found.problem:
        say_error(found.problem)
    if found.fixed:
        st.info(t("adapters.fixed", name=found.fixed), icon=":material/push_pin:")
    titles = st.columns(WIDTHS, vertical_alignment="bottom")
    for column, words in zip(titles, ("adapters.name", "adapters.state", "adapters.from"), strict=False):
        column.caption(t(words))
    _base(actor, found, t)
    for row in found.adapters:
        _line(actor, found, row, t)
    _form(actor, found, t)


def _base(actor: Actor, found: Adapters, t: Texts) -> None:
    """The line of the model itself."""
    used = next((row.name for row in found.adapters if row.in_use), None)
    with st.container(key="adapter-base"):
        name, state, _, use, _ = st.columns(WIDTHS, vertical_alignment="center")
        name.markdown(f"**{t('adapters.base')}**")
        if found.fixed is None and used is None:
            state.markdown(f":blue-badge[{t('adapters.asked')}]")
        if used is not None and use.button(t("adapters.back"), key="adapter-back", width="stretch"):
            do(lambda: _service().use(actor, None), t.raw("adapters.was_put_back", name=used), DONE)


def _line(actor: Actor, found: Adapters, row: AdapterRow, t: Texts) -> None:
    with st.container(key=f"adapter-{row.name}"):
        name, state, origin, use, unload = st.columns(WIDTHS, vertical_alignment="center")
        digits = f"sha256 {row.sha256[:SHORT]}… · {t('adapters.rank', n=row.rank)}" if row.sha256 else ""
        name.markdown(f"**{plain(one_line(row.name, most=64))}**  \n:small[:gray[{digits}]]")
        asked = found.fixed == row.name if found.fixed else row.in_use
        badges = [f":blue-badge[{t('adapters.asked')}]"] if asked else []
        badges.append(f":{STATES[row.state]}-badge[{t(f'adapterstate.{row.state}')}]")
        state.markdown(" ".join(badges), help=t(f"adapterstate.{row.state}_help"))
        since = f"{datetime.fromisoformat(row.at).astimezone():%Y-%m-%d %H:%M}" if row.at else ""
        who = f"  \n:small[:gray[{plain(row.by or '')} {since}]]" if row.by else ""
        origin.markdown(f"{plain(one_line(row.folder, most=80))}{who}")
        if row.sha256 is None:
            return
        if not row.in_use and use.button(t("adapters.use"), key=f"adapter-use-{row.name}", width="stretch"):
            do(lambda: _service().use(actor, row.name), t.raw("adapters.was_put_in_use", name=row.name), DONE)
        if unload.button(t("adapters.unload"), key=f"adapter-unload-{row.name}", width="stretch", disabled=row.in_use,
                         help=t("adapters.unload_help") if row.in_use else None):
            do(lambda: _service().unload(actor, row.name), t.raw("adapters.was_unloaded", name=row.name), DONE)


def _form(actor: Actor, found: Adapters, t: Texts) -> None:
    with st.form("adapter-load", clear_on_submit=False):
        st.markdown(t("adapters.load_lead", folder=found.folder))
        if not found.offered:
            st.caption(t("adapters.none"))
        left, right = st.columns(2)
        folder = left.selectbox(t("adapters.folder"), found.offered, key=f"adapter-folder-{t.lang}",
                                disabled=not found.offered, placeholder="–")
        name = right.text_input(t("adapters.as"), key="adapter-as", max_chars=64, autocomplete="off",
                                help=t("adapters.as_help"))
        if st.form_submit_button(t("adapters.load"), type="primary", disabled=not found.offered) and folder:
            named = name.strip() or folder
            do(lambda: _service().load(actor, named, folder=folder), t.raw("adapters.was_loaded", name=named), DONE)


def _service() -> AdapterService:
    return services().adapters
