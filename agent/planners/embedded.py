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
from agent.state import Setup, State, first_step
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
        # Nine letters and digits: a model that goes on with the conversation may have a template that insists on it.
        key = f"e{dialogue.number:04d}{len(dialogue.turn.results):04d}"
        call = ToolCall(name=need.tool, args=need.args, id=key)
        return ChatResult(generations=[ChatGeneration(message=AIMessage(content="", tool_calls=[call]))])


def next_call(job: Job, dialogue: Dialogue) -> Need:
    """Replay the turn's procedures over the steps already taken; the call after them is the next one.

    In a turn that was taken over from another planner, a call that was made before with the same arguments is not made
    again: the procedure gets what came of it then.
    """
    steps, own, found = run_turn(job), iter(dialogue.turn.own), list(dialogue.turn.found)
    try:
        need = next(steps)
        while True:
            known = next((r for r in found if _same(need, r)), None)
            if known is not None:
                found.remove(known)
            elif (known := next(own, None)) is None:
                return need
            need = steps.send(_done(known))
    except StopIteration:
        return _ending(job)
    finally:
        _close(steps)


def _same(need: Need, result: Mapping[str, Any]) -> bool:
    """Whether a step did what is needed, leaving aside the reason, what was left open, and the view that is meant
    anyway."""
    return need.tool == result["tool"] and _asked(need.args) == _asked(result["args"])


def _asked(args: Mapping[str, Any]) -> dict[str, Any]:
    plain = {key: list(value) if isinstance(value, tuple) else value for key, value in args.items()}
    return {key: value for key, value in plain.items()
            if key != "why" and value not in (None, [], "") and (key, value) != ("view", "v0")}


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
    since = _since(state)
    subject = setup.images[0]
    context = {
        "width": subject.width,
        "height": subject.height,
        "lang": setup.lang,
        "product": setup.product,
        "references": sum(image.role == "reference" for image in setup.images),
        "good": len(setup.good),
        "scale": _scale_before(state),
        "since": since,
        "criteria": setup.criteria.model_dump(mode="json") if setup.criteria else None,
        "views": {key: {"kind": view["kind"], "source": view["source"]} for key, view in state["views"].items()},
        "verdicts": [
            {key: (turn["answer"] or {}).get(key) for key in ("verdict", "rule", "reasons")} for turn in state["turns"]
        ],
    }
    messages: list[AnyMessage] = [SystemMessage(content=json.dumps(context)), *state["messages"]]
    return Request(messages=messages)


def _scale_before(state: State) -> dict[str, Any] | None:
    """The scale as it was when this planner began with the turn, so that replaying it takes the same way."""
    scale = state["scale"]
    if scale and scale.get("step") and scale["step"] >= _since(state):
        return None
    return scale


def _since(state: State) -> int:
    """Number of the first step of this turn that is this planner's own."""
    if took := state.get("fallback"):
        return int(took["at_step"])
    return first_step(state) - len(state["steps"])
