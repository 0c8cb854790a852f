"""How well the embedded planner understands wording of people it has not learnt from.

    python bench/router.py [--folds 3] [--curve]

The writers of the instruction store are dealt into folds; the router is fitted without a fold's writers and tested on
them, with the grammar, the rules and the preconditions of the whole planner around it. Printed per language: intents
exactly right, what it does (act, ask, refuse) right, both right, and wrong actions: it ran a tool where it should have
asked or refused, or ran tools of a wish that was not there. `--curve` fits on growing numbers of instructions.
"""

import argparse
import functools
import random
from collections import Counter
from typing import Any

import numpy as np

from agent.language.slots import slots_of
from agent.procedures import understanding
from agent.procedures.core import Job
from agent.procedures.situation import PastTurn, Place, Situation
from agent.procedures.turn import run_turn
from agent.procedures.understanding import Wish
from agent.router import features, fit, model
from agent.wording import language
from kenpin.contracts.verdict import Criteria, Criterion, Op

SIZES = (178, 318, 640, 1280, 2560)
SEARCHED = frozenset({"count", "measure", "judge", "zoom", "crop", "recall"})
"""Wishes that need a search first where they are about defects."""
TALK = frozenset({"sign", "beyond", "chat", "vague", "explain", "send"})


def situation(context: str) -> Situation:
    """A conversation in which what the letters of a context say has happened."""
    places = {f"f{i}": Place(f"f{i}", "scratch", (100 * i, 80, 100 * i + 60, 120), 0.9, 800, 70, 4, 2) for i in (1, 2)}
    results: list[dict[str, Any]] = []
    if set("fn") & set(context):
        found = (
            [{"id": key, "type": p.label, "box": p.box, "score": p.score} for key, p in places.items()]
            if "f" in context
            else []
        )
        results.append(
            {"tool": "detect", "args": {}, "status": "ok", "step": 2, "result": {"findings": found, "decided": True}}
        )
    if "m" in context:
        results.append(
            {
                "tool": "measure",
                "args": {},
                "status": "ok",
                "step": 3,
                "result": {"quantity": "length", "value": 70.0, "unit": "px", "of": "f1", "method": "skeleton"},
            }
        )
        results[0:0] = (
            []
            if "f" in context
            else [
                {
                    "tool": "detect",
                    "args": {},
                    "status": "ok",
                    "step": 2,
                    "result": {
                        "findings": [{"id": "f1", "type": "scratch", "box": [100, 80, 160, 120], "score": 0.9}],
                        "decided": True,
                    },
                }
            ]
        )
    criteria = Criteria(
        revision="1", limits=(Criterion(of="scratch", quantity="length", op=Op.LE, value=5, unit="mm"),)
    )
    past = (
        (PastTurn(say="Look for defects", results=results, ending={"tool": "answer", "about": ["f1"]}),)
        if results
        else ()
    )
    return Situation(
        width=800,
        height=600,
        lang="auto",
        references=int("r" in context),
        good=0,
        scale={"mm_per_px": 0.1, "step": None} if set("sc") & set(context) else None,
        criteria=criteria if "c" in context else None,
        product=None,
        regions=places if set("fm") & set(context) else {},
        views={},
        past=past,
        verdicts=(),
    )


def decide(row: dict[str, Any]) -> tuple[frozenset[str], str]:
    """Intents, and `do`, `ask` or `no`, of the planner for one instruction."""
    here = situation(row["context"])
    before = (Wish(("detect",), slots_of("Look for defects"), "do", 1.0), False) if here.past else None
    wish = understanding._read(row["text"], row["context"], before, here)
    routed = model.route(row["text"], row["context"])
    job = Job(
        say=row["text"],
        lang=language("auto", row["text"]),
        intents=wish.intents,
        slots=wish.slots,
        situation=here,
        act=wish.act,
        confidence=wish.confidence,
        ask_sure=routed.act_scores["ask"],
        wish_sure=max(routed.scores.values()),
    )
    steps = run_turn(job)
    try:
        need = next(steps)
        # A scale that is said is noted before anything is asked for; that is no action yet.
        act = (
            "do" if need.tool != "calibrate" or "calibrate" in row["intents"] else "do" if row["act"] == "do" else "ask"
        )
    except StopIteration:
        act = "ask" if job.pending else "no" if job.refused else "do"
    return frozenset(job.intents), act


def score(rows: list[dict[str, Any]]) -> dict[str, Counter[str]]:
    """Counts per language."""
    counts = {"en": Counter[str](), "ja": Counter[str]()}
    for row in rows:
        intents, act = decide(row)
        wanted = frozenset(row["intents"])
        count = counts[row["language"]]
        same = intents == wanted or act == row["act"] != "do"
        tools, asked = intents - TALK, wanted - TALK
        if asked & SEARCHED and slots_of(row["text"]).defects:
            asked |= {"detect"}
        wrong = act == "do" and bool(tools) and (row["act"] != "do" or bool(tools - asked))
        count.update(all=1, intents=same, act=act == row["act"], right=same and act == row["act"], wrong=wrong)
    return counts


def use(fitted: dict[str, Any]) -> None:
    """Route with this model."""
    loaded = model.Model(**{name: np.asarray(value, np.float32) for name, value in fitted.items()})
    model.load = lambda: loaded  # type: ignore[assignment]
    model.route.cache_clear()
    understanding._routed.cache_clear()


def show(name: str, counts: dict[str, Counter[str]]) -> None:
    for lang, count in counts.items():
        shares = "  ".join(f"{key} {count[key] / count['all']:.3f}" for key in ("intents", "act", "right", "wrong"))
        print(f"{name:>14} {lang}  n {count['all']:5d}  {shares}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--curve", action="store_true")
    given = parser.parse_args()
    cached = functools.cache(features.text_features.__wrapped__)
    fit.text_features = model.text_features = cached  # type: ignore[attr-defined]
    model.form_features = functools.cache(features.form_features.__wrapped__)  # type: ignore[attr-defined]
    model.context_features = functools.cache(features.context_features.__wrapped__)  # type: ignore[attr-defined]
    rows, rng = fit.examples(), random.Random(11)
    writers = {lang: sorted({row["writer"] for row in rows if row["language"] == lang}) for lang in ("en", "ja")}
    for names in writers.values():
        rng.shuffle(names)
    total = {"en": Counter[str](), "ja": Counter[str]()}
    for k in range(given.folds):
        held = {name for names in writers.values() for name in names[k :: given.folds]}
        learn, test = ([r for r in rows if (r["writer"] in held) is side] for side in (False, True))
        if given.curve and k == 0:
            rng.shuffle(learn)
            for size in SIZES:
                use(fit.fit(learn[:size]))
                show(f"{size} examples", score(test))
        use(fit.fit(learn))
        counts = score(test)
        show(f"fold {k + 1}, {len(learn)}", counts)
        for lang, count in counts.items():
            total[lang].update(count)
        if given.curve:
            return
    show("all folds", total)


if __name__ == "__main__":
    main()
