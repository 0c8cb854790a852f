"""Each claim of an answer against the steps that it cites."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agent.claims import MARKER, Claim, Code, Family, Name, Place, Quantity, cited, claims, plain, quantities
from kenpin.contracts.trace import Step
from kenpin.contracts.verdict import Verdict

SENTENCE = re.compile(r"(?<=[.!?。！？])(?!\d)\s*|\n+")
ABOUT_PICTURE = re.compile(
    r"\b(?:picture|image|photo|focus|exposure|glare|resolution|quality)\b|画像|画質|ピント|露出|解像度|写真",
    re.IGNORECASE,
)
PASSES = re.compile(
    r"\b(?<!not )(?<!n't )(?<!cannot )(?<!fails to )(?<!whether it )"
    r"(?:(?:pass(?:es|ed)?|acceptable|defect[- ]free|(?:is|looks) (?:ok|good|fine))\b(?! (?:if|only|once|or)\b))"
    r"|(?<!不)合格(?!基準|判定|とは|では|か)|良品(?:です|と判定|と判断)",
    re.IGNORECASE,
)
"""Words that give a verdict of their own."""
NOTHING = re.compile(
    r"\bno (?:visible |other |further )?(?:defects?|anomal\w+|scratch\w*|cracks?|problems?|issues?|flaws?|damage)\b"
    r"|\bnothing (?:is )?wrong\b"
    r"|(?:異常|問題)(?:は|も)?(?:なし|あり?ません|ない)|(?:傷|キズ|欠陥|不良)[はも](?:なし|ありません|ない|見当たりません)",
    re.IGNORECASE,
)
"""Words that say that nothing was found."""
HASH = re.compile(r"[0-9a-f]{64}")
SHAPES = frozenset({"outline"})
"""Parts of a result whose numbers nobody would claim and which hold so many that anything would be supported."""
MOST_COUNTED = 50
TOLD = frozenset({"product", "cause", "disposition", "note", "lot", "signed_by", "signed_on", "source"})
"""What somebody wrote down about a past case."""


def own_words(text: str, steps: Sequence[Step]) -> str:
    """A text without what it repeats from pictures and past cases word for word: that is data, and claims nothing.

    Lettering counts as repeated only between quotation marks, so that a planner that says as its own what a picture
    told it to say is still held to it.

    Args:
        text: The answer.
        steps: Steps whose results it may repeat.
    """
    text, done = plain(text), [step for step in steps if step.status == "ok"]
    read = {s for step in done if step.tool == "read_text" for s in _strings(step.result)}
    told = {s for step in done if step.tool == "recall" for s in _fields(step.result, TOLD)}
    for data in sorted(read | told, key=len, reverse=True):
        words = r"\s+".join(re.escape(word) for word in plain(data).split())
        if words:
            text = re.sub(rf'[“"「『]\s*{words}\s*[”"」』]', " ", text)
        if data in told and len(data) >= 3:
            text = re.sub(words, " ", text)
    return text


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
    text = MARKER.sub("", plain(text))
    by_number = {step.n: step for step in steps if step.status == "ok"}
    everything = cited(text)
    missing = [f"[{n}]" for n in everything if n not in by_number]
    ids = {s.casefold() for step in by_number.values() for s in _strings([step.result, step.args, step.view])}
    words = _Support(given=[*quantities(said), *map(_given, known)], strings=[plain(said).casefold()])
    for sentence in filter(None, SENTENCE.split(text)):
        sources = [by_number[n] for n in cited(sentence) or everything if n in by_number]
        support = _Support.of(sources).joined(words)
        for claim in claims(sentence, steps=frozenset(by_number)):
            found = _named(claim, ids) if isinstance(claim, Name) else support.holds(claim)
            if not found:
                missing.append(claim.text)
    return tuple(dict.fromkeys(missing))


def contradicts(text: str, verdict: Verdict | None, *, partly: bool = False) -> str | None:
    """The words in which a text claims that all is well although the verdict does not; None if it does not.

    Args:
        text: The answer.
        verdict: By the rules.
        partly: The answer names findings, so that "no scratches" may stand beside them.
    """
    if verdict in (None, Verdict.OK):
        return None
    about_part = [s for s in SENTENCE.split(plain(text)) if s and not ABOUT_PICTURE.search(s)]
    patterns = [PASSES] if partly or verdict is Verdict.UNCERTAIN else [PASSES, NOTHING]
    found = (pattern.search(sentence) for sentence in about_part for pattern in patterns)
    return next((match.group() for match in found if match), None)


def _given(value: float) -> Quantity:
    return Quantity(f"{value:g}", abs(value), 0.0)


def _named(claim: Name, ids: set[str]) -> bool:
    """Whether an id was given by some step; views are named by the loop and by uploads."""
    return claim.text.startswith("v") or claim.text in ids


@dataclass
class _Support:
    """What claims may rest on."""

    numbers: list[Quantity] = field(default_factory=list)
    """Of steps."""
    given: list[Quantity] = field(default_factory=list)
    """Of the user and of the settings; one without a unit may be repeated with any."""
    boxes: list[tuple[float, ...]] = field(default_factory=list)
    """Their coordinates support a box, a point and a number of pixels; a bare number is no coordinate."""
    strings: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, steps: Sequence[Step]) -> "_Support":
        """Everything that the results, arguments and boxes of steps hold."""
        support = cls()
        for step in steps:
            data = [step.result, step.args, step.boxes]
            support.numbers += _numbers(data, None)
            support.boxes += _boxes(data)
            support.strings += [plain(s).casefold() for s in _strings(data)]
        return support

    def joined(self, other: "_Support") -> "_Support":
        return _Support(
            self.numbers + other.numbers,
            self.given + other.given,
            self.boxes + other.boxes,
            self.strings + other.strings,
        )

    def holds(self, claim: Claim) -> bool:
        """Whether something supports a claim."""
        match claim:
            case Quantity():
                written = claim.family is None and (self._written(claim.text) or self._listed(claim))
                return written or self._number(claim)
            case Place(box=box):
                same = any(all(_near(a, v) for a, v in zip(box, b, strict=True)) for b in self.boxes)
                return same or all(any(_near(n, q.value) for q in self.given) for n in box)
            case Code(text=text):
                return self._written(text) or self._parts(text)
            case _:
                return False

    def _number(self, claim: Quantity) -> bool:
        repeated = (q for q in self.given if None in (q.family, claim.family) or q.family == claim.family)
        if claim.family == "px" and any(_near(claim, v) for box in self.boxes for v in box):
            return True
        return any(_near(claim, q.value) for q in repeated) or any(_fits(claim, q) for q in self.numbers)

    def _listed(self, claim: Quantity) -> bool:
        """A number with commas that is a list after all: "100,200"."""
        parts = claim.text.split(",")
        return len(parts) > 1 and all(
            any(_near(n, q.value) for q in self.numbers) for p in parts for n in quantities(p)
        )

    def _written(self, text: str) -> bool:
        """Whether a code of three characters or more stands in a string as a whole, "2024B" of "LOT2024B" too."""
        code = text.casefold()
        before = r"\d" if code[0].isdigit() else "[a-z0-9]"
        whole = re.compile(rf"(?<!{before}){re.escape(code)}(?![a-z0-9])")
        return len(code) >= 3 and any(whole.search(s) for s in self.strings)

    def _parts(self, text: str) -> bool:
        """A range or ratio ("10-20", "4:3", "800x600"), or a date written in another way than its source."""
        parts = re.split(r"[-/:x.]", text)
        if not all(part.isdigit() for part in parts):
            return False
        if len(parts) == 2 and not any(len(p) > 1 and p.startswith("0") for p in parts):
            return all(
                any(_near(n, q.value) for q in [*self.numbers, *self.given]) for p in parts for n in quantities(p)
            )
        wanted = {int(part) for part in parts}
        return any(wanted <= {int(n) for n in re.findall(r"\d+", s)} for s in self.strings)


def _fits(claim: Quantity, number: Quantity) -> bool:
    """Whether a step's number supports a claim: near enough for the decimals written, and in the same kind of unit.

    A claim in millimetres needs a number in millimetres; one in pixels or degrees may rest on a bare number. A bare
    number supports a percentage as a share.
    """
    if claim.family == "%" and number.family is None:
        return _near(claim, 100 * number.value)
    bare = number.family is None and claim.family not in ("mm", "mm2")
    return (claim.family is None or claim.family == number.family or bare) and _near(claim, number.value)


def _near(claim: Quantity, value: float) -> bool:
    """Equal after rounding to the written decimals."""
    return abs(claim.value - abs(value)) <= claim.half + 1e-9 * max(1.0, abs(value))


def _family(key: str, unit: str) -> Family | None:
    """Unit of a number by its key: `length_px`, `mm_per_px`, `size_mm`, or `value` beside `unit`."""
    words = key.split("_")
    if key in ("value", "uncertainty") and unit:
        return {"mm": "mm", "mm2": "mm2", "px": "px", "px2": "px2", "deg": "deg"}.get(unit)  # type: ignore[return-value]
    if "mm" in words:
        return "mm"
    if "px" in words:
        return "px2" if words[0] == "area" else "px"
    return "deg" if "deg" in words else None


def _numbers(data: Any, family: Family | None) -> Iterator[Quantity]:
    if isinstance(data, bool) or data is None:
        return
    if isinstance(data, int | float):
        yield Quantity("", abs(float(data)), 0.0, family)
    elif isinstance(data, str):
        yield from (Quantity("", q.value, 0.0, q.family) for q in quantities(data))
    elif isinstance(data, Mapping):
        unit = str(data.get("unit") or "")
        for key, value in data.items():
            if key not in SHAPES:
                yield from _numbers(value, _family(str(key), unit))
    elif isinstance(data, Sequence):
        if all(isinstance(value, Mapping | str) for value in data):
            # How many there are, or how many of some kind.
            counts = range(1, min(len(data), MOST_COUNTED) + 1) if data else (0,)
            yield from (Quantity("", float(n), 0.0) for n in counts)
        for value in () if _is_box(data) else data:
            yield from _numbers(value, family)


def _is_box(data: Sequence[Any]) -> bool:
    return len(data) == 4 and all(isinstance(v, int | float) and not isinstance(v, bool) for v in data)


def _boxes(data: Any) -> Iterator[tuple[float, ...]]:
    if isinstance(data, Mapping):
        for key, value in data.items():
            if key not in SHAPES:
                yield from _boxes(value)
    elif isinstance(data, Sequence) and not isinstance(data, str):
        if _is_box(data):
            yield tuple(float(v) for v in data)
        else:
            for value in data:
                yield from _boxes(value)


def _fields(data: Any, names: frozenset[str]) -> Iterator[str]:
    """Strings under these keys, at any depth."""
    if isinstance(data, Mapping):
        for key, value in data.items():
            yield from (value,) if key in names and isinstance(value, str) else _fields(value, names)
    elif isinstance(data, Sequence) and not isinstance(data, str):
        for value in data:
            yield from _fields(value, names)


def _strings(data: Any) -> Iterator[str]:
    if isinstance(data, str):
        if not HASH.fullmatch(data):
            yield data
    elif isinstance(data, Mapping):
        for value in data.values():
            yield from _strings(value)
    elif isinstance(data, Sequence):
        for value in data:
            yield from _strings(value)


__all__ = ["cited", "contradicts", "own_words", "unverified"]
