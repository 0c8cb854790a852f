"""The server of the pages as it runs: forged hosts and origins, replayed and expired sessions, sizes, headers."""

import re
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from sqlalchemy import update
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from kenpin.config import Settings
from kenpin.contracts.errors import BadInput
from kenpin.contracts.people import Actor, Role
from kenpin.database.tables import sessions
from kenpin.launch import ROOT, check_private, command, environment, is_loopback
from kenpin.security.credentials import Hasher
from kenpin.security.people import People
from kenpin.security.sessions import token_sha256
from kenpin.wiring import Kenpin, open_kenpin
from ui.web.doors import local
from ui.web.signin import ADDRESSES, PER_SECONDS, TRIES, Turnstile

WORDS = "four unrelated words here"
CONSOLE = Actor(name="console:root", roles=frozenset({Role.OPERATOR, Role.ADMINISTRATOR}), kind="console")
STREAM = "/_stcore/stream"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """A server over an installation with two accounts; `rei` signs in by the form, `ida` has a session from elsewhere."""
    settings = Settings(home=tmp_path_factory.mktemp("home"))
    kenpin = open_kenpin(settings)
    people = People(kenpin.database, kenpin.audit, settings, Hasher.for_tests(), console=True)
    for name in ("rei", "ida"):
        people.accounts.add(CONSOLE, name, roles=[Role.REVIEWER], password=WORDS)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    line = command(ROOT / "ui" / "app.py", port=port, address="127.0.0.1")
    with subprocess.Popen(line, env=environment(settings), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        url = f"http://127.0.0.1:{port}"
        try:
            _wait(url)
            yield SimpleNamespace(url=url, host=f"127.0.0.1:{port}", kenpin=kenpin, people=people)
        finally:
            server.terminate()


def _wait(url: str) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            if httpx.get(f"{url}/_stcore/health").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.2)
    raise TimeoutError(url)


@pytest.fixture
def browser(site: SimpleNamespace) -> Iterator[httpx.Client]:
    """Keeps cookies and follows nothing."""
    with httpx.Client(base_url=site.url) as client:
        yield client


def sign_in(client: httpx.Client, site: SimpleNamespace, *, word: str = WORDS, next: str = "/", **headers: str) -> httpx.Response:
    form = client.get("/auth/sign-in", params={"next": next}).text
    fields = dict(re.findall(r'name="(form|next)" value="([^"]*)"', form))
    return client.post("/auth/sign-in", data={**fields, "name": "REI", "password": word},
                       headers={"Origin": site.url, **headers})


def with_session(client: httpx.Client, site: SimpleNamespace) -> str:
    """Give a browser a session without the form, whose real hashes take their time."""
    token = site.people.sign_in("ida", WORDS).session
    client.cookies.set("kenpin_session", token)
    return str(token)


def shake(site: SimpleNamespace, *, origin: str | None = None, host: str | None = None, cookie: str | None = None) -> int:
    """Status of a websocket's handshake: 101 if it was let in."""
    headers = {"Cookie": cookie} if cookie else {}
    try:
        with (socket.create_connection(("127.0.0.1", int(site.host.rpartition(":")[2]))) as plain,
              connect(f"ws://{host or site.host}{STREAM}", sock=plain, origin=origin, additional_headers=headers,  # type: ignore[arg-type]
                      subprotocols=["streamlit"], open_timeout=20)):  # type: ignore[list-item]
            return 101
    except InvalidStatus as exc:
        return exc.response.status_code


def test_nothing_is_served_before_signing_in(site: SimpleNamespace, browser: httpx.Client) -> None:
    for path in ("/", "/queue", "/admin?x=1", "/inspection?inspection=abc"):
        answer = browser.get(path)
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/auth/sign-in")
    for path in ("/media/abc.png", "/_stcore/host-config", "/_stcore/upload_file/a/b", "/component/x/y.js"):
        assert browser.get(path).status_code == 401
    assert shake(site, origin=site.url) == 403
    assert browser.get("/_stcore/health").status_code == 200


def test_signing_in_gives_a_cookie_that_scripts_and_other_sites_cannot_use(site: SimpleNamespace, browser: httpx.Client) -> None:
    answer = sign_in(browser, site, next="/queue?state=waiting")
    assert (answer.status_code, answer.headers["location"]) == (303, "/queue?state=waiting")
    given = next(c for c in answer.headers.get_list("set-cookie") if c.startswith("kenpin_session="))
    assert "HttpOnly" in given
    assert "samesite=strict" in given.lower()
    assert "Secure" not in given
    assert browser.get("/").status_code == 200
    assert browser.get("/_stcore/host-config").status_code == 200
    token = browser.cookies["kenpin_session"]
    assert shake(site, origin=site.url, cookie=f"kenpin_session={token}") == 101
    browser.cookies.clear()
    secure = sign_in(browser, site, **{"X-Forwarded-Proto": "https"})
    assert all("Secure" in c for c in secure.headers.get_list("set-cookie") if c.startswith("kenpin_session="))
    assert "max-age" in secure.headers["strict-transport-security"]


