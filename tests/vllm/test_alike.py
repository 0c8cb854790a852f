"""The planner `local` reads what the planner `vllm` has a server read: token for token, pictures included."""

from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage
from langchain_openai.chat_models.base import _convert_message_to_dict

from agent.planners.hf_local import InProcess
from agent.planners.vllm_schema import strict_tools
from agent.policy import Limits
from kenpin.config import Settings
from tools.catalog import CATALOG, OFFERED

pytestmark = [pytest.mark.vllm, pytest.mark.timeout(600)]
SCRIPT = [("check_image", {"view": "v0"}), ("zoom", {"view": None, "box": [100, 100, 400, 500]}),
          ("crop", {"view": "v9", "box": [0, 0, 10, 10]}),
          ("answer", {"text": "見ました [2]。", "kind": None, "judged": None, "about": None}),
          ("crop", {"view": "v1", "box": [500, 500, 900, 900]}),
          ("answer", {"text": "Seen.", "kind": None, "judged": None, "about": None})]


def wire(message: BaseMessage) -> dict[str, Any]:
    """The message as the planner `vllm` sends it."""
    return dict(_convert_message_to_dict(message))


def requests(planner: Any, double: Any) -> list[list[BaseMessage]]:
    """What a planner asks in two turns that go as the script says."""
    from langchain_core.runnables import RunnableLambda

    heard: list[list[BaseMessage]] = []

    def scripted(messages: list[BaseMessage]) -> AIMessage:
        name, args = SCRIPT[len(heard)]
        heard.append(messages)
        return AIMessage("", tool_calls=[{"name": name, "args": {"why": "To see.", **args}, "id": "x",
                                          "type": "tool_call"}])

    from dataclasses import replace

    work = double.Bench(replace(planner, model=RunnableLambda(scripted)), tools=dict(CATALOG), limits=Limits(steps=9))
    key = work.start(double.part(1600, 1200), references=[double.part(900, 700, seed=3)])
    work.say(key, "傷を探して。")
    work.say(key, "And the lower right?")
    return heard


@pytest.mark.parametrize("in_tools", [True, False])
def test_a_prompt_has_the_tokens_that_the_server_gives_it(live: Any, home: Path, double: Any, in_tools: bool,
                                                          local_parts: None) -> None:
    from agent.planners.vllm_server import vllm_planner

    tools = strict_tools(OFFERED, "per_mille")
    line = InProcess(Settings(local_model=live.model, local_context=24576))
    asked = requests(vllm_planner(live.settings(), OFFERED, "en", pictures_in_tools=in_tools), double)
    assert len(asked) == len(SCRIPT)
    assert sum(m.type == "tool" for m in asked[-1]) == 5
    for messages in asked:
        told = live.post("/tokenize", messages=[wire(message) for message in messages], tools=tools)
        assert line.tokens(messages, tools) == told["tokens"]
    assert told["count"] > 12000
