"""What holds of the loop whoever runs the model: a real vLLM server, or this process (`--planner local`).

In process the tests' model of random weights runs where it matters what a lost model says, and the trained small one
elsewhere, which reads short prompts.
"""

from collections.abc import Iterable, Iterator
from itertools import repeat
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolCall, ToolMessage

from agent.planners import vllm_chat
from agent.planners.frames import QWEN3
from agent.planners.hf_local import InProcess
from agent.planners.vllm_chat import Line
from agent.planners.vllm_schema import strict_tools
from agent.policy import Limits
from kenpin.cli_shared import console_actor
from kenpin.contracts.errors import Unavailable
from kenpin.services import Services
from kenpin.session import material
from kenpin.wiring import open_kenpin
from tools.catalog import CATALOG, OFFERED

SERVED = pytest.param("served", marks=pytest.mark.vllm)
SMALL = pytest.param("small", marks=pytest.mark.local)
RANDOM = pytest.param("random", marks=pytest.mark.local)
both = pytest.mark.parametrize("way", [SERVED, SMALL], indirect=True)
lost = pytest.mark.parametrize("way", [SERVED, RANDOM], indirect=True)
"""Models that know nothing."""
SCHEMAS = {tool["function"]["name"]: tool["function"]["parameters"] for tool in strict_tools(OFFERED, QWEN3.kind)}
SAYINGS = ("Is the part acceptable?", "左上を拡大してください。", "傷はありますか。",
           "Read the lettering.")
END = {"why": "Done.", "text": "Seen.", "kind": None, "judged": None, "about": None}
ANSWER = ("answer", END)
FINE = ("answer", {**END, "text": "Nothing is wrong with the part.", "judged": True})

Said = tuple[str, dict[str, Any]]


def crop(i: int) -> Said:
    return "crop", {"why": f"Part {i}.", "view": None, "box": [60 * i, 50, 60 * i + 300, 700]}


def steer(monkeypatch: pytest.MonkeyPatch, script: Iterable[Said]) -> None:
    """What the model says is replaced once it has taken the request and answered it."""
    at = iter(script)
    for line in (Line, InProcess):
        monkeypatch.setattr(line, "ask", _steered(line.ask, at))


def _steered(ask: Any, at: Iterator[Said]) -> Any:
    def steered(self: Any, bound: Any, messages: Any) -> AIMessage:
        reply = ask(self, bound, messages)
        name, args = next(at)
        call = ToolCall(name=name, args=args, id="chatcmpl-tool-0", type="tool_call")
        return AIMessage(content="", tool_calls=[call], response_metadata=reply.response_metadata)

    return steered


def bench(way: Any, double: Any, *, tools: Any = None, steps: int = 20, **settings: Any) -> Any:
    tools = tools or dict(CATALOG)
    return double.Bench(way.planner(double.offered(tools), **settings), tools=tools,
                        limits=Limits(steps=steps, seconds=900))


def one_line(exc: BaseException) -> None:
    assert isinstance(exc, Unavailable)
    assert "\n" not in str(exc)
    assert len(str(exc)) < 700


@lost
def test_every_call_of_many_turns_keeps_its_schema(way: Any, home: Path, overheard: list[Any],
                                                   tmp_path: Path) -> None:
    """Pictures, tool results and calls that were handed back, over several turns of the whole installation."""
    from PIL import Image

    rng = np.random.default_rng(0)
    pixels = rng.normal(150, 6, (240, 320, 3)).clip(0, 255).astype(np.uint8)
    pixels[60:120, 80:160] = 40
    Image.fromarray(pixels).save(tmp_path / "part.png")
    services, actor = Services(open_kenpin(way.settings(home=home, max_steps=4), console=True)), console_actor()
    key = services.asking.start(actor, material(tmp_path / "part.png"))
    for say in SAYINGS:
        list(services.asking.say(actor, key, say))
    trace = services.asking.trace(actor, key)
    assert [turn.say for turn in trace.turns] == list(SAYINGS)
    assert all(turn.answer for turn in trace.turns)
    assert trace.planner.backend == way.backend
    asked = [reply for messages, reply in overheard if "name_colour" not in str(reply) and "'mark'" not in str(reply)]
    assert len(asked) >= 2 * len(SAYINGS)
    for reply in asked:
        assert len(reply.tool_calls) == 1, "one call a reply"
        call = reply.tool_calls[0]
        jsonschema.validate(call["args"], SCHEMAS[call["name"]])
    assert any(m.type == "tool" for messages, _ in overheard for m in messages), "what came of it went to the model"
    assert all(turn.answer.verdict != "ok" for turn in trace.turns), "a model that knows nothing finds nothing good"


