"""What services refuse, in the language of the page. Services speak English; the page has their lines in Japanese."""

import re
from functools import cache
from pathlib import Path

import yaml

FILE = Path(__file__).parents[1] / "texts" / "refusals.yaml"
PLACE = re.compile(r"\{(\w+)\}")


def in_words(message: str, lang: str) -> str:
    """A line of an error in a language; as it is where there are no other words for it.

    >>> in_words("the comment is empty; write something", "ja")
    'コメントが空です。何か書いてください'
    >>> in_words("entry 3 is no signature that stands", "ja")
    '記録 3 は有効な署名ではありません'
    """
    if lang != "ja":
        return message
    for pattern, words in _table():
        if found := pattern.fullmatch(message):
            return PLACE.sub(lambda place: found[place[1]], words)
    return message


@cache
def lines() -> dict[str, str]:
    """Every line in English with its Japanese."""
    return {str(k): str(v) for k, v in yaml.safe_load(FILE.read_text(encoding="utf-8")).items()}


@cache
def _table() -> tuple[tuple[re.Pattern[str], str], ...]:
    return tuple((_pattern(english), japanese) for english, japanese in lines().items())


def _pattern(english: str) -> re.Pattern[str]:
    parts = PLACE.split(english)
    # Every second part is the name of a place.
    return re.compile("".join(re.escape(p) if i % 2 == 0 else f"(?P<{p}>.+?)" for i, p in enumerate(parts)), re.DOTALL)
