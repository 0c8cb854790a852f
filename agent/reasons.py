"""Reasons of a verdict, and of tools that do or do not decide, in plain words."""

from collections.abc import Mapping, Sequence
from typing import Any

from agent.prompting import render, templates, word
from kenpin.contracts.trace import Fallback, PlannerInfo, Step


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


def took_over(
    fallback: Fallback, planner: PlannerInfo, lang: str, *, steps: Sequence[Step] = (), ended: bool = True
) -> str:
    """That another planner than the one that was asked for has a turn in hand, or answered it, as one sentence.

    Args:
        fallback: Of the turn.
        planner: Which one took over.
        lang: `en` or `ja`.
        steps: Of the turn; if some are by the planner that is gone, the sentence says from which step on.
        ended: Whether the turn has ended.
    """
    names = {key: word(f"planner.{info.backend}", lang)
             for key, info in (("main", fallback.instead_of), ("other", planner))}
    at = fallback.at_step if any(step.n < fallback.at_step for step in steps) else None
    return render("fallback.ended" if ended else "fallback.runs", lang, **names, at=at)


def told(result: Mapping[str, Any], lang: str) -> str:
    """Why a tool does or does not decide: by its causes or its reason code, else as the tool itself puts it.

    >>> told({"reason_code": "few_samples", "reason": "too few"}, "ja")
    'しきい値を決めるには良品サンプルが足りません。4枚以上必要です。'
    """
    causes = [str(cause).partition(":") for cause in result.get("causes") or ()]
    if causes and all(f"cause.{key}" in templates(lang) for key, _, _ in causes):
        return ("、" if lang == "ja" else "; ").join(render(f"cause.{key}", lang, a=a) for key, _, a in causes)
    code = f"r.{result.get('reason_code')}"
    words = word(code, lang)
    return str(result.get("reason") or "") if words == code else words
