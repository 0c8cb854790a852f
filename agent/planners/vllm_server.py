"""The planner behind any OpenAI-compatible server, written for vLLM serving Qwen3-VL."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from langchain_core.messages import AIMessage, AnyMessage
from langchain_core.runnables import Runnable, RunnableConfig, RunnableLambda

from agent.desk import StateDesk
from agent.planners.base import Planner, Request
from agent.planners.frames import family
from agent.planners.vllm_chat import Line, Served, dialogue
from agent.planners.vllm_pictures import Encoder
from agent.planners.vllm_probe import first_use
from agent.planners.vllm_prompt import PROMPT, prompt_sha256
from agent.planners.vllm_reply import read_reply
from agent.planners.vllm_request import Edge, build
from agent.planners.vllm_schema import Arguments, strict_tools
from agent.state import State
from kenpin.config import Settings
from kenpin.contracts.errors import Unavailable
from kenpin.contracts.trace import PlannerInfo
from tools.spec import Tool

SHORT_S = 5.0
"""Time that a server has to say whether it is still the same."""


def asking_planner(settings: Settings, tools: Mapping[str, Tool]) -> Planner:
    """A planner that first asks its server how to talk to it.

    Raises:
        Unavailable: As `vllm_probe.first_use`.
    """
    way = first_use(settings)
    frame = way.kind if way.kind and settings.vllm_frame == "auto" else settings.vllm_frame
    most = min(settings.vllm_pictures, way.most or settings.vllm_pictures)
    planner = vllm_planner(settings.model_copy(update={"vllm_frame": frame, "vllm_pictures": most}), tools,
                           pictures_in_tools=way.in_tools)
    return replace(planner, still=_unchanged(settings))


def _unchanged(settings: Settings) -> Callable[[], bool]:
    """Whether a server still serves what it did: the model, what is behind its name, and its context.

    One that came back may serve another model under the same name, whose boxes mean something else. One that does not
    answer has not said that it changed; what follows from that is the turn's business. The process is not asked for:
    behind a balancer each request may meet another one.
    """
    line = Line(settings.model_copy(update={"vllm_timeout": min(settings.vllm_timeout, SHORT_S)}))

    def seen() -> Served | None:
        try:
            return line.served()
        except Unavailable:
            return None

    before = seen()

    def still() -> bool:
        now = seen()
        return now is None or now == before

    return still


def vllm_planner(settings: Settings, tools: Mapping[str, Tool], lang: str = "auto", *,
                 pictures_in_tools: bool = False) -> Planner:
    """A planner that asks a server.

    Args:
        settings: Where the server is, what to ask it for, and how large a request may be.
        tools: What the model may call, the ends of a turn included (`tools.catalog.OFFERED`).
        lang: Language of the system message; `auto` is that of the inspection or of its first instruction.
        pictures_in_tools: Show new views inside tool messages, for servers and models that were seen to take them
            (`vllm_probe`); otherwise each follows in a user message, which all take.
    Raises:
        Unavailable: Nothing answers at the URL, or it does not serve the model.
    """
    line = Line(settings)
    model = line.served()
    kind = family(model.names, settings.vllm_frame)
    edge = Edge(encoder=Encoder(family=kind, long_side=settings.vllm_long_side), arguments=Arguments(tools),
                cap=lambda: min(settings.vllm_pictures, line.pictures or settings.vllm_pictures),
                lang=lang, in_tools=pictures_in_tools)

    def request(state: State, desk: StateDesk) -> Request:
        return build(state, desk, edge)

    def read(message: AIMessage, state: State, desk: StateDesk) -> AIMessage:
        return read_reply(message, state, desk, edge)

    return Planner(info=_info(model, lang), model=_model(line, model, strict_tools(tools, kind.kind)),
                   request=request, read=read)


def _model(line: Line, model: Served, tools: list[dict[str, object]]) -> Runnable[list[AnyMessage], AIMessage]:
    bound = line.bound(model, tools)

    def ask(messages: list[AnyMessage], config: RunnableConfig) -> AIMessage:
        key = config.get("configurable", {}).get("thread_id")
        return line.ask(bound.bind(extra_headers=dialogue(str(key))) if key else bound, messages)

    return RunnableLambda(ask)


def _info(model: Served, lang: str) -> PlannerInfo:
    return PlannerInfo(backend="vllm", model=model.id, prompt=PROMPT, prompt_sha256=prompt_sha256(lang),
                       adapter=model.adapter)
