"""What a balancer before several servers goes by: one header for each dialogue."""

from pathlib import Path
from runpy import run_path
from types import SimpleNamespace
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.memory import InMemorySaver

HERE = Path(__file__).parent
shared = SimpleNamespace(**run_path(str(HERE / "test_vllm_planner.py")))
plain_settings, bench, crop, end, double = (
    shared.plain_settings, shared.bench, shared.crop, shared.end, shared.double)
HEADER = "x-session-id"


def sessions(server: Any) -> list[str | None]:
    return [chat.headers.get(HEADER) for chat in server.chats]


def test_all_requests_of_a_dialogue_say_that_they_belong_together() -> None:
    with shared.serving(crop(1, 2, 300, 400), end(), end(), end()) as server:
        kept = InMemorySaver()
        first = bench(server, checkpointer=kept)
        key = first.start(double.part())
        first.say(key, "Look")
        first.say(key, "And now?")
        other = bench(server, checkpointer=kept)
        second = other.start(double.part())
        other.say(second, "Look")
    said = sessions(server)
    assert len(said) == 4
    assert said[0]
    assert said[:3] == [said[0]] * 3
    assert said[3] not in (None, said[0])
    for one in (key, second):
        assert all(one not in str(chat.headers) and one not in str(chat.body) for chat in server.chats)


def test_a_server_that_is_asked_outside_a_dialogue_gets_no_such_header() -> None:
    with shared.serving(end()) as server:
        bench(server).planner.model.invoke([HumanMessage("Look")])
        assert sessions(server) == [None]


@pytest.mark.parametrize("key", ["20261126T190344-02c6fb2d", "検品"])
def test_it_is_a_digest_that_any_balancer_can_read(key: str) -> None:
    from agent.planners.vllm_chat import dialogue

    (value,) = dialogue(key).values()
    assert len(value) == 32
    assert set(value) <= set("0123456789abcdef")
    assert dialogue(key) == dialogue(key) != dialogue(key + "x")
