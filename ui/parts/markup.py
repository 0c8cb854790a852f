"""Little pieces of HTML for lists. Every value is escaped here; the markup is ours."""

from html import escape

from kenpin.contracts.review import State
from kenpin.contracts.verdict import Verdict
from ui.i18n import Texts

SIGNS = {Verdict.OK: "✓", Verdict.NG: "✕", Verdict.UNCERTAIN: "?"}
WORDS = {Verdict.OK: "verdict.ok", Verdict.NG: "verdict.ng", Verdict.UNCERTAIN: "mark.uncertain"}
"""Keys of a verdict's word where there is little room."""
NOTHING = "–"


def piece(name: str, *parts: str) -> str:
    """A cell of a row: `name` is its class, `parts` are markup."""
    return f'<div class="k-{name}">{"".join(parts)}</div>'


def strong(text: str | None) -> str:
    """The line of a cell that is read first; a dash where there is nothing to say."""
    return f"<b>{escape(text or NOTHING)}</b>"


def light(*texts: str | None) -> str:
    """The line below it: what is there of several values."""
    said = " · ".join(escape(text) for text in texts if text)
    return f"<small>{said}</small>" if said else ""


def picture(src: str, alt: str) -> str:
    """A picture, or an empty frame where there is none."""
    return f'<img src="{escape(src)}" alt="{escape(alt)}">' if src else '<span class="k-void"></span>'


def verdict_mark(verdict: Verdict, t: Texts) -> str:
    """A verdict by colour, sign and word."""
    return f'<i class="k-v k-{verdict.value}">{SIGNS[verdict]} {escape(t.raw(WORDS[verdict]))}</i>'


def quiet_mark(text: str) -> str:
    """A mark that is no verdict."""
    return f'<i class="k-v k-none">{escape(text)}</i>'


def state_mark(state: State, t: Texts) -> str:
    """Where an inspection stands."""
    return f'<i class="k-s k-{state.value}">{escape(capital(t.raw("state." + state.value)))}</i>'


def warning_mark(text: str) -> str:
    """Something to look at first."""
    return f'<i class="k-d">{escape(text)}</i>'


def capital(words: str) -> str:
    """Words at the beginning of a field."""
    return words[:1].upper() + words[1:]
