"""One forced call a reply: the grammar that holds a model to it, and the way back from its text to a call.

Source: vLLM 0.32, `tool_parsers/structural_tag_registry.py` (hermes, `tool_choice: "required"`, one call) on xgrammar,
which vLLM uses too; here, other than there, blanks between the parts of an argument are counted.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.messages import AIMessage, ToolCall

from agent.planners.vllm_reply import MOST_NAME, arguments, whole

BEGIN, END = "<tool_call>", "</tool_call>"
MOST_BLANKS = 1
"""Between two parts of a call's JSON. Without a bound a lost model fills a reply with them."""


def structural_tag(tools: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The form of a reply: exactly one call of one of the tools, its arguments by the tool's schema."""
    forms = ((BEGIN + '\n{"name": "', "}\n" + END), (BEGIN + '{"name": "', "}" + END))
    tags = [{"type": "tag", "begin": f'{begin}{tool["function"]["name"]}", "arguments": ', "end": end,
             "content": {"type": "json_schema", "json_schema": tool["function"]["parameters"],
                         "max_whitespace_cnt": MOST_BLANKS}}
            for tool in tools for begin, end in forms]
    return {"type": "structural_tag", "format": {"type": "tags_with_separator", "tags": tags, "separator": "",
                                                 "at_least_one": True, "stop_after_first": True}}


def reply(text: str, *, cut: bool, model: str, used: Mapping[str, int]) -> AIMessage:
    """A reply as the other planners' come: one call, or the text of one that was cut off.

    Args:
        text: What the model wrote, without the token that ends it.
        cut: Whether the room for a reply ended before it did.
        model: Its name.
        used: Tokens of the prompt and of the reply.
    """
    call = _call(text.strip())
    return AIMessage(
        content="" if call else whole(text), tool_calls=[call] if call else [],
        response_metadata={"model_name": model, "token_usage": dict(used),
                           "finish_reason": "length" if cut else "tool_calls" if call else "stop"})


def _call(text: str) -> ToolCall | None:
    """The call that the whole text is. An argument may hold the closing mark: the last one counts."""
    if not (text.startswith(BEGIN) and text.endswith(END)):
        return None
    try:
        said = json.loads(text.removeprefix(BEGIN).removesuffix(END), strict=False)
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, dict) or not isinstance(said.get("name"), str):
        return None
    return ToolCall(name=whole(said["name"].strip())[:MOST_NAME], args=arguments(said.get("arguments")), id="call0",
                    type="tool_call")
