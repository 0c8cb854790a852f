"""How the pages are served: flags, settings handed over, and a port that is taken."""

import socket
from pathlib import Path

import pytest
from pydantic import SecretStr

from kenpin.config import Settings
from kenpin.contracts.errors import BadInput
from kenpin.launch import OPTIONS, ROOT, THEME, UPLOAD_MB, check_free, command, environment
from kenpin.security.uploads import MAX_BYTES


def test_the_server_is_private_and_quiet() -> None:
    line = command(ROOT / "ui" / "app.py", port=8700, address="127.0.0.1")
    for flag in ("--server.address=127.0.0.1", "--server.port=8700", "--browser.gatherUsageStats=false",
                 "--server.enableXsrfProtection=true", "--server.headless=true", "--client.toolbarMode=minimal",
                 "--client.showErrorDetails=none", f"--server.maxUploadSize={UPLOAD_MB}"):
        assert flag in line


def test_the_upload_limit_is_that_of_the_door_for_pictures() -> None:
    assert UPLOAD_MB * 2**20 == MAX_BYTES


def test_every_option_is_one_that_streamlit_knows() -> None:
    from streamlit import config

    known = config.get_config_options()
    assert set(OPTIONS) | set(THEME) <= set(known)


def test_settings_are_handed_over_with_the_key(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "検品", planner="vllm", vllm_key=SecretStr("k3y"), max_steps=7)
    given = environment(settings)
    assert given["KENPIN_HOME"] == str(tmp_path / "検品")
    assert given["KENPIN_PLANNER"] == "vllm"
    assert given["KENPIN_VLLM_KEY"] == "k3y"
    assert given["KENPIN_MAX_STEPS"] == "7"
    assert "KENPIN_CHROMA_HOST" not in given
    assert given["PYTHONPATH"].startswith(str(ROOT))


def test_a_taken_port_is_one_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(BadInput, match=rf"cannot listen on 127\.0\.0\.1:{port}"):
            check_free("127.0.0.1", port)


def test_a_port_that_cannot_be_is_one_line() -> None:
    with pytest.raises(BadInput, match="cannot listen"):
        check_free("127.0.0.1", 70_000)
