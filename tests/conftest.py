"""Fixtures for all tests."""

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import pytest_socket
from hypothesis import settings

HERE = Path(__file__).parent

# The same examples on every machine; a shared one must not fail a test by being slow.
settings.register_profile("kenpin", deadline=None, derandomize=True, max_examples=80)
settings.load_profile("kenpin")


@pytest.fixture(autouse=True)
def no_network() -> Iterator[None]:
    """No test reaches further than this machine."""
    pytest_socket.socket_allow_hosts(["127.0.0.1", "::1", "localhost"], allow_unix_socket=True)
    yield
    pytest_socket.enable_socket()


def _load(name: str) -> ModuleType:
    """Tests have no packages (--import-mode=importlib), so shared doubles are loaded from their file."""
    spec = importlib.util.spec_from_file_location(f"kenpin_tests_{name}", HERE / f"{name}.py")
    assert spec and spec.loader
    module = sys.modules.setdefault(spec.name, importlib.util.module_from_spec(spec))
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def desk():  # type: ignore[no-untyped-def]
    """`make_desk` of bench_double.py."""
    return _load("bench_double").make_desk


@pytest.fixture(scope="session")
def house() -> ModuleType:
    """house_double.py: an installation in a folder, run by a script."""
    return _load("house_double")


@pytest.fixture
def installed(house: ModuleType, tmp_path: Path) -> Callable[..., Any]:
    """Open an installation in a fresh folder with a script: `installed(script, tools=..., limits=...)`."""
    return lambda script, **more: house.House(home=more.pop("home", tmp_path / "home"), script=script, **more)


@pytest.fixture(scope="session")
def data() -> Path:
    """Real pictures bundled for tests."""
    return HERE / "data"
