"""A real vLLM server, started once for all tests of this folder by `kenpin serve`, with a small model of random weights;
and the planner that runs a model in this process.

A minute passes until the server answers. Without its environment the tests are skipped, unless KENPIN_REQUIRE_VLLM=1;
those marked `local` without the extra of that name, unless KENPIN_REQUIRE_LOCAL=1.
"""

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kenpin.contracts.errors import MissingExtra, Unavailable
from kenpin.serving.machine import Home, find_home

HERE = Path(__file__).parent


def loaded(path: Path) -> Any:
    """A module of the tests that is no test."""
    key = f"kenpin_tests_{path.stem}"
    if key not in sys.modules:
        spec = importlib.util.spec_from_file_location(key, path)
        assert spec and spec.loader
        sys.modules[key] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[key])
    return sys.modules[key]


servers = loaded(HERE / "servers.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The server is started, killed and started again within one test's time; what kills it comes last."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.timeout(900))
            if not item.get_closest_marker("local"):
                item.add_marker(pytest.mark.vllm)


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
def way(request: pytest.FixtureRequest) -> Any:
    """Where the model of a test runs: `served`, `random` or `small`."""
    if request.param == "served":
        return servers.served(request.getfixturevalue("live"))
    need_local()
    if request.param == "random":
        return servers.in_process(servers.CONTEXT, request.getfixturevalue("random_model"), 2000)
    return servers.in_process(8192, servers.TRAINED, 500, vllm_long_side=448)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A running server of the trained model; it ends with its module."""
    server_home()
    server = servers.Small(model=servers.TRAINED, home=tmp_path_factory.mktemp("small"), port=servers.free_port())
    with servers.running(server) as started:
        yield started


@pytest.fixture(scope="session")
def pooling(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A running server of embeddings, of the CLIP architecture."""
    home = server_home()
    folder = tmp_path_factory.mktemp("pooling")
    servers.write_model(home.python, "random_clip.py", folder / "clip")
    server = servers.Pooling(model=folder / "clip", home=folder, port=servers.free_port(), python=home.python)
    with servers.running(server) as started:
        yield started


def server_home() -> Home:
    """The server's environment; without it the tests are skipped, unless they must run."""
    try:
        return find_home(None)
    except Unavailable as exc:
        if os.environ.get("KENPIN_REQUIRE_VLLM") == "1":
            raise
        pytest.skip(f"no server to ask: {exc}")


@pytest.fixture(scope="session")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model of the Qwen3-VL architecture with random weights; an adapter lies beside it."""
    model = tmp_path_factory.mktemp("live") / "model"
    servers.write_model(server_home().python, "random_model.py", model)
    return model


@pytest.fixture(scope="session")
def live(written: Path) -> Iterator[Any]:
    """The running server."""
    with servers.running(servers.Live(model=written, home=written.parent, port=servers.free_port())) as server:
        yield server


@pytest.fixture(scope="module")
def changing(written: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A second server, for the tests of one file, which loads adapters while it runs."""
    server = servers.Live(
        model=written, home=tmp_path_factory.mktemp("changing"), port=servers.free_port(),
        key="a-key-of-the-live-server",
        flags=("--adapters-while-running", "--adapter-room", "2", "--adapter-rank", "16"))
    with servers.running(server) as started:
        yield started


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
    return loaded(HERE.parent / "inspection_double.py")


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
