"""Which planners there are. An explicit table; each is imported when it is asked for."""

from collections.abc import Callable, Mapping
from importlib import import_module

from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableLambda

from agent.planners.base import Planner, Request
from kenpin.config import Settings
from kenpin.contracts.errors import BadInput, Unavailable
from kenpin.contracts.trace import PlannerInfo
from tools.spec import Tool

PLANNERS: Mapping[str, tuple[str, str]] = {
    "embedded": ("agent.planners.embedded", "embedded_planner"),
    "vllm": ("agent.planners.vllm_server", "asking_planner"),
    "local": ("agent.planners.hf_local", "local_planner"),
}


NOT_KNOWN = "not known"
"""Model of a server that did not say which it serves."""


def absent_if(wanted: bool, name: str, settings: Settings, why: Unavailable) -> Planner:
    """A planner that could not be built because its server or model is not there: each request fails as that did.

    Raises:
        Unavailable: None is wanted.
    """
    if not wanted:
        raise why

    def gone(messages: object) -> AIMessage:
        raise Unavailable(str(why))

    model = (settings.vllm_model if name == "vllm" else None) or NOT_KNOWN
    return Planner(info=PlannerInfo(backend=name, model=model, prompt="none"), model=RunnableLambda(gone),
                   request=lambda state, desk: Request(messages=[]), still=lambda: False)


def planner_named(name: str, settings: Settings, tools: Mapping[str, Tool]) -> Planner:
    """Build a planner.

    Raises:
        BadInput: There is no planner of this name.
        MissingExtra: It needs an optional part that is not installed.
        Unavailable: Its server or model does not answer.
    """
    if name not in PLANNERS:
        raise BadInput(f"there is no planner {name!r}; choose one of {', '.join(PLANNERS)}")
    module, function = PLANNERS[name]
    try:
        build: Callable[[Settings, Mapping[str, Tool]], Planner] = getattr(import_module(module), function)
    except ModuleNotFoundError as exc:
        if exc.name != module:
            raise
        raise Unavailable(f"the planner {name!r} is not part of this version; choose embedded or vllm") from None
    return build(settings, tools)
