"""What a dialogue costs a live vLLM server, from the server's own /metrics.

    kenpin serve MODEL            # in another terminal
    python -m bench.serving [--url http://127.0.0.1:8000/v1] [--reply 48] [--size 4000x3000] [--rows own naive full …]

A dialogue of six turns with three steps each is held with a photo of the given size. Every request goes to the server
and is answered by it; what the model says is then replaced by a script, so that every order of messages and every
model holds the same dialogue. Each dialogue has a salt of its own, so that none finds what another left in the cache.

Rows: the share of prompt tokens that the prefix cache gave, in the order in which Kenpin writes its prompts and in the
naive one (what changes stands in the system message, and the pictures come last, sent anew each time); prompt tokens a
turn; the same with pictures at full size, sent anew with each request (the server must be started for them, with
KENPIN_VLLM_LONG_SIDE=4096 and --context 65536); time to the first token; Kenpin's own CPU time a step; and eight
dialogues at once. Only differences of the server's counters are used: nothing else may ask it meanwhile.
"""

import argparse
import statistics
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, SystemMessage, ToolCall
from langchain_core.runnables import RunnableConfig, RunnableLambda
from langgraph.checkpoint.memory import InMemorySaver

from agent.inspector import Inspector, Material, Photo, answer_of
from agent.planners.frames import family
from agent.planners.vllm_chat import Line
from agent.planners.vllm_chat import dialogue as same_dialogue
from agent.planners.vllm_schema import strict_tools
from agent.planners.vllm_server import vllm_planner
from agent.policy import Limits
from agent.record import Recorder
from kenpin.config import Settings, read_settings
from kenpin.samples import SAMPLES
from kenpin.security.uploads import read_upload
from kenpin.wiring import LazyCases, open_kenpin
from tools.catalog import CATALOG, OFFERED

TURNS, STEPS = 6, 3
FULL_SIDE = 4096
"""Pixels of the longest side of what is sent as full size, the most that the settings take."""
ROWS = {"own": "one dialogue, as Kenpin writes it", "naive": "one dialogue, naive order",
        "full": "naive order, pictures at full size", "many": "{} dialogues at once"}
SAYINGS = ("Look at the upper left part.", "右側を拡大してください。", "And the lower edge?", "Is there anything else?",
           "中央をもう一度見てください。", "Summarize what was looked at.")
COUNTERS = {"queried": "vllm:prefix_cache_queries_total", "hit": "vllm:prefix_cache_hits_total",
            "prompt": "vllm:prompt_tokens_total", "first_s": "vllm:time_to_first_token_seconds_sum",
            "firsts": "vllm:time_to_first_token_seconds_count", "requests": "vllm:e2e_request_latency_seconds_count",
            "whole_s": "vllm:e2e_request_latency_seconds_sum"}


def counters(line: Line) -> dict[str, float]:
    """The server's counters, each summed over its labels."""
    answer = line.raw("/metrics")
    assert answer and answer[0] == 200, "the server shows no /metrics"
    sums = dict.fromkeys(COUNTERS, 0.0)
    for text in str(answer[1]).splitlines():
        name, _, value = text.rpartition(" ")
        for key, wanted in COUNTERS.items():
            if name.partition("{")[0] == wanted:
                sums[key] += float(value)
    return sums


def script() -> Iterator[tuple[str, dict[str, Any]]]:
    """What the model is made to say: close-ups of other places in each turn, then an answer."""
    for turn in range(TURNS):
        for step in range(STEPS):
            x, y = 40 + 90 * turn, 60 + 240 * step
            name = "zoom" if step == 1 else "crop"
            args: dict[str, Any] = {"why": f"Place {turn}.{step}.", "view": None, "box": [x, y, x + 300, y + 220]}
            yield name, args | ({"factor": None} if name == "zoom" else {})
        yield "answer", {"why": "Done.", "text": "Looked at it.", "kind": None, "judged": None, "about": None}


def naive(messages: Sequence[AnyMessage], step: int) -> list[AnyMessage]:
    """The same request in the order that comes to mind first: the state of things in the system message, the pictures
    last."""
    pictures: list[Any] = []
    out: list[AnyMessage] = []
    for message in messages:
        parts = message.content if isinstance(message.content, list) else []
        seen = [part for part in parts if isinstance(part, dict) and part.get("type") == "image_url"]
        pictures += seen
        kept = [part for part in parts if part not in seen]
        out.append(message.model_copy(update={"content": kept}) if seen else message)
    out[0] = SystemMessage(f"Step {step} of {TURNS * (STEPS + 1)}.\n{messages[0].content}")
    return [*out, HumanMessage([*pictures, {"type": "text", "text": "These are the pictures."}])]


