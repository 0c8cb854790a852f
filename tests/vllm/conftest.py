"""A real vLLM server, started once for all tests of this folder by `kenpin serve`, with a small model of random weights.

A minute passes until it answers. Without the server's environment the tests are skipped, unless KENPIN_REQUIRE_VLLM=1.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from kenpin.config import Settings
from kenpin.contracts.errors import Unavailable
from kenpin.serving.command import CPU_PATH
from kenpin.serving.machine import find_home

HERE = Path(__file__).parent
CONTEXT = 24576
NAME = "kenpin-random"
ADAPTER = "line-a"
START = 400.0
"""Seconds that a busy machine may take to start the server."""


@dataclass
class Live:
    """The server as tests use it."""

    model: Path
    home: Path
    port: int
    out: list[Path] = field(default_factory=list)
    process: subprocess.Popen[bytes] | None = None
    flags: tuple[str, ...] = ()
    """More words for `kenpin serve`."""
    key: str | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"} if self.key else {}

    @property
    def log(self) -> Path:
        return self.home / "vllm.log"

    def start(self) -> None:
        """Run `kenpin serve` and wait until it says that the server is ready."""
        said = self.home / f"serve-{len(self.out)}.txt"
        self.out.append(said)
        words = [sys.executable, "-m", "kenpin.cli", "serve", str(self.model), "--name", NAME, "--port",
                 str(self.port), "--context", str(CONTEXT), "--adapter", f"{ADAPTER}={self.model.with_name('adapter')}",
                 *self.flags]
        variables = {**os.environ, "KENPIN_HOME": str(self.home), "PYTHONPATH": str(HERE.parents[1]),
                     "OMP_NUM_THREADS": "1"} | ({"KENPIN_VLLM_KEY": self.key} if self.key else {})
        with said.open("wb") as out:
            self.process = subprocess.Popen(words, stdout=out, stderr=out, env=variables)
        until = time.monotonic() + START
        while "ready:" not in said.read_text():
            assert self.process.poll() is None, said.read_text()
            assert time.monotonic() < until, said.read_text()
            time.sleep(0.2)

    def stop(self) -> int:
        """Ask `kenpin serve` to end, as a service manager does."""
        assert self.process
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)

    def parts(self) -> list[int]:
        """Every process of the server, the engine included, without `kenpin serve` itself."""
        assert self.process
        found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(self.process.pid)], capture_output=True, text=True,
                               check=False).stdout.split()
        groups = [subprocess.run(["ps", "-o", "pid=", "-g", group], capture_output=True, text=True, check=False)
                  for group in found]
        return [int(pid) for group in groups for pid in group.stdout.split()]

    def settings(self, **more: Any) -> Settings:
        """Settings of an installation that asks this server."""
        return Settings(**{"vllm_url": self.url, "planner": "vllm", "vllm_timeout": 300.0, "vllm_key": self.key, **more})

    def post(self, path: str, **body: Any) -> Any:
        """One request beside the planner's own; `path` from the root."""
        reply = httpx.post(f"http://127.0.0.1:{self.port}{path}", json={"model": NAME, **body}, timeout=300.0,
                           trust_env=False, headers=self.headers)
        return reply.json() | {"status": reply.status_code}

    def tokens(self, messages: list[dict[str, Any]], **more: Any) -> int:
        """Tokens of a prompt as the server counts them."""
        return int(self.post("/tokenize", messages=messages, **more)["count"])

    def metrics(self) -> dict[str, float]:
        """The server's own counters, summed over labels."""
        text = httpx.get(f"http://127.0.0.1:{self.port}/metrics", timeout=60.0, trust_env=False,
                         headers=self.headers).text
        sums: dict[str, float] = {}
        for line in text.splitlines():
            if line and not line.startswith("#"):
                name, _, value = line.rpartition(" ")
                name = name.partition("{")[0]
                sums[name] = sums.get(name, 0.0) + float(value)
        return sums


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The server is started, killed and started again within one test's time; what kills it comes last."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.vllm)
            item.add_marker(pytest.mark.timeout(900))


@pytest.fixture(scope="session")
def random_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a model with random weights, an adapter beside it."""
    try:
        home = find_home(None)
    except Unavailable as exc:
        if os.environ.get("KENPIN_REQUIRE_VLLM") == "1":
            raise
        pytest.skip(f"no server to ask: {exc}")
    model = tmp_path_factory.mktemp("live") / "model"
    subprocess.run([str(home.python), str(HERE / "random_model.py"), str(model)], check=True, capture_output=True,
                   env={**os.environ, "PYTHONPATH": str(CPU_PATH), "OMP_NUM_THREADS": "1"}, timeout=300)
    return model


@contextmanager
def running(model: Path, home: Path, flags: tuple[str, ...] = (), key: str | None = None) -> Iterator[Live]:
    """A server on a free port, stopped at the end."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    server = Live(model=model, home=home, port=port, flags=flags, key=key)
    try:
        server.start()
        yield server
    finally:
        if server.process and server.process.poll() is None:
            server.stop()


@pytest.fixture(scope="session")
def live(random_model: Path) -> Iterator[Live]:
    """The running server."""
    with running(random_model, random_model.parent) as server:
        yield server


@pytest.fixture(scope="module")
def changing(random_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A second server, for the tests of one file, which loads adapters while it runs."""
    home = tmp_path_factory.mktemp("changing")
    with running(random_model, home, ("--adapters-while-running", "--adapter-room", "2", "--adapter-rank", "16"),
                 "a-key-of-the-live-server") as server:
        yield server


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty data folder, and no settings of the environment."""
    for name in [name for name in os.environ if name.startswith("KENPIN_") and name != "KENPIN_REQUIRE_VLLM"]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("KENPIN_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def double() -> Any:
    """inspection_double.py: an inspection in memory around any planner."""
    import importlib.util

    key = "kenpin_tests_inspection_double"
    if key not in sys.modules:
        spec = importlib.util.spec_from_file_location(key, HERE.parent / "inspection_double.py")
        assert spec and spec.loader
        sys.modules[key] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[key])
    return sys.modules[key]


@pytest.fixture
def overheard(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[Any], Any]]:
    """Every exchange of the planner with its server: the messages sent, and the reply as it came."""
    from agent.planners.vllm_chat import Line

    heard: list[tuple[list[Any], Any]] = []
    ask: Callable[..., Any] = Line.ask

    def listening(self: Line, bound: Any, messages: list[Any]) -> Any:
        reply = ask(self, bound, messages)
        heard.append((messages, reply))
        return reply

    monkeypatch.setattr(Line, "ask", listening)
    return heard