def test_wrong_sign_ins_say_the_same_and_give_nothing(site: SimpleNamespace, browser: httpx.Client) -> None:
    answer = sign_in(browser, site, word="five other unrelated words")
    assert answer.status_code == 403
    assert "kenpin_session" not in answer.headers.get("set-cookie", "")
    assert "role=\"alert\"" in answer.text
    assert sign_in(browser, site).status_code == 303


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost.evil.example", "http://127.0.0.1:1",
                                    "http://127.0.0.1", "file://", "", None])
def test_a_request_of_another_site_changes_nothing(site: SimpleNamespace, browser: httpx.Client, origin: str | None) -> None:
    token = with_session(browser, site)
    headers = {} if origin is None else {"Origin": origin}
    form = browser.get("/auth/sign-in").cookies.get("kenpin_form", "x")
    for path, data in (("/auth/sign-out", {"form": "x"}), ("/auth/sign-in", {"name": "rei", "password": WORDS, "form": form})):
        assert browser.post(path, data=data, headers=headers).status_code == 403
    assert browser.put("/_stcore/upload_file/a/b", content=b"x", headers=headers).status_code == 403
    assert browser.delete("/_stcore/upload_file/a/b", headers=headers).status_code == 403
    assert shake(site, origin=origin, cookie=f"kenpin_session={token}") == 403
    assert site.people.actor(token).name == "ida"


def test_fetch_metadata_gives_another_site_away(site: SimpleNamespace, browser: httpx.Client) -> None:
    with_session(browser, site)
    for where in ("cross-site", "same-site", "none"):
        answer = browser.post("/auth/sign-out", headers={"Origin": site.url, "Sec-Fetch-Site": where})
        assert answer.status_code == 403


def test_a_form_without_its_token_signs_nobody_in_or_out(site: SimpleNamespace, browser: httpx.Client) -> None:
    bare = browser.post("/auth/sign-in", data={"name": "rei", "password": WORDS, "form": ""}, headers={"Origin": site.url})
    assert bare.status_code == 403
    token = with_session(browser, site)
    for form in ("", "x", "0" * 64):
        answer = browser.post("/auth/sign-out", data={"form": form}, headers={"Origin": site.url})
        assert answer.headers["location"] == "/"
        assert site.people.actor(token)


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8501", "127.0.0.1.evil.example", "localhost.evil.example",
                                  "localhost@evil.example", "[", ""])
def test_a_name_that_was_rebound_is_not_answered(site: SimpleNamespace, browser: httpx.Client, host: str) -> None:
    assert browser.get("/auth/sign-in", headers={"Host": host}).status_code == 400
    if host and host[0] != "[" and "@" not in host:
        assert shake(site, origin=f"http://{host}", host=host) == 403
    port = site.host.rpartition(":")[2]
    for good in (f"localhost:{port}", f"LOCALHOST:{port}", "127.0.0.1", f"[::1]:{port}"):
        assert browser.get("/auth/sign-in", headers={"Host": good}).status_code == 200


def test_a_session_that_was_signed_out_is_not_replayed(site: SimpleNamespace, browser: httpx.Client) -> None:
    from kenpin.security.forms import form_token

    token = with_session(browser, site)
    out = browser.post("/auth/sign-out", data={"form": form_token(token)}, headers={"Origin": site.url})
    assert (out.status_code, out.headers["location"]) == (303, "/auth/sign-in")
    assert 'kenpin_session=""' in out.headers["set-cookie"]
    replayed = {"Cookie": f"kenpin_session={token}"}
    assert httpx.get(f"{site.url}/", headers=replayed).status_code == 303
    assert httpx.get(f"{site.url}/media/a.png", headers=replayed).status_code == 401
    assert shake(site, origin=site.url, cookie=replayed["Cookie"]) == 403


def test_a_session_that_ran_out_is_not_let_in(site: SimpleNamespace, browser: httpx.Client) -> None:
    token = with_session(browser, site)
    kenpin: Kenpin = site.kenpin
    with kenpin.database.write() as connection:
        connection.execute(update(sessions).where(sessions.c.token_sha256 == token_sha256(token))
                           .values(seen=time.time() - 31 * 60))
    assert browser.get("/").status_code == 303
    assert shake(site, origin=site.url, cookie=f"kenpin_session={token}") == 403


def test_signing_in_anew_ends_the_session_before(site: SimpleNamespace, browser: httpx.Client) -> None:
    sign_in(browser, site)
    first = browser.cookies["kenpin_session"]
    form = re.search(r'name="form" value="([^"]*)"', httpx.get(f"{site.url}/auth/sign-in").text)
    assert form
    browser.cookies.set("kenpin_form", form[1])
    browser.post("/auth/sign-in", data={"name": "rei", "password": WORDS, "form": form[1]}, headers={"Origin": site.url})
    assert browser.cookies["kenpin_session"] != first
    assert httpx.get(f"{site.url}/", headers={"Cookie": f"kenpin_session={first}"}).status_code == 303


