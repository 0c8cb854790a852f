"""Words of the trade from `prompts/lexicon/words.yaml`, compiled once."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import yaml

from agent.prompting import read


@dataclass(frozen=True)
class Hit:
    """One word found in a text."""

    name: str
    """Canonical name."""
    start: int
    end: int
    text: str


@cache
def _patterns() -> dict[str, list[tuple[str, re.Pattern[str]]]]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    data = yaml.load(read("lexicon/words.yaml"), Loader=loader)  # noqa: S506 (both loaders are safe)
    compiled: dict[str, list[tuple[str, re.Pattern[str]]]] = {}
    for category, names in data.items():
        compiled[category] = [
            (name, re.compile(rf"(?<![a-z])(?:{'|'.join(words['en'])})(?![a-z])|(?:{'|'.join(words['ja'])})"))
            for name, words in names.items()]
    return compiled


def names(category: str) -> tuple[str, ...]:
    """Canonical names of a category, in the order of the file."""
    return tuple(name for name, _ in _patterns()[category])


def find(category: str, text: str) -> tuple[Hit, ...]:
    """Words of a category in a normalised text, by position; where two overlap, the longer one stays.

    >>> [hit.name for hit in find("defect", "傷と打痕")]
    ['scratch', 'dent']
    """
    hits = [Hit(name, match.start(), match.end(), match.group())
            for name, pattern in _patterns()[category] for match in pattern.finditer(text) if match.group()]
    return tuple(_longest(hits))


def _longest(hits: list[Hit]) -> Iterator[Hit]:
    kept: list[Hit] = []
    for hit in sorted(hits, key=lambda h: (h.start - h.end, h.start)):
        if all(hit.end <= other.start or hit.start >= other.end for other in kept):
            kept.append(hit)
    yield from sorted(kept, key=lambda h: h.start)
