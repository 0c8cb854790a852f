"""The planner without a server: the same model, prompt and edge as `vllm_server`, through transformers in process."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.messages import AIMessage, AnyMessage, BaseMessage, convert_to_messages
from langchain_core.runnables import RunnableLambda

from agent.desk import StateDesk
from agent.planners import vllm_chat
from agent.planners.base import Planner, Request
from agent.planners.frames import family
from agent.planners.hf_calls import reply
from agent.planners.hf_model import held
from agent.planners.vllm_chat import Served
from agent.planners.vllm_pictures import Encoder
from agent.planners.vllm_prompt import PROMPT, prompt_sha256
from agent.planners.vllm_prune import MOST_CUTS, Cuts, cut_at, weight_of_tools
from agent.planners.vllm_reply import read_reply
from agent.planners.vllm_request import Edge, build
from agent.planners.vllm_schema import Arguments, strict_tools
from agent.planners.vllm_ways import Counting, Ways, ways_by
from agent.quiet import keep_private
from agent.state import State
from kenpin.config import Settings
from kenpin.contracts.errors import FileRefused, Unavailable
from kenpin.contracts.trace import PlannerInfo
from tools.spec import Tool


@dataclass(frozen=True)
class Bound:
    """Tools, and the grammar of one call of them."""

    tools: Sequence[Mapping[str, Any]]
    grammar: Any


class InProcess:
    """Stands where `vllm_chat.Line` stands: asks a model that lives in this process."""

    def __init__(self, settings: Settings) -> None:
        """Load the model, unless it is loaded.

        Raises:
            MissingExtra, Unavailable, FileRefused: As `hf_model.held`.
        """
        keep_private()
        self.model = held(settings)
        self.pictures: int | None = None
        """Pictures a prompt may hold, if fewer than set; here none but the context limits them."""
        self._cuts = Cuts()
        limit = self.model.folder.context or settings.local_context
        self.context = min(limit, settings.local_context)

    def served(self) -> Served:
        """The model, as a server would list it."""
        adapter = self.model.adapter
        return Served(id=self.model.folder.name, root=" ".join(self.model.folder.names), context=self.context,
                      adapter=adapter.name if adapter else None)

    def bound(self, model: Served, tools: Sequence[Mapping[str, Any]]) -> Bound:
        """Tools to ask with; the grammar is compiled once."""
        return Bound(tools=tuple(tools), grammar=self.model.grammar(tools))

    def ask(self, bound: Bound, messages: list[AnyMessage]) -> AIMessage:
        """One decision. A prompt that is too long is cut and read again, as `Line.ask` does.

        Raises:
            Unavailable: It is too long even so, or the model cannot answer.
        """
        for _ in range(MOST_CUTS + 1):
            try:
                return self._answer(bound, cut_at(messages, self._cuts.of(messages)))
            except _TooLong as exc:
                refused = exc
                if not self._cuts.further(messages, over=exc.over, fixed=weight_of_tools(bound.tools)):
                    break
        raise Unavailable(f"the prompt is too long for the model in {self.model.folder.path} even without old pictures "
                          f"({refused}); raise KENPIN_LOCAL_CONTEXT, or take a model with a longer context")

    def tokens(self, messages: Sequence[BaseMessage], tools: Sequence[Mapping[str, Any]] = ()) -> list[int]:
        """The tokens of a prompt, those of its pictures included."""
        ids: list[int] = self.model.inputs(messages, tools)["input_ids"][0].tolist()
        return ids

    def _answer(self, bound: Bound, messages: list[AnyMessage]) -> AIMessage:
        inputs = self.model.inputs(messages, bound.tools)
        prompt = int(inputs["input_ids"].shape[1])
        # The room for the reply counts against the context, as on a server; a small one keeps some for the prompt.
        most = min(vllm_chat.MAX_TOKENS, self.context // 4)
        if prompt + most > self.context:
            said = f"{prompt} tokens and {most} for the reply, of {self.context}"
            raise _TooLong(said, over=prompt / (self.context - most))
        text, written, cut = self.model.write(inputs, bound.grammar, most=most)
        used = {"prompt_tokens": prompt, "completion_tokens": written, "total_tokens": prompt + written}
        return reply(text, cut=cut, model=self.model.folder.name, used=used)


class _TooLong(Unavailable):
    """The prompt does not fit the context."""

    def __init__(self, said: str, *, over: float) -> None:
        super().__init__(said)
        self.over = over
        """Its tokens over those that it may have."""


class _Counted(Counting):
    """Counts tokens as the model's own template and processor make them."""

    def __init__(self, line: InProcess) -> None:
        super().__init__()
        self._line = line

    def count(self, messages: list[dict[str, Any]]) -> int | None:
        try:
            return len(self._line.tokens(convert_to_messages(messages)))
        except Unavailable as exc:  # the processor misses the place of a picture, or the template refuses the role
            self.refusal = str(exc)
            return None


def ways_here(line: InProcess, wanted: int) -> Ways:
    """Where the template shows pictures, found out by counting, as a server is asked.

    Raises:
        FileRefused: It shows none.
    """
    found = ways_by(_Counted(line), wanted)
    if not (found.counted and found.taken):
        raise FileRefused(f"{line.model.folder.path}: its chat template shows the model no pictures; add a "
                          "chat_template.jinja as Qwen3-VL has it")
    return found


def local_planner(settings: Settings, tools: Mapping[str, Tool], lang: str = "auto") -> Planner:
    """A planner that runs a model in this process.

    Args:
        settings: Which model, how long a context, and how large a request may be (those of `vllm` count here too).
        tools: What the model may call, the ends of a turn included (`tools.catalog.OFFERED`).
        lang: Language of the system message; `auto` is that of the inspection or of its first instruction.
    Raises:
        MissingExtra: The extra `local` is not installed.
        Unavailable: There is no such model, or not enough memory.
        FileRefused: The folder holds no model that can be used.
    """
    line = InProcess(settings)
    model = line.served()
    kind = family(line.model.folder.names, settings.vllm_frame)
    way = ways_here(line, settings.vllm_pictures)
    edge = Edge(encoder=Encoder(family=kind, long_side=settings.vllm_long_side), arguments=Arguments(tools),
                cap=lambda: settings.vllm_pictures, lang=lang, in_tools=way.in_tools)
    bound = line.bound(model, strict_tools(tools, kind.kind))

    def request(state: State, desk: StateDesk) -> Request:
        return build(state, desk, edge)

    def ask(messages: list[AnyMessage]) -> AIMessage:
        return line.ask(bound, messages)

    def read(message: AIMessage, state: State, desk: StateDesk) -> AIMessage:
        return read_reply(message, state, desk, edge)

    info = PlannerInfo(backend="local", model=model.id, prompt=PROMPT, prompt_sha256=prompt_sha256(lang),
                       adapter=model.adapter)
    return Planner(info=info, model=RunnableLambda(ask), request=request, read=read)
