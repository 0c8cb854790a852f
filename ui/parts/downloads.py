"""Reports of an inspection or a lot to take away. Each is made when it is asked for, and that it was is on record."""

import re
from collections.abc import Callable

import streamlit as st

from kenpin.contracts.people import Actor
from kenpin.contracts.review import Dossier
from kenpin.contracts.verdict import Verdict
from kenpin.reports import MIME, Kind
from kenpin.reports.making import eightd_sheet, inspection_report, lot_report
from ui.backend import installation
from ui.i18n import Texts

KINDS: tuple[Kind, ...] = ("html", "pdf", "csv")


def show_downloads(seen: Dossier, actor: Actor, t: Texts) -> None:
    """A menu with the report as a page and as PDF, its results as CSV, and for an ng the 8D starting sheet."""
    trace = seen.trace.id
    with st.popover(t("review.report"), icon=":material/description:", type="tertiary"):
        for kind in KINDS:
            _button(kind, f"{trace}.{kind}", f"{t('review.report')} ({kind.upper()})", _report(actor, trace, kind, t))
        if seen.decision.verdict is Verdict.NG:
            _button("pdf", f"{trace}-8d.pdf", t("review.eightd"), _eightd(actor, trace, t))


def show_lot(lot: str, product: str | None, actor: Actor, t: Texts) -> None:
    """A menu with the report of a lot that has inspections."""
    name = re.sub(r"[^\w.-]+", "_", lot)[:80]
    with st.popover(t("queue.lot_report", lot=lot), icon=":material/description:"):
        for kind in KINDS:
            make = _lot(actor, lot, product, kind, t)
            _button(kind, f"{name}.{kind}", f"{t('review.report')} ({kind.upper()})", make)


def _button(kind: str, name: str, label: str, make: Callable[[], bytes]) -> None:
    st.download_button(label, data=make, file_name=name, mime=MIME[kind], key=f"download-{name}", width="stretch",
                       on_click="ignore", icon=":material/download:")


def _report(actor: Actor, inspection: str, kind: Kind, t: Texts) -> Callable[[], bytes]:
    return lambda: inspection_report(installation(), actor, inspection, kind=kind, lang=t.lang)


def _eightd(actor: Actor, inspection: str, t: Texts) -> Callable[[], bytes]:
    return lambda: eightd_sheet(installation(), actor, inspection, kind="pdf", lang=t.lang)


def _lot(actor: Actor, lot: str, product: str | None, kind: Kind, t: Texts) -> Callable[[], bytes]:
    return lambda: lot_report(installation(), actor, lot, product=product, kind=kind, lang=t.lang)
