"""Fixtures for all tests."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

HERE = Path(__file__).parent


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
def data() -> Path:
    """Real pictures bundled for tests."""
    return HERE / "data"
