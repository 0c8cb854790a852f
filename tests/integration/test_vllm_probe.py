"""The start-up probe against servers that see, see only in part, or do not see at all."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from agent.planners.frames import QWEN3, QWEN25, Frame
from agent.planners.vllm_probe import COLOURS, PLACES, first_use, probe
from agent.planners.vllm_server import asking_planner
from agent.planners.vllm_ways import Ways, keep, recalled
from kenpin.config import Settings
from kenpin.contracts.errors import Unavailable
from tests.doubles import load

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


def counting(chat: Callable[[Any], Any], *, user: int = 70, tool: int = 70, most: int = 99) -> Callable[[Any], Any]:
    """A server that also counts tokens: so many for a picture in a user message and in a tool message."""
    def reply(request: Any) -> Any:
        if request.path != "/tokenize":
            return chat(request)
        if len(request.pictures) > most:
            return status(400, f"At most {most} image(s) may be provided in one prompt.")
        worth = tool if any(m["role"] == "tool" for m in request.messages) else user
        return fake.raw(json.dumps({"count": 20 + worth * len(request.pictures)}).encode())
    return reply


@pytest.mark.parametrize(("user", "tool", "most"), [(70, 70, 99), (70, 3, 99), (70, 70, 2), (3, 3, 99), (3, 0, 99)])
def test_the_first_use_finds_out_how_to_talk(user: int, tool: int, most: int) -> None:
    """Also of an older server, which counts a picture as the three tokens of its mark."""
    with serving(counting(eyes(PIXELS), user=user, tool=tool, most=most)) as server:
        way = first_use(Settings(vllm_url=server.url))
    assert way == Ways(counted=True, taken=True, in_tools=tool == user, most=2 if most == 2 else None, kind="resized")


@pytest.mark.parametrize(("words", "taken"), [("my-llama is not a multimodal model", False), ("cannot tokenize", None)])
def test_a_refused_count_says_no_more_than_it_says(words: str, taken: bool | None) -> None:
    def reply(request: Any) -> Any:
        if request.path == "/tokenize" and request.pictures:
            return status(400, words)
        return counting(eyes(PIXELS))(request)

    with serving(reply) as server:
        if taken is None:
            assert first_use(Settings(vllm_url=server.url)) == Ways(counted=False, kind="resized")
        else:
            with pytest.raises(Unavailable, match="takes no pictures"):
                first_use(Settings(vllm_url=server.url))


def test_what_the_template_shows_decides_where_pictures_go() -> None:
    """The planner that asks first puts new views where the server counted them."""
    double = load("inspection_double")

    def model(place: str) -> Callable[[Any], Any]:
        look = called(("crop", {"why": "To look.", "view": None, "box": [100, 100, 400, 400]}))
        done = called(("answer", {"why": "Done.", "text": "Seen.", "kind": None, "judged": None, "about": None}))

        def chat(request: Any) -> Any:
            if len(request.body["tools"]) == 1:
                return eyes(PER_MILLE)(request)
            return done if any(m["role"] == "tool" for m in request.messages) else look
        return counting(chat, tool=70 if place == "tool" else 0)

    for place in ("tool", "user"):
        with serving(model(place)) as server:
            tools = double.catalogue()
            work = double.Bench(asking_planner(Settings(vllm_url=server.url), double.offered(tools)), tools=tools)
            assert work.say(work.start(double.part()), "Look at it").kind == "answer"
            shown = [m["role"] for m in server.chats[-1].messages if isinstance(m["content"], list)
                     and any(part["type"] == "image_url" for part in m["content"])]
        assert shown == ["user", place]


def test_a_server_that_does_not_count_gets_pictures_in_user_messages() -> None:
    with serving(eyes(PER_MILLE)) as server:
        assert first_use(Settings(vllm_url=server.url)) == Ways(counted=False, kind="per_mille")


def test_what_was_set_is_not_asked_for() -> None:
    with serving(counting(eyes(PER_MILLE))) as server:
        assert first_use(Settings(vllm_url=server.url, vllm_frame="resized")).kind is None
        names = {chat.body["tools"][0]["function"]["name"] for chat in server.chats}
    assert names == {"name_colour"}


@pytest.mark.parametrize(("chat", "words"), [
    (counting(lambda request: called(("name_colour", {"colour": "red"})), user=0), "takes no pictures"),
    (counting(lambda request: said("It is red.")), "--tool-call-parser"),
    (counting(lambda request: called(("name_colour", {"colour": "pink"}))), "--enable-auto-tool-choice")])
def test_a_server_that_cannot_plan_says_what_to_change(chat: Any, words: str) -> None:
    with serving(chat) as server, pytest.raises(Unavailable, match=words) as caught:
        first_use(Settings(vllm_url=server.url))
    assert "\n" not in str(caught.value)


def test_what_was_found_is_kept_for_the_same_run_of_the_server(tmp_path: Path) -> None:
    file, found = tmp_path / "ways.json", Ways(counted=True, in_tools=True, kind="per_mille")
    keep(file, "url model root 1.5e9", found)
    assert recalled(file, "url model root 1.5e9") == found
    assert recalled(file, "url model root 1.6e9") is None
    assert recalled(file, None) is None
    for broken in ("", "[]", '{"run": "r", "ways": {"new": 1}}', '{"run": "r"}'):
        file.write_text(broken)
        assert recalled(file, "r") is None
    keep(tmp_path / "none" / "ways.json", "r", found)
