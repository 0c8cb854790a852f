"""Turns calls into recorded steps: runs the tool, stores what it made, draws the evidence, writes the result down."""

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage
from pydantic import ValidationError

from agent.desk import StateDesk
from agent.policy import Limits
from agent.state import State
from agent.toolcall import Call, ToolDone, ToolFailed, ToolRefused, execute, one_line
from kenpin.contracts.ports import CaseSearch, PictureStore
from kenpin.contracts.trace import Step
from kenpin.contracts.view import Box, View
from tools.endings import ENDINGS
from tools.overlay import draw_boxes
from tools.spec import NewView, OnView, Report, Tool

REMINDER = "No tool was called. Call one tool; end the turn with `answer` or `ask`."


@dataclass(frozen=True)
class Recorder:
    """Tools and stores of the loop."""

    tools: Mapping[str, Tool]
    pictures: PictureStore
    cases: CaseSearch | None
    limits: Limits

    @property
    def endings(self) -> frozenset[str]:
        """Names of the calls that end a turn."""
        return frozenset(ENDINGS)

    @property
    def versions(self) -> dict[str, str]:
        """Version of each tool that can be called."""
        return {name: tool.version for name, tool in sorted({**self.tools, **ENDINGS}.items())}

    def desk(self, state: State) -> StateDesk:
        return StateDesk(state, pictures=self.pictures, cases=self.cases)

    def ending(self, call: Call, state: State) -> dict[str, Any] | None:
        """The arguments of a valid `answer` or `ask`; None if they are not valid, so that the step is refused."""
        try:
            args = ENDINGS[call.tool].args.model_validate(call.args)
        except ValidationError:
            return None
        return {"tool": call.tool, "call_id": call.id, "args": args.model_dump(mode="json")}

    def remind(self, message: AIMessage) -> list[AnyMessage]:
        """What a planner that called nothing is told."""
        return [HumanMessage(content=REMINDER, additional_kwargs={"kenpin": "reminder"})]

    def limit(self, state: State, *, extra_ms: float = 0.0) -> str | None:
        """The limit that the turn has reached, if any."""
        if len(state["steps"]) >= self.limits.steps or state["planned"] > 2 * self.limits.steps:
            return f"limit.steps:{self.limits.steps}"
        if state["spent_ms"] + extra_ms > self.limits.seconds * 1000:
            return f"limit.seconds:{self.limits.seconds:g}"
        if state["invalid"] >= self.limits.invalid:
            return f"limit.invalid:{self.limits.invalid}"
        return None

    def step(self, call: Call, state: State, number: int) -> tuple[Step, ToolMessage, dict[str, Any]]:
        """Run one call.

        Returns:
            The step, the message that tells the planner, and what the state learns: `views`, `regions`, `scale`.
        """
        if call.tool in ENDINGS:
            return self._refused(call, number, _why_invalid(call))
        desk = self.desk(state)
        outcome = execute(call, lambda: desk, self.tools)
        match outcome:
            case ToolRefused(reason=reason, ms=ms):
                return self._refused(call, number, reason, ms=ms)
            case ToolFailed(reason=reason, ms=ms):
                return self._refused(call, number, reason, ms=ms, status="failed")
            case ToolDone():
                return self._done(call, outcome, desk, number)

    def _done(
        self, call: Call, done: ToolDone, desk: StateDesk, number: int
    ) -> tuple[Step, ToolMessage, dict[str, Any]]:
        start = time.perf_counter()
        report, learnt = done.report, _learnt(done.report, number)
        view_id = done.args.view if isinstance(done.args, OnView) else None
        evidence = []
        if report.made:
            view = self._store(report.made, desk)
            learnt["views"] = {view.id: view.model_dump(mode="json")}
            view_id = view.id
            evidence.append(view.sha256)
        if report.boxes:
            evidence.append(self._drawn(report, desk, view_id))
        evidence += [self.pictures.put(pixels, lossless=False) for pixels in report.evidence]
        step = Step(
            n=number,
            tool=call.tool,
            why=call.why,
            args=_without_why(done.args.model_dump(mode="json")),
            status="ok",
            result=report.result.model_dump(mode="json"),
            boxes=report.boxes,
            view=view_id,
            evidence=tuple(evidence),
            ms=round(done.ms + (time.perf_counter() - start) * 1000, 2),
        )
        return step, _message(call, step), learnt

    def _store(self, made: NewView, desk: StateDesk) -> View:
        height, width = made.pixels.shape[:2]
        number = 1 + max(int(key[1:]) for key in desk.views)
        return View(
            id=f"v{number}",
            source=made.parent.source,
            parent=made.parent.id,
            kind=made.kind,
            role=made.parent.role,
            sha256=self.pictures.put(made.pixels),
            width=width,
            height=height,
            to_source=made.to_source,
            altered=made.altered or made.parent.altered,
        )

    def _drawn(self, report: Report, desk: StateDesk, view_id: str | None) -> str:
        """The original with the step's boxes on it."""
        source = desk.views[view_id].source if view_id in desk.views else "v0"
        names: dict[Box, str] = {region.box: f"{region.id} {region.label}" for region in report.regions}
        labels = [names.get(box, "") for box in report.boxes]
        return self.pictures.put(draw_boxes(desk.picture(source).pixels, report.boxes, labels=labels), lossless=False)

    def _refused(
        self, call: Call, number: int, reason: str, *, ms: float = 0.0, status: str = "refused"
    ) -> tuple[Step, ToolMessage, dict[str, Any]]:
        step = Step.model_validate(
            {
                "n": number,
                "tool": call.tool,
                "why": call.why,
                "args": _without_why(call.args),
                "status": status,
                "error": reason,
                "ms": ms,
            }
        )
        return step, _message(call, step), {}


def _why_invalid(call: Call) -> str:
    try:
        ENDINGS[call.tool].args.model_validate(call.args)
    except ValidationError as exc:
        return one_line(exc)
    return f"{call.tool} ends a turn and cannot be a step"


def _without_why(args: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in args.items() if key != "why"}


def _learnt(report: Report, number: int) -> dict[str, Any]:
    regions = {r.id: asdict(replace(r, step=number)) for r in report.regions}
    learnt: dict[str, Any] = {"regions": json.loads(json.dumps(regions))}
    if report.scale:
        learnt["scale"] = asdict(replace(report.scale, step=number))
    return learnt


def _message(call: Call, step: Step) -> ToolMessage:
    """What the planner reads of a step. Everything in it is data."""
    content: dict[str, Any] = {"step": step.n, "status": step.status}
    content |= {"error": step.error} if step.error else {"result": step.result}
    if step.view:
        content["view"] = step.view
    return ToolMessage(
        content=json.dumps(content, ensure_ascii=False),
        tool_call_id=call.id,
        name=call.tool,
        status="success" if step.status == "ok" else "error",
    )
