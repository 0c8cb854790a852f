"""Text that came from outside, made harmless for places that read Markdown.

File names, answers, readings and cases are data: they are shown as they are and never become a link, a picture, a
formula, an icon or HTML.
"""

import re
from collections.abc import Collection

PUNCTUATION = re.compile(r"([\\`*_{}\[\]()#+\-.!|~>$<&:=^\"'@/])")
FINDABLE = re.compile(r"(?<=:)(?=[\w+\-/]+:)|(?<=http:)(?=//)|(?<=https:)(?=//)|(?<=www)(?=\.)|(?=@)", re.IGNORECASE)
"""Places where Streamlit looks for emoji names, icons, web and mail addresses after escapes are already undone."""
JOINER = "\u2060"
"""A word joiner: takes no room, and keeps an address or an emoji name from being one."""
CITE = re.compile(r"\[(\d{1,3})\]")


def plain(text: str) -> str:
    """Escape a text so that Markdown shows it character by character; line breaks stay."""
    lines = [_line(line) for line in text.replace("\r\n", "\n").split("\n")]
    return "  \n".join(lines)


def one_line(text: str, *, most: int = 120) -> str:
    """A text on one line, cut to `most` characters. Not escaped."""
    flat = " ".join(text.split())
    return flat if len(flat) <= most else flat[: most - 1].rstrip() + "…"


def cited(text: str, steps: Collection[int], *, doubtful: Collection[str] = ()) -> str:
    """Escape an answer, turn `[n]` into a link to step n if there is such a step, and mark doubtful claims in it."""
    parts = CITE.split(text)
    shown = [_marked(part, doubtful) if i % 2 == 0 else _link(int(part), steps) for i, part in enumerate(parts)]
    return "".join(shown)


def anchor(number: int) -> str:
    """Name of the place on the page where a step stands."""
    return f"step-{number}"


def step_link(number: int) -> str:
    """A link to a step, as `[n]`."""
    return f"[\\[{number}\\]](#{anchor(number)})"


def _link(number: int, steps: Collection[int]) -> str:
    return step_link(number) if number in steps else _doubt(f"[{number}]")


def _marked(text: str, doubtful: Collection[str]) -> str:
    claims = "|".join(re.escape(claim) for claim in sorted(doubtful, key=len, reverse=True))
    if not claims:
        return plain(text)
    parts = re.split(rf"(?<![\w.])({claims})(?![\w.]*\w)", text)
    return "".join(plain(part) if i % 2 == 0 else _doubt(part) for i, part in enumerate(parts))


def _doubt(claim: str) -> str:
    return f":orange-background[:material/link_off: {plain(claim)}]"


def _line(line: str) -> str:
    bare = line.lstrip(" \t")
    indent = "\u00a0" * (len(line.expandtabs(4)) - len(line.expandtabs(4).lstrip(" ")))
    return indent + PUNCTUATION.sub(r"\\\1", FINDABLE.sub(JOINER, bare))
