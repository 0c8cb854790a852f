"""Fixtures of the pages' tests: the scripted installation, pictures, and the headless page."""

import importlib.util
import io
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import streamlit as st
from PIL import Image
from streamlit.testing.v1 import AppTest

HERE = Path(__file__).parent
APP = HERE.parents[1] / "ui" / "app.py"


@pytest.fixture(scope="session", autouse=True)
def _scanned_once() -> Iterator[None]:
    """Streamlit reads the metadata of every installed package at the start of each `AppTest`, 0.4 s; once is enough."""
    from streamlit.components.v2 import manifest_scanner

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest_scanner, "scan_component_manifests", cache(manifest_scanner.scan_component_manifests))
        yield


@pytest.fixture(scope="session")
def scripted() -> ModuleType:
    """`scripted.py` of this folder."""
    name = "kenpin_tests_scripted"
    spec = importlib.util.spec_from_file_location(name, HERE / "scripted.py")
    assert spec and spec.loader
    module = sys.modules.setdefault(name, importlib.util.module_from_spec(spec))
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def page(scripted: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AppTest]:
    """The page over an empty installation, before its first run."""
    import ui.backend

    monkeypatch.setenv("KENPIN_HOME", str(tmp_path / "検品 home"))
    monkeypatch.setattr(ui.backend, "open_kenpin", lambda settings: scripted.open_scripted(settings.home))
    st.cache_resource.clear()
    st.cache_data.clear()
    yield AppTest.from_file(str(APP), default_timeout=30)
    st.cache_resource.clear()


def png(pixels: np.ndarray) -> bytes:
    """A PNG file in memory."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="PNG")
    return file.getvalue()


@pytest.fixture(scope="session")
def panel() -> bytes:
    """A grey panel with one dark scratch at (100, 80)-(160, 90)."""
    pixels = np.full((240, 320, 3), 170, np.uint8)
    pixels[80:90, 100:160] = 50
    return png(pixels)


@pytest.fixture(scope="session")
def golden() -> bytes:
    """The same panel without the scratch."""
    return png(np.full((240, 320, 3), 170, np.uint8))
