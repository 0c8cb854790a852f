"""What `make demo` shows: a right verdict for a bundled ng and a bundled ok picture, with steps."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from kenpin import demo


def test_the_demo_shows_a_right_ng_and_a_right_ok(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KENPIN_HOME", str(tmp_path / "home"))
    screen = io.StringIO()

    demo.run(Console(file=screen, width=1000, highlight=False))

    parts = screen.getvalue().split("─ ")
    (stained,), (clean,), (panel,) = (
        [p for p in parts if p.startswith(name)] for name in ("fabric_stain", "fabric_clean", "panel")
    )
    assert " NG  no-finding\n" in stained and "f1 stain" in stained and "past cases" in stained
    assert " OK  no-finding\n" in clean and "[2]" in clean
    assert " NG  " in panel and "25mm" in panel and " mm ± " in panel
    assert all("✓ [1]" in part for part in (stained, clean, panel)) and "✗" not in screen.getvalue()
    assert "make ui" in parts[-1]
