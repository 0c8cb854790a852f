"""What the pages say with a wrong master key, headless."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from kenpin.config import read_settings
from kenpin.security.keyring import new_key
from kenpin.wiring import open_kenpin

APP = Path(__file__).parents[2] / "ui" / "app.py"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A data folder with something sealed in it."""
    monkeypatch.setenv("KENPIN_HOME", str(tmp_path / "home"))
    kenpin = open_kenpin(read_settings())
    kenpin.vault.seal("inspection:a", b"a", about="trace")
    kenpin.database.close()
    st.cache_resource.clear()
    yield tmp_path / "home"
    st.cache_resource.clear()


def test_a_wrong_key_is_one_line_on_the_page(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = new_key()
    monkeypatch.setenv("KENPIN_MASTER_KEY", wrong.text)

    app = AppTest.from_file(str(APP), default_timeout=30).run()

    assert not app.exception
    (told,) = (error.value for error in app.error)
    assert "the records are sealed with master key" in told and wrong.id in told and "\n" not in told
    assert wrong.text not in told


def test_with_the_right_key_again_the_page_is_there(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "master.key").rename(home / "moved")
    assert len(AppTest.from_file(str(APP), default_timeout=30).run().error) == 1
    assert not (home / "master.key").exists()

    monkeypatch.setenv("KENPIN_KEY_FILE", str(home / "moved"))
    st.cache_resource.clear()
    app = AppTest.from_file(str(APP), default_timeout=30).run()

    assert not app.exception and not app.error and app.button
