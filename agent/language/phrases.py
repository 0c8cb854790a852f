"""A small language for phrases of the lexicon, and a matcher that finds thousands of them in one pass over a text.

An entry is a list of alternatives separated by `|`. `(a|b)` is a choice, `[a]` may be left out, `word~` stands for its
verb forms (zoom, zooms, zoomed, zooming), `...` bridges up to four words (Japanese: ten characters) of the same clause,
and `<!x>` or `<=x>` before and `>!x<` or `>=x<` after a phrase are conditions on the text around it (regular expressions).
"""

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

ENGLISH = re.compile(r"[a-z]+(?:'(?!s(?![a-z]))[a-z]+)*|\d+(?:\.\d+)?")
GAP_WORDS, GAP_CHARACTERS, NEAR_CHARACTERS = 4, 10, 9
ENDS = frozenset(".;:!?\n。；！？")
GUARD = re.compile(r"<([!=])(.*?)>(?=\S)|>([!=])(.*?)<")
MANY = 4
"""Kana phrases from this length on are found in the other kana too; shorter ones would be found inside other words."""


@dataclass(frozen=True)
class Entry:
    """One alternative of an entry, spelled out."""

    category: str
    name: str
    tail: tuple[str, ...]
    """Parts after a gap."""
    guards: tuple[tuple[str, bool, str], ...]
    """(side, wanted, pattern): conditions before and after."""


@dataclass(frozen=True)
class Found:
    """A phrase in a text."""

    category: str
    name: str
    start: int
    end: int


class Phrases:
    """Phrases of all categories in two indexes, one by English words and one by Japanese characters."""

    def __init__(self) -> None:
        self.english: dict[str, list[Entry]] = {}
        self.lengths: dict[str, set[int]] = {}
        self.japanese: dict[str, list[tuple[str, Entry]]] = {}
        self.pairs: list[tuple[str, str, str, str, bool, tuple[tuple[str, bool, str], ...]]] = []
        """(category, name, first class, second class, japanese, conditions)"""

    def add(self, category: str, name: str, source: str, *, japanese: bool, plural: bool = False) -> None:
        """Add one entry of the lexicon."""
        for alternative in _top_level(source, "|"):
            guards, body = _guards(alternative.strip(), japanese=japanese)
            if body.startswith("@"):
                first, second = (part.removeprefix("@") for part in body.split())
                self.pairs.append((category, name, first, second, japanese, guards))
                continue
            for phrase in _spelled(body):
                head, *tail = [part.strip() for part in phrase.split("...")]
                entry = Entry(category, name, tuple(tail), guards)
                if japanese:
                    self._add_japanese(head.replace("_", " "), entry)
                else:
                    for form in (_plurals(head) if plural and not tail else (head,)):
                        self._add_english(form, entry)

    def _add_english(self, head: str, entry: Entry) -> None:
        words = ENGLISH.findall(head)
        if not words:
            raise ValueError(f"expected words, got {head!r} for {entry.category}.{entry.name}")
        self.english.setdefault(" ".join(words), []).append(entry)
        self.lengths.setdefault(words[0], set()).add(len(words))

    def _add_japanese(self, head: str, entry: Entry) -> None:
        spellings = {head, folded(head)} if len(head) >= MANY and folded(head) != head else {head}
        for spelling in spellings:
            self.japanese.setdefault(spelling[:2], []).append((spelling, entry))

    def scan(self, text: str) -> tuple[Found, ...]:
        """All phrases in a normalised text, overlapping ones included."""
        return (*self._english(text), *self._japanese(text))

    def paired(self, text: str, found: Sequence[Found]) -> Iterator[Found]:
        """Entries of two classes: "take that shine away" is one of glare and one of removal."""
        by: dict[str, list[Found]] = {}
        for one in found:
            if one.category == "classes":
                by.setdefault(one.name, []).append(one)
        for category, name, first, second, japanese, guards in self.pairs:
            reach = NEAR_CHARACTERS if japanese else NEAR_CHARACTERS * 3
            for a in by.get(first, ()):
                for b in by.get(second, ()):
                    if 0 <= b.start - a.end <= reach and not ENDS & set(text[a.end:b.start]) and _holds(text, a.start, b.end, guards):
                        yield Found(category, name, a.start, b.end)

    def _english(self, text: str) -> Iterator[Found]:
        tokens = words_of(text)
        for i, (first, start, _) in enumerate(tokens):
            for count in self.lengths.get(first, ()):
                run = tokens[i:i + count]
                entries = self.english.get(" ".join(word for word, _, _ in run)) if len(run) == count else None
                if entries is None or (count > 1 and _broken(text, run)):
                    continue
                for entry in entries:
                    end = _english_tail(text, tokens, i + count, entry.tail)
                    if end is not None and _holds(text, start, end or run[-1][2], entry.guards):
                        yield Found(entry.category, entry.name, start, end or run[-1][2])

    def _japanese(self, text: str) -> Iterator[Found]:
        if text.isascii():
            return
        index = self.japanese
        other = folded(text)
        for i in range(len(text)):
            for view in ((text, other) if text[i:i + 12] != other[i:i + 12] else (text,)):
                for size in (2, 1):
                    for phrase, entry in index.get(view[i:i + size], ()):
                        if (len(phrase) > 1) == (size == 2) and view.startswith(phrase, i) and not (view is other and len(phrase) < MANY):
                            end = _japanese_tail(view, i + len(phrase), entry.tail)
                            if end is not None and _holds(text, i, end, entry.guards):
                                yield Found(entry.category, entry.name, i, end)


