"""A real server that restarts, loses its engine, or gets what it cannot read: the turn goes on, stops in one line and is
kept, or is answered by the planner that stands in, and the trace says so. And a dialogue that outgrows its context."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolCall

from agent.planners.vllm_chat import Line
from agent.planners.vllm_schema import strict_tools
from agent.planners.vllm_server import vllm_planner
from agent.policy import Limits
from kenpin.cli_shared import console_actor
from kenpin.contracts.errors import Unavailable
from kenpin.contracts.trace import planner_of
from kenpin.services import Services
from kenpin.session import material
from kenpin.wiring import open_kenpin
from tools.catalog import OFFERED

ANSWER = ("answer", {"why": "Done.", "text": "Seen.", "kind": None, "judged": None, "about": None})
CROP = ("crop", {"why": "To look.", "view": None, "box": [100, 100, 600, 700]})


def steer(patch: pytest.MonkeyPatch, script: Callable[[Any, Any, Any], tuple[str, dict[str, Any]]]) -> list[Any]:
    """The model knows nothing: what it says is replaced once the server has answered. Returns what was sent and said."""
    ask, heard = Line.ask, []

    def said(self: Line, bound: Any, messages: Any) -> AIMessage:
        names = [tool["function"]["name"] for tool in bound.kwargs["tools"]]
        if names in (["name_colour"], ["mark"]):
            return ask(self, bound, messages)  # the questions of the first use
        reply = ask(self, bound, messages)
        heard.append((messages, reply))
        name, args = script(self, bound, messages)
        call = ToolCall(name=name, args=args, id="chatcmpl-tool-0", type="tool_call")
        return AIMessage(content="", tool_calls=[call], response_metadata=reply.response_metadata)

    patch.setattr(Line, "ask", said)
    return heard


def test_a_dialogue_that_outgrows_the_context_in_words(live: Any, home: Path, double: Any,
                                                       monkeypatch: pytest.MonkeyPatch) -> None:
    """More than the context holds, by the server's own count; every turn is answered, and the trace keeps every word."""
    tools = double.catalogue()
    planner = vllm_planner(live.settings(vllm_pictures=3), double.offered(tools), "en")
    work = double.Bench(planner, tools=tools, limits=Limits(steps=20, seconds=1800))
    key = work.start(double.part(320, 240))
    script = iter([CROP, ANSWER] * 12)
    heard = steer(monkeypatch, lambda *_: next(script))
    sent: list[list[Any]] = []
    answer = Line._answer
    monkeypatch.setattr(Line, "_answer", lambda self, bound, messages: (sent.append(messages),
                                                                        answer(self, bound, messages))[1])
    words = [f"Turn {i}. " + "0123456789" * 400 for i in range(12)]
    for text in words:
        assert work.say(key, text).text == "Seen."
    trace = work.inspector.trace(key)
    assert [turn.say for turn in trace.turns] == words
    assert all([step.status for step in turn.steps] == ["ok"] for turn in trace.turns)
    used = [reply.response_metadata["token_usage"]["prompt_tokens"] for _, reply in heard]
    assert live.tokens([{"role": "user", "content": text} for text in words]) > 1.4 * 24576
    assert max(used) < 24576 and len(used) == 24
    refused = len(sent) - len(used)
    assert 1 <= refused <= 8, "cut in strides"
    assert "Turn 11." in str(sent[-1]) and "Turn 3." not in str(sent[-1])
    same = [str(after[:len(before)]) == str(before) for before, after in pairwise(sent)]
    assert sum(same) >= len(same) / 2, "most prompts begin with the whole of the one before"


def test_a_picture_that_is_broken(live: Any, home: Path) -> None:
    """400 by the server; one line, no second try, and it serves on."""
    line = Line(live.settings())
    bound = line.bound(line.served(), strict_tools({"answer": OFFERED["answer"]}, "per_mille"))
    for data in ("data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAA", "data:image/png;base64,====", "data:text/html,<p>"):
        picture = {"type": "image_url", "image_url": {"url": data}}
        with pytest.raises(Unavailable, match="refused the request") as caught:
            line.ask(bound, [HumanMessage([picture, {"type": "text", "text": "What is it?"}])])
        assert "\n" not in str(caught.value) and len(str(caught.value)) < 700
    assert line.ask(bound, [HumanMessage("What is it?")])


def test_it_restarts_between_two_requests_of_a_turn(live: Any, home: Path, double: Any,
                                                    monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is open when it goes, so the turn does not even notice."""
    tools = double.catalogue()
    work = double.Bench(vllm_planner(live.settings(), double.offered(tools), "en"), tools=tools,
                        limits=Limits(steps=20, seconds=1800))
    key = work.start(double.part(320, 240))
    script = iter([CROP, ANSWER])

    def said(*_: Any) -> tuple[str, dict[str, Any]]:
        name, args = next(script)
        if name == "crop":
            assert live.stop() == 0
            live.start()
        return name, args

    steer(monkeypatch, said)
    assert work.say(key, "Look at it").text == "Seen."
    (turn,) = work.inspector.trace(key).turns
    assert [step.status for step in turn.steps] == ["ok"]


def largest(live: Any) -> int:
    """The process of the server that holds the model: what a machine out of memory kills."""
    sizes = {pid: int(subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True,
                                     check=False).stdout or 0) for pid in live.parts()}
    return max(sizes, key=lambda pid: sizes[pid])


def kill_when_busy(live: Any) -> None:
    until = time.monotonic() + 120
    while live.metrics().get("vllm:num_requests_running", 0) < 1:
        assert time.monotonic() < until
    os.kill(largest(live), signal.SIGKILL)


def test_its_engine_is_killed_and_another_planner_stands_in(live: Any, home: Path, double: Any, tmp_path: Path,
                                                            monkeypatch: pytest.MonkeyPatch) -> None:
    """As by the system where memory runs out. The next turn is the server's again, once it is back."""
    from PIL import Image

    Image.fromarray(np.asarray(double.part(320, 240))).save(tmp_path / "part.png")
    settings = live.settings(home=home, vllm_frame="per_mille", vllm_retries=0, planner_fallback="embedded")
    services, actor = Services(open_kenpin(settings, console=True)), console_actor()
    key = services.asking.start(actor, material(tmp_path / "part.png"))
    script = iter([CROP, ANSWER])
    heard = steer(monkeypatch, lambda *_: next(script))
    steered = Line.ask

    def killing(self: Line, bound: Any, messages: Any) -> AIMessage:
        if len(heard) == 1 and live.process.poll() is None:
            Thread(target=kill_when_busy, args=(live,)).start()
            bound = bound.bind(extra_body={"max_tokens": 2000, "min_tokens": 2000}, tool_choice="none")
        return steered(self, bound, messages)

    monkeypatch.setattr(Line, "ask", killing)
    list(services.asking.say(actor, key, "Is there any defect?"))
    (turn,) = services.asking.trace(actor, key).turns
    assert turn.answer and turn.fallback and turn.fallback.at_step == 2
    assert turn.planner.backend == "embedded" and turn.steps[0].tool == "crop"
    assert "\n" not in turn.fallback.because
    assert live.process.wait(timeout=120) == 3
    heard.append("the server is not killed again")
    live.start()
    list(services.asking.say(actor, key, "And now?"))
    trace = services.asking.trace(actor, key)
    assert [planner_of(trace, turn).backend for turn in trace.turns] == ["embedded", "vllm"]
    assert trace.turns[1].answer.text == "Seen." and trace.turns[1].fallback is None
