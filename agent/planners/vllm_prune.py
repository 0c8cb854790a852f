"""Makes a request smaller that a server found too large. The trace keeps everything; only this one prompt shrinks."""

from collections.abc import Sequence
from typing import Any

from langchain_core.messages import AIMessage, AnyMessage, ToolMessage

GONE = {"type": "text", "text": "(picture left out to save room; zoom or crop again to see it)"}
RECENT = 6
"""Messages at the end that keep their full text."""
MOST_OLD_TEXT = 240
"""Characters that an older tool message keeps."""


def pictures_in(messages: Sequence[AnyMessage]) -> int:
    """Number of pictures in a request."""
    return sum(_is_picture(part) for message in messages for part in _parts(message))


def pruned(messages: Sequence[AnyMessage], *, pictures: int | None) -> list[AnyMessage]:
    """A smaller request that says the same.

    Args:
        messages: The request as it was refused.
        pictures: How many pictures the server takes; None if it only said that the prompt is too long, which leaves
            the subject and the newest picture and shortens what older steps said.
    """
    places = [(i, k) for i, message in enumerate(messages)
              for k, part in enumerate(_parts(message)) if _is_picture(part)]
    room = 2 if pictures is None else pictures
    # The first picture is the subject, which always stays.
    kept = set(places[:1] + places[1:][-(room - 1):]) if room > 1 else set(places[:room])
    out = [_without(message, {k for j, k in places if j == i and (j, k) not in kept})
           for i, message in enumerate(messages)]
    if pictures is not None:
        return out
    return [_shortened(message) if i < len(out) - RECENT else message for i, message in enumerate(out)]


def _parts(message: AnyMessage) -> list[Any]:
    return list(message.content) if isinstance(message.content, list) else []


def _is_picture(part: Any) -> bool:
    return isinstance(part, dict) and part.get("type") == "image_url"


def _without(message: AnyMessage, gone: set[int]) -> AnyMessage:
    if not gone:
        return message
    parts = [GONE if k in gone else part for k, part in enumerate(_parts(message))]
    return message.model_copy(update={"content": parts})


def _shortened(message: AnyMessage) -> AnyMessage:
    if isinstance(message, ToolMessage) and isinstance(message.content, str) and len(message.content) > MOST_OLD_TEXT:
        return message.model_copy(update={"content": f"{message.content[:MOST_OLD_TEXT]}… (shortened)"})
    if isinstance(message, AIMessage) and not message.tool_calls and len(str(message.content)) > MOST_OLD_TEXT:
        return message.model_copy(update={"content": f"{str(message.content)[:MOST_OLD_TEXT]}… (shortened)"})
    return message
