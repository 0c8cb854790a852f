"""An installation whose embedding server goes away: turns, commands and doctor say so, and everything else goes on."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from agent.inspector import Material, Photo
from kenpin.cases import bundle, embed_line
from kenpin.config import Settings
from kenpin.wiring import open_kenpin

pytestmark = pytest.mark.enable_socket

SEEN = "Have we seen a scratch like this before?"
LINE = r"embedding server http://127\.0\.0\.1:\d+/v1 \(model embedder-2b\) answered 503: starting"


@pytest.fixture(scope="module")
def described(embed_double: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, str, Path]]:
    """A model that is served, where, and a data folder whose examples it described."""
    model, home = embed_double.Model(), tmp_path_factory.mktemp("home")
    with embed_double.served(model) as url, pytest.MonkeyPatch.context() as patch:
        patch.setattr(bundle, "bundles", lambda: (bundle.BUNDLED / "by_sa",))
        kenpin = open_kenpin(Settings(home=home, embed_url=url), console=True)
        assert len(kenpin.cases.all()) == 9
        kenpin.cases.close()
        yield model, url, home


@pytest.fixture
def away(described: tuple[Any, str, Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Any, str, Path]]:
    monkeypatch.setattr(embed_line, "PAUSE_S", 0.0)
    monkeypatch.setattr(bundle, "bundles", lambda: (bundle.BUNDLED / "by_sa",))
    described[0].faults = [lambda: (503, "starting")] * 999
    yield described
    described[0].faults = []


def scratched() -> np.ndarray:
    picture = np.clip(150 + np.random.default_rng(3).normal(0, 4, (240, 320, 3)), 0, 255).astype(np.uint8)
    cv2.line(picture, (80, 90), (210, 150), (245, 245, 245), 3, cv2.LINE_AA)
    return picture


def test_a_turn_says_that_it_could_not_search(away: tuple[Any, str, Path]) -> None:
    model, url, home = away
    kenpin = open_kenpin(Settings(home=home, embed_url=url, embed_model="embedder-2b"), console=True)
    inspector = kenpin.inspector("embedded")
    key = inspector.start(Material(subject=Photo(scratched())))
    list(inspector.say(key, SEEN))
    turn = inspector.trace(key).turns[-1]
    (step,) = [step for step in turn.steps if step.tool == "recall"]
    assert step.status == "failed"
    assert "answered 503: starting" in str(step)
    assert turn.answer is not None and turn.answer.verdict == "uncertain"
    assert "answered 503: starting" in turn.answer.text
    model.faults = []
    list(inspector.say(key, SEEN))
    assert [step.status for step in inspector.trace(key).turns[-1].steps if step.tool == "recall"] == ["ok"]


def test_commands_that_need_no_vectors_go_on(
    away: tuple[Any, str, Path], kenpin: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
) -> None:
    _, url, home = away
    for name, value in {"HOME": home, "EMBED_URL": url, "EMBED_MODEL": "embedder-2b"}.items():
        monkeypatch.setenv(f"KENPIN_{name}", str(value))
    listed = kenpin("cases", "list", "--json")
    assert listed.code == 0 and len(json.loads(listed.out)) == 9
    assert kenpin("cases", "export", tmp_path / "out").code == 0
    for words in (("search", "scratch"), ("rebuild",)):
        ran = kenpin("cases", *words)
        assert ran.code == 3
        assert ran.err.count("\n") == 1
        assert "answered 503: starting" in ran.err
    said = " ".join(kenpin("doctor").out.split())
    assert "✓ past cases" in said and "embedder server:embedder-2b" in said
    assert "✗ embedding server" in said and "answered 503: starting" in said