@both
def test_a_wrong_call_is_handed_back_in_words(way: Any, home: Path, double: Any, overheard: list[Any],
                                              monkeypatch: pytest.MonkeyPatch) -> None:
    work = bench(way, double, steps=5)
    key = work.start(double.part(320, 240))
    steer(monkeypatch, [("crop", {"why": "To look.", "view": "v7", "box": [0, 0, 500, 500]}),
                        ("no_such_tool", {"why": "To look."}), crop(0),
                        ("crop", {"why": "To look.", "view": None, "box": [1200, 100, 1500, 400]}), ANSWER])
    assert work.say(key, "Look at it").kind == "answer"
    assert [step.status for step in work.inspector.trace(key).turns[0].steps] == ["refused", "refused", "ok", "refused"]
    told = [str(m.content) for m in overheard[-1][0] if m.type == "tool"]
    assert len(told) == 4
    assert "v7" in told[0]
    assert "no_such_tool" in told[1]
    assert "[1200, 100, 1500, 400]" in told[3], "outside the picture, in the model's own units"


@both
def test_a_long_dialogue_stays_within_the_context_and_the_trace_keeps_all(
    way: Any, home: Path, double: Any, overheard: list[Any], monkeypatch: pytest.MonkeyPatch,
) -> None:
    work = bench(way, double, vllm_pictures=4)
    key = work.start(double.part(1600, 1200))
    steer(monkeypatch, [*map(crop, range(10)), ANSWER])
    assert work.say(key, "Look everywhere").kind == "answer"
    turn = work.inspector.trace(key).turns[0]
    assert [step.status for step in turn.steps] == ["ok"] * 10
    assert len(work.inspector.trace(key).views) == 11, "the trace keeps every crop"
    sent = [sum(part.get("type") == "image_url" for m in messages if isinstance(m.content, list) for part in m.content)
            for messages, _ in overheard]
    assert max(sent) == 4
    assert "left out to save room" in str(overheard[-1][0])
    used = [reply.response_metadata["token_usage"]["prompt_tokens"] for _, reply in overheard]
    assert max(used) < way.context
    # Counted where the model runs: without pruning the last prompt would have grown by a picture a step.
    assert (used[-1] - used[4]) * 4 < (used[4] - used[0]) * 6
    if way.backend == "vllm":  # there a picture takes more than the words of a step
        assert used[-1] - used[4] < used[4] - used[0]


def dialogue(steps: int, letters: int) -> list[Any]:
    """A conversation whose tool messages are long."""
    said: list[Any] = [SystemMessage("You inspect."), HumanMessage("Look everywhere.")]
    for i in range(steps):
        call = ToolCall(name="detect", args={"why": "To look."}, id=f"call{i:05d}", type="tool_call")
        said += [AIMessage("", tool_calls=[call]),
                 ToolMessage("0123456789" * (letters // 10), tool_call_id=call["id"] or "", name="detect")]
    return said


@lost
def test_a_prompt_that_is_too_long(way: Any, home: Path) -> None:
    """Older steps are shortened and it is asked once more. What stays too long is one line."""
    line = way.line()
    bound = line.bound(line.served(), strict_tools(OFFERED, "per_mille"))
    long = dialogue(16, way.letters)
    assert way.tokens([{"role": "user", "content": str(m.content)} for m in long]) > way.room
    reply = line.ask(bound, long)
    assert len(reply.tool_calls) == 1
    assert reply.response_metadata["token_usage"]["prompt_tokens"] < way.context
    with pytest.raises(Unavailable, match="longer context") as caught:
        line.ask(bound, [HumanMessage("0123456789" * 12000)])
    one_line(caught.value)


@both
def test_a_reply_that_is_cut_off(way: Any, home: Path, double: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The JSON of a call ends in the middle: no call, handed back, and after a few tries `uncertain`."""
    monkeypatch.setattr(vllm_chat, "MAX_TOKENS", 12)
    work = bench(way, double)
    key = work.start(double.part(320, 240))
    answer = work.say(key, "Is the part acceptable?")
    assert answer.verdict == "uncertain"
    assert answer.reasons == ("limit.invalid:3",)


@both
def test_an_endless_loop_ends_in_uncertain(way: Any, home: Path, double: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    work = bench(way, double, steps=5)
    key = work.start(double.part(320, 240))
    steer(monkeypatch, repeat(crop(1)))
    answer = work.say(key, "Is the part acceptable?")
    assert (answer.verdict, answer.reasons) == ("uncertain", ("limit.steps:5",))
    assert len(work.inspector.trace(key).turns[0].steps) == 5


@both
def test_a_lie_after_a_failing_tool_is_never_ok(way: Any, home: Path, double: Any,
                                                monkeypatch: pytest.MonkeyPatch) -> None:
    work = bench(way, double, tools=double.catalogue(double.failing("detect")))
    key = work.start(double.part(320, 240))
    steer(monkeypatch, [("detect", {"why": "To look.", "view": None, "box": None}), FINE])
    answer = work.say(key, "Is the part acceptable?")
    assert work.inspector.trace(key).turns[0].steps[0].status == "failed"
    assert answer.verdict == "uncertain"
