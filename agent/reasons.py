"""Reasons of a verdict in plain words."""

from agent.prompting import render, templates, word


def explain(code: str, lang: str) -> str:
    """A reason code of `kenpin.contracts.trace.Answer.reasons` as one sentence.

    >>> explain("limit.steps:32", "en")
    'The turn reached its limit of 32 steps.'
    """
    key, _, rest = code.partition(":")
    if f"reason.{key}" not in templates(lang):
        return code
    if key.startswith(("claim.", "limit.")):
        return render(f"reason.{key}", lang, a=rest, b="")
    first, _, second = rest.partition(":")
    names = (
        ", ".join(word(f"q.{name}", lang) for name in second.split("+"))
        if key.startswith("quality")
        else word(second, lang)
    )
    return render(f"reason.{key}", lang, a=first, b=names)
