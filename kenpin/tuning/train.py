"""Trains the small planner: a plain loop, the loss on what the model itself says, for as long as it is given.

    python -m kenpin.tuning.train DATA OUT --minutes 20

DATA is a folder of `kenpin.tuning.dialogues`. OUT is written every few minutes as a folder that vLLM loads, with
`state.pt` beside it; started again, training goes on from there. Extra `tune`.
"""

import argparse
import json
import math
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kenpin.tuning.encoding import Encoder, Example, read_dialogues, texts_of
from kenpin.tuning.model import SMALL, Shape, build

RATE = 2e-3
"""Of AdamW, after the warm-up; falls to a tenth along a cosine."""
WARM = 0.03
"""Share of the time in which the rate rises."""
POOL = 64
"""Batches that are drawn together, so that examples of like length share one."""


@dataclass
class Run:
    """One training run."""

    data: Path
    out: Path
    minutes: float
    tokens: int = 6000
    """Of a batch, padding included."""
    save_minutes: float = 4.0
    seed: int = 0
    longest: int = 1400
    """Examples with more tokens are left out."""
    shape: Shape = field(default_factory=lambda: SMALL)
    began: float = field(default_factory=time.monotonic)
    done: float = 0.0
    """Minutes that earlier starts trained."""

    @property
    def share(self) -> float:
        """How much of the time is over, 0 to 1."""
        return min((self.done + (time.monotonic() - self.began) / 60) / self.minutes, 1.0)


def rate(share: float) -> float:
    """The learning rate at a share of the time."""
    if share < WARM:
        return RATE * max(share / WARM, 0.02)
    return RATE * (0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * (share - WARM) / (1 - WARM))))


def batches(examples: Sequence[Example], tokens: int, rng: random.Random) -> Iterator[list[Example]]:
    """Batches without end: shuffled, examples of like length together, at most so many tokens with padding."""
    while True:
        order = rng.sample(range(len(examples)), len(examples))
        made: list[list[Example]] = []
        for start in range(0, len(order), POOL):
            group: list[Example] = []
            for i in sorted(order[start:start + POOL], key=lambda i: len(examples[i].ids)):
                if group and len(examples[i].ids) * (len(group) + 1) > tokens:
                    made.append(group)
                    group = []
                group.append(examples[i])
            made.append(group)
        rng.shuffle(made)
        yield from made


def tensors(batch: Sequence[Example], encoder: Encoder, device: Any) -> tuple[dict[str, Any], Any]:
    """A batch as the model takes it, and the labels, -100 where the model did not speak."""
    import torch

    longest = max(len(example.ids) for example in batch)
    fill = encoder.tokenizer.pad_token_id
    ids = torch.tensor([e.ids + [fill] * (longest - len(e.ids)) for e in batch])
    said = torch.tensor([e.said + [False] * (longest - len(e.said)) for e in batch])
    mask = torch.tensor([[1] * len(e.ids) + [0] * (longest - len(e.ids)) for e in batch])
    inputs = {"input_ids": ids, "attention_mask": mask, "mm_token_type_ids": (ids == encoder.pad).int()}
    shown = [encoder.patches(part) for example in batch for part in example.pictures]
    if shown:
        inputs["pixel_values"] = torch.cat([patches for patches, _ in shown]).float()
        inputs["image_grid_thw"] = torch.tensor([grid for _, grid in shown])
    labels = torch.where(said, ids, -100)
    return {name: value.to(device) for name, value in inputs.items()}, labels.to(device)


def loss_of(model: Any, inputs: dict[str, Any], labels: Any) -> Any:
    """Cross entropy of the tokens that the model said, given all before them."""
    import torch

    hidden = model.model(**inputs).last_hidden_state[:, :-1]
    wanted = labels[:, 1:]
    kept = wanted != -100
    return torch.nn.functional.cross_entropy(model.lm_head(hidden[kept]).float(), wanted[kept])


def prepared(run: Run) -> tuple[Any, Encoder, list[Example], list[dict[str, Any]]]:
    """The model of a run as it stands, what encodes for it, and the examples."""
    import torch
    from transformers import Qwen3VLForConditionalGeneration

    dialogues = read_dialogues(run.data)
    if not (run.out / "config.json").exists():
        build(run.out, shape=run.shape, texts=texts_of(dialogues), seed=run.seed)
    tools = json.loads((run.data / "tools.json").read_text(encoding="utf-8"))
    encoder = Encoder(run.out, run.data, tools)
    examples = [encoder.example(dialogue["messages"]) for dialogue in dialogues]
    kept = [e for e in examples if any(e.said) and len(e.ids) <= run.longest]
    model = Qwen3VLForConditionalGeneration.from_pretrained(run.out, dtype=torch.float32)
    return model, encoder, kept, tools


def train(run: Run, say: Any = print) -> None:
    """Train until the time is over."""
    import torch

    torch.manual_seed(run.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model, encoder, examples, _ = prepared(run)
    say(f"{len(examples)} conversations, {sum(len(e.ids) for e in examples) / len(examples):.0f} tokens each, "
        f"{sum(sum(e.said) for e in examples) / len(examples):.0f} of them said; "
        f"{sum(p.numel() for p in model.parameters()) / 1e6:.2f}M parameters on {device}")
    model.to(device).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, betas=(0.9, 0.95), weight_decay=0.05)
    steps = _resumed(run, model, optimizer)
    run.began = saved = time.monotonic()
    feed, seen, smooth = batches(examples, run.tokens, random.Random(run.seed + steps)), 0, None
    while run.share < 1:
        batch = next(feed)
        for group in optimizer.param_groups:
            group["lr"] = rate(run.share)
        inputs, labels = tensors(batch, encoder, device)
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            loss = loss_of(model, inputs, labels)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        steps, seen = steps + 1, seen + len(batch)
        smooth = loss.item() if smooth is None else 0.95 * smooth + 0.05 * loss.item()
        if steps % 20 == 0:
            say(f"step {steps}, {run.share:.0%}, {seen} conversations, loss {smooth:.3f}")
        if time.monotonic() - saved > 60 * run.save_minutes:
            _save(run, model, optimizer, steps)
            saved = time.monotonic()
    _save(run, model, optimizer, steps)
    say(f"done: {steps} steps, {seen} conversations, loss {smooth:.3f}")


def _save(run: Run, model: Any, optimizer: Any, steps: int) -> None:
    """Write the model as it is served, and what goes on from it."""
    import torch

    minutes = run.done + (time.monotonic() - run.began) / 60
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "steps": steps, "minutes": minutes},
               run.out / "state.tmp")
    (run.out / "state.tmp").replace(run.out / "state.pt")
    whole = {name: value.to(torch.bfloat16) if value.is_floating_point() else value
             for name, value in model.state_dict().items()}
    model.config.dtype = torch.bfloat16
    model.save_pretrained(run.out, state_dict=whole)


def _resumed(run: Run, model: Any, optimizer: Any) -> int:
    """Take over what an earlier start left; the number of steps that it made."""
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
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--tokens", type=int, default=6000)
    parser.add_argument("--longest", type=int, default=1400)
    given = parser.parse_args()
    train(Run(given.data, given.out, given.minutes, tokens=given.tokens, longest=given.longest),
          say=lambda text: print(text, flush=True))  # noqa: T201  # a command's progress


if __name__ == "__main__":
    main()
