"""Settings: environment first, then the file in the data folder, then defaults; one line for a value that cannot be."""

from pathlib import Path

import pytest

from kenpin.config import read_settings
from kenpin.contracts.errors import FileRefused


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("KENPIN_PLANNER", "KENPIN_LANG", "KENPIN_MAX_STEPS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("KENPIN_HOME", str(tmp_path))
    return tmp_path


def test_arguments_then_environment_then_file_then_defaults(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_settings().planner == "embedded"
    (home / "kenpin.toml").write_text('planner = "local"\nmax_steps = 5\n')
    assert (read_settings().planner, read_settings().max_steps) == ("local", 5)
    monkeypatch.setenv("KENPIN_PLANNER", "vllm")
    assert read_settings().planner == "vllm"
    assert read_settings(planner="embedded", lang=None).planner == "embedded"


def test_the_data_folder_may_have_spaces_and_japanese(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KENPIN_HOME", str(home / "検品 データ"))

    assert read_settings().home == home / "検品 データ"


def test_without_a_home_the_users_data_folder_is_taken(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KENPIN_HOME")
    monkeypatch.setenv("XDG_DATA_HOME", str(home / "share"))

    assert read_settings().home == home / "share" / "kenpin"


def test_a_key_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KENPIN_VLLM_KEY", "secret-word")

    settings = read_settings()

    assert "secret-word" not in repr(settings) + str(settings) + settings.model_dump_json()
    assert settings.vllm_key and settings.vllm_key.get_secret_value() == "secret-word"


@pytest.mark.parametrize(
    ("name", "value"),
    [("PLANNER", "gpt"), ("MAX_STEPS", "0"), ("MAX_STEPS", "many"), ("LANG", "de"), ("VLLM_PICTURES", "-1")],
)
def test_a_value_that_cannot_be_is_named(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"KENPIN_{name}", value)

    with pytest.raises(FileRefused) as caught:
        read_settings()

    assert name.lower() in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("text", [b"planner = ", b"\xff\xfe", b"planner = 'gpt'"])
def test_a_broken_settings_file_is_refused(home: Path, text: bytes) -> None:
    (home / "kenpin.toml").write_bytes(text)

    with pytest.raises(FileRefused, match=r"kenpin\.toml"):
        read_settings()
