"""Tools as strict JSON schemas, and the arguments that come back through them.

Strict means what servers that enforce it ask for: every property required (an optional one may be null), no further
properties, no references, and only keywords that grammars know.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from agent.planners.frames import Frame, Kind, is_numbers
from tools.spec import Tool

KEPT = ("type", "enum", "description", "minimum", "maximum", "minItems", "maxItems")
"""Keywords that are passed on as they are. Lengths of strings and the like are checked when the call comes back."""
POINT_NAME = re.compile(r"(?:^|_)(?:points?|from|to|start|ends?|cent(?:er|re)|corners?|line|at|p\d?)(?:_|$)")
"""Names of arguments whose pairs of numbers are places; other pairs are ranges or sizes."""
ORIGINAL = re.compile(
    r"\b(?:in )?(?:original pixels|pixels? (?:of|in) the (?:original|source)(?: upload| picture| image)?)",
    re.IGNORECASE)
UNITS: dict[Kind, str] = {
    "per_mille": "in 0-1000 of the width and height of the whole upload",
    "resized": "in pixels of the whole upload as it was sent to you",
}
MOST_WHY = 400

Schema = dict[str, Any]


def strict_tools(tools: Mapping[str, Tool], kind: Kind) -> list[dict[str, Any]]:
    """The tools as a chat request names them, their keys in the order in which vLLM writes them into a prompt: what is
    trained or run in process then reads as what is served (`tests/vllm/test_alike.py`).

    Raises:
        TypeError: A tool has an argument that no strict schema can say; a mistake in the tool.
    """
    return [{"type": "function", "function": {
        "name": tool.name, "description": " ".join(tool.description.split()),
        "parameters": strict(tool.schema(), kind), "strict": True}} for tool in tools.values()]


def strict(schema: Schema, kind: Kind) -> Schema:
    """A pydantic model's schema in the strict form, with places described in the model's units."""
    return _node(schema, schema.get("$defs", {}), kind, depth=0)


def _node(schema: Schema, defs: Mapping[str, Schema], kind: Kind, *, depth: int) -> Schema:
    if depth > 16:
        raise TypeError("a tool's arguments refer to themselves; a strict schema cannot say that")
    schema = _resolved(schema, defs)
    if "anyOf" in schema or "oneOf" in schema:
        parts = schema.get("anyOf") or schema["oneOf"]
        node: Schema = {"anyOf": [_node(part, defs, kind, depth=depth + 1) for part in parts]}
    elif "const" in schema:
        node = {"enum": [schema["const"]]} | ({"type": schema["type"]} if "type" in schema else {})
    else:
        node = {key: schema[key] for key in KEPT if key in schema and key != "description"}
        node |= _children(schema, defs, kind, depth=depth)
    if "description" in schema:
        node["description"] = " ".join(schema["description"].split())
    if not node.keys() & {"type", "enum", "anyOf"}:
        raise TypeError(f"a tool's argument has no type that a strict schema can say: {json.dumps(schema)[:200]}")
    return node


def _resolved(schema: Schema, defs: Mapping[str, Schema]) -> Schema:
    """Follow references; words beside a reference stay."""
    if len(schema.get("allOf", ())) == 1:
        schema = {**schema["allOf"][0], **{key: value for key, value in schema.items() if key != "allOf"}}
    for _ in range(8):
        if "$ref" not in schema:
            return schema
        target = defs[schema["$ref"].rpartition("/")[2]]
        schema = {**target, **{key: value for key, value in schema.items() if key != "$ref"}}
    raise TypeError("a tool's arguments refer to themselves; a strict schema cannot say that")


def _children(schema: Schema, defs: Mapping[str, Schema], kind: Kind, *, depth: int) -> Schema:
    """The part of a schema that speaks of what lies inside."""
    if schema.get("type") == "object":
        if "properties" not in schema and schema.get("additionalProperties", True) is not False:
            raise TypeError("a tool's argument is an open object; name its properties")
        properties = schema.get("properties", {})
        required = set(schema.get("required", ()))
        return {"properties": {name: _property(name, part, defs, kind, depth=depth, required=name in required)
                               for name, part in properties.items()},
                "required": list(properties), "additionalProperties": False}
    if schema.get("type") == "array":
        return {"items": _items(schema, defs, kind, depth=depth)}
    return {}


def _property(name: str, part: Schema, defs: Mapping[str, Schema], kind: Kind, *, depth: int,
              required: bool) -> Schema:
    """One argument; an optional one may be null, and one that names a place does so in the model's units."""
    node = _node(part, defs, kind, depth=depth + 1)
    if "description" in node and _places(part, defs, name):
        node["description"] = ORIGINAL.sub(UNITS[kind], node["description"])
    options = node.get("anyOf", [])
    if required or any(option.get("type") == "null" for option in options):
        return node
    words = node.pop("description", "")
    default = part.get("default")
    if default not in (None, "", [], {}):
        words = f"{words} null means {json.dumps(default, ensure_ascii=False)}.".strip()
    wrapped: Schema = {"anyOf": [*(options or [node]), {"type": "null"}]}
    return wrapped | ({"description": words} if words else {})


