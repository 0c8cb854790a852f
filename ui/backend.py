"""The services behind the screens, opened once a process and shared by all sessions."""

from collections.abc import Callable

import streamlit as st

from kenpin.case_service import CaseService
from kenpin.config import read_settings
from kenpin.review.service import Reviews
from kenpin.security.audit_desk import AuditDesk
from kenpin.services import Services
from kenpin.wiring import Kenpin, open_kenpin

PLANNERS = ("embedded", "vllm")
"""Planners that the page offers."""


def _open() -> Kenpin:
    return open_kenpin(read_settings())


def _services() -> Services:
    return Services(installation())


installation: Callable[[], Kenpin] = st.cache_resource(show_spinner=False)(_open)
"""Stores and settings."""
services: Callable[[], Services] = st.cache_resource(show_spinner=False)(_services)
"""Everything that a person can do."""


def reviews() -> Reviews:
    """Queue, decisions and signatures."""
    return services().reviews


def case_desk() -> CaseService:
    """Past cases."""
    return services().cases


def audit_desk() -> AuditDesk:
    """The audit log."""
    return services().audit
