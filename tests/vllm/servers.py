"""Servers that the live tests start with `kenpin serve`, and where a model of theirs may run."""

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
from langchain_core.messages import convert_to_messages

from kenpin.config import Settings
from kenpin.serving.command import CPU_PATH

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


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def write_model(python: Path, script: str, folder: Path) -> None:
    """Let the server's own Python write a model."""
    subprocess.run([str(python), str(HERE / script), str(folder)], check=True, capture_output=True,
                   env={**os.environ, "PYTHONPATH": str(CPU_PATH), "OMP_NUM_THREADS": "1"}, timeout=300)


@contextmanager
def running(server: Live) -> Iterator[Live]:
    """The server, stopped at the end."""
    try:
        server.start()
        yield server
    finally:
        if server.process and server.process.poll() is None:
            server.stop()