def _places(schema: Schema, defs: Mapping[str, Schema], name: str) -> bool:
    """Whether an argument holds boxes or points."""
    schema = _resolved(schema, defs)
    parts = [*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("prefixItems", ())]
    parts += [schema["items"]] if isinstance(schema.get("items"), dict) else []
    return bool(coordinates(schema, name)) or any(_places(part, defs, name) for part in parts)


def _items(schema: Schema, defs: Mapping[str, Schema], kind: Kind, *, depth: int) -> Schema:
    """What an array holds. Fixed tuples are written as arrays of one kind, with their length beside."""
    prefix = [_node(part, defs, kind, depth=depth + 1) for part in schema.get("prefixItems", ())]
    if not prefix:
        return _node(schema.get("items", {}), defs, kind, depth=depth + 1)
    different = [node for i, node in enumerate(prefix) if node not in prefix[:i]]
    return different[0] if len(different) == 1 else {"anyOf": different}


class Arguments:
    """Reads the arguments of calls by the schemas of their tools: decodes, drops nulls, finds boxes and points."""

    def __init__(self, tools: Mapping[str, Tool]) -> None:
        self._schemas = {name: tool.schema() for name, tool in tools.items()}

    def read(self, tool: str, args: Mapping[str, Any], frame: Frame) -> dict[str, Any]:
        """Arguments as the tool takes them, places in pixels of the upload. What cannot be read stays as it is."""
        plain = {key: value for key, value in args.items() if not self._dropped(tool, key, value)}
        read = self._places(tool, plain, frame.box_in, frame.point_in)
        if isinstance(read.get("why"), str):
            read["why"] = " ".join(read["why"].split())[:MOST_WHY]
        return read

    def write(self, tool: str, args: Mapping[str, Any], frame: Frame) -> dict[str, Any]:
        """The way back: arguments in pixels of the upload as the model would have said them."""
        return self._places(tool, args, frame.box_out, frame.point_out)

    def _property(self, tool: str, name: str) -> Schema:
        found: Schema = self._schemas.get(tool, {}).get("properties", {}).get(name, {})
        return found

    def _dropped(self, tool: str, name: str, value: Any) -> bool:
        """A null for an argument that has another default: the default applies."""
        return value is None and self._property(tool, name).get("default") is not None

    def _places(self, tool: str, args: Mapping[str, Any], box: Callable[[Sequence[float]], Sequence[int]],
                point: Callable[[Sequence[float]], Sequence[float]]) -> dict[str, Any]:
        defs = self._schemas.get(tool, {}).get("$defs", {})
        done = {}
        for name, value in args.items():
            schema = self._property(tool, name)
            done[name] = _walk(_decoded(value, schema, defs), schema, defs, name, (box, point))
        return done


def _decoded(value: Any, schema: Schema, defs: Mapping[str, Schema]) -> Any:
    """A list, object or number that was written as a string."""
    if not isinstance(value, str) or not schema:
        return value
    types = _types(schema, defs)
    if "string" in types or not types & {"array", "object", "number", "integer", "boolean"}:
        return None if value.strip().lower() in ("null", "none") and "null" in types and "enum" not in schema else value
    try:
        return json.loads(value)
    except ValueError:
        return value


def _types(schema: Schema, defs: Mapping[str, Schema]) -> set[str]:
    schema = _resolved(schema, defs)
    parts = schema.get("anyOf") or schema.get("oneOf")
    if parts:
        return {kind for part in parts for kind in _types(part, defs)}
    return {schema["type"]} if isinstance(schema.get("type"), str) else {"string"} if "enum" in schema else set()


def _walk(value: Any, schema: Schema, defs: Mapping[str, Schema], name: str, change: Any) -> Any:
    """Convert what the schema says is a box or a point."""
    schema = _resolved(schema, defs)
    for part in schema.get("anyOf") or schema.get("oneOf") or ():
        changed = _walk(value, part, defs, name, change)
        if changed is not value:
            return changed
    count = coordinates(schema, name)
    if count and is_numbers(value, count):
        places = list(change[0](value) if count == 4 else change[1](value))
        whole = all(part.get("type") == "integer" for part in schema["prefixItems"])
        return [round(v) for v in places] if whole else places
    if isinstance(value, list) and schema.get("type") == "array" and not count:
        prefix, rest = schema.get("prefixItems", []), schema.get("items") or {}
        parts = [*prefix[:len(value)], *[rest] * (len(value) - len(prefix))]
        return [_walk(item, part, defs, name, change) for item, part in zip(value, parts, strict=True)]
    if isinstance(value, dict) and schema.get("type") == "object":
        inner = schema.get("properties", {})
        return {key: _walk(item, inner.get(key, {}), defs, key, change) for key, item in value.items()}
    return value


def coordinates(schema: Schema, name: str) -> int:
    """4 for a box, 2 for a point, 0 for anything else, by the schema of an argument and its name."""
    prefix = schema.get("prefixItems", ())
    numbers = all(part.get("type") in ("integer", "number") for part in prefix)
    if len(prefix) == 4 and numbers:
        return 4
    return 2 if len(prefix) == 2 and numbers and POINT_NAME.search(name) else 0
