"""The outermost door: which names this server answers to, who may send it something, and how much."""

import ipaddress
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ui.web.headers import headers

LOOPBACK = frozenset({"localhost"})
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
CLOSED = ("/_stcore/agent", "/_stcore/metrics")
"""Streamlit's ways in for programs, and its figures; the pages need neither."""
UPLOAD = "/_stcore/upload_file"
MOST_FORM = 64 * 2**10
"""Bytes of any other body: a sign-in form is a few hundred."""


class _TooLarge(Exception):  # noqa: N818
    """A body went over its limit."""


class Gate:
    """ASGI middleware around everything else."""

    def __init__(self, app: ASGIApp, *, hosts: Iterable[str], content_policy: str, most_upload: int) -> None:
        """Guard an application.

        Args:
            app: What is guarded.
            hosts: Names that this server answers to, beside addresses in figures, which nobody else's name resolves to.
            content_policy: The Content-Security-Policy.
            most_upload: Bytes of an upload's body.
        """
        self._app, self._policy, self._most_upload = app, content_policy, most_upload
        self._hosts = LOOPBACK | {host.lower().rstrip(".") for host in hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or say in one line why not."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        if scope["type"] == "http":
            send = self._dressed(scope, send)
        if (refusal := self._refusal(scope)) is not None:
            await _refuse(scope, receive, send, *refusal)
            return
        if scope["type"] == "websocket" or scope["method"] in SAFE:
            await self._app(scope, receive, send)
            return
        await self._measured(scope, receive, send)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        given = Headers(scope=scope)
        hosts = given.getlist("host")
        if len(hosts) != 1 or not self._known(hosts[0]):
            return 400, "this name is not one that this server answers to; see KENPIN_ALLOWED_HOSTS"
        if scope["path"].startswith(CLOSED):
            return 404, "there is nothing here"
        sends = scope["type"] == "websocket" or scope["method"] not in SAFE
        if sends and not _same_origin(given, hosts[0]):
            return 403, "the request comes from another site; open the page at its own address"
        size = given.get("content-length", "0") if sends else "0"
        if not (size.isascii() and size.isdigit() and len(size) < 20 and int(size) <= self._limit(scope)):
            return 413, f"the request is too large; at most {self._limit(scope)} bytes"
        return None

    def _known(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        try:
            # A page of another site cannot have an address in figures for its name, so it cannot be rebound to one.
            ipaddress.ip_address(name)
        except ValueError:
            return name.rstrip(".") in self._hosts
        return True

    def _limit(self, scope: Scope) -> int:
        return self._most_upload if scope["path"].startswith(UPLOAD) else MOST_FORM

    async def _measured(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a body on as long as it keeps to its limit, whatever its header said."""
        left, started = self._limit(scope), False

        async def counted() -> Message:
            nonlocal left
            message = await receive()
            left -= len(message.get("body", b""))
            if left < 0:
                raise _TooLarge
            return message

        async def noted(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, counted, noted)
        except _TooLarge:
            if started:
                raise
            await _refuse(scope, receive, send, 413, f"the request is too large; at most {self._limit(scope)} bytes")

    def _dressed(self, scope: Scope, send: Send) -> Send:
        worn = headers(self._policy, path=scope["path"], secure=scope.get("scheme") == "https")

        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                carried = MutableHeaders(scope=message)
                for name, value in worn.items():
                    carried[name] = value
            await send(message)

        return dressed


def _same_origin(given: Headers, host: str) -> bool:
    """Whether a request that changes something, or opens a websocket, was made by a page of this server.

    Browsers send `Origin` with each of these; what does not send it is no browser and has no business here.
    """
    if given.get("sec-fetch-site", "same-origin") != "same-origin":
        return False
    origins = given.getlist("origin")
    if len(origins) != 1:
        return False
    parts = urlsplit(origins[0])
    return parts.scheme in {"http", "https"} and parts.netloc.lower() == host.lower()


async def _refuse(scope: Scope, receive: Receive, send: Send, status: int, why: str) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008, "reason": ""})
        return
    await PlainTextResponse(f"kenpin: {why}\n", status_code=status)(scope, receive, send)
