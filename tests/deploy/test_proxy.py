"""nginx with the repository's configuration before the pages, without a browser: names, sizes, headers, what is closed."""

import re
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import InvalidMessage, InvalidStatus
from websockets.sync.client import connect

from kenpin.launch import ROOT
from kenpin.security.uploads import MAX_BYTES
from ui.serve import SLACK
from ui.web.gate import MOST_FORM

NAME = "kenpin.example.com"
WORDS = "four unrelated words here"
STREAM = "/_stcore/stream"
CONF = (ROOT / "deploy" / "nginx" / "kenpin.conf").read_text()
UPLOAD = "/_stcore/upload_file/a/b"


def sign_in(site: Any, client: httpx.Client, **headers: str) -> httpx.Response:
    form = client.get("/auth/sign-in").text
    fields = dict(re.findall(r'name="(form|next)" value="([^"]*)"', form))
    return client.post("/auth/sign-in", data={**fields, "name": "ann", "password": WORDS},
                       headers={"Origin": site.url, **headers})


@pytest.fixture(scope="module")
def signed_in(site: Any) -> Iterator[httpx.Client]:
    """A client that has signed in once: the proxy counts these."""
    with site.client() as client:
        assert sign_in(site, client).status_code == 303
        yield client


def shake(site: Any, *, origin: str, host: str = "", cookie: str = "") -> int:
    """Status of a websocket's handshake through the proxy: 101 if it was let in, 0 if the connection was closed."""
    trusted = ssl.create_default_context(cafile=str(site.folder / "tls" / "fullchain.pem"))
    with socket.create_connection(("127.0.0.1", site.https)) as plain:
        try:
            with connect(f"wss://{host or NAME}:{site.https}{STREAM}", sock=plain, ssl=trusted, server_hostname=NAME,
                         origin=origin, additional_headers={"Cookie": cookie}, subprotocols=["streamlit"],  # type: ignore[arg-type, list-item]
                         open_timeout=20):
                return 101
        except InvalidStatus as exc:
            return exc.response.status_code
        except (EOFError, OSError):
            return 0
        except InvalidMessage:
            return 0


def test_plain_http_leads_to_https(site: Any) -> None:
    with site.client() as client:
        answer = client.get(f"http://{NAME}:{site.http}/queue?state=waiting")
    assert answer.status_code == 308
    assert answer.headers["location"] == f"{site.url}/queue?state=waiting"


def test_another_name_gets_no_page_and_no_certificate(site: Any) -> None:
    with site.client() as client:
        for other in ("evil.example", "127.0.0.1"):
            with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
                client.get(f"http://{NAME}:{site.http}/", headers={"Host": other})
            with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
                client.get("/", headers={"Host": other})
        with pytest.raises(httpx.ConnectError, match=r"unrecognized name|handshake"):
            client.get(f"https://evil.example:{site.https}/")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_old_tls_is_refused(site: Any) -> None:
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version = ssl.TLSVersion.TLSv1
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    with socket.create_connection(("127.0.0.1", site.https)) as plain, pytest.raises(ssl.SSLError):
        old.wrap_socket(plain, server_hostname=NAME)


def test_signing_in_gives_a_cookie_for_tls_only(site: Any) -> None:
    with site.client() as client:
        answer = sign_in(site, client)
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        given = next(c for c in answer.headers.get_list("set-cookie") if c.startswith("kenpin_session="))
        assert "HttpOnly" in given
        assert "Secure" in given
        assert "samesite=strict" in given.lower()
        assert client.get("/").status_code == 200
        cookie = f"kenpin_session={client.cookies['kenpin_session']}"
    assert shake(site, origin=site.url, cookie=cookie) == 101
    assert shake(site, origin=site.url) == 403
    for origin in ("https://evil.example", f"https://{NAME}", "null"):
        assert shake(site, origin=origin, cookie=cookie) == 403
    assert shake(site, origin=site.url, host="evil.example", cookie=cookie) == 0


def test_another_site_signs_nobody_in(site: Any) -> None:
    with site.client() as client:
        assert sign_in(site, client, Origin="https://evil.example").status_code == 403


@pytest.mark.parametrize("path", ["/auth/sign-in", "/_stcore/health", "/no/such/page", "/static/none.js"])
def test_headers_stand_once(site: Any, path: str) -> None:
    with site.client() as client:
        answer = client.get(path)
    for name in ("strict-transport-security", "content-security-policy", "x-content-type-options", "x-frame-options",
                 "referrer-policy", "permissions-policy", "cross-origin-opener-policy"):
        assert len(answer.headers.get_list(name)) == 1, name
    assert "max-age=31536000" in answer.headers["strict-transport-security"]
    assert answer.headers["server"] == "nginx"


def test_sizes_agree_with_those_of_the_pages(site: Any) -> None:
    most = {int(number) * {"k": 2**10, "m": 2**20}[unit] for number, unit in re.findall(r"client_max_body_size (\d+)([km])", CONF)}
    assert most == {MOST_FORM, MAX_BYTES + SLACK}
    with site.client() as client:
        headers = {"Origin": site.url}
        for path, limit, method in ((UPLOAD, MAX_BYTES + SLACK, "PUT"), ("/auth/sign-out", MOST_FORM, "POST")):
            taken = client.request(method, path, content=bytes(limit), headers=headers)
            # The pages refuse it for another reason, at once; the proxy may still be sending then.
            assert taken.status_code in (401, 303, 403, 502), path
            over = client.request(method, path, content=bytes(limit + 1), headers=headers)
            assert over.status_code == 413, path
            assert "max-age" in over.headers["strict-transport-security"]


@pytest.mark.parametrize("path", ["/tokenize", "/detokenize", "/metrics", "/invocations", "/v1/models", "/v1/chat/completions",
                                  "/v1/load_lora_adapter", "/api/v2/heartbeat", "/_stcore/metrics"])
def test_nothing_but_the_pages_is_behind_it(site: Any, signed_in: httpx.Client, path: str) -> None:
    posted = signed_in.post(path, json={"prompt": "x"}, headers={"Origin": site.url})
    assert posted.status_code in (404, 405), posted.text
    shown = signed_in.get(path)
    # A signed-in browser gets Streamlit's own page for any path; no server behind it is asked.
    assert shown.status_code == 404 or "<!doctype html>" in shown.text.lower()
    with site.client() as stranger:
        assert stranger.get(path).status_code in (303, 401, 404)
    assert site.beside == []


def test_only_the_proxy_can_be_reached_from_elsewhere(site: Any) -> None:
    inodes = set()
    for process in site.processes:
        for handle in Path(f"/proc/{process}/fd").iterdir():
            inodes |= set(re.findall(r"socket:\[(\d+)\]", str(handle.readlink())))
    listened = subprocess.run(["ss", "-Hltne"], capture_output=True, text=True, check=True).stdout.splitlines()
    ours = [line.split()[3] for line in listened if any(f"ino:{inode} " in f"{line} " for inode in inodes)]
    assert ours == [f"127.0.0.1:{site.pages}"]


def test_who_guesses_is_slowed_down_whatever_address_he_writes(site: Any) -> None:
    with site.client(sender="127.0.0.2") as client:
        answers = [client.get("/auth/sign-in", headers={"X-Forwarded-For": f"198.51.100.{n}"}).status_code for n in range(20)]
    assert answers[0] == 200
    assert 429 in answers
