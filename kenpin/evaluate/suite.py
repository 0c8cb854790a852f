"""Suites of conversations: what was asked, and what each turn must lead to."""

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from kenpin.contracts.view import Box
from kenpin.evaluate.lines import read_lines

PARTS = frozenset({"upper", "lower", "left", "right", "centre"})
SAME = {"top": "upper", "bottom": "lower", "center": "centre", "middle": "centre", "half": "", "part": ""}


def _part(name: object) -> object:
    """`top-left` as `upper left`; a part that is not known would be held by any box."""
    if not isinstance(name, str):
        return name
    words = [SAME.get(word, word) for word in re.split(r"[\s_-]+", name.lower())]
    if not set(words) - {""} or set(words) - {""} - PARTS:
        raise ValueError(f"no part of a picture: {name!r}; use {', '.join(sorted(PARTS))} or two of them")
    return " ".join(filter(None, words))


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as exc:
        raise ValueError(f"no regular expression: {exc}") from None
    return text


Part = Annotated[str, BeforeValidator(_part)]
Pattern = Annotated[str, AfterValidator(_pattern)]


class Number(BaseModel):
    """A measure with this unit lies within `tol` of `value`; 0 means equal."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    value: float
    unit: str
    tol: float = 0.0


class Expect(BaseModel):
    """All keys that are present must hold. See the contract."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tools: tuple[str, ...] | None = None
    any: tuple[tuple[str, ...], ...] | None = None
    not_tools: tuple[str, ...] | None = None
    verdict: tuple[str | None, ...] | None = None
    finds: tuple[Box, ...] | None = None
    region: Part | None = None
    covers: Box | None = None
    number: Number | None = None
    not_number: Literal["mm_without_scale"] | None = None
    text: Pattern | None = None
    not_text: Pattern | None = None
    clarify: bool | None = None
    not_clarify: bool | None = None
    cites: bool | None = None
    honest: bool | None = None


class Turn(BaseModel):
    """One thing said, and what it must lead to. Other keys are remarks."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    say: str
    expect: Expect


class Conversation(BaseModel):
    """One line of a suite. Other keys are remarks."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    id: str
    image: str
    reference: str | None = None
    mm_per_px: Annotated[float | None, Field(gt=0)] = None
    group: str | None = None
    turns: Annotated[tuple[Turn, ...], Field(min_length=1)]


def read_suite(path: Path) -> list[Conversation]:
    """Read a suite; pictures lie beside it.

    Raises:
        FileRefused: One line that names the file, the line and what is wrong.
    """
    return [conversation for _, conversation in read_lines(path, Conversation, what="suite", holds="conversation")]