def test_a_link_from_elsewhere_finds_the_session_that_the_browser_held_back(site: SimpleNamespace, browser: httpx.Client) -> None:
    answer = browser.get("/queue?a=1&b=<x>", headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 200
    assert 'content="0; url=/queue?a=1&amp;b=' in answer.text
    assert "<x>" not in answer.text
    with httpx.Client() as bare:
        request = bare.build_request("GET", f"{site.url}/x", headers={"Sec-Fetch-Site": "cross-site"})
        request.url = request.url.copy_with(raw_path=b"//evil.example/")
        assert 'url=/"' in bare.send(request).text


def test_signing_in_leads_to_no_other_site(site: SimpleNamespace, browser: httpx.Client) -> None:
    wanted = ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/\nSet-Cookie: a=b",
              "/auth/sign-out", "", "x" * 600, "/" + "x" * 600, "/検品", "/\x00", "/\t/evil.example"]
    assert [local(path) for path in wanted] == [None] * len(wanted)
    assert local("/queue?state=waiting&x=1") == "/queue?state=waiting&x=1"
    for path in ("//evil.example", "/a\"><script>alert(1)</script>"):
        form = browser.get("/auth/sign-in", params={"next": path})
        assert "<script" not in form.text
        assert "evil.example" not in form.text
    assert sign_in(browser, site, next="//evil.example").headers["location"] == "/"


def test_every_answer_forbids_what_the_pages_never_do(site: SimpleNamespace, browser: httpx.Client) -> None:
    with_session(browser, site)
    script = re.search(r'src="\./(static/js/index[^"]+)"', browser.get("/").text)
    assert script
    for path in ("/", "/auth/sign-in", "/_stcore/health", "/media/none.png", f"/{script[1]}", "/no/such/thing"):
        given = browser.get(path).headers
        policy = given["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert re.search(r"https?:|\*|unsafe-eval", policy) is None
        assert "'unsafe-inline'" not in policy.partition("script-src")[2].partition(";")[0]
        assert given["x-content-type-options"] == "nosniff"
        assert given["x-frame-options"] == "DENY"
        assert given["referrer-policy"] == "same-origin"
        assert "camera=()" in given["permissions-policy"]
        assert path.startswith("/static/") or given["cache-control"] == "no-store"
        assert "strict-transport-security" not in given


def test_bodies_are_limited_whatever_they_claim(site: SimpleNamespace, browser: httpx.Client) -> None:
    with_session(browser, site)
    origin = {"Origin": site.url}
    assert browser.post("/auth/sign-in", content=b"x" * 70_000, headers=origin).status_code == 413
    streamed = browser.post("/auth/sign-in", content=(b"x" * 10_000 for _ in range(10)),
                            headers={**origin, "Content-Type": "application/x-www-form-urlencoded"})
    assert streamed.status_code == 413
    for size in ("140000000", "-1", "1e3", "9" * 40):
        with socket.create_connection(("127.0.0.1", int(site.host.rpartition(":")[2]))) as plain:
            plain.sendall(f"PUT /_stcore/upload_file/a/b HTTP/1.1\r\nHost: {site.host}\r\nOrigin: {site.url}\r\n"
                          f"Content-Length: {size}\r\n\r\n".encode())
            assert re.match(rb"HTTP/1.1 4(00|13)", plain.recv(100))


def test_doors_for_programs_are_closed(site: SimpleNamespace, browser: httpx.Client) -> None:
    with_session(browser, site)
    for path in ("/_stcore/agent/openapi.json", "/_stcore/agent/interact", "/_stcore/agent/mcp", "/_stcore/metrics"):
        assert browser.get(path).status_code == 404
        assert browser.post(path, headers={"Origin": site.url}).status_code == 404


def test_nobody_else_is_let_near_pages_without_accounts(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    for address in ("0.0.0.0", "192.0.2.1", "::", "kenpin.example.com"):
        assert not is_loopback(address)
        with pytest.raises(BadInput, match="make one first: kenpin users add"):
            check_private(settings, address)
    for address in ("127.0.0.1", "::1", "localhost"):
        check_private(settings, address)
    kenpin = open_kenpin(settings, console=True)
    People(kenpin.database, kenpin.audit, settings, Hasher.for_tests(), console=True).accounts.add(
        CONSOLE, "ann", roles=[Role.ADMINISTRATOR], password=WORDS)
    check_private(settings, "0.0.0.0")


def test_one_address_tries_only_so_often() -> None:
    now = SimpleNamespace(seconds=0.0)
    turnstile = Turnstile(lambda: now.seconds)
    assert [turnstile.passes("a") for _ in range(TRIES + 2)] == [True] * TRIES + [False] * 2
    assert turnstile.passes("b")
    now.seconds += PER_SECONDS + 1
    assert turnstile.passes("a")
    for n in range(ADDRESSES + 5):
        turnstile.passes(str(n))
    assert len(turnstile._seen) == ADDRESSES
