"""Turns the messages of a request into a prompt as vLLM does it, so that a model reads the same here as served.

Source: vLLM 0.32, `renderers/chat_utils.py` (contents become lists of parts, text of tool messages one string,
arguments objects) and `renderers/hf.py` (the tokenizer's own chat template, no special tokens added).
"""

import base64
import io
import re
from collections.abc import Callable, Sequence
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage

Part = dict[str, Any]
Message = dict[str, Any]
PICTURE: Part = {"type": "image"}
LOOK = {"type": "function", "function": {
    "name": "look", "description": "Looks.", "strict": True,
    "parameters": {"type": "object", "properties": {"at": {"type": "integer"}}, "required": ["at"],
                   "additionalProperties": False}}}
CALLED = {"id": "call00000", "type": "function", "function": {"name": "look", "arguments": {"at": 7}}}
HERMES = re.compile(r'<tool_call>\s*\{"name": ?"look", ?"arguments": ?\{"at": ?7\}\}\s*</tool_call>')
"""A call of `LOOK` in the form of Hermes, Qwen2.5-VL and Qwen3-VL."""


def conversation(messages: Sequence[BaseMessage]) -> tuple[list[Message], list[bytes]]:
    """The messages as a chat template takes them, and the files of their pictures in order."""
    pictures: list[bytes] = []
    return [_message(message, pictures) for message in messages], pictures


def _message(message: BaseMessage, pictures: list[bytes]) -> Message:
    parts = _parts(message.content, pictures)
    match message:
        case SystemMessage():
            return {"role": "system", "content": parts}
        case HumanMessage():
            return {"role": "user", "content": parts}
        case ToolMessage():
            words = all(part["type"] == "text" for part in parts)
            content = "\n".join(part["text"] for part in parts) if words else parts
            return {"role": "tool", "content": content, "tool_call_id": message.tool_call_id}
        case AIMessage(tool_calls=[]):
            return {"role": "assistant", "content": parts}
        case AIMessage():
            calls = [{"id": call["id"], "type": "function",
                      "function": {"name": call["name"], "arguments": dict(call["args"])}}
                     for call in message.tool_calls]
            return {"role": "assistant", "content": parts if message.content else [], "tool_calls": calls}
    raise TypeError(f"a request holds no {type(message).__name__}")


def _parts(content: Any, pictures: list[bytes]) -> list[Part]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    parts = []
    for part in content:
        if part["type"] == "image_url":
            # Our own encoder wrote it; no address is ever fetched.
            pictures.append(base64.b64decode(part["image_url"]["url"].partition(";base64,")[2], validate=True))
            parts.append(PICTURE)
        else:
            parts.append({"type": "text", "text": part["text"]})
    return parts


def opened(file: bytes) -> Any:
    """A picture as the processor takes it: PIL, RGB."""
    from PIL import Image

    return Image.open(io.BytesIO(file)).convert("RGB")


def missing(render: Callable[[list[Message], list[Message]], str]) -> str | None:
    """What a chat template lacks that the planner needs; None if nothing.

    Args:
        render: Renders messages and tools to text.
    """
    said = [_says("system", "You inspect."), _says("user", "Look there.")]
    shown = render(said, [LOOK])
    if "look" not in shown:
        return "takes no tools"
    if "Look there." not in shown:
        return "leaves out user messages"
    told = {"role": "tool", "content": "Seen 4711.", "tool_call_id": CALLED["id"]}
    shown = render([*said, {"role": "assistant", "content": [], "tool_calls": [CALLED]}, told], [LOOK])
    if not HERMES.search(shown):
        return 'writes calls in another form than <tool_call>{"name": …, "arguments": …}</tool_call>'
    return None if "Seen 4711." in shown else "leaves out tool messages"


def _says(role: str, text: str) -> Message:
    return {"role": role, "content": [{"type": "text", "text": text}]}
