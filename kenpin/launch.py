"""Starts the pages in a server of their own. Nothing here imports Streamlit: the pages do."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from types import FrameType

from pydantic import SecretStr

from kenpin.config import Settings
from kenpin.contracts.errors import BadInput, Unavailable

ROOT = Path(__file__).resolve().parents[1]
UPLOAD_MB = 128
"""The same as `kenpin.security.uploads.MAX_BYTES`."""

OPTIONS: Mapping[str, str] = {
    "server.headless": "true",
    "server.maxUploadSize": str(UPLOAD_MB),
    "server.enableXsrfProtection": "true",
    "server.enableCORS": "true",
    "server.fileWatcherType": "none",
    "server.runOnSave": "false",
    "browser.gatherUsageStats": "false",
    "client.toolbarMode": "minimal",
    # A bug's traceback belongs into the server's log, not on an engineer's page.
    "client.showErrorDetails": "none",
    "client.showErrorLinks": "false",
    "logger.hideWelcomeMessage": "true",
}
THEME: Mapping[str, str] = {
    "theme.baseFontSize": "15",
    "theme.baseRadius": "6px",
    "theme.showWidgetBorder": "true",
    "theme.light.primaryColor": "#1f5f8b",
    "theme.light.backgroundColor": "#ffffff",
    "theme.light.secondaryBackgroundColor": "#f3f6f8",
    "theme.light.textColor": "#18242e",
    "theme.light.borderColor": "#d5dce2",
    "theme.dark.primaryColor": "#3580b8",
    "theme.dark.backgroundColor": "#12181d",
    "theme.dark.secondaryBackgroundColor": "#1a2229",
    "theme.dark.textColor": "#e7edf2",
    "theme.dark.borderColor": "#33404a",
}


def run_ui(settings: Settings, *, port: int = 8501, address: str = "127.0.0.1") -> int:
    """Serve the pages until they are stopped.

    Args:
        settings: Handed to the pages as `KENPIN_…` variables.
        port: TCP port to listen on.
        address: Address to listen on. The default is this machine only; another one needs accounts first, since anyone
            who reaches it would be let in as a guest.
    Returns:
        The server's exit status; 0 after Ctrl+C or SIGTERM.
    Raises:
        BadInput: The port or the address cannot be listened on, or others could reach pages without accounts.
        Unavailable: The pages are not installed.
    """
    page = ROOT / "ui" / "app.py"
    if not page.is_file():
        raise Unavailable("the pages are not installed; install kenpin as a whole")
    check_free(address, port)
    check_private(settings, address)
    print(f"Kenpin: http://{'localhost' if address == '127.0.0.1' else address}:{port}  (Ctrl+C ends it)", flush=True)  # noqa: T201
    # The program is this Python, and every argument is ours or a checked setting.
    with subprocess.Popen(command(page, port=port, address=address), env=environment(settings)) as server:  # noqa: S603
        asked: list[int] = []

        def end(number: int, frame: FrameType | None) -> None:
            asked.append(number)
            server.terminate()

        # Who ends this process means the server; without this it would go on alone.
        signal.signal(signal.SIGTERM, end)
        try:
            code = server.wait()
            # Ended as it was asked to: no failure, of which a service manager would make a note.
            return 0 if asked else code
        except KeyboardInterrupt:
            # The server got the same signal and ends by itself.
            server.wait()
            return 0


def command(page: Path, *, port: int, address: str) -> list[str]:
    """The command line of the server."""
    options = {**OPTIONS, **THEME, "server.port": str(port), "server.address": address}
    flags = [f"--{key}={value}" for key, value in options.items()]
    return [sys.executable, "-m", "ui.serve", str(page), *flags]


def environment(settings: Settings) -> dict[str, str]:
    """The variables of this process with every setting among them."""
    given = {}
    for name, value in settings:
        if value is not None:
            plain = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
            given[f"KENPIN_{name.upper()}"] = plain
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, **given, "PYTHONPATH": os.pathsep.join(paths)}


def check_private(settings: Settings, address: str) -> None:
    """Make sure that nobody but this machine is let in without an account.

    Raises:
        BadInput: The address can be reached from elsewhere, and there are no accounts.
    """
    from kenpin.wiring import open_kenpin

    if not is_loopback(address) and not open_kenpin(settings).people.any_accounts():
        raise BadInput(f"{address} can be reached by others, and there are no accounts; make one first: "
                       "kenpin users add NAME --role administrator")


def is_loopback(address: str) -> bool:
    """Whether only this machine reaches an address."""
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"


def check_free(address: str, port: int) -> None:
    """Make sure that the server will be able to listen.

    Raises:
        BadInput: It will not.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except (OSError, OverflowError) as exc:
            reason = getattr(exc, "strerror", None) or exc
            raise BadInput(f"cannot listen on {address}:{port} ({reason}); choose another with --port") from None
