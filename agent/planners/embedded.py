"""The embedded planner: no GPU, no download, no key. A learned router and a grammar understand the instruction, and
deterministic procedures run the tools. It is a LangChain chat model, so it runs through the same graph as any other."""

import json
from collections.abc import Generator, Mapping, Sequence
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AnyMessage, BaseMessage, SystemMessage, ToolCall
from langchain_core.outputs import ChatGeneration, ChatResult

from agent.desk import StateDesk
from agent.planners.base import Planner, Request
from agent.procedures.core import Done, Job, Need
from agent.procedures.situation import Dialogue, read_dialogue
from agent.procedures.turn import run_turn
from agent.procedures.understanding import understand
from agent.prompting import render, sha256
from agent.state import Setup, State
from kenpin.config import Settings
from kenpin.contracts.trace import PlannerInfo
from tools.spec import Tool

VERSION = "1"


class EmbeddedChat(BaseChatModel):
    """A pure function of the messages: the same request leads to the same call."""

    @property
    def _llm_type(self) -> str:
        return "kenpin-embedded"

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> "EmbeddedChat":
        """The procedures know the catalogue; there is nothing to bind."""
        return self

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        dialogue = read_dialogue(messages)
        need = next_call(understand(dialogue), dialogue)
        call = ToolCall(name=need.tool, args=need.args, id=f"e{dialogue.number}.{len(dialogue.turn.results)}")
        return ChatResult(generations=[ChatGeneration(message=AIMessage(content="", tool_calls=[call]))])


def next_call(job: Job, dialogue: Dialogue) -> Need:
    """Replay the turn's procedures over the steps already taken; the call after them is the next one."""
    steps = run_turn(job)
    try:
        need = next(steps)
        for result in dialogue.turn.results:
            need = steps.send(_done(result))
    except StopIteration:
        return _ending(job)
    finally:
        _close(steps)
    return need


def _close(steps: Generator[Need, Done, None]) -> None:
    steps.close()


def _done(result: Mapping[str, Any]) -> Done:
    return Done(
        step=result["step"],
        tool=result["tool"],
        args=dict(result["args"]),
        status=result["status"],
        result=dict(result.get("result") or {}),
        error=result.get("error"),
        view=result.get("view"),
    )


def _ending(job: Job) -> Need:
    """The question that is open, or the answer."""
    if job.pending:
        question = job.pending[0]
        text = render(question.key, job.lang, **question.values)
        return Need(
            "ask",
            {
                "why": job.why("ask"),
                "question": " ".join([*job.sentences, text]),
                "missing": [question.key.removeprefix("ask.")],
            },
        )
    kind = "refusal" if job.refused else "answer"
    about = list(dict.fromkeys(job.about))
    return Need(
        "answer",
        {"why": job.why("answer"), "text": " ".join(job.sentences), "kind": kind, "judged": job.judged, "about": about},
    )


def embedded_planner(settings: Settings, tools: Mapping[str, Tool]) -> Planner:
    """Build the embedded planner."""
    info = PlannerInfo(
        backend="embedded",
        model=f"kenpin-embedded/{VERSION}",
        prompt="instructions/1",
        prompt_sha256=sha256("manifest.json"),
    )
    return Planner(info=info, model=EmbeddedChat().bind_tools(list(tools.values())), request=_request)


def _request(state: State, desk: StateDesk) -> Request:
    setup = Setup.model_validate(state["setup"])
    subject = setup.images[0]
    context = {
        "width": subject.width,
        "height": subject.height,
        "lang": setup.lang,
        "product": setup.product,
        "references": sum(image.role == "reference" for image in setup.images),
        "good": len(setup.good),
        "scale": state["scale"] if not state["steps"] else _scale_before(state),
        "criteria": setup.criteria.model_dump(mode="json") if setup.criteria else None,
        "views": {key: {"kind": view["kind"], "source": view["source"]} for key, view in state["views"].items()},
        "verdicts": [
            {key: (turn["answer"] or {}).get(key) for key in ("verdict", "rule", "reasons")} for turn in state["turns"]
        ],
    }
    messages: list[AnyMessage] = [SystemMessage(content=json.dumps(context)), *state["messages"]]
    return Request(messages=messages)


def _scale_before(state: State) -> dict[str, Any] | None:
    """The scale as it was when the turn began, so that replaying the turn takes the same way."""
    scale = state["scale"]
    if scale and scale.get("step") and scale["step"] >= state["steps"][0]["n"]:
        return None
    return scale
