"""The system message: rules, what the model's numbers mean, and what was given when the inspection started.

It depends on the setup and the first instruction only. Nothing that a tool, a picture or a case says gets into it.
"""

import hashlib
from functools import lru_cache
from typing import Any

from jinja2 import Template
from langchain_core.messages import HumanMessage

from agent.desk import StateDesk
from agent.planners.frames import frame
from agent.planners.vllm_pictures import Encoder
from agent.planners.vllm_results import harmless
from agent.prompting import ENV, read, sha256
from agent.state import State
from agent.wording import language
from kenpin.contracts.view import ViewKind

PROMPT = "planner/1"
"""Version of `prompts/planner/`; raised with every change of meaning."""


def prompt_sha256(lang: str) -> str:
    """What the trace says of the prompt files: of the one language, or of both where the instruction decides."""
    if lang in ("en", "ja"):
        return sha256(f"planner/{lang}.md")
    return hashlib.sha256("".join(sha256(f"planner/{name}.md") for name in ("en", "ja")).encode()).hexdigest()


def system_prompt(state: State, desk: StateDesk, encoder: Encoder, lang: str) -> str:
    """Render the system message of an inspection.

    Raises:
        jinja2.UndefinedError: The prompt file names a variable that is not given.
    """
    chosen = lang if lang != "auto" else desk.setup.lang
    return _template(language(chosen, _first_words(state))).render(**_values(desk, encoder, chosen)).strip()


def _values(desk: StateDesk, encoder: Encoder, lang: str) -> dict[str, Any]:
    """The variables of the prompt files."""
    setup, uploads = desk.setup, []
    scales = {image.id: image.mm_per_px for image in setup.images}
    for view in desk.views.values():
        if view.kind is ViewKind.UPLOAD:
            place = frame(view.width, view.height, family=encoder.family, long_side=encoder.long_side)
            uploads.append({"id": view.id, "role": view.role.value, "width": view.width, "height": view.height,
                            "across": place.across, "down": place.down, "mm_per_px": scales.get(view.id)})
    criteria = setup.criteria
    limits = [_line(limit.name) for limit in criteria.limits] if criteria else []
    return {"frame": encoder.family.kind, "uploads": uploads, "good": len(setup.good), "answer_lang": lang,
            "product": _line(setup.product), "limits": limits, "revision": _line(criteria.revision) if criteria else ""}


def _line(text: str | None) -> str:
    """A name as data: one line, no markers, not endless."""
    return harmless(" ".join((text or "").split()))[:200]


def _first_words(state: State) -> str:
    """The instruction that opened the conversation; its language stays that of the system message."""
    first = next((m for m in state["messages"] if isinstance(m, HumanMessage)), None)
    return str(first.content) if first else state["say"]


@lru_cache(maxsize=2)
def _template(lang: str) -> Template:
    return ENV.from_string(read(f"planner/{lang}.md"))