@dataclass
class Dialogue:
    """One dialogue and what it measured beside the server's counters."""

    settings: Settings
    line: Line
    reply: int
    order: str = "kenpin"
    own_s: list[float] = field(default_factory=list)
    """CPU time of building a request and reading its reply, per step."""
    pictures: list[int] = field(default_factory=list)
    """In each request."""
    turns: int = TURNS

    def hold(self, pixels: np.ndarray, home: Path) -> None:
        """Hold it to its end."""
        with tempfile.TemporaryDirectory(dir=home) as folder:
            kenpin = open_kenpin(self.settings.model_copy(update={"home": Path(folder)}))
            recorder = Recorder(tools=CATALOG, pictures=kenpin.pictures, cases=LazyCases(kenpin),
                                limits=Limits(steps=99, seconds=3600.0))
            inspector = Inspector(self._planner(), recorder, kenpin.traces, InMemorySaver())
            key = inspector.start(Material(subject=Photo(pixels)))
            for say in SAYINGS[:self.turns]:
                answer_of(inspector.say(key, say))
            assert sum(len(turn.steps) for turn in inspector.trace(key).turns) == self.turns * STEPS

    def _planner(self) -> Any:
        planner, said, salt = vllm_planner(self.settings, OFFERED, "en"), script(), uuid.uuid4().hex
        model = self.line.served()
        kind = family([name for name in (model.id, model.root) if name], self.settings.vllm_frame).kind
        bound = self.line.bound(model, strict_tools(OFFERED, kind)).bind(
            extra_body={"max_tokens": self.reply, "cache_salt": salt})

        def ask(messages: list[AnyMessage], config: RunnableConfig) -> AIMessage:
            sent = naive(messages, len(self.pictures)) if self.order == "naive" else messages
            self.line.ask(bound.bind(extra_headers=same_dialogue(config["configurable"]["thread_id"])), sent)
            name, args = next(said)
            return AIMessage("", tool_calls=[ToolCall(name=name, args=args, id="x", type="tool_call")])

        def request(state: Any, desk: Any) -> Any:
            start = time.thread_time()
            built = planner.request(state, desk)
            self.own_s.append(time.thread_time() - start)
            self.pictures.append(len(built.sent))
            return built

        def read(message: AIMessage, state: Any, desk: Any) -> AIMessage:
            start = time.thread_time()
            done = planner.read(message, state, desk)
            self.own_s[-1] += time.thread_time() - start
            return done

        return replace(planner, model=RunnableLambda(ask), request=request, read=read)


def measured(line: Line, dialogues: Sequence[Dialogue], pixels: np.ndarray) -> dict[str, float]:
    """Hold dialogues at once and return what they added to the server's counters, and the seconds that passed."""
    with tempfile.TemporaryDirectory() as home:
        before, start = counters(line), time.perf_counter()
        with ThreadPoolExecutor(len(dialogues)) as pool:
            list(pool.map(lambda one: one.hold(pixels, Path(home)), dialogues))
        seconds, after = time.perf_counter() - start, counters(line)
    return {key: after[key] - before[key] for key in after} | {"seconds": seconds}


def row(name: str, found: dict[str, float], dialogues: Sequence[Dialogue]) -> str:
    """One line of the table."""
    own = [1000 * value for one in dialogues for value in one.own_s]
    return (f"{name:34} {100 * found['hit'] / found['queried']:6.1f} % {found['prompt'] / len(dialogues) / TURNS:9.0f}"
            f" {1000 * found['first_s'] / found['firsts']:8.0f} {1000 * found['whole_s'] / found['requests']:8.0f}"
            f" {statistics.median(own):7.1f} {found['seconds']:7.1f}"
            f" {statistics.mean(count for one in dialogues for count in one.pictures):8.1f}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--url")
    parser.add_argument("--reply", type=int, default=48, help="tokens that each reply may have")
    parser.add_argument("--size", default="4000x3000", help="of the photo")
    parser.add_argument("--at-once", type=int, default=8, help="dialogues of the last row")
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=["own", "naive", "many"])
    given = parser.parse_args()
    width, height = map(int, given.size.split("x"))
    settings = read_settings(vllm_url=given.url, planner="vllm", vllm_timeout=600.0)
    full = settings.model_copy(update={"vllm_long_side": FULL_SIDE})
    line = Line(settings)
    model = line.served()
    pixels = np.asarray(cv2.resize(read_upload(SAMPLES / "panel.png").pixels, (width, height)), dtype=np.uint8)

    def dialogue(order: str = "kenpin", using: Settings = settings) -> Dialogue:
        return Dialogue(using, line, given.reply, order)

    measured(line, [dialogue()], pixels)  # the first pays for what a process does once
    print(f"{model.id} at {line.url}, context {model.context}; photo {width}x{height}; {TURNS} turns, {STEPS} steps "
          f"each; at most {settings.vllm_pictures} pictures of {settings.vllm_long_side} px")
    print(f"{'':34} {'reused':>8} {'tokens/turn':>9} {'first ms':>8} {'reply ms':>8} {'own ms':>7} {'all s':>7}"
          f" {'pictures':>8}")
    kinds = {"own": lambda: [dialogue()], "naive": lambda: [dialogue("naive")],
             "full": lambda: [dialogue("naive", full)], "many": lambda: [dialogue() for _ in range(given.at_once)]}
    for name in given.rows:
        held = kinds[name]()
        print(row(ROWS[name].format(given.at_once), measured(line, held, pixels), held), flush=True)


if __name__ == "__main__":
    main()
