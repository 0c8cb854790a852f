"""What `deploy/` holds, run for real: nginx with the repository's own configuration before the pages.

Only ports and places of files are put in for those of a server. Without nginx the tests are skipped, unless
KENPIN_REQUIRE_NGINX=1.
"""

import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from kenpin.config import Settings
from kenpin.contracts.people import Actor, Role
from kenpin.launch import ROOT, environment
from kenpin.security.credentials import Hasher
from kenpin.security.people import People
from kenpin.wiring import open_kenpin

HERE = Path(__file__).parent
NAME = "kenpin.example.com"
"""The name that stands in the repository's configuration."""
WORDS = "four unrelated words here"
CONSOLE = Actor(name="console:root", roles=frozenset({Role.OPERATOR, Role.ADMINISTRATOR}), kind="console")
START = 90.0
"""Seconds that a busy machine may take to start the pages."""
PROXY = "127.0.0.2"
AROUND = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log warn;
events {{ worker_connections 256; }}
http {{
  include /etc/nginx/mime.types; access_log {folder}/access.log;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  include {folder}/conf.d/*.conf;
}}
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Servers are started for these tests: they have a target of their own."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.deploy)
            item.add_marker(pytest.mark.timeout(240))


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Site:
    """An installation behind the proxy."""

    folder: Path
    http: int
    https: int
    pages: int
    people: People
    beside: list[str] = field(default_factory=list)
    """What reached the server that stands where vLLM would."""
    processes: list[int] = field(default_factory=list)
    """Of Kenpin."""

    @property
    def url(self) -> str:
        return f"https://{NAME}:{self.https}"

    def client(self, *, sender: str | None = None, **more: Any) -> httpx.Client:
        """Trusts the site's certificate and nothing else, and finds its name on this machine; `sender` is another of
        this machine's addresses, for what the proxy counts by address."""
        import ssl

        trusted = ssl.create_default_context(cafile=str(self.folder / "tls" / "fullchain.pem"))
        return httpx.Client(transport=Here(verify=trusted, local_address=sender), base_url=self.url, trust_env=False, timeout=60, **more)


class Here(httpx.HTTPTransport):
    """Sends every request to this machine, whatever name stands in its address."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        name = request.url.host
        there = httpx.Request(request.method, request.url.copy_with(host="127.0.0.1"), headers=request.headers,
                              stream=request.stream, extensions={**request.extensions, "sni_hostname": name})
        return super().handle_request(there)


def nginx() -> str:
    """The program; skips, or fails where it must be there."""
    found = shutil.which("nginx") or next((p for p in ("/usr/sbin/nginx",) if Path(p).exists()), None)
    if found is None:
        if os.environ.get("KENPIN_REQUIRE_NGINX") == "1":
            raise AssertionError("nginx is not installed; apt-get install nginx")
        pytest.skip("nginx is not installed here (Debian: apt-get install nginx)")
    return found


def certificate(folder: Path) -> None:
    """A certificate for the name, signed by itself."""
    folder.mkdir()
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-days", "2", "-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}",
                    "-keyout", folder / "privkey.pem", "-out", folder / "fullchain.pem"],
                   check=True, capture_output=True)


def put_in(text: str, *replacements: tuple[str, str]) -> str:
    """Replace each, which must be there."""
    for old, new in replacements:
        assert old in text, f"the configuration has no {old!r}"
        text = text.replace(old, new)
    return text


def configured(site: Site, source: Path) -> Path:
    """The repository's configuration with this site's ports and places."""
    text = put_in(source.read_text(), ("listen 80", f"listen 127.0.0.1:{site.http}"),
                  ("listen 443", f"listen 127.0.0.1:{site.https}"), ("server kenpin:8501", f"server 127.0.0.1:{site.pages}"),
                  ("https://$host$request_uri", f"https://$host:{site.https}$request_uri"),
                  ("/etc/nginx/tls/", f"{site.folder}/tls/"),
                  # As in a network of containers: the proxy is not at 127.0.0.1, and must be trusted by its own setting.
                  ("proxy_http_version", f"proxy_bind {PROXY}; proxy_http_version"))
    (site.folder / "conf.d").mkdir()
    (site.folder / "conf.d" / "kenpin.conf").write_text(text)
    main = site.folder / "nginx.conf"
    # As root it would drop to a user who cannot enter the tests' folder.
    main.write_text(("user root;" if os.geteuid() == 0 else "") + AROUND.format(folder=site.folder))
    return main


def trusted() -> str:
    """Whose word on the visitor's address and protocol the pages take, as the compose file has it."""
    compose = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())
    return str(compose["services"]["kenpin"]["environment"]["FORWARDED_ALLOW_IPS"])


def wait(url: str, client: httpx.Client, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until something answers there."""
    until = time.monotonic() + START
    while True:
        assert process.poll() is None, log.read_text()[-2000:]
        try:
            if client.get(url).status_code < 500:
                return
        except httpx.TransportError:
            pass
        assert time.monotonic() < until, log.read_text()[-2000:]
        time.sleep(0.2)


@pytest.fixture(scope="session")
def beside() -> Iterator[tuple[int, list[str]]]:
    """A server where vLLM would stand, that keeps a list of what reaches it."""
    heard: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.append(f"{self.command} {self.path}")
            self.send_response(200)
            self.end_headers()

        do_POST = do_GET

        def log_message(self, *args: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1], heard
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory, beside: tuple[int, list[str]]) -> Iterator[Site]:
    """`kenpin ui` with the account `ann`, and nginx before it."""
    program, folder = nginx(), tmp_path_factory.mktemp("site")
    settings = Settings(home=folder / "home", public_url=f"https://{NAME}", vllm_url=f"http://127.0.0.1:{beside[0]}/v1")
    kenpin = open_kenpin(settings)
    people = People(kenpin.database, kenpin.audit, settings, Hasher.for_tests(), console=True)
    people.accounts.add(CONSOLE, "ann", roles=[Role.ADMINISTRATOR, Role.REVIEWER, Role.OPERATOR], password=WORDS)
    made = Site(folder=folder, http=free_port(), https=free_port(), pages=free_port(), people=people, beside=beside[1])
    certificate(folder / "tls")
    main, log = configured(made, ROOT / "deploy" / "nginx" / "kenpin.conf"), folder / "log"
    pages = [sys.executable, "-m", "kenpin.cli", "ui", "--port", str(made.pages)]
    variables = environment(settings) | {"FORWARDED_ALLOW_IPS": trusted()}
    with (log.open("wb") as out, subprocess.Popen(pages, env=variables, stdout=out, stderr=out) as kenpin_ui,
          subprocess.Popen([program, "-c", main, "-p", folder, "-e", folder / "error.log"], stdout=out, stderr=out) as proxy):
        try:
            with made.client() as client:
                wait(f"http://127.0.0.1:{made.pages}/_stcore/health", client, kenpin_ui, log)
                wait("/_stcore/health", client, proxy, log)
            children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(kenpin_ui.pid)], capture_output=True, text=True,
                                      check=False).stdout.split()
            made.processes = [kenpin_ui.pid, *map(int, children)]
            yield made
        finally:
            proxy.terminate()
            kenpin_ui.terminate()
    assert kenpin_ui.returncode == 0, "kenpin ui was asked to end and calls it a failure"
