"""Strict renderer over `prompts/`: a missing variable is an error, and each file is known by its sha256."""

import hashlib
from functools import lru_cache
from importlib import resources
from typing import Any

import yaml
from jinja2 import StrictUndefined, Template
from jinja2.sandbox import SandboxedEnvironment

ENV = SandboxedEnvironment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False)
"""Autoescape stays off: this renders plain text for people and models. Pages escape what they show."""


def read(name: str) -> str:
    """Text of a file of the package `prompts`, for instance `planner/en.md`."""
    return resources.files("prompts").joinpath(name).read_text(encoding="utf-8")


@lru_cache(maxsize=64)
def sha256(name: str) -> str:
    """sha256 of a file of the package `prompts`."""
    return hashlib.sha256(resources.files("prompts").joinpath(name).read_bytes()).hexdigest()


@lru_cache(maxsize=8)
def templates(lang: str) -> dict[str, Template]:
    """Answer templates of one language by key."""
    texts: dict[str, str] = yaml.load(read(f"answers/{lang}.yaml"), Loader=_loader())  # noqa: S506 (both loaders are safe)
    return {key: ENV.from_string(text.strip()) for key, text in texts.items()}


def render(key: str, lang: str, **values: Any) -> str:
    """One answer template, filled in.

    Raises:
        jinja2.UndefinedError: The template names a variable that is not given.
    """
    return " ".join(templates(lang)[key].render(**values).split())


@lru_cache(maxsize=1)
def _words() -> dict[str, dict[str, str]]:
    words: dict[str, dict[str, str]] = yaml.load(read("answers/words.yaml"), Loader=_loader())  # noqa: S506 (as above)
    return words


def word(name: str, lang: str) -> str:
    """A name of the trade (`scratch`, `q.blur`, `i.measure`) in one language; a name not in the list as it is."""
    return _words().get(name, {}).get(lang, name)


def _loader() -> Any:
    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)
