"""Signing in and out: plain forms of our own, which need no script and no session of Streamlit."""

import secrets
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from html import escape
from pathlib import Path
from string import Template

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from kenpin.contracts.errors import KenpinError, SignInRefused
from kenpin.security.credentials import MOST_NAME
from kenpin.security.forms import form_token, same
from kenpin.security.people import People
from ui.i18n import LANGUAGES, Language, Texts, texts_of
from ui.web.doors import COOKIE, NEXT, SIGN_IN, again, came_from, give_session, live, local
from ui.web.provider import Provider

FORM = "kenpin_form"
PAGE = Template((Path(__file__).parent / "signin.html").read_text(encoding="utf-8"))
TRIES, PER_SECONDS = 30, 60.0
"""Sign-ins that one address may try: a shift that starts behind one proxy gets through, a list of names does not."""
ADDRESSES = 10_000


class Turnstile:
    """Counts tries of each address over the last minute."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._seen: OrderedDict[str, deque[float]] = OrderedDict()
        self._clock = clock

    def passes(self, address: str) -> bool:
        """Count one try, and say whether it may go on."""
        now = self._clock()
        tries = self._seen.setdefault(address, deque())
        self._seen.move_to_end(address)
        while len(self._seen) > ADDRESSES:
            self._seen.popitem(last=False)
        while tries and tries[0] <= now - PER_SECONDS:
            tries.popleft()
        if len(tries) >= TRIES:
            return False
        tries.append(now)
        return True


class SignIn:
    """The routes below `/auth/`. What touches the database runs beside the event loop."""

    def __init__(self, people: Callable[[], People], provider: Provider | None = None) -> None:
        self._people, self._provider, self._turnstile = people, provider, Turnstile()

    def routes(self) -> list[Route]:
        """For the application."""
        found = [
            Route(SIGN_IN, self.show, methods=["GET"]),
            Route(SIGN_IN, self.sign_in, methods=["POST"]),
            Route("/auth/sign-out", self.sign_out, methods=["POST"]),
        ]
        if self._provider:
            found.append(Route("/auth/elsewhere", self.elsewhere, methods=["GET"]))
        return found

    async def show(self, request: Request) -> Response:
        """The form."""
        return await to_thread.run_sync(self._form, request, came_from(request))

    async def sign_in(self, request: Request) -> Response:
        """Take the form: a session and the way back, or the form again with one line."""
        form = await request.form(max_files=0, max_fields=8)
        name, password, token, wanted = (str(form.get(key) or "") for key in ("name", "password", "form", "next"))
        wanted = local(wanted) or "/"
        if not same(token, request.cookies.get(FORM, "")):
            return await to_thread.run_sync(self._form, request, wanted, "signin.stale", 403)
        if not self._turnstile.passes(request.client.host if request.client else ""):
            return await to_thread.run_sync(self._form, request, wanted, "signin.slow", 429, name)
        try:
            actor = await to_thread.run_sync(self._people().sign_in, name, password)
        except SignInRefused:
            return await to_thread.run_sync(self._form, request, wanted, "signin.refused", 403, name)
        if old := request.cookies.get(COOKIE):
            await to_thread.run_sync(self._people().sign_out, old)
        answer = RedirectResponse(wanted, status_code=303)
        answer.delete_cookie(FORM)
        if self._provider:
            self._provider.forget(answer, request)
        give_session(answer, request, actor)
        return answer

    async def sign_out(self, request: Request) -> Response:
        """End the session, here and at the provider."""
        form = await request.form(max_files=0, max_fields=8)
        token = request.cookies.get(COOKIE, "")
        if token and not same(str(form.get("form") or ""), form_token(token)):
            return RedirectResponse("/", status_code=303)
        await to_thread.run_sync(self._people().sign_out, token)
        after = self._provider.sign_out_path(request) if self._provider else None
        # To the provider by a page of ours: the policy lets no form lead to another site, not even by a redirect.
        answer: Response = again(after) if after else RedirectResponse(SIGN_IN, status_code=303)
        answer.delete_cookie(COOKIE)
        return answer

    async def elsewhere(self, request: Request) -> Response:
        """On to the provider."""
        assert self._provider
        answer = RedirectResponse(self._provider.sign_in_path(), status_code=303)
        # Lax, since it is asked back on the way from another site; it holds a path of ours and nothing else.
        answer.set_cookie(NEXT, came_from(request), max_age=600, httponly=True, samesite="lax",
                          secure=request.url.scheme == "https")
        return answer

    def _form(
        self, request: Request, wanted: str, wrong: str | None = None, status: int = 200, given: str = ""
    ) -> Response:
        try:
            accounts, trouble = self._people().any_accounts(), None
            if status == 200 and accounts and live(self._people(), request.cookies.get(COOKIE)):
                return RedirectResponse(wanted, status_code=303)
        except KenpinError as exc:
            accounts, trouble, status = True, str(exc), 503
        t = texts_of(_language(request))
        token = request.cookies.get(FORM) or secrets.token_urlsafe(32)
        page = self._page(t, token, wanted, given=given[:MOST_NAME], accounts=accounts,
                          wrong=trouble or (t.raw(wrong) if wrong else None))
        answer = HTMLResponse(page, status_code=status)
        answer.set_cookie(FORM, token, httponly=True, samesite="strict", secure=request.url.scheme == "https")
        return answer

    def _page(self, t: Texts, token: str, wanted: str, *, given: str, wrong: str | None, accounts: bool) -> str:
        texts = {"title": t.raw("signin.title"), "lead": t.raw("signin.lead"), "name": t.raw("signin.name"),
                 "password": t.raw("signin.password"), "enter": t.raw("signin.enter")}
        plain = {key: escape(text) for key, text in texts.items()}
        other = ""
        if self._provider:
            words = escape(t.raw("signin.elsewhere", provider=self._provider.label))
            other = f'<a class="other" href="/auth/elsewhere?next={escape(_quoted(wanted))}">{words}</a>'
        notes = f'<p class="wrong" role="alert">{escape(wrong)}</p>' if wrong else ""
        if not accounts:
            notes += f'<p class="hint">{escape(t.raw("signin.no_accounts"))}</p>'
        return PAGE.substitute(plain, lang=t.lang, given=escape(given), form=escape(token), next=escape(wanted),
                               other=other, notes=notes)


def _quoted(path: str) -> str:
    from urllib.parse import quote

    return quote(path, safe="")


def _language(request: Request) -> Language:
    """English or Japanese, whichever the browser names first."""
    for part in request.headers.get("accept-language", "").lower().split(","):
        for lang in LANGUAGES:
            if part.strip().startswith(lang):
                return lang
    return "en"
