"""Asks a program of this machine what it is."""

import subprocess

SECONDS = 60.0
"""A busy machine takes long to start a Python."""


def said(command: list[str]) -> str:
    """What a program prints; nothing if it cannot run."""
    try:
        # Every word is ours, a path that the settings name, or what PATH finds.
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""
