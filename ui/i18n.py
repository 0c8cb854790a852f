"""Words of the screens in English and Japanese. One YAML file a language, same keys, same placeholders."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import yaml

from ui.parts.plain import plain

Language = Literal["en", "ja"]
LANGUAGES: tuple[Language, ...] = ("en", "ja")
FOLDER = Path(__file__).parent / "texts"


@dataclass(frozen=True)
class Texts:
    """The words of one language."""

    lang: Language
    words: Mapping[str, str]

    def __call__(self, key: str, **values: object) -> str:
        """A text for a place that shows Markdown: the values are escaped, the text itself is ours.

        Raises:
            KeyError: There is no such text, or a placeholder got no value.
        """
        return self.words[key].format_map({name: plain(str(value)) for name, value in values.items()})

    def raw(self, key: str, **values: object) -> str:
        """A text for a place that shows characters as they are: placeholders, file names, picture descriptions."""
        return self.words[key].format_map({name: str(value) for name, value in values.items()})

    def known(self, prefix: str, name: str) -> str:
        """The word for a name from the catalogue or a trace; the name itself (escaped) where there is no word."""
        found = self.words.get(f"{prefix}.{name}")
        return plain(name.replace("_", " ")) if found is None else found

    def raw_known(self, prefix: str, name: str) -> str:
        """As `known`, for a place that shows characters as they are."""
        return self.words.get(f"{prefix}.{name}") or name.replace("_", " ")


@cache
def texts_of(lang: Language) -> Texts:
    """Read the words of a language."""
    words = yaml.safe_load((FOLDER / f"{lang}.yaml").read_text(encoding="utf-8"))
    return Texts(lang=lang, words={str(key): str(value) for key, value in words.items()})
