"""Fixtures for all tests."""

import importlib.util
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import pytest_socket
from hypothesis import settings

from kenpin.database.engine import Database, open_database
from kenpin.database.tables import METADATA

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
    spec = importlib.util.spec_from_file_location(f"kenpin_tests_{name.replace('/', '_')}", HERE / f"{name}.py")
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


@pytest.fixture(scope="session")
def office_double() -> ModuleType:
    """office_double.py: stores, accounts and reviews over any database, without a loop."""
    return _load("office_double")


@pytest.fixture(scope="session")
def report() -> ModuleType:
    """report_double.py: inspections as reviewers leave them."""
    return _load("report_double")


@pytest.fixture(scope="session")
def embed_double() -> ModuleType:
    """embed_double.py: a pooling server that plays a model."""
    return _load("embed_double")


@pytest.fixture
def installed(house: ModuleType, tmp_path: Path) -> Callable[..., Any]:
    """Open an installation in a fresh folder with a script: `installed(script, tools=..., limits=...)`."""
    return lambda script, **more: house.House(home=more.pop("home", tmp_path / "home"), script=script, **more)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Any]:
    """A server of its own for these tests; skipped where PostgreSQL is not installed, unless it must be."""
    servers = _load("servers/postgres")
    try:
        server = servers.start_postgres()
    except servers.CannotStart as exc:
        if os.environ.get("KENPIN_REQUIRE_POSTGRES") == "1":
            raise
        pytest.skip(str(exc))
    yield server
    server.close()


@pytest.fixture(scope="session")
def empty_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with every table and nothing in them, to be copied."""
    folder = tmp_path_factory.mktemp("empty")
    open_database(None, folder=folder).close()
    return folder / "kenpin.sqlite"


@pytest.fixture(scope="session")
def empty_postgres(postgres: Any) -> str:
    """Name of a PostgreSQL database with every table and nothing in them, emptied after each test."""
    name = postgres.create()
    open_database(postgres.url(name), folder=Path()).close()
    return str(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Address of an empty database of each kind, with its tables."""
    if request.param == "sqlite":
        copy = shutil.copy(request.getfixturevalue("empty_sqlite"), tmp_path / "kenpin.sqlite")
        yield f"sqlite:///{copy}"
        return
    server, name = request.getfixturevalue("postgres"), request.getfixturevalue("empty_postgres")
    yield server.url(name)
    server.empty(name, [table.name for table in METADATA.tables.values()])


@pytest.fixture
def database(database_url: str, tmp_path: Path) -> Iterator[Database]:
    """An empty database of each kind, opened."""
    opened = open_database(database_url, folder=tmp_path)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def data() -> Path:
    """Real pictures bundled for tests."""
    return HERE / "data"
