"""Values of traces as paths and as words, for commands that name what differs."""

from collections.abc import Iterator
from typing import Any

MOST_SHOWN = 80


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value of JSON data that holds no others, with its path.

    >>> list(leaves({"a": [1, {"b": 2}], "c": []}))
    [('.a[0]', 1), ('.a[1].b', 2), ('.c', [])]
    """
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from leaves(inner, f"{path}.{key}")
    elif isinstance(value, list) and value:
        for number, inner in enumerate(value):
            yield from leaves(inner, f"{path}[{number}]")
    else:
        yield path, value


def shown(value: Any) -> str:
    """A value in one short line; characters that a terminal would act on are spelt out.

    >>> shown("a" * 100)[-5:], shown(None), shown(0.1)
    ("aaa…'", 'nothing', '0.1')
    """
    if value is None:
        return "nothing"
    if isinstance(value, str):
        value = value if len(value) <= MOST_SHOWN else value[: MOST_SHOWN - 1] + "…"
    return repr(value)
