"""Signing in and out in a real browser, here and at a provider; nothing is asked of another host, no policy is broken."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.request import urlopen

import pytest
from pydantic import SecretStr

from kenpin.config import Settings
from kenpin.contracts.errors import SignInRefused
from kenpin.contracts.people import Actor, Proof, Role
from kenpin.launch import ROOT, command, environment
from kenpin.security.credentials import Hasher
from kenpin.security.people import People
from kenpin.wiring import open_kenpin

pytestmark = [pytest.mark.browser, pytest.mark.timeout(180)]
sync_api = pytest.importorskip("playwright.sync_api")
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync"]
WORDS = "four unrelated words here"
CONSOLE = Actor(name="console:root", roles=frozenset({Role.OPERATOR, Role.ADMINISTRATOR}), kind="console")
PERSON = '[data-testid="stSidebar"] [data-testid="stPopover"] button'
OUT = ".st-key-sign-out button"


def free() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(line: list[str], url: str, env: dict[str, str]) -> Iterator[None]:
    with subprocess.Popen(line, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            until = time.monotonic() + 90
            while True:
                try:
                    with urlopen(url, timeout=2):
                        break
                except OSError:
                    assert time.monotonic() < until, f"{url} does not answer"
                    time.sleep(0.3)
            yield
        finally:
            server.terminate()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """The pages with `ann` (a password) and `kim` (at the provider), and a provider on another site."""
    port, issuer = free(), f"http://localhost:{(other := free())}"
    settings = Settings(
        home=tmp_path_factory.mktemp("home"), oidc_url=f"{issuer}/.well-known/openid-configuration",
        oidc_client_id="kenpin", oidc_client_secret=SecretStr("s3cret"), oidc_label="Example ID")
    kenpin = open_kenpin(settings)
    people = People(kenpin.database, kenpin.audit, settings, Hasher.for_tests(), console=True)
    people.accounts.add(CONSOLE, "ann", roles=[Role.ADMINISTRATOR], password=WORDS)
    people.accounts.add(CONSOLE, "kim", roles=[Role.REVIEWER], printed_name="Kim Example", oidc=(issuer, "k-1"))
    provider = [sys.executable, "-W", "ignore", "-m", "oidc_provider_mock", "--port", str(other)]
    url = f"http://127.0.0.1:{port}"
    pages = command(ROOT / "ui" / "app.py", port=port, address="127.0.0.1")
    with running(provider, settings.oidc_url or "", dict(os.environ)), running(
            pages, f"{url}/_stcore/health", environment(settings)):
        yield SimpleNamespace(url=url, people=people, issuer=issuer)


@pytest.fixture
def browser(site: SimpleNamespace) -> Iterator[Any]:
    """An English browser; what is asked of another host, or kept back by the policy, fails the test."""
    if not Path(CHROMIUM).exists():
        pytest.skip("no chromium; apt-get install chromium")
    strangers: list[str] = []
    with sync_api.sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = chromium.new_context(viewport={"width": 1300, "height": 850}, locale="en-US").new_page()
        page.set_default_timeout(60_000)
        page.on("request", lambda r: strangers.append(r.url)
                if page.url.startswith(site.url) and not r.is_navigation_request()
                and not r.url.startswith((site.url, "data:", "blob:", f"ws://{site.url[7:]}")) else None)
        page.on("console", lambda m: strangers.append(m.text) if "Content Security Policy" in m.text else None)
        yield page
        chromium.close()
    assert strangers == []


def session_of(page: Any) -> str:
    return str(next(c["value"] for c in page.context.cookies() if c["name"] == "kenpin_session"))


def test_sign_in_reload_and_sign_out(site: SimpleNamespace, browser: Any) -> None:
    browser.goto(f"{site.url}/admin")
    assert "/auth/sign-in" in browser.url
    browser.fill("input[name=name]", "ann")
    browser.fill("input[name=password]", "wrong words altogether")
    browser.click("button[type=submit]")
    browser.wait_for_selector('[role="alert"]')
    assert browser.input_value("input[name=name]") == "ann"
    browser.fill("input[name=password]", WORDS)
    browser.click("button[type=submit]")
    browser.wait_for_selector(".st-key-person-kim")
    assert browser.url == f"{site.url}/admin"
    token = session_of(browser)
    assert browser.evaluate("document.cookie").find("kenpin") == -1
    browser.reload()
    browser.wait_for_selector(".st-key-person-kim")
    browser.click(PERSON)
    browser.click(OUT)
    browser.wait_for_url("**/auth/sign-in")
    with pytest.raises(SignInRefused):
        site.people.actor(token)
    browser.goto(f"{site.url}/admin")
    assert "/auth/sign-in" in browser.url


def test_a_session_that_is_ended_elsewhere_ends_on_the_open_page(site: SimpleNamespace, browser: Any) -> None:
    browser.goto(f"{site.url}/admin")
    browser.fill("input[name=name]", "ann")
    browser.fill("input[name=password]", WORDS)
    browser.click("button[type=submit]")
    browser.wait_for_selector(".st-key-person-kim")
    site.people.sign_out(session_of(browser))
    browser.locator('[role="tab"]').nth(1).click()
    browser.locator('.st-key-person-kim button, [data-testid="stFormSubmitButton"] button').last.click()
    browser.get_by_text("the session has ended").wait_for()
    browser.locator('a[href="/auth/sign-in"]').click()
    browser.wait_for_selector("input[name=password]")


def test_at_a_provider_and_a_fresh_sign_in_for_a_signature(site: SimpleNamespace, browser: Any) -> None:
    browser.goto(f"{site.url}/queue")
    browser.click("a.other")
    browser.wait_for_url(f"{site.issuer}/**")
    assert "prompt=login" in browser.url
    browser.fill("input[name=sub]", "k-1")
    browser.get_by_role("button", name="Authorize").click()
    browser.wait_for_selector(PERSON)
    assert browser.url == f"{site.url}/queue"
    actor = site.people.actor(session_of(browser))
    assert (actor.name, actor.roles) == ("kim", {Role.REVIEWER})
    assert site.people.prove(actor, Proof(method="oidc")) == "Kim Example"
    browser.goto(f"{site.url}/auth/elsewhere?next=/queue")
    browser.wait_for_url(f"{site.issuer}/**")
    browser.fill("input[name=sub]", "k-1")
    browser.get_by_role("button", name="Authorize").click()
    browser.wait_for_selector(PERSON)
    again = site.people.actor(session_of(browser))
    assert again.session != actor.session
    with pytest.raises(SignInRefused):
        site.people.actor(actor.session)
    browser.click(PERSON)
    browser.click(OUT)
    # The provider is asked to end its own session, and sends the browser back.
    browser.wait_for_url(f"{site.issuer}/oauth2/end_session**")
    browser.get_by_role("button", name="End session").click()
    browser.wait_for_selector("input[name=password]")
    with pytest.raises(SignInRefused):
        site.people.actor(again.session)
    assert not [c for c in browser.context.cookies() if c["name"].startswith("_streamlit_user")]


def test_a_stranger_of_the_provider_gets_an_account_that_may_nothing(site: SimpleNamespace, browser: Any) -> None:
    browser.goto(f"{site.url}/")
    browser.click("a.other")
    browser.wait_for_url(f"{site.issuer}/**")
    browser.fill("input[name=sub]", "somebody-new")
    browser.get_by_role("button", name="Authorize").click()
    browser.get_by_text("role").first.wait_for()
    assert site.people.actor(session_of(browser)).roles == frozenset()
