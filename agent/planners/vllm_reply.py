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
MOST_NAME = 64
MOST_SAID = 64_000
"""Characters of one call's arguments, or of a reply without a call: four times what `MAX_TOKENS` come to."""
DEEPEST = 12
LARGEST_NUMBER = 1e15
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
    name, args = whole(str(function.get("name") or "").strip())[:MOST_NAME], arguments(function.get("arguments"))
    return {"id": str(call.get("id") or ""), "type": "function",
            "function": {"name": name, "arguments": json.dumps(args)}}


def arguments(said: Any) -> dict[str, Any]:
    """The arguments of a call as an object. Nothing at all is read as none; what cannot be read says so by its key."""
    value = said
    try:
        for _ in range(2):  # some servers write the text of a text
            if isinstance(value, str):
                if len(value) > MOST_SAID:
                    raise ValueError("too long")
                value = json.loads(value, strict=False, object_pairs_hook=_once) if value.strip() else None
        value = {} if value is None else tame(value)
    except (ValueError, RecursionError):
        value = None
    return value if isinstance(value, dict) else {UNREADABLE: whole(str(said))[:MOST_QUOTED]}


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose names stand once each: of two boxes in one call, neither is known to be meant."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice")
    return found


def tame(value: Any, depth: int = 0) -> Any:
    """A value that every store takes: no endless numbers, no halves of characters, not too deep.

    Raises:
        ValueError: It is nested too deeply to be arguments.
    """
    if depth > DEEPEST:
        raise ValueError("nested too deeply")
    if isinstance(value, str):
        return whole(value)
    if isinstance(value, dict):
        return {whole(str(key)): tame(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        return [tame(item, depth + 1) for item in value]
    if isinstance(value, int | float) and not abs(value) <= LARGEST_NUMBER:
        return "a number that is too large"
    return value


def whole(text: str) -> str:
    """Text without lone halves of surrogate pairs, which cannot be stored or sent."""
    return text.encode("utf-8", "replace").decode("utf-8")


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
    return AIMessage(content=words(message)[:MOST_SAID], tool_calls=calls, response_metadata=meta,
                     additional_kwargs={"kenpin": {"said": said}})


def words(message: AnyMessage) -> str:
    """The text of a message, whatever form its content has."""
    if isinstance(message.content, str):
        return whole(message.content)
    return whole("".join(part if isinstance(part, str) else str(part.get("text", "")) for part in message.content))
