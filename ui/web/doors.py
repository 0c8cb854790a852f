"""The inner door: once there are accounts, nothing but the sign-in page is served without a live session."""

from collections.abc import Callable
from html import escape

from anyio import to_thread
from starlette.datastructures import QueryParams
from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from kenpin.contracts.errors import KenpinError, SignInRefused
from kenpin.contracts.people import Actor
from kenpin.security.oidc import SignedInElsewhere
from kenpin.security.people import People

COOKIE = "kenpin_session"
NEXT = "kenpin_next"
SIGN_IN = "/auth/sign-in"
OPEN = ("/auth/", "/static/", "/oauth2callback", "/_stcore/health", "/favicon")
"""What is served to anybody: signing in, and Streamlit's own files, which hold nothing of ours."""
FILES = ("/_stcore/", "/media/", "/component/", "/_stcore/upload_file")
AGAIN = '<!DOCTYPE html><html><head><meta http-equiv="refresh" content="0; url={}"><title>Kenpin</title></head></html>'

Elsewhere = Callable[[HTTPConnection], SignedInElsewhere | None]
"""Reads who signed in at a provider from a request's cookies."""


class Doors:
    """ASGI middleware inside `Gate`."""

    def __init__(self, app: ASGIApp, *, people: Callable[[], People], elsewhere: Elsewhere) -> None:
        self._app, self._people, self._elsewhere = app, people, elsewhere
        self._accounts = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let through who has a session, or who needs none."""
        if scope["type"] not in {"http", "websocket"} or scope["path"].startswith(OPEN):
            await self._app(scope, receive, send)
            return
        asked = HTTPConnection(scope)
        page = scope["type"] == "http" and scope["method"] == "GET" and not scope["path"].startswith(FILES)
        try:
            answer = await to_thread.run_sync(self._answer, asked, page)
        except KenpinError as exc:
            answer = PlainTextResponse(f"kenpin: {exc}\n", status_code=503)
        if answer is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": ""})
        else:
            await answer(scope, receive, send)

    def _answer(self, asked: HTTPConnection, page: bool) -> Response | None:
        """None to let a request through. Runs beside the event loop: it reads the database."""
        token = asked.cookies.get(COOKIE)
        # Accounts are never deleted: once there are some, there always are.
        self._accounts = self._accounts or self._people().any_accounts()
        wanted = local(asked.url.path + (f"?{asked.url.query}" if asked.url.query else "")) or "/"
        if page and asked.headers.get("sec-fetch-site") == "cross-site" and self._accounts:
            # Came by a link, or back from the provider, so the browser held the session's cookie back. Asked again by a
            # page of ours, it sends it along.
            return again(wanted)
        if page and (adopted := self._adopt(asked, token)) is not None:
            return adopted
        if not self._accounts or live(self._people(), token) is not None:
            return None
        if not page:
            return PlainTextResponse("kenpin: the session has ended; sign in again\n", status_code=401)
        return RedirectResponse(f"{SIGN_IN}?{_query(wanted)}", status_code=303)

    def _adopt(self, asked: HTTPConnection, token: str | None) -> Response | None:
        """Begin the session of somebody who has just come back from the provider."""
        came = self._elsewhere(asked)
        if came is None or came.token == token:
            return None
        try:
            actor = self._people().sign_in_elsewhere(came)
        except SignInRefused:
            # An old sign-in there, whose session here has ended: as if there were none.
            return None
        if token:
            self._people().sign_out(token)
        wanted = local(asked.cookies.get(NEXT)) or local(asked.url.path) or "/"
        answer = again(wanted)
        answer.delete_cookie(NEXT)
        give_session(answer, asked, actor)
        return answer


def again(path: str) -> HTMLResponse:
    """Let the browser ask for a path anew, as a page of ours: a redirect would still count as coming from elsewhere."""
    return HTMLResponse(AGAIN.format(escape(path)))


def live(people: People, token: str | None) -> Actor | None:
    """Who has this session; None if it has ended."""
    try:
        return people.actor(token) if token else None
    except SignInRefused:
        return None


def give_session(answer: Response, asked: HTTPConnection, actor: Actor) -> None:
    """Hand a session to the browser: out of reach of scripts and of other sites, and gone when the browser closes."""
    assert actor.session
    answer.set_cookie(COOKIE, actor.session, httponly=True, samesite="strict", secure=asked.url.scheme == "https")


def local(path: str | None) -> str | None:
    """A path of this server, or None if it leads anywhere else."""
    if not path or not path.startswith("/") or path.startswith(("//", "/\\", "/auth/")) or len(path) > 500:
        return None
    return path if path.isascii() and path.isprintable() and "\\" not in path else None


def _query(wanted: str) -> str:
    return str(QueryParams({"next": wanted})) if wanted != "/" else ""


def came_from(request: Request) -> str:
    """Where somebody wanted to go before signing in."""
    return local(request.query_params.get("next")) or "/"
