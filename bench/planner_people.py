"""The small planner against the embedded one, on instructions of people whose words neither has learnt from.

    python -m bench.planner_people URL [--instructions 300] [--suite PATH ...] [--json FILE]

URL is a live server (`kenpin serve models/planner-small`). The instructions are those of the four writers of the store
that are held out of the small planner's training; the embedded planner's router is fitted anew without them
(`bench/router.py` does the same for folds). Both planners stand in the same inspections, with the same turns before,
and both are asked until they make a call that is no preliminary (`check_image`, `calibrate`), which the tools answer.

The reference is what people wrote beside the instruction: its wishes, whether it is to be done, asked back or refused,
and kind, place and quantity where they are named. *Right tool*: the call is of a wished tool, of `detect` where a
wish about a defect needs a search, or `ask` or `answer` where that is wanted. *Arguments*: of the instructions with a
kind, place or quantity that such a call can carry, those where it carries all of them. *Wrong action*: a tool runs that
was not wished. Suites (their first turns) are counted by the tools that they expect. The bounds are those of 95 % of
2,000 drawings with replacement; those of a difference are of paired drawings.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from agent.opening import Material
from agent.planners.vllm_server import asking_planner
from agent.router import fit
from bench.planner_small import UNSEEN
from bench.router import SEARCHED, use
from kenpin.config import Settings
from kenpin.contracts.errors import KenpinError
from kenpin.session import material as photographed
from kenpin.tuning.dialogues import HELD_OUT_WRITERS, material, store
from kenpin.tuning.drills import PRELIMINARY, plans
from kenpin.tuning.teacher import Open, Teacher
from tools.catalog import OFFERED

TOOLS_OF = {"calibrate": {"calibrate"}, "quality": {"check_image"}, "crop": {"crop"}, "zoom": {"zoom"},
            "enhance": {"enhance"}, "compare": {"compare"}, "detect": {"detect"}, "count": {"count"},
            "measure": {"measure"}, "judge": {"detect", "measure", "compare", "count", "read_text"},
            "read": {"read_text"}, "recall": {"recall"}, "describe": {"detect", "answer"}, "explain": {"answer"},
            "sign": {"answer"}, "beyond": {"answer"}, "chat": {"answer"}, "vague": {"ask"}}
"""Tools that carry out each wish of the store's labels."""
TALK = {"ask", "answer"}
DEFECTS = frozenset({"scratch", "crack", "pit", "stain", "dent", "chip", "burr", "missing", "foreign", "bubble",
                     "corrosion", "wear", "deform", "other-defect"})
LARGEST = 0.6
"""Of the picture: a box that covers more names no part of it (as in the suites)."""
DRAWS, PARTS = 2000, 8


@dataclass(frozen=True)
class Asked:
    """One instruction, where it is said, and what is right."""

    group: str
    say: str
    begin: tuple[str, int]
    """Which inspection it is said in."""
    wanted: frozenset[str]
    slots: dict[str, Any]


Place = tuple[str, int]
Places = dict[Place, Callable[[Teacher], Open]]
"""How to open each inspection."""


def labelled(count: int, rng: np.random.Generator) -> tuple[list[Asked], Places]:
    """Instructions of the held-out writers, and how to open their inspections."""
    rows = [row for row in store() if row["writer"] in HELD_OUT_WRITERS]
    rows = [rows[i] for i in rng.permutation(len(rows))[:count]]
    opened: Places = {}
    asked = []
    for lang, context in sorted({(row["language"], row["context"]) for row in rows}):
        found = [row for row in rows if (row["language"], row["context"]) == (lang, context)]
        here = plans(lang, context, len(found), rng)
        for number, row in enumerate(found):
            plan = here[number % len(here)]
            key = (f"{lang}/{context}", number % len(here))
            opened[key] = lambda teacher, plan=plan: teacher.begun(  # type: ignore[misc]
                material(plan, first=UNSEEN), plan.says, such_as={"en": "Look.", "ja": "見て。"}[plan.lang])
            asked.append(Asked("people", row["text"], key, wanted(row), row.get("slots") or {}))
    return asked, opened


def wanted(row: dict[str, Any]) -> frozenset[str]:
    """The calls that a label allows."""
    if row["act"] == "ask":
        return frozenset({"ask"})
    if row["act"] == "no":
        return frozenset({"answer"})
    found = {tool for intent in row["intents"] for tool in TOOLS_OF[intent]}
    about = set(str((row.get("slots") or {}).get("of", "")).split("+"))
    searched = set(row["intents"]) & SEARCHED and (about & DEFECTS or "pick" in (row.get("slots") or {}))
    return frozenset(found | ({"detect"} if searched else set()))


def expected(path: Path) -> tuple[list[Asked], Places]:
    """First turns of a suite."""
    asked: list[Asked] = []
    opened: Places = {}
    for number, text in enumerate(path.read_text(encoding="utf-8").splitlines()):
        line = json.loads(text)
        say, expect = line["turns"][0]["say"], line["turns"][0]["expect"]
        tools = set(expect.get("tools", [])) or {tool for some in expect.get("any", []) for tool in some}
        if expect.get("clarify") or expect.get("honest"):
            tools = {"ask"} if expect.get("clarify") else {"ask", "answer"}
        if tools:
            given: Material = photographed(path.parent / line["image"], mm_per_px=line.get("mm_per_px"), **(
                {"references": [path.parent / line["reference"]]} if line.get("reference") else {}))
            opened[(str(path), number)] = lambda teacher, given=given, say=say: teacher.begun(  # type: ignore[misc]
                given, (), such_as=say)
            asked.append(Asked("suites", say, (str(path), number), frozenset(tools), {}))
    return asked, opened


