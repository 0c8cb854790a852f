"""The whole loop on a live server: what share of replies are calls that hold, and how long a turn takes.

    python -m bench.planner_live URL [--turns 40] [--show]

URL is a server of `kenpin serve models/planner-small`. Instructions that the small planner was trained on are said, one
turn each, about the bundled pictures, through a whole installation in a folder of its own. Counted: replies of the
model, those that were one call, those whose arguments keep the schema of their tool; steps that were carried out,
turns that ended with an answer or a question, and seconds a turn (of the machine as it was: its load is printed).
"""

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np

from agent.planners.frames import QWEN3
from agent.planners.vllm_chat import Line
from agent.planners.vllm_schema import strict_tools
from kenpin.cli_shared import console_actor
from kenpin.config import Settings
from kenpin.samples import SAMPLES
from kenpin.services import Services
from kenpin.session import material
from kenpin.tuning.dialogues import HELD_OUT_WRITERS, store
from kenpin.wiring import open_kenpin
from tools.catalog import OFFERED

PICTURES = ("panel.png", "fabric_stain.jpg", "fabric_clean.png")
SCHEMAS = {tool["function"]["name"]: tool["function"]["parameters"] for tool in strict_tools(OFFERED, QWEN3.kind)}


def listen() -> list[Any]:
    """Every reply of the server from now on."""
    heard: list[Any] = []
    ask = Line.ask

    def listening(self: Line, bound: Any, messages: Any) -> Any:
        reply = ask(self, bound, messages)
        if any(tool in str(reply.tool_calls) for tool in SCHEMAS):  # not the questions of the first use
            heard.append(reply)
        return reply

    Line.ask = listening  # type: ignore[method-assign]
    return heard


def holds(reply: Any) -> bool:
    """Whether a reply is one call whose arguments keep the schema."""
    try:
        [call] = reply.tool_calls
        jsonschema.validate(call["args"], SCHEMAS[call["name"]])
    except (ValueError, KeyError, jsonschema.ValidationError):
        return False
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("--turns", type=int, default=40)
    parser.add_argument("--show", action="store_true")
    given = parser.parse_args()
    rng = np.random.default_rng(21)
    rows = [row for row in store() if row["writer"] not in HELD_OUT_WRITERS and row["context"] == ""]
    heard, seconds, steps, ends = listen(), [], [], []
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(home=Path(folder), vllm_url=given.url, planner="vllm", vllm_timeout=300.0)
        services, actor = Services(open_kenpin(settings, console=True)), console_actor()
        for number, at in enumerate(rng.permutation(len(rows))[:given.turns]):
            key = services.asking.start(actor, material(SAMPLES / PICTURES[number % len(PICTURES)]))
            start = time.monotonic()
            list(services.asking.say(actor, key, rows[at]["text"]))
            seconds.append(time.monotonic() - start)
            turn = services.asking.trace(actor, key).turns[-1]
            steps += [step.status for step in turn.steps]
            ends.append(turn.answer is not None and not turn.answer.unverified)
            if given.show:
                print(rows[at]["text"], rows[at]["intents"], [(step.tool, step.status) for step in turn.steps],
                      (turn.answer.kind, turn.answer.verdict) if turn.answer else None, flush=True)
    kept = [holds(reply) for reply in heard]
    print(f"{given.turns} turns, {len(heard)} calls: {sum(kept)} keep their schema; {steps.count('ok')} of "
          f"{len(steps)} steps ok; {sum(ends)} turns ended with an answer without doubt; seconds a turn: median "
          f"{np.median(seconds):.1f}, 90 % under {np.percentile(seconds, 90):.1f} (load {os.getloadavg()[0]:.1f} on "
          f"{os.cpu_count()} cores)")


if __name__ == "__main__":
    main()
