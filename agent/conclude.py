"""The end of a turn: verdict by rule, claims against steps, and the turn as it stands in the trace."""

from typing import Any

from agent.deciding import in_hand
from agent.evidence import JUDGED, SEARCHES, SURE, Evidence, Judgement
from agent.grounding import cited, contradicts, own_words, unverified
from agent.language.context import in_context
from agent.language.limits import said_limits
from agent.policy import judge
from agent.record import Recorder
from agent.state import Setup, State
from agent.wording import reply
from kenpin.contracts.trace import Answer, Ending, Fallback, Finding, Measure, PlannerInfo, Step, Turn, step_sha256
from kenpin.contracts.verdict import Criterion, Verdict

HOUSE_NUMBERS = (SURE, 255.0)
"""Numbers that an answer may name without a step: the threshold of scores, and the brightest grey level."""


def conclude_turn(state: State, recorder: Recorder, planner: PlannerInfo) -> tuple[dict[str, Any], Answer]:
    """Judge a finished turn.

    Returns:
        The update of the graph's state (the finished turn, and a clean slate for the next), and the answer.
    """
    setup = Setup.model_validate(state["setup"])
    steps = [Step.model_validate(step) for step in state["steps"]]
    ending, limit = state["ending"], recorder.limit(state) or "limit.unknown"
    taken = in_hand(state)
    answer = answer_from(state, limit=limit)
    turn = Turn(
        say=state["say"],
        by=state.get("by"),
        steps=tuple(steps),
        answer=answer,
        sent=tuple(state["sent"]),
        ms=round(state["spent_ms"], 1),
        ending=Ending(tool=ending["tool"], args=ending["args"]) if ending else None,
        limit=None if ending else limit,
        scale=float(state["scale"]["mm_per_px"]) if state["scale"] else None,
        labels=_labels(state, {step.n for step in steps}),
        tools={name: version for name, version in recorder.versions.items() if setup.tools.get(name) != version},
        planner=_other(setup, planner, taken),
        fallback=taken[1] if taken else None,
        seals=tuple(step_sha256(step) for step in steps),
    )
    return {"turns": [turn.model_dump(mode="json")], "steps": [], "sent": []}, answer


def _other(setup: Setup, planner: PlannerInfo, taken: tuple[PlannerInfo, Fallback] | None) -> PlannerInfo | None:
    """The planner that answered a turn, if it is another than the trace's."""
    if taken:
        return taken[0] if taken[0] != setup.planner else None
    return planner if setup.planner not in (None, planner) else None


def answer_from(state: State, *, limit: str) -> Answer:
    """The answer of a turn, from what stands in the state and nothing else: no model, no tool, no picture.

    Args:
        state: At the end of the turn.
        limit: The limit that cut the turn off, if no ending stands in the state.
    """
    setup = Setup.model_validate(state["setup"])
    steps = [Step.model_validate(step) for step in state["steps"]]
    earlier = [Step.model_validate(step) for turn in state["turns"] for step in turn["steps"]]
    ending = state["ending"]
    findings, measures = _findings(state, steps, earlier), _measures(steps)
    if ending is None:
        return _cut_off(state, setup, steps, findings, measures, limit)
    args = ending["args"]
    text = str(args["question"] if ending["tool"] == "ask" else args["text"])
    own = own_words(text, [*earlier, *steps])
    if ending["tool"] == "ask":
        return Answer(
            kind="question", text=text, verdict=None, rule=None, findings=findings, measures=measures, cites=cited(own)
        )
    if args["kind"] == "refusal":
        return Answer(kind="refusal", text=text, verdict=None, rule=None, cites=cited(own))
    evidence = _evidence(state, setup, steps, earlier, findings, measures, asked=bool(args["judged"]))
    known = [value for limit in evidence.limits for value in (limit.value, limit.upper) if value is not None]
    if state["scale"]:
        known.append(float(state["scale"]["mm_per_px"]))
    known += HOUSE_NUMBERS
    claims = unverified(own, [*earlier, *steps], said=" ".join(_words(state)), known=known)
    outcome = judge(evidence, problems=[f"claim.unverified:{claim}" for claim in claims])
    partly = bool(set(args["about"]) & {f.id for f in findings})
    # Where nothing was judged, words that give a verdict are held to it like words beside an open one.
    if claim := contradicts(own, outcome.verdict or Verdict.UNCERTAIN, partly=partly):
        claims = (*claims, claim)
        reasons = (*outcome.reasons, f"claim.contradicts:{claim}")
        outcome = Judgement(Verdict.UNCERTAIN, outcome.rule or "grounding", reasons)
    if claims and outcome.verdict is None:
        outcome = Judgement(Verdict.UNCERTAIN, "grounding", tuple(f"claim.unverified:{claim}" for claim in claims))
    return Answer(
        kind="answer",
        text=text,
        verdict=outcome.verdict,
        rule=outcome.rule,
        findings=findings,
        measures=measures,
        cites=cited(own),
        unverified=claims,
        reasons=outcome.reasons,
    )