def answered(teacher: Teacher, asked: Asked, begun: Open) -> dict[str, Any]:
    """What a planner called, judged."""
    wishes_itself = PRELIMINARY & asked.wanted
    try:
        calls = teacher.calls(begun, asked.say, PRELIMINARY - wishes_itself)
    except KenpinError as exc:
        return {"call": None, "right": False, "wrong": False, "args": None, "error": str(exc)}
    call = calls[-1]
    right = call["name"] in asked.wanted
    size = begun.state["views"]["v0"]["width"], begun.state["views"]["v0"]["height"]
    return {"call": {"name": call["name"], "args": call["args"]}, "right": right, "wrong":
            not right and call["name"] not in TALK, "args": carried(asked, call["name"], call["args"], size)}


def carried(asked: Asked, name: str, args: dict[str, Any], size: tuple[int, int]) -> bool | None:
    """Whether a call carries the kind, place and quantity that its label names; None where the label names none that a
    wished tool can carry."""
    checks = []
    kinds = set(str(asked.slots.get("of", "")).split("+")) & DEFECTS
    if kinds and "detect" in asked.wanted:
        checks.append(name == "detect" and kinds <= set(args.get("types") or ()))
    if "in" in asked.slots and asked.wanted - TALK:
        checks.append(name in asked.wanted and within(args.get("box"), str(asked.slots["in"]), size))
    if "q" in asked.slots and "measure" in asked.wanted and not ("detect" in asked.wanted and name == "detect"):
        checks.append(name == "measure" and args.get("quantity") in str(asked.slots["q"]).split("+"))
    return all(checks) if checks else None


def within(box: Sequence[float] | None, part: str, size: tuple[int, int]) -> bool:
    """Whether a box lies on the named half or quarter of a picture."""
    if not box:
        return False
    x, y = (box[0] + box[2]) / 2 / size[0], (box[1] + box[3]) / 2 / size[1]
    small = (box[2] - box[0]) * (box[3] - box[1]) <= LARGEST * size[0] * size[1]
    sides = {"left": x < 0.5, "right": x > 0.5, "upper": y < 0.5, "lower": y > 0.5,
             "centre": 0.25 < x < 0.75 and 0.25 < y < 0.75}
    return small and all(sides.get(word, True) for word in part.split())


def measured(rows: Sequence[dict[str, Any]]) -> dict[str, list[bool]]:
    """Per figure, whether it holds for each instruction that it counts."""
    found: dict[str, list[bool]] = {"right tool": [row["right"] for row in rows]}
    found["arguments"] = [row["args"] for row in rows if row["args"] is not None]
    found["wrong action"] = [row["wrong"] for row in rows]
    return {name: values for name, values in found.items() if values}


def bounds(values: Sequence[float], rng: np.random.Generator) -> tuple[float, float]:
    """Bounds of a mean."""
    held = np.asarray(values, float)
    means = held[rng.integers(len(held), size=(DRAWS, len(held)))].mean(1)
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("--instructions", type=int, default=300)
    parser.add_argument("--suite", type=Path, nargs="*", default=[])
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    rng = np.random.default_rng(5)
    use(fit.fit([row for row in fit.examples() if row["writer"] not in HELD_OUT_WRITERS]))
    asked, opened = labelled(given.instructions, rng)
    for path in given.suite:
        more, places = expected(path)
        asked, opened = [*asked, *more], {**opened, **places}
    own = Teacher()
    small = Teacher(pictures=own.pictures, planner=asking_planner(
        Settings(vllm_url=given.url, vllm_frame="per_mille", vllm_timeout=300.0), OFFERED))
    begun = {key: start(own) for key, start in opened.items()}
    with ThreadPoolExecutor(PARTS) as pool:
        results = {"embedded": [answered(own, one, begun[one.begin]) for one in asked],
                   "small": list(pool.map(lambda one: answered(small, one, begun[one.begin]), asked))}
    if given.json:
        given.json.write_text(json.dumps([{"say": one.say, "group": one.group, "wanted": sorted(one.wanted),
                                           **{name: rows[i] for name, rows in results.items()}}
                                          for i, one in enumerate(asked)], ensure_ascii=False, indent=1))
    report(asked, results, rng)


def report(asked: Sequence[Asked], results: dict[str, list[dict[str, Any]]], rng: np.random.Generator) -> None:
    """Print the table: a line a group and figure."""
    by: dict[str, list[int]] = defaultdict(list)
    for i, one in enumerate(asked):
        by[one.group].append(i)
    for group, places in by.items():
        figures = {name: measured([rows[i] for i in places]) for name, rows in results.items()}
        calls = [results["small"][i]["call"] is not None for i in places]
        print(f"{group}: {len(places)} instructions; calls of the small one that hold {np.mean(calls):.3f}")
        for figure in figures["embedded"]:
            for name in results:
                values = figures[name][figure]
                low, high = bounds(values, rng)
                print(f"  {figure:13} {name:9} {np.mean(values):.3f} ({low:.3f} to {high:.3f})  n {len(values)}")
            if figure != "arguments":
                gap = np.subtract(figures["small"][figure], figures["embedded"][figure], dtype=float)
                low, high = bounds(list(gap), rng)
                print(f"  {figure:13} small minus embedded {gap.mean():+.3f} ({low:+.3f} to {high:+.3f})", flush=True)


if __name__ == "__main__":
    main()
