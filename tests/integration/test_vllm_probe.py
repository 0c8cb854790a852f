"""The start-up probe against servers that see, see only in part, or do not see at all."""

import base64
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest

from agent.planners.frames import QWEN3, QWEN25, Frame
from agent.planners.vllm_probe import COLOURS, PLACES, probe
from kenpin.config import Settings
from kenpin.contracts.errors import Unavailable


def load(name: str) -> ModuleType:
    """A double from its file; tests are no packages."""
    key = f"kenpin_tests_{name}"
    if key not in sys.modules:
        spec = importlib.util.spec_from_file_location(key, Path(__file__).parents[1] / f"{name}.py")
        assert spec and spec.loader
        sys.modules[key] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[key])
    return sys.modules[key]


fake = load("fake_openai")
called, said, serving, status = fake.called, fake.said, fake.serving, fake.status


@pytest.fixture(autouse=True)
def plain_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KENPIN_HOME", str(tmp_path))


def seen(uri: str) -> tuple[str, list[int]]:
    """Nearest colour of the picture's middle, and the box of what is red."""
    pixels = cv2.imdecode(np.frombuffer(base64.b64decode(uri.partition(",")[2]), np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    middle = pixels[pixels.shape[0] // 2, pixels.shape[1] // 2].astype(int)
    colour = min(COLOURS, key=lambda name: float(np.abs(middle - COLOURS[name]).sum()))
    rows, columns = np.nonzero((pixels[..., 0] > 150) & (pixels[..., 1] < 100))
    if not len(rows):
        return colour, [0, 0, 1, 1]
    return colour, [int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1]


def eyes(place: Frame | None, *, in_tools: bool = True, most: int = 99) -> Callable[[Any], Any]:
    """A model that sees: it answers in the given frame, and is blind in tool messages if told so."""
    def reply(request: Any) -> Any:
        if len(request.pictures) > most:
            return status(400, f"At most {most} image(s) may be provided in one prompt.")
        roles = [m["role"] for m in request.messages]
        blind = not request.pictures or ("tool" in roles and not in_tools)
        colour, box = ("red", [0, 0, 1, 1]) if blind else seen(request.pictures[0])
        if request.body["tools"][0]["function"]["name"] == "mark":
            return called(("mark", {"box": list(place.box_out(box)) if place else [3, 3, 9, 9]}))
        return called(("name_colour", {"colour": colour}))
    return reply


PER_MILLE, PIXELS = Frame(672, 448, 1000, 1000), Frame(672, 448, 672, 448)


def test_the_places_tell_the_frames_apart() -> None:
    for place in PLACES:
        assert PER_MILLE.box_in(place) != PIXELS.box_in(place)


@pytest.mark.parametrize(("place", "kind", "family"), [(PER_MILLE, "per_mille", QWEN3), (PIXELS, "resized", QWEN25)])
def test_the_frame_is_found_whatever_the_model_is_called(place: Frame, kind: str, family: Any) -> None:
    with serving(eyes(place), models=[{"id": "planner", "object": "model"}]) as server:
        found = probe(Settings(vllm_url=server.url))
        assert (found.calls, found.pictures, found.in_tools, found.kind) == (True, True, True, kind)
        assert found.family() == family
        assert found.family("per_mille").kind == "per_mille"
        assert found.most_pictures is None
        assert not found.advice


def test_blind_in_tool_messages() -> None:
    with serving(eyes(PER_MILLE, in_tools=False)) as server:
        found = probe(Settings(vllm_url=server.url))
        assert (found.pictures, found.in_tools) == (True, False)


def test_few_pictures_a_prompt() -> None:
    with serving(eyes(PER_MILLE, most=2)) as server:
        found = probe(Settings(vllm_url=server.url))
        assert found.most_pictures == 2
        assert "KENPIN_VLLM_PICTURES=2" in found.advice[0]


def test_boxes_in_no_known_frame() -> None:
    with serving(eyes(None)) as server:
        found = probe(Settings(vllm_url=server.url))
        assert found.pictures
        assert found.kind is None
        assert "KENPIN_VLLM_FRAME" in found.advice[0]
        assert found.family() == QWEN3


def test_a_model_that_does_not_see() -> None:
    with serving(called(("name_colour", {"colour": "red"}))) as server:
        found = probe(Settings(vllm_url=server.url))
        assert (found.calls, found.pictures) == (True, False)
        assert "vision-language model" in found.advice[0]


@pytest.mark.parametrize("reply", [
    said("red"), called(("name_colour", "{}")), called(("name_colour", {"colour": "grey"})),
    status(400, '"auto" tool choice requires --enable-auto-tool-choice')])
def test_a_model_that_makes_no_calls(reply: Any) -> None:
    with serving(reply) as server:
        found = probe(Settings(vllm_url=server.url))
        assert not found.calls
        assert "--tool-call-parser" in found.advice[0]


def test_nothing_there() -> None:
    with pytest.raises(Unavailable, match="no server answers"):
        probe(Settings(vllm_url=f"http://127.0.0.1:{fake.unused_port()}/v1"))


def test_the_doctor_tells_what_the_server_can_do() -> None:
    from kenpin.doctor import _server

    with serving(eyes(PER_MILLE, in_tools=False)) as server:
        seeing = {f.what: f for f in _server(Settings(vllm_url=server.url))}
    with serving(eyes(None)) as server:
        blind = {f.what: f for f in _server(Settings(vllm_url=server.url))}

    assert seeing["server calls tools"].ok and seeing["server's boxes"].says == "per_mille"
    assert seeing["server sees pictures"].says == "in user messages"
    assert not blind["server's boxes"].ok
