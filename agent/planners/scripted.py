"""A planner that says what a test told it to say."""

from collections.abc import Sequence
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolCall
from langchain_core.outputs import ChatGeneration, ChatResult

from agent.desk import StateDesk
from agent.planners.base import Planner, Request
from agent.state import State
from kenpin.contracts.trace import PlannerInfo


def call(tool: str, why: str = "The script says so.", **args: Any) -> ToolCall:
    """One tool call of a script."""
    return ToolCall(name=tool, args={"why": why, **args}, id="", type="tool_call")


def conclude(text: str, **args: Any) -> ToolCall:
    """The end of a turn."""
    return call("answer", "Everything asked for is done.", text=text, **args)


class ScriptedChat(BaseChatModel):
    """Answers the n-th request of a conversation with the n-th entry of its script; a pure function of the messages."""

    script: list[list[ToolCall]]

    @property
    def _llm_type(self) -> str:
        return "kenpin-scripted"

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> "ScriptedChat":
        return self

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        turn = sum(isinstance(m, HumanMessage) for m in messages)
        said = sum(isinstance(m, AIMessage) for m in messages)
        if said >= len(self.script):
            message = AIMessage(content=f"The script has no entry {said + 1} (turn {turn}).")
        else:
            calls = [ToolCall(**{**c, "id": f"s{said}.{i}"}) for i, c in enumerate(self.script[said])]
            message = AIMessage(content="", tool_calls=calls)
        return ChatResult(generations=[ChatGeneration(message=message)])


def scripted_planner(script: Sequence[ToolCall | Sequence[ToolCall]]) -> Planner:
    """A planner that makes these calls in order; an inner list is several calls in one message."""
    rounds = [[entry] if isinstance(entry, dict) else list(entry) for entry in script]

    def request(state: State, desk: StateDesk) -> Request:
        return Request(messages=list(state["messages"]))

    return Planner(
        info=PlannerInfo(backend="scripted", model="script", prompt="none"),
        model=ScriptedChat(script=rounds),
        request=request,
    )
