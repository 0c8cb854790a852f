"""Serves the pages: Streamlit's application between our doors. Started by `kenpin ui` in a process of its own."""

import sys
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

import streamlit as st
from starlette.middleware import Middleware

from kenpin.config import Settings, read_settings
from kenpin.contracts.errors import KenpinError
from kenpin.security.people import People
from kenpin.security.uploads import MAX_BYTES
from kenpin.wiring import open_kenpin
from ui.web.doors import Doors
from ui.web.gate import Gate
from ui.web.headers import page_policy
from ui.web.provider import Provider
from ui.web.signin import SignIn

SLACK = 2**20
"""Bytes of an upload's body beside the file: the parts of the form around it."""


def build(page: Path, settings: Settings, *, address: str = "127.0.0.1", port: int = 8501) -> st.App:
    """The application.

    Args:
        page: Streamlit's script.
        settings: Those of this installation.
        address: Address that is listened on.
        port: Port that is listened on.
    Raises:
        KenpinError: The provider is set up by half.
    """
    # Opened at the first request, and once: the pages open their own.
    people = cache(lambda: _people(settings))
    provider = Provider.of(settings, address=f"http://{_host(address)}:{port}")
    return st.App(
        page,
        secrets=provider.secrets if provider else None,
        routes=SignIn(people, provider).routes(),
        middleware=[
            Middleware(Gate, hosts=names(settings, address), content_policy=page_policy(),
                       most_upload=MAX_BYTES + SLACK),
            Middleware(Doors, people=people, elsewhere=provider.came if provider else lambda _: None),
        ],
    )


def names(settings: Settings, address: str) -> frozenset[str]:
    """Names that the server answers to, beside localhost and addresses in figures."""
    given = {name.strip() for name in settings.allowed_hosts.split(",")} | {address}
    if settings.public_url:
        given.add(urlsplit(settings.public_url).hostname or "")
    return frozenset(filter(None, given))


def main() -> None:
    """`python -m ui.serve PAGE --option=value ...`, options as `streamlit run` takes them."""
    page, *flags = sys.argv[1:]
    options = dict(flag.removeprefix("--").split("=", 1) for flag in flags)
    address, port = options["server.address"], int(options["server.port"])
    page = str(Path(page).resolve())
    sys.argv = [page]
    try:
        app = build(Path(page), read_settings(), address=address, port=port)
    except KenpinError as exc:
        sys.stderr.write(f"kenpin: {exc}\n")
        sys.exit(exc.exit_code)
    app.run(config={name: _typed(value) for name, value in options.items()})


def _typed(value: str) -> str | bool | int:
    """A flag's value as `streamlit run` would read it."""
    return {"true": True, "false": False}.get(value, int(value) if value.isdecimal() else value)


def _people(settings: Settings) -> People:
    return open_kenpin(settings).people


def _host(address: str) -> str:
    try:
        return f"[{address}]" if ip_address(address).version == 6 else address
    except ValueError:
        return address


if __name__ == "__main__":
    main()
