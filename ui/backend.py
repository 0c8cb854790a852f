"""The installation behind the screens, opened once a process and shared by all sessions."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import streamlit as st

from agent.inspector import Inspector
from kenpin.cases.desk import CaseDesk
from kenpin.config import read_settings
from kenpin.contracts.errors import KenpinError, StoreError
from kenpin.contracts.trace import Trace
from kenpin.review.service import Reviews
from kenpin.security.audit_desk import AuditDesk
from kenpin.wiring import Kenpin, open_kenpin

PLANNERS = ("embedded", "vllm")
"""Planners that the page offers."""
PATIENCE = 300.0
"""Seconds to wait for a turn that runs elsewhere."""


def _open() -> Kenpin:
    return open_kenpin(read_settings())


def _inspector(planner: str) -> Inspector:
    return installation().inspector(planner)


def _locks() -> dict[str, threading.Lock]:
    return {}


installation: Callable[[], Kenpin] = st.cache_resource(show_spinner=False)(_open)
"""Stores and settings."""
inspector: Callable[[str], Inspector] = st.cache_resource(show_spinner=False)(_inspector)
"""The inspector of a planner; raises `KenpinError` if it is unknown, not installed, or its server does not answer."""
_busy: Callable[[], dict[str, threading.Lock]] = st.cache_resource(show_spinner=False)(_locks)


@contextmanager
def turn_of(inspection: str, *, waiting: Callable[[], object]) -> Iterator[None]:
    """Hold an inspection while a turn of it runs, so that two runs of a page, or two windows, never write the same one.

    A run of the page that was cut off by a click ends with the step that it is in; until then the next one waits here.

    Args:
        inspection: Id of the inspection.
        waiting: Called now and then while another run holds it; a Streamlit call in it lets this run be cut off too.
    Raises:
        StoreError: It is still running elsewhere after `PATIENCE`.
    """
    lock = _busy().setdefault(inspection, threading.Lock())
    until = time.monotonic() + PATIENCE
    while not lock.acquire(timeout=0.2):
        waiting()
        if time.monotonic() > until:
            raise StoreError("this inspection is running in another window; wait for it to end")
    try:
        yield
    finally:
        lock.release()


def reviews() -> Reviews:
    """Queue, decisions and signatures."""
    return installation().reviews


def case_desk() -> CaseDesk:
    """Past cases."""
    kenpin = installation()
    return CaseDesk(kenpin.people, lambda: kenpin.cases, kenpin.database, kenpin.audit)


def audit_desk() -> AuditDesk:
    """The audit log."""
    return AuditDesk(installation().people, installation().audit)


def trace_of(inspection: str) -> Trace:
    """The trace with the steps of a turn that has not ended; the stored one if its planner cannot be reached.

    Raises:
        StoreError: There is no such inspection.
    """
    stored = installation().traces.load(inspection)
    try:
        return inspector(stored.planner.backend).trace(inspection)
    except KenpinError:
        return stored
