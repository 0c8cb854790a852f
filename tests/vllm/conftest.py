"""A real vLLM server, started once for all tests of this folder by `kenpin serve`, with a small model of random weights;
and the planner that runs a model in this process.

A minute passes until the server answers. Without its environment the tests are skipped, unless KENPIN_REQUIRE_VLLM=1;
those marked `local` without the extra of that name, unless KENPIN_REQUIRE_LOCAL=1.
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
from langchain_core.messages import convert_to_messages

from kenpin.config import Settings
from kenpin.contracts.errors import MissingExtra, Unavailable
from kenpin.serving.command import CPU_PATH
from kenpin.serving.machine import Home, find_home

HERE = Path(__file__).parent
TRAINED = HERE.parents[1] / "models" / "planner-small"
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

    @property
    def words(self) -> list[str]:
        """What is served, and how."""
        return [str(self.model), "--name", NAME, "--port", str(self.port), "--context", str(CONTEXT),
                "--adapter", f"{ADAPTER}={self.model.with_name('adapter')}", *self.flags]

    def start(self) -> None:
        """Run `kenpin serve` and wait until it says that the server is ready."""
        said = self.home / f"serve-{len(self.out)}.txt"
        self.out.append(said)
        words = [sys.executable, "-m", "kenpin.cli", "serve", *self.words]
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


@dataclass(frozen=True)
class Way:
    """Where a model runs, for tests that hold of both planners."""

    backend: str
    settings: Callable[..., Settings]
    line: Callable[[], Any]
    """What asks the model: `Line` or `InProcess`."""
    planner: Callable[..., Any]
    """Of these tools, with these settings."""
    tokens: Callable[[list[dict[str, Any]]], int]
    """Of a prompt."""
    context: int
    letters: int
    """Of each tool message of a dialogue that is too long."""

    @property
    def room(self) -> int:
        """Tokens that a prompt may have: a reply's, or a quarter of a small context, are kept."""
        return self.context - min(2048, self.context // 4)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The server is started, killed and started again within one test's time; what kills it comes last."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.timeout(900))
            if not item.get_closest_marker("local"):
                item.add_marker(pytest.mark.vllm)


def in_process(context: int, model: Path, letters: int, **own: Any) -> Way:
    """The planner `local` with the model of a folder."""
    from agent.planners.hf_local import InProcess, local_planner

    def settings(**more: Any) -> Settings:
        return Settings(**{"planner": "local", "local_model": model, "local_context": context, **own, **more})

    def tokens(messages: list[dict[str, Any]]) -> int:
        return len(InProcess(settings()).tokens(convert_to_messages(messages)))

    return Way(backend="local", settings=settings, line=lambda: InProcess(settings()), tokens=tokens, context=context,
               letters=letters, planner=lambda tools, **more: local_planner(settings(**more), tools, "en"))


def served(live: Live) -> Way:
    """The planner `vllm` on the live server."""
    from agent.planners.vllm_chat import Line
    from agent.planners.vllm_server import vllm_planner

    return Way(backend="vllm", settings=live.settings, line=lambda: Line(live.settings()), tokens=live.tokens,
               context=CONTEXT, letters=2000,
               planner=lambda tools, **more: vllm_planner(live.settings(**more), tools, "en"))


def need_local() -> None:
    """Skip where the extra `local` is not installed, unless KENPIN_REQUIRE_LOCAL=1."""
    from agent.planners.hf_files import ADAPTER_PARTS, PARTS, check_installed

    try:
        check_installed((*PARTS, *ADAPTER_PARTS))
    except MissingExtra as exc:
        if os.environ.get("KENPIN_REQUIRE_LOCAL") == "1":
            raise
        pytest.skip(f"no model can run in this process: {exc}; in a clone: make local")


@pytest.fixture(scope="session")
def random_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tests' model of random weights, written by this Python; its adapter lies beside it."""
    need_local()
    model = tmp_path_factory.mktemp("random") / "model"
    subprocess.run([sys.executable, str(HERE / "random_model.py"), str(model)], check=True, capture_output=True,
                   env={**os.environ, "OMP_NUM_THREADS": "1"}, timeout=600)
    return model


@pytest.fixture
def local_parts() -> None:
    """For tests of the server that need the extra `local` too."""
    need_local()


@pytest.fixture
def way(request: pytest.FixtureRequest) -> Way:
    """Where the model of a test runs: `served`, `random` or `small`."""
    if request.param == "served":
        return served(request.getfixturevalue("live"))
    need_local()
    if request.param == "random":
        return in_process(CONTEXT, request.getfixturevalue("random_model"), 2000)
    return in_process(8192, TRAINED, 500, vllm_long_side=448)


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Small(Live):
    """A server of the model that this repository trained, started without a flag."""

    @property
    def words(self) -> list[str]:
        return [str(self.model), "--port", str(self.port)]


@dataclass
class Pooling(Live):
    """A server of embeddings. Another model may be put in its place before it is started again."""

    python: Path = Path()

    @property
    def words(self) -> list[str]:
        return [str(self.model), "--embed", "--name", "embedder", "--port", str(self.port)]

    @property
    def log(self) -> Path:
        return self.home / "embed.log"

    def settings(self, **more: Any) -> Settings:
        return Settings(**{"embed_url": self.url, "embed_timeout": 300.0, **more})

    def by_transformers(self, asked: dict[str, Any]) -> dict[str, Any]:
        """What transformers itself makes of the same inputs with the same weights (`reference_vectors.py`)."""
        import numpy as np

        given, found = self.home / "asked.npz", self.home / "found.npz"
        np.savez(given, **asked)
        subprocess.run([str(self.python), str(HERE / "reference_vectors.py"), str(self.model), str(given), str(found)],
                       check=True, capture_output=True, timeout=600,
                       env={**os.environ, "PYTHONPATH": str(CPU_PATH), "OMP_NUM_THREADS": "1"})
        return dict(np.load(found))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Small]:
    """A running server of the trained model; it ends with its module."""
    server_home()
    server = Small(model=TRAINED, home=tmp_path_factory.mktemp("small"), port=free_port())
    try:
        server.start()
        yield server
    finally:
        if server.process and server.process.poll() is None:
            server.stop()


