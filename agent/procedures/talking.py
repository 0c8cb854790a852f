"""Procedures that only speak: why, sign-off, what cannot be done, greetings, and questions back."""

from agent.procedures.core import Asks, Job, Steps
from agent.procedures.places import earlier
from agent.procedures.searching import search
from agent.reasons import explain as reason_in_words
from agent.reasons import told


def explain(job: Job) -> Steps:
    """Say on which steps the last results rest."""
    situation = job.situation
    if not situation.past or not any(turn.results for turn in situation.past):
        if "detect" in job.intents or job.done:
            _explain_now(job)
            return
        raise Asks("ask.nothing_done")
    found = earlier(job) or situation.findings[:3]
    steps = [r for turn in situation.past for r in turn.results if r.get("status") == "ok"]
    searches = {r["step"]: r for r in steps if r["tool"] in ("detect", "compare")}
    for place in found[:3]:
        if place.id not in job.about:
            job.about.append(place.id)
        result = searches.get(place.step or 0)
        if result:
            job.tell(
                "explain.finding",
                id=place.id,
                type=job.word(place.label),
                score=round(place.score, 2),
                step=place.step or 0,
                tool=job.word(result["tool"]),
                box=list(place.box),
                area=round(place.area),
                length=round(place.length),
            )
    if not found and searches:
        last = searches[max(searches)]
        job.tell(
            "explain.nothing",
            step=last["step"],
            tool=job.word(last["tool"]),
            reason=told(last["result"], job.lang),
            decided=last["result"].get("decided", False),
        )
    if measured := situation.measured:
        r = measured["result"]
        job.tell("explain.measure", step=measured["step"], quantity=job.word(r["quantity"]), method=r.get("method", ""))
    if not found and not searches and not situation.measured and steps:
        job.tell("explain.steps", items=[{"n": r["step"], "tool": job.word(r["tool"])} for r in steps[-4:]])
    _explain_verdict(job)
    return
    yield


def _explain_verdict(job: Job) -> None:
    judged = [v for v in job.situation.verdicts if v.get("verdict")]
    if judged:
        job.tell(
            "explain.verdict",
            verdict=job.word(f"v.{judged[-1]['verdict']}"),
            rule=judged[-1]["rule"] or "",
            reasons=[reason_in_words(code, job.lang) for code in judged[-1]["reasons"]],
        )


def _explain_now(job: Job) -> None:
    """The reasons belong to what this very turn did; the steps are listed with the answer."""
    steps = [d for d in job.done if d.ok]
    if steps:
        job.tell("explain.steps", items=[{"n": d.step, "tool": job.word(d.tool)} for d in steps])


def sign(job: Job) -> Steps:
    """Signing is for people."""
    job.tell("refuse.sign")
    return
    yield


def beyond(job: Job) -> Steps:
    """Say plainly what one picture and these tools cannot tell."""
    job.tell("refuse.beyond")
    return
    yield


def send(job: Job) -> Steps:
    """Nothing leaves the machine."""
    job.tell("refuse.send")
    return
    yield


def chat(job: Job) -> Steps:
    """Greet, and say what can be asked."""
    job.tell("chat.help")
    return
    yield


def vague(job: Job) -> Steps:
    """Ask what is wanted."""
    raise Asks("ask.wish")
    yield


__all__ = ["beyond", "chat", "explain", "search", "send", "sign", "vague"]
