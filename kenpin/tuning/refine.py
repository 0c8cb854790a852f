"""Goes on training a small planner on drills: a curriculum that a core can afford.

    python -m kenpin.tuning.refine DRILLS OUT --minutes 60 [--conversations DATA]

DRILLS is a folder of `kenpin.tuning.drills`, DATA one of `kenpin.tuning.dialogues`; `--minutes 0` only puts them into
tokens. OUT holds the model to start from;
it is written every few minutes, with `state.pt` beside it, from which a later start goes on. The part that sees is
left as it is. Extra `tune`.
"""

import argparse
import json
import math
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from kenpin.tuning.branches import Drill, Piece, Ready, Seen, encoded, features, loss, pieces, shaken, without_pictures
from kenpin.tuning.encoding import LONGEST, Encoder, read_dialogues, read_lines
from kenpin.tuning.train import save

RATE = 6e-4
"""Of AdamW, after the warm-up: well below that of a training from random weights, which broke weights that it met."""
WARM = 0.02
LEAST = 0.05
"""Share of the rate that is left at the end."""
ASKED = 1
"""How often a drill that ends in a question or a refusal is drawn for each of the others. A run with 2, and with
batches of like calls, came to ask or refuse at nearly everything."""
TOKENS = 640
"""Of the longest drill."""


@dataclass(frozen=True)
class Stage:
    """A part of the curriculum."""

    name: str
    until: float
    """Share of the time at which it ends."""
    sources: frozenset[str]
    turns: bool
    """Whether drills come behind a turn as well."""
    shown: float
    """Share of the drills that keep their pictures."""
    short: float
    """Share of the drills that end at their first call."""
    whole: float
    """Share of the batches that are whole conversations."""


CURRICULUM = (
    Stage("slots and single turns", 0.35, frozenset({"template", "swapped", "known"}), turns=False, shown=0.15,
          short=0.7, whole=0.0),
    Stage("several turns", 0.85, frozenset({"template", "swapped", "known"}), turns=True, shown=0.3, short=0.5,
          whole=0.1),
    Stage("as it is served", 1.0, frozenset({"template", "swapped", "known"}), turns=True, shown=0.8, short=0.5,
          whole=0.2),
)


@dataclass
class Refining:
    """One run."""

    drills: Path
    out: Path
    minutes: float
    conversations: Path | None = None
    tokens: int = 2600
    """Of a batch, padding included, without its beginning."""
    save_minutes: float = 4.0
    seed: int = 0
    most: int | None = None
    """Drills that are read; None is all."""
    curriculum: Sequence[Stage] = CURRICULUM
    began: float = field(default_factory=time.monotonic)
    done: float = 0.0

    @property
    def share(self) -> float:
        """How much of the time is over, 0 to 1."""
        return min((self.done + (time.monotonic() - self.began) / 60) / self.minutes, 1.0) if self.minutes else 1.0

    @property
    def stage(self) -> Stage:
        """The stage of now."""
        return next((stage for stage in self.curriculum if self.share < stage.until), self.curriculum[-1])


def rate(share: float) -> float:
    """The learning rate at a share of the time."""
    if share < WARM:
        return RATE * max(share / WARM, 0.02)
    return RATE * (LEAST + (1 - LEAST) * 0.5 * (1 + math.cos(math.pi * (share - WARM) / (1 - WARM))))


def prepared(run: Refining, model: Any) -> Ready:
    """What a run learns from; it is kept beside the drills and read again by a later start."""
    import torch

    path = run.drills / "ready.pt"
    if path.exists():
        with torch.serialization.safe_globals([Ready, Drill, Piece]):  # nothing else may be in it
            return cast("Ready", torch.load(path, weights_only=True))
    tools = json.loads((run.drills / "tools.json").read_text(encoding="utf-8"))
    encoder = Encoder(run.out, run.drills, tools)
    beginnings = read_lines(run.drills / "beginnings.jsonl")
    begun, drills = encoded(model, encoder, beginnings, read_lines(run.drills / "drills.jsonl")[:run.most], TOKENS)
    whole = []
    if run.conversations is not None:
        other = Encoder(run.out, run.conversations, tools)
        found = [line for line in read_dialogues(run.conversations) if line["source"] != "by eye"][:run.most]
        whole = [without_pictures(pieces(model, other, [], line["messages"])[1], encoder.pad) for line in found]
    shown = {key for piece in (*begun.values(), *(drill.piece for drill in drills)) for key in piece.pictures}
    made = Ready(begun, drills, [piece for piece in whole if any(piece.weights) and len(piece.ids) <= LONGEST],
                 {key: features(model, encoder, key) for key in sorted(shown)},
                 [line["number"] for line in beginnings if len(line["messages"]) == 1],
                 encoder.pad, encoder.tokenizer.pad_token_id)
    torch.save(made, path)
    return made