@pytest.fixture(scope="session")
def pooling(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pooling]:
    """A running server of embeddings, of the CLIP architecture."""
    home = server_home()
    folder = tmp_path_factory.mktemp("pooling")
    write_model(home.python, "random_clip.py", folder / "clip")
    server = Pooling(model=folder / "clip", home=folder, port=free_port(), python=home.python)
    try:
        server.start()
        yield server
    finally:
        if server.process and server.process.poll() is None:
            server.stop()


def server_home() -> Home:
    """The server's environment; without it the tests are skipped, unless they must run."""
    try:
        return find_home(None)
    except Unavailable as exc:
        if os.environ.get("KENPIN_REQUIRE_VLLM") == "1":
            raise
        pytest.skip(f"no server to ask: {exc}")


def write_model(python: Path, script: str, folder: Path) -> None:
    """Let the server's own Python write a model."""
    subprocess.run([str(python), str(HERE / script), str(folder)], check=True, capture_output=True,
                   env={**os.environ, "PYTHONPATH": str(CPU_PATH), "OMP_NUM_THREADS": "1"}, timeout=300)


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model of the Qwen3-VL architecture with random weights; an adapter lies beside it."""
    model = tmp_path_factory.mktemp("live") / "model"
    write_model(server_home().python, "random_model.py", model)
    return model


@contextmanager
def running(model: Path, home: Path, flags: tuple[str, ...] = (), key: str | None = None) -> Iterator[Live]:
    """A server on a free port, stopped at the end."""
    server = Live(model=model, home=home, port=free_port(), flags=flags, key=key)
    try:
        server.start()
        yield server
    finally:
        if server.process and server.process.poll() is None:
            server.stop()


@pytest.fixture(scope="session")
def live(written: Path) -> Iterator[Live]:
    """The running server."""
    with running(written, written.parent) as server:
        yield server


@pytest.fixture(scope="module")
def changing(written: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A second server, for the tests of one file, which loads adapters while it runs."""
    home = tmp_path_factory.mktemp("changing")
    with running(written, home, ("--adapters-while-running", "--adapter-room", "2", "--adapter-rank", "16"),
                 "a-key-of-the-live-server") as server:
        yield server


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty data folder, and no settings of the environment."""
    for name in [name for name in os.environ if name.startswith("KENPIN_") and not name.startswith("KENPIN_REQUIRE_")]:
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
    """Every exchange of the planner with its model: the messages sent, and the reply as it came."""
    from agent.planners.hf_local import InProcess
    from agent.planners.vllm_chat import Line

    heard: list[tuple[list[Any], Any]] = []

    def listening(ask: Callable[..., Any]) -> Callable[..., Any]:
        def listen(self: Any, bound: Any, messages: list[Any]) -> Any:
            reply = ask(self, bound, messages)
            heard.append((messages, reply))
            return reply

        return listen

    for line in (Line, InProcess):
        monkeypatch.setattr(line, "ask", listening(line.ask))
    return heard
