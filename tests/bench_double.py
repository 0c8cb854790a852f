"""The workbench of single tools, by the name that the tests use."""

from tools.solo import Desk, make_desk, upload

__all__ = ["Desk", "make_desk", "upload"]