class Deck:
    """Drills by their beginning; each is drawn once before any is drawn again."""

    def __init__(self, drills: Sequence[Drill], rng: random.Random) -> None:
        self._by: dict[int, list[Drill]] = {}
        for drill in drills:
            self._by.setdefault(drill.begins, []).extend([drill] * (ASKED if drill.asks else 1))
        self._left: dict[int, list[Drill]] = {}
        self._rng = rng
        self.rounds = 0

    def draw(self, tokens: int, made: Callable[[Drill], Piece]) -> tuple[int, list[Piece]]:
        """A beginning, and as many drills behind it as so many tokens hold.

        They are mixed: those of like length are like calls, and a batch of one call teaches to make it always.
        """
        if not self._left:
            self.rounds += 1
            self._left = {begins: self._rng.sample(found, len(found)) for begins, found in self._by.items()}
        begins = self._rng.choices(list(self._left), [len(found) for found in self._left.values()])[0]
        found = self._left[begins]
        rows = [made(found.pop())]
        while found:
            row = made(found[-1])
            if max(len(row.ids), *(len(r.ids) for r in rows)) * (len(rows) + 1) > tokens:
                break
            found.pop()
            rows.append(row)
        if not found:
            del self._left[begins]
        return begins, rows


def drawn(run: Refining, ready: Ready, rng: random.Random) -> Iterator[tuple[Piece | None, list[Piece]]]:
    """Batches without end, as the stage of the moment wants them."""
    decks: dict[str, Deck] = {}
    while True:
        stage = run.stage
        if ready.whole and rng.random() < stage.whole:
            count = max(run.tokens // 900, 1)
            yield None, [rng.choice(ready.whole) for _ in range(count)]
            continue
        if stage.name not in decks:
            kept = [d for d in ready.drills if d.source in stage.sources and (stage.turns or d.begins in ready.plain)]
            decks[stage.name] = Deck(kept, rng)
        begins, rows = decks[stage.name].draw(
            run.tokens, lambda drill: shaken(drill, ready.pad, rng, shown=stage.shown, short=stage.short))  # noqa: B023
        first = ready.begun[begins]
        yield (first if rng.random() < stage.shown else without_pictures(first, ready.pad)), rows


def refine(run: Refining, say: Callable[[str], None] = print) -> None:
    """Train until the time is over."""
    import torch
    from transformers import Qwen3VLForConditionalGeneration

    torch.manual_seed(run.seed)
    model: Any = Qwen3VLForConditionalGeneration.from_pretrained(run.out, dtype=torch.float32)
    model.model.visual.requires_grad_(False)
    ready = prepared(run, model)
    begun, drills, whole = ready.begun, ready.drills, ready.whole
    say(f"{len(drills)} drills behind {len(begun)} beginnings, {len(whole)} conversations, "
        f"{sum(len(d.piece.ids) for d in drills) / max(len(drills), 1):.0f} tokens a drill")
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=RATE, betas=(0.9, 0.95),
                                  weight_decay=0.02)
    steps = _resume(run, model, optimizer)
    rng = random.Random(run.seed + steps)  # noqa: S311  # no secret
    feed = drawn(run, ready, rng)
    seen, smooth, count, tokens = Seen(ready.seen, ready.fill, ready.pad), None, 0, 0
    run.began = saved = time.monotonic()
    while run.share < 1:
        beginning, rows = next(feed)
        for group in optimizer.param_groups:
            group["lr"] = rate(run.share)
        with torch.autocast("cpu", torch.bfloat16):  # three times as fast as float32 where the processor knows it
            found = loss(model, beginning, rows, seen)
        found.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        if torch.isfinite(norm):
            optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        smooth = found.item() if smooth is None else 0.97 * smooth + 0.03 * found.item()
        steps, count = steps + 1, count + len(rows)
        tokens += sum(len(row.ids) for row in rows)
        if steps % 20 == 0:
            say(f"step {steps}, {run.share:.1%}, {run.stage.name}: {count} drills, {tokens} tokens, loss {smooth:.3f}, "
                f"{time.process_time():.0f} s of CPU")
        if time.monotonic() - saved > 60 * run.save_minutes:
            save(run, model, optimizer, steps)
            saved = time.monotonic()
    save(run, model, optimizer, steps)
    say(f"done: {steps} steps, {count} drills, {time.process_time():.0f} s of CPU")


def _resume(run: Refining, model: Any, optimizer: Any) -> int:
    """Take over what an earlier start left: steps that were made."""
    import torch

    if not (run.out / "state.pt").exists():
        return 0
    state = torch.load(run.out / "state.pt", map_location="cpu", weights_only=True)
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    run.done = state["minutes"]
    return int(state["steps"])


def main() -> None:
    """Train as the command line says."""
    import torch

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("drills", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--conversations", type=Path)
    parser.add_argument("--tokens", type=int, default=2600)
    parser.add_argument("--most", type=int)
    given = parser.parse_args()
    torch.set_num_threads(1)
    refine(Refining(given.drills, given.out, given.minutes, conversations=given.conversations, tokens=given.tokens,
                    most=given.most),
           say=lambda text: print(text, flush=True))  # noqa: T201  # a command's progress


if __name__ == "__main__":
    main()
