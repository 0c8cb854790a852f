"""deploy/nginx/replicas.conf, run before two small servers: a dialogue stays at one, and goes on at the other."""

import os
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from agent.planners.vllm_chat import dialogue
from kenpin.launch import ROOT

shared = SimpleNamespace(**run_path(str(Path(__file__).parent / "conftest.py")))
CHAT = "/v1/chat/completions"


@dataclass
class Copy:
    """A server that counts, and answers with its own port; `fault` breaks the connection or gives a status."""

    fault: int | None = None
    heard: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        copy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", "0")))
                copy.heard.append(self.path)
                if copy.fault == 0:
                    self.close_connection = True
                    return
                body = str(copy.port).encode()
                self.send_response(copy.fault or 200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST

            def log_message(self, *args: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[SimpleNamespace]:
    """Two copies behind the balancer."""
    program, copies, port = shared.nginx(), (Copy(), Copy()), shared.free_port()
    text = shared.put_in((ROOT / "deploy" / "nginx" / "replicas.conf").read_text(),
                         ("server 127.0.0.1:8000", f"server 127.0.0.1:{copies[0].port}"),
                         ("server 127.0.0.1:8003", f"server 127.0.0.1:{copies[1].port}"),
                         ("listen 127.0.0.1:8100", f"listen 127.0.0.1:{port}"))
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "replicas.conf").write_text(text)
    main = tmp_path / "nginx.conf"
    main.write_text(("user root;" if os.geteuid() == 0 else "") + shared.AROUND.format(folder=tmp_path))
    words = [program, "-c", main, "-p", tmp_path, "-e", tmp_path / "error.log"]
    with subprocess.Popen(words, stderr=subprocess.DEVNULL) as process:
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30) as client:
                until = time.monotonic() + 30
                while True:
                    try:
                        client.get("/")
                        break
                    except httpx.TransportError:
                        assert time.monotonic() < until, (tmp_path / "error.log").read_text()
                        time.sleep(0.1)
                yield SimpleNamespace(client=client, copies=copies)
        finally:
            process.terminate()
    for copy in copies:
        copy.close()


def ask(site: Any, key: str) -> str:
    answer = site.client.post(CHAT, json={"messages": []}, headers=dialogue(key))
    assert answer.status_code == 200, answer.text
    return str(answer.text)


def test_a_dialogue_stays_at_one_copy_and_dialogues_are_shared_out(site: Any) -> None:
    places = {key: {ask(site, key) for _ in range(4)} for key in map(str, range(40))}
    assert all(len(where) == 1 for where in places.values())
    shares = Counter(where.pop() for where in places.values())
    assert len(shares) == 2
    assert min(shares.values()) >= 8


@pytest.mark.parametrize("fault", [0, 502, 503])
def test_a_dialogue_goes_on_at_the_other_copy(site: Any, fault: int) -> None:
    first = ask(site, "a")
    gone, other = sorted(site.copies, key=lambda copy: str(copy.port) != first)
    gone.fault = fault
    assert {ask(site, "a") for _ in range(3)} == {str(other.port)}


def test_a_copy_that_nobody_listens_for_is_left_out(site: Any) -> None:
    first = ask(site, "a")
    gone, other = sorted(site.copies, key=lambda copy: str(copy.port) != first)
    gone.close()
    gone.fault = 0  # on connections that are still open
    assert {ask(site, "a") for _ in range(3)} == {str(other.port)}


def test_a_request_of_some_megabytes_goes_through(site: Any) -> None:
    assert site.client.post(CHAT, content=bytes(20 * 2**20), headers=dialogue("a")).status_code == 200


@pytest.mark.parametrize("path", ["/invocations", "/v1/load_lora_adapter", "/v1/unload_lora_adapter", "/v1/completions",
                                  "/v1/chat/completions/render", "/sleep", "/reset_prefix_cache", "/"])
def test_nothing_is_passed_on_that_a_turn_does_not_need(site: Any, path: str) -> None:
    assert site.client.post(path, json={}).status_code == 404
    assert [path for copy in site.copies for path in copy.heard] == []


def test_what_the_start_asks_goes_through(site: Any) -> None:
    for path in ("/v1/models", "/metrics", "/health"):
        assert site.client.get(path).status_code == 200
    assert site.client.post("/tokenize", json={}).status_code == 200