def _labels(state: State, steps: set[int]) -> dict[str, str]:
    """What the regions of these steps are."""
    return {key: str(region["label"]) for key, region in state["regions"].items() if region.get("step") in steps}


def _cut_off(
    state: State,
    setup: Setup,
    steps: list[Step],
    findings: tuple[Finding, ...],
    measures: tuple[Measure, ...],
    limit: str,
) -> Answer:
    text = reply("cut_off", setup.lang, state["say"], limit=limit, last=steps[-1] if steps else None)
    return Answer(
        kind="answer",
        text=text,
        verdict=Verdict.UNCERTAIN,
        rule="limits",
        findings=findings,
        measures=measures,
        cites=cited(text),
        reasons=(limit,),
    )


def _words(state: State) -> list[str]:
    return [*(turn["say"] for turn in state["turns"]), state["say"]]


def _evidence(
    state: State,
    setup: Setup,
    steps: list[Step],
    earlier: list[Step],
    findings: tuple[Finding, ...],
    measures: tuple[Measure, ...],
    *,
    asked: bool,
) -> Evidence:
    said = said_limits(state["say"])
    measured = [s for s in (*earlier, *steps) if s.tool == "measure" and s.status == "ok"]
    last = {"result": measured[-1].result} if measured else None
    limits: tuple[Criterion, ...] = in_context(said.limits, last) or (setup.criteria.limits if setup.criteria else ())
    other = {s.n for s in steps if s.tool in JUDGED and not _of_subject(s, state)}
    checks = [s for s in (*earlier, *steps) if s.tool == "check_image" and s.status == "ok" and _whole(s)]
    return Evidence(
        steps=[s for s in steps if s.n not in other],
        findings=findings,
        measures=[m for m in measures if m.step not in other],
        limits=limits,
        only=said.only,
        ignore=said.ignore,
        labels={key: str(region["label"]) for key, region in state["regions"].items()},
        quality=checks[-1] if checks else None,
        asked=asked,
        altered=frozenset(s.n for s in steps if state["views"].get(_looked_at(s), {}).get("altered")),
    )


def _looked_at(step: Step) -> str:
    """The view that a step worked on, which is another one than the view that it made."""
    return str(step.args.get("view", "v0"))


def _of_subject(step: Step, state: State) -> bool:
    """Whether a step looked at the subject; what is true of a golden sample says nothing about the part."""
    return step.status != "ok" or state["views"].get(_looked_at(step), {}).get("source", "v0") == "v0"


def _whole(step: Step) -> bool:
    """Whether a quality check looked at the whole subject as uploaded: a sharp corner does not make a sharp picture."""
    return _looked_at(step) == "v0" and step.args.get("box") is None


def _findings(state: State, steps: list[Step], earlier: list[Step]) -> tuple[Finding, ...]:
    """Findings on the subject: of this turn's searches, and earlier ones that the answer says it is about."""
    ending = state["ending"]
    about = set(ending["args"].get("about", ())) if ending else set()
    found: dict[str, Finding] = {}
    for step in (*earlier, *steps):
        if step.tool in SEARCHES and step.status == "ok" and _of_subject(step, state):
            for data in step.result.get("findings", ()):
                if step in steps or data["id"] in about:
                    found[data["id"]] = Finding(
                        id=data["id"],
                        type=data["type"],
                        box=data["box"],
                        score=data["score"],
                        type_score=data.get("type_score"),
                        outline=data.get("outline", ()),
                        area_px=data.get("area_px"),
                        steps=(step.n,),
                    )
    return tuple(sorted(found.values(), key=lambda f: -f.score))


def _measures(steps: list[Step]) -> tuple[Measure, ...]:
    measures = []
    for step in steps:
        if step.status != "ok":
            continue
        if step.tool == "measure":
            measures.append(
                Measure(
                    step=step.n,
                    **{key: step.result.get(key) for key in ("quantity", "value", "unit", "uncertainty", "of")},
                )
            )
        elif step.tool == "count":
            measures.append(
                Measure(
                    quantity="count",
                    value=step.result["count"],
                    unit="",
                    uncertainty=0.0,
                    of=step.result.get("what"),
                    step=step.n,
                )
            )
    return tuple(measures)
