"""Each claim of an answer against the steps that it cites."""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kenpin.contracts.trace import Step
from kenpin.contracts.verdict import Verdict

CITE = re.compile(r"\[(\d{1,3})\]")
TOKEN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:+\-]*")
"""A run that may be a number, or a serial number, date or code as a whole."""
NUMBER = re.compile(r"(?<![\w.])[-+]?\d+(?:[.,]\d+)*")
IDENTIFIER = re.compile(r"^[fotv]\d+$")
SENTENCE = re.compile(r"(?<=[.!?。！？])(?!\d)\s*|\n+")
CLAIMS_OK = re.compile(
    r"\b(?:no (?:visible |other )?(?:defects?|anomal\w+|scratch\w*|cracks?)|defect[- ]free|pass(?:es|ed)?|acceptable|is ok)\b"
    r"|異常(?:は)?(?:なし|あり?ません|ない)|(?:傷|欠陥|不良)は(?:なし|ありません|ない)|合格(?!基準|判定)|良品です",
    re.IGNORECASE,
)


def cited(text: str) -> tuple[int, ...]:
    """Step numbers that a text cites as `[n]`, in order of first mention."""
    return tuple(dict.fromkeys(int(n) for n in CITE.findall(text)))


def unverified(text: str, steps: Sequence[Step], *, said: str = "", known: Sequence[float] = ()) -> tuple[str, ...]:
    """Claims of a text that none of its cited steps supports.

    Args:
        text: The answer. A sentence with citations may use numbers of those steps only; one without may use those of
            any step that the answer cites.
        steps: Every step of the conversation.
        said: The user's own words, whose numbers may be repeated.
        known: Other numbers that need no step: limits and scales that are configured.
    Returns:
        The claims as they stand in the text, and `[n]` for each citation of a step that does not exist or failed.
    """
    by_number = {step.n: step for step in steps if step.status == "ok"}
    text = unicodedata.normalize("NFKC", text)
    everything = cited(text)
    missing = [f"[{n}]" for n in everything if n not in by_number]
    free = {*numbers_in(unicodedata.normalize("NFKC", said)), *known}
    for sentence in filter(None, SENTENCE.split(text)):
        names = cited(sentence) or everything
        sources = [by_number[n] for n in names if n in by_number]
        missing += [claim for claim in _claims(sentence) if not _supported(claim, sources, free, said)]
    return tuple(dict.fromkeys(missing))


def contradicts(text: str, verdict: Verdict | None) -> str | None:
    """The words in which a text claims that all is well although the verdict does not; None if it does not."""
    if verdict in (None, Verdict.OK):
        return None
    found = CLAIMS_OK.search(text)
    return found.group() if found else None


def _claims(sentence: str) -> Iterator[str]:
    bare = CITE.sub(" ", sentence)
    for match in TOKEN.finditer(bare):
        token = match.group().rstrip(".,:/+-")
        if any(c.isdigit() for c in token) and not IDENTIFIER.match(token):
            yield token


def _supported(claim: str, sources: Sequence[Step], free: set[float], said: str) -> bool:
    strings = [s.casefold() for step in sources for s in _strings(step.result)]
    if (
        any(claim.casefold() in s for s in strings)
        or claim.casefold() in unicodedata.normalize("NFKC", said).casefold()
    ):
        return True
    values = numbers_in(claim)
    pool = free | {abs(v) for step in sources for v in _numbers([step.result, step.args])}
    return bool(values) and all(_near(value, digits, pool) for value, digits in values.items())


def numbers_in(text: str) -> dict[float, int]:
    """Each number of a text with the count of decimals that it is written with."""
    found = {}
    for raw in NUMBER.findall(re.sub(r"(?<=\d)(?=[A-Za-zµμ%°²])", " ", text)):
        plain = raw.replace(",", "")
        if plain.count(".") <= 1:
            found[abs(float(plain))] = len(plain.partition(".")[2])
    return found


def _near(value: float, digits: int, pool: set[float]) -> bool:
    """Equal after rounding to the written decimals, as it stands or as a percentage."""
    half = 0.5 * 10.0**-digits + 1e-9
    return any(abs(value - abs(v)) <= half or abs(value - 100 * abs(v)) <= half for v in pool)


def _numbers(data: Any) -> Iterator[float]:
    if isinstance(data, bool) or data is None:
        return
    if isinstance(data, int | float):
        yield float(data)
    elif isinstance(data, str):
        yield from numbers_in(data)
    elif isinstance(data, Mapping):
        for value in data.values():
            yield from _numbers(value)
    elif isinstance(data, Sequence):
        yield float(len(data))
        for value in data:
            yield from _numbers(value)


def _strings(data: Any) -> Iterator[str]:
    if isinstance(data, str):
        yield unicodedata.normalize("NFKC", data)
    elif isinstance(data, Mapping):
        for value in data.values():
            yield from _strings(value)
    elif isinstance(data, Sequence):
        for value in data:
            yield from _strings(value)
