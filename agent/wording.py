"""Words of the loop itself and of the embedded planner, in the language of the instruction."""

import re
from typing import Any

from agent.prompting import render

JAPANESE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uff66-\uff9f]")


def language(lang: str, say: str) -> str:
    """`en` or `ja`: as asked for, or for `auto` that of the instruction."""
    if lang in ("en", "ja"):
        return lang
    return "ja" if JAPANESE.search(say) else "en"


def reply(key: str, lang: str, say: str, **values: Any) -> str:
    """A template of `prompts/answers/`, in the language that the user is answered in."""
    return render(key, language(lang, say), **values)
