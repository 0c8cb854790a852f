"""Reads replies: a chat model that survives what servers send, and calls turned into original pixels."""

import json
from functools import cache
from typing import Any

from langchain_core.messages import AIMessage, AnyMessage, ToolCall
from langchain_core.outputs import ChatResult

from agent.desk import StateDesk
from agent.planners.vllm_request import Edge
from agent.state import State, first_step

UNREADABLE = "arguments_were_cut_off_or_are_no_json_object"
"""Stands in for arguments that cannot be read, so that validation hands them back to the model."""
MOST_QUOTED = 300
SENTENCES = {"answer": "text", "ask": "question"}
"""Arguments in which a model may write a box for the user to read."""


@cache
def tolerant_chat() -> Any:
    """The class of chat model to use: `ChatOpenAI` that keeps calls in order and takes any arguments."""
    from langchain_openai import ChatOpenAI

    class TolerantChat(ChatOpenAI):
        """Puts replies in order before LangChain parses them, which drops or crashes on some."""

        def _create_chat_result(self, response: Any, generation_info: dict[str, Any] | None = None) -> ChatResult:
            if hasattr(response, "model_dump"):
                response = response.model_dump(warnings=False)
            if not isinstance(response, dict) or not response.get("choices"):
                raise ValueError(f"expected choices, got {str(response)[:200]}")
            for choice in response["choices"]:
                message = choice.get("message")
                if not isinstance(message, dict):
                    raise ValueError(f"expected a message, got {str(choice)[:200]}")
                message["role"] = "assistant"
                message["function_call"] = None
                calls = message.get("tool_calls") or []
                message["tool_calls"] = [_tidy(call) for call in calls if isinstance(call, dict)]
            return super()._create_chat_result(response, generation_info)

    return TolerantChat


def _tidy(call: dict[str, Any]) -> dict[str, Any]:
    """A call whose arguments are the text of a JSON object."""
    function = call.get("function") if isinstance(call.get("function"), dict) else {}
    assert isinstance(function, dict)
    args = arguments(function.get("arguments"))
    return {"id": str(call.get("id") or ""), "type": "function",
            "function": {"name": str(function.get("name") or "").strip(), "arguments": json.dumps(args)}}


def arguments(said: Any) -> dict[str, Any]:
    """The arguments of a call as an object. Nothing at all is read as none; what cannot be read says so by its key."""
    value = said
    for _ in range(2):  # some servers write the text of a text
        if isinstance(value, str):
            if not value.strip():
                return {}
            try:
                value = json.loads(value, strict=False)
            except (ValueError, RecursionError):
                break
    if value is None:
        return {}
    return value if isinstance(value, dict) else {UNREADABLE: str(said)[:MOST_QUOTED]}


def read_reply(message: AIMessage, state: State, desk: StateDesk, edge: Edge) -> AIMessage:
    """A reply with places in original pixels, ids of its own, and beside them the arguments as the model said them.

    Ids are counted through the conversation: servers repeat theirs or leave them out, and templates differ in what
    they take (nine letters and digits suit all).
    """
    number = sum(len(m.tool_calls) for m in state["messages"] if isinstance(m, AIMessage))
    cites = first_step(state) - 1 + len(message.tool_calls)
    calls, said = [], {}
    for i, call in enumerate(message.tool_calls):
        key = f"call{number + i:05d}"
        place = edge.frame(desk, call["args"].get("view"))
        args = edge.arguments.read(call["name"], call["args"], place)
        if isinstance(text := args.get(SENTENCES.get(call["name"], "")), str):
            args[SENTENCES[call["name"]]] = edge.frame(desk, "v0").text_in(text, cites=cites)
        calls.append(ToolCall(name=call["name"], args=args, id=key, type="tool_call"))
        said[key] = call["args"]
    meta = {key: message.response_metadata[key] for key in ("model_name", "finish_reason", "token_usage")
            if message.response_metadata.get(key)}
    return AIMessage(content=words(message), tool_calls=calls, response_metadata=meta,
                     additional_kwargs={"kenpin": {"said": said}})


def words(message: AnyMessage) -> str:
    """The text of a message, whatever form its content has."""
    if isinstance(message.content, str):
        return message.content
    return "".join(part if isinstance(part, str) else str(part.get("text", "")) for part in message.content)
