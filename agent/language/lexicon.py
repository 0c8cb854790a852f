"""Words of the trade from `prompts/lexicon/*.yaml`, read once."""

from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import yaml

from agent.language.phrases import Phrases
from agent.prompting import read

FILES = ("words", "cues")
NOUNS = frozenset({"object"})


@dataclass(frozen=True)
class Hit:
    """One word found in a text."""

    name: str
    """Canonical name."""
    start: int
    end: int
    text: str


@cache
def phrases() -> Phrases:
    """The matcher over all files of the lexicon."""
    found = Phrases()
    for file in FILES:
        data: dict[str, Any] = yaml.load(read(f"lexicon/{file}.yaml"), Loader=_loader())  # noqa: S506 (both loaders are safe)
        for category, names in data.items():
            for name, words in names.items():
                for lang in ("en", "ja"):
                    for source in words.get(lang, ()):
                        found.add(category, name, source, japanese=lang == "ja", plural=words.get("plural", False) and lang == "en")
    return found


def _loader() -> Any:
    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@lru_cache(maxsize=256)
def _scan(text: str) -> dict[str, tuple[Hit, ...]]:
    by: dict[str, list[Hit]] = {}
    single = phrases().scan(text)
    for found in single:
        by.setdefault(found.category, []).append(Hit(found.name, found.start, found.end, text[found.start:found.end]))
    pairs: dict[str, list[Hit]] = {}
    for found in phrases().paired(text, single):
        pairs.setdefault(found.category, []).append(Hit(found.name, found.start, found.end, text[found.start:found.end]))
    return {category: tuple(sorted((*_longest(by.get(category, [])), *pairs.get(category, [])), key=lambda h: h.start))
            for category in {*by, *pairs}}


def find(category: str, text: str) -> tuple[Hit, ...]:
    """Words of a category in a normalised text, by position; where two overlap, the longer one stays.

    >>> [hit.name for hit in find("defect", "傷と打痕")]
    ['scratch', 'dent']
    """
    return _scan(text).get(category, ())


def _longest(hits: list[Hit]) -> tuple[Hit, ...]:
    kept: list[Hit] = []
    taken: set[int] = set()
    for hit in sorted(hits, key=lambda h: (h.start - h.end, h.start)):
        if hit.start not in taken and hit.end - 1 not in taken:
            kept.append(hit)
            taken.update(range(hit.start, hit.end))
    return tuple(sorted(kept, key=lambda h: h.start))
