"""Faults of a real server. Each ends in a retry that works, in `uncertain`, or in one line with the turn kept; none in
`ok`, none in a lost turn. What ends the server comes last."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

import pytest
from langchain_core.messages import AIMessage, ToolCall

from agent.planners.vllm_chat import Line
from agent.planners.vllm_server import vllm_planner
from agent.policy import Limits
from kenpin.contracts.errors import Unavailable
from tools.catalog import CATALOG, OFFERED

ANSWER = ("answer", {"why": "Done.", "text": "Seen.", "kind": None, "judged": None, "about": None})


def crop(i: int) -> tuple[str, dict[str, Any]]:
    return "crop", {"why": f"Part {i}.", "view": None, "box": [60 * i, 50, 60 * i + 300, 700]}


@contextmanager
def steered(*script: tuple[str, dict[str, Any]]) -> Iterator[list[int]]:
    """The model knows nothing, so what it says is replaced once the server has answered. Yields the pictures sent."""
    ask, at, pictures = Line.ask, iter(script), []

    def said(self: Line, bound: Any, messages: Any) -> AIMessage:
        reply = ask(self, bound, messages)
        name, args = next(at)
        pictures.append(reply.response_metadata["token_usage"]["prompt_tokens"])
        call = ToolCall(name=name, args=args, id="chatcmpl-tool-0", type="tool_call")
        return AIMessage(content="", tool_calls=[call], response_metadata=reply.response_metadata)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Line, "ask", said)
        yield pictures


def bench(live: Any, double: Any, **settings: Any) -> Any:
    planner = vllm_planner(live.settings(**settings), OFFERED, "en")
    return double.Bench(planner, tools=dict(CATALOG), limits=Limits(steps=20, seconds=900))


def one_line(exc: BaseException) -> str:
    text = str(exc)
    assert "\n" not in text
    assert len(text) < 700
    assert isinstance(exc, Unavailable)
    return text


def test_more_pictures_than_it_takes(live: Any, home: Any, double: Any) -> None:
    """400; the planner learns the cap from it, sends fewer, and the turn goes on."""
    work = bench(live, double, vllm_pictures=9)
    key = work.start(double.part(800, 600))
    with steered(*map(crop, range(8)), ANSWER):
        assert work.say(key, "Look everywhere").kind == "answer"
    assert [step.status for step in work.inspector.trace(key).turns[0].steps] == ["ok"] * 8


def test_it_hangs_and_goes_on(live: Any, home: Any, double: Any) -> None:
    """Stopped as a machine that swaps: one line after the time-out; the turn is finished later."""
    work = bench(live, double, vllm_timeout=3.0, vllm_retries=1)
    key = work.start(double.part(320, 240))
    parts = live.parts()
    assert len(parts) >= 2, "the engine is a process of its own"
    for part in parts:
        os.kill(part, signal.SIGSTOP)
    try:
        with pytest.raises(Unavailable) as caught:
            work.say(key, "Look at it")
    finally:
        for part in parts:
            os.kill(part, signal.SIGCONT)
    assert "did not answer within 3 s" in one_line(caught.value)
    patient = bench(live, double)
    patient.inspector = type(work.inspector)(patient.planner, work.inspector.recorder, work.traces, work.checkpointer)
    with steered(crop(1), ANSWER):
        list(patient.inspector.resume(key))
    turn = patient.inspector.trace(key).turns[-1]
    assert [step.status for step in turn.steps] == ["ok"]
    assert turn.answer.kind == "answer"


def kill_when_busy(live: Any) -> None:
    """Kill every process of the server as soon as it says that it is writing a reply."""
    until = time.monotonic() + 60
    while live.metrics().get("vllm:num_requests_running", 0) < 1:
        assert time.monotonic() < until
    for part in live.parts():
        os.kill(part, signal.SIGKILL)


def test_it_is_killed_while_it_answers_and_comes_back(live: Any, home: Any, double: Any) -> None:
    work = bench(live, double, vllm_retries=0)
    key = work.start(double.part(320, 240))
    ask, seen = Line.ask, []

    def killing(self: Line, bound: Any, messages: Any) -> AIMessage:
        if seen:
            # A reply of two thousand tokens takes seconds.
            Thread(target=kill_when_busy, args=(live,)).start()
            endless = bound.bind(extra_body={"max_tokens": 2000, "min_tokens": 2000}, tool_choice="none")
            return ask(self, endless, messages)
        seen.append(ask(self, bound, messages))
        name, args = crop(2)
        return AIMessage("", tool_calls=[ToolCall(name=name, args=args, id="x", type="tool_call")])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Line, "ask", killing)
        with pytest.raises(Unavailable) as caught:
            work.say(key, "Look at it")
    assert "broke the connection" in one_line(caught.value)
    assert live.process.wait(timeout=60) == 3, "kenpin serve says that its server ended, and ends"
    assert "ended by itself" in live.out[-1].read_text()
    with pytest.raises(Unavailable, match="no server answers") as caught:
        list(work.inspector.resume(key))
    one_line(caught.value)
    assert len(work.inspector.trace(key).turns[-1].steps) == 1, "what was done is kept"
    live.start()
    with steered(ANSWER):
        list(work.inspector.resume(key))
    turn = work.inspector.trace(key).turns[-1]
    assert (len(turn.steps), turn.answer.kind) == (1, "answer")


def test_it_ends_with_all_its_parts(live: Any) -> None:
    parts = live.parts()
    assert len(parts) >= 2
    assert live.stop() == 0
    assert live.out[-1].read_text().endswith("stopped\n")
    for part in parts:
        with pytest.raises(ProcessLookupError):
            os.kill(part, 0)