@lru_cache(maxsize=64)
def words_of(text: str) -> tuple[tuple[str, int, int], ...]:
    """English words and numbers of a text with their places."""
    return tuple((m.group(), m.start(), m.end()) for m in ENGLISH.finditer(text))


def folded(text: str) -> str:
    """Katakana as hiragana, character by character."""
    return text.translate(FOLD)


FOLD = {code: code - 0x60 for code in range(0x30A1, 0x30F7)}


def _broken(text: str, run: Sequence[tuple[str, int, int]]) -> bool:
    """Whether something other than a space or a hyphen stands between the words of a phrase."""
    return any(text[a[2]:b[1]] not in (" ", "-", "/", "", "'s ") for a, b in itertools.pairwise(run))


def _english_tail(text: str, tokens: Sequence[tuple[str, int, int]], at: int, tail: tuple[str, ...]) -> int | None:
    """End of the parts after gaps: 0 where there are none, None where they are missing."""
    end = 0
    for part in tail:
        words = tuple(ENGLISH.findall(part))
        place = next((k for k in range(at, min(at + GAP_WORDS + 1, len(tokens) - len(words) + 1))
                      if tuple(t[0] for t in tokens[k:k + len(words)]) == words), None)
        if place is None or ENDS & set(text[tokens[at - 1][2]:tokens[place][1]]):
            return None
        at = place + len(words)
        end = tokens[at - 1][2]
    return end


def _japanese_tail(text: str, end: int, tail: tuple[str, ...]) -> int | None:
    for part in tail:
        place = text.find(part, end, end + GAP_CHARACTERS + len(part))
        if place < 0 or ENDS & set(text[end:place]):
            return None
        end = place + len(part)
    return end


def _holds(text: str, start: int, end: int, guards: tuple[tuple[str, bool, str], ...]) -> bool:
    for side, wanted, pattern in guards:
        near = text[max(0, start - 24):start] if side == "before" else text[end:end + 24]
        if bool(_compiled(pattern).search(near)) is not wanted:
            return False
    return True


@lru_cache(maxsize=512)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def _guards(source: str, *, japanese: bool) -> tuple[tuple[tuple[str, bool, str], ...], str]:
    """Split an alternative into its conditions and the phrase itself."""
    guards = []
    while match := GUARD.search(source):
        before = match.group(1) is not None
        sign, pattern = match.group(1, 2) if before else match.group(3, 4)
        if before:
            pattern = f"(?:{pattern})$" if japanese else rf"(?<![a-z])(?:{pattern})\s*$"
        else:
            pattern = f"^(?:{pattern})" if japanese else rf"^[\s-]*(?:{pattern})(?![a-z])"
        guards.append(("before" if before else "after", sign == "=", pattern))
        source = (source[:match.start()] + source[match.end():]).strip()
    return tuple(guards), source


def _top_level(source: str, separator: str) -> list[str]:
    """Split at a separator that stands in no bracket and in no condition."""
    parts, depth, start, i = [], 0, 0, 0
    while i < len(source):
        c = source[i]
        if source[i:i + 2] in ("<!", "<=") or source[i:i + 2] in (">!", ">="):
            close = source.find(">" if c == "<" else "<", i + 2)
            i = close + 1
            continue
        depth += (c in "([") - (c in ")]")
        if c == separator and depth == 0:
            parts.append(source[start:i])
            start = i + 1
        i += 1
    return [*parts, source[start:]]


@lru_cache(maxsize=4096)
def _spelled(body: str) -> tuple[str, ...]:
    """All spellings of a phrase with choices and optional parts."""
    for i, c in enumerate(body):
        if c in "([":
            depth = 0
            for j in range(i, len(body)):
                depth += (body[j] in "([") - (body[j] in ")]")
                if depth == 0:
                    break
            inner = _top_level(body[i + 1:j], "|") + ([""] if c == "[" else [])
            return tuple(dict.fromkeys(s for part in inner for s in _spelled(body[:i] + part + body[j + 1:])))
    if "~" in body:
        at = body.index("~")
        start = max(body.rfind(" ", 0, at), body.rfind("-", 0, at)) + 1
        return tuple(s for form in _forms(body[start:at]) for s in _spelled(body[:start] + form + body[at + 1:]))
    return (" ".join(body.split()),)


def _forms(verb: str) -> tuple[str, ...]:
    """A verb with its regular endings."""
    if verb.endswith("e"):
        return (verb, verb + "s", verb + "d", verb[:-1] + "ing")
    if verb.endswith("y") and verb[-2] not in "aeou":
        return (verb, verb[:-1] + "ies", verb[:-1] + "ied", verb + "ing")
    if verb.endswith(("s", "sh", "ch", "x", "z")):
        return (verb, verb + "es", verb + "ed", verb + "ing")
    double = verb + verb[-1] if re.search(r"[^aeiou][aeiou][bdgmnprt]$", verb) else verb
    return tuple(dict.fromkeys((verb, verb + "s", verb + "ed", verb + "ing", double + "ed", double + "ing")))


def _plurals(noun: str) -> tuple[str, ...]:
    if noun.endswith(("s", "x", "z", "ch", "sh")):
        return (noun, noun + "es")
    if noun.endswith("y") and noun[-2:-1] not in ("a", "e", "o", "u", ""):
        return (noun, noun[:-1] + "ies")
    return (noun, noun + "s")
