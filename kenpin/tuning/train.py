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
from typing import Any, Protocol

import cv2

from kenpin.tuning.encoding import Encoder, Example, read_dialogues, texts_of
from kenpin.tuning.eyes import redrawn
from kenpin.tuning.model import SHAPES, SMALL, Shape, build

RATE = 1.5e-3
"""Of AdamW, after the warm-up; falls to a tenth along a cosine."""
WARM = 0.03
"""Share of the time in which the rate rises."""
POOL = 512
"""Examples that are drawn together, so that those of like length share a batch."""


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
    eyes: int = 4000
    """Conversations by eye in a round through the examples."""
    workers: int = 0
    """Processes that draw pictures and make batches; 0 does it in between."""
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


Source = Example | dict[str, Any]
"""An example, or a conversation by eye whose picture is drawn anew each time."""
DRAWN_AGAIN = 1_000_000
"""First seed of pictures that are drawn in training; tests draw others."""


def batches(sources: Sequence[Source], encoder: Encoder, tokens: int, rng: random.Random) -> Iterator[list[Example]]:
    """Batches without end: shuffled, examples of like length together, at most so many tokens with padding."""
    while True:
        order = rng.sample(range(len(sources)), len(sources))
        for start in range(0, len(order), POOL):
            drawn = [_drawn(sources[i], encoder, rng) for i in order[start:start + POOL]]
            made: list[list[Example]] = [[]]
            for example in sorted(drawn, key=lambda example: len(example.ids)):
                if made[-1] and len(example.ids) * (len(made[-1]) + 1) > tokens:
                    made.append([])
                made[-1].append(example)
            rng.shuffle(made)
            yield from made


def _drawn(source: Source, encoder: Encoder, rng: random.Random) -> Example:
    if isinstance(source, Example):
        return source
    again = redrawn(source, encoder.orders, DRAWN_AGAIN + rng.randrange(1 << 40))
    return encoder.example(again["messages"])


def fed(sources: Sequence[Source], encoder: Encoder, run: Run, steps: int, *, workers: int) -> Iterator[Any]:
    """Batches as tensors, made by so many processes beside this one."""
    from torch.utils.data import DataLoader, IterableDataset, get_worker_info

    class Feed(IterableDataset):  # type: ignore[misc]  # torch is not installed where types are checked
        """Each process draws by its own lot."""

        def __iter__(self) -> Iterator[Any]:
            info = get_worker_info()
            rng = random.Random(run.seed + steps * 64 + (info.id if info else 0))  # noqa: S311  # no secret
            for batch in batches(sources, encoder, run.tokens, rng):
                yield (*tensors(batch, encoder), len(batch))

    return iter(DataLoader(Feed(), batch_size=None, num_workers=workers))


def tensors(batch: Sequence[Example], encoder: Encoder) -> tuple[dict[str, Any], Any]:
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
        inputs["pixel_values"] = torch.cat([patches for patches, _ in shown])
        inputs["image_grid_thw"] = torch.tensor([grid for _, grid in shown])
    labels = torch.where(said, ids, -100)
    return inputs, labels


def moved(inputs: dict[str, Any], device: Any) -> dict[str, Any]:
    """A batch on the device, pictures in the model's precision."""
    there = {name: value.to(device, non_blocking=True) for name, value in inputs.items()}
    return there | ({"pixel_values": there["pixel_values"].float()} if "pixel_values" in there else {})


def loss_of(model: Any, inputs: dict[str, Any], labels: Any) -> Any:
    """Cross entropy of the tokens that the model said, given all before them."""
    import torch

    hidden = model.model(**inputs).last_hidden_state[:, :-1]
    wanted = labels[:, 1:]
    kept = wanted != -100
    return torch.nn.functional.cross_entropy(model.lm_head(hidden[kept]).float(), wanted[kept])


def prepared(run: Run) -> tuple[Any, Encoder, list[Source]]:
    """The model of a run as it stands, what encodes for it, and what it learns from."""
    import torch
    from transformers import Qwen3VLForConditionalGeneration

    dialogues = read_dialogues(run.data)
    if not (run.out / "config.json").exists():
        build(run.out, shape=run.shape, texts=texts_of(dialogues), seed=run.seed)
    tools = json.loads((run.data / "tools.json").read_text(encoding="utf-8"))
    encoder = Encoder(run.out, run.data, tools)
    by_eye: list[Source] = [dialogue for dialogue in dialogues if dialogue["source"] == "by eye"]
    others = [encoder.example(d["messages"]) for d in dialogues if d["source"] != "by eye"]
    kept: list[Source] = [e for e in others if any(e.said) and len(e.ids) <= run.longest]
    model = Qwen3VLForConditionalGeneration.from_pretrained(run.out, dtype=torch.float32)
    return model, encoder, kept + by_eye[:run.eyes]


def train(run: Run, say: Any = print) -> None:
    """Train until the time is over."""
    import torch

    torch.manual_seed(run.seed)
    cv2.setNumThreads(0)  # its threads do not survive in the processes that draw
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model, encoder, sources = prepared(run)
    steps = _steps(run)
    feed = fed(sources, encoder, run, steps, workers=run.workers)
    first = next(feed)  # processes are started before the device is touched
    say(f"{len(sources)} conversations, {sum(p.numel() for p in model.parameters()) / 1e6:.2f}M parameters on {device}")
    model.to(device).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, betas=(0.9, 0.95), weight_decay=0.05)
    _resume(run, model, optimizer)
    run.began = saved = time.monotonic()
    seen, smooth = 0, torch.zeros((), device=device)
    while run.share < 1:
        inputs, labels, count = first or next(feed)
        first = None
        for group in optimizer.param_groups:
            group["lr"] = rate(run.share)
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            loss = loss_of(model, moved(inputs, device), labels.to(device))
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        if torch.isfinite(norm):  # one broken step would be in every weight from then on
            optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        smooth = loss.detach() if steps == 0 else 0.95 * smooth + 0.05 * loss.detach()
        steps, seen = steps + 1, seen + count
        if steps % 50 == 0:
            say(f"step {steps}, {run.share:.0%}, {seen} conversations, loss {smooth.item():.3f}")
        if time.monotonic() - saved > 60 * run.save_minutes:
            save(run, model, optimizer, steps)
            saved = time.monotonic()
    save(run, model, optimizer, steps)
    say(f"done: {steps} steps, {seen} conversations, loss {smooth.item():.3f}")


class Timed(Protocol):
    """A run that is written: where to, and for how long it went on."""

    out: Path
    began: float
    done: float


def save(run: Timed, model: Any, optimizer: Any, steps: int) -> None:
    """Write the model as it is served, and what goes on from it."""
    import torch

    minutes = run.done + (time.monotonic() - run.began) / 60
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "steps": steps, "minutes": minutes},
               run.out / "state.tmp")
    (run.out / "state.tmp").replace(run.out / "state.pt")
    whole = {name: value.to(torch.bfloat16) if value.is_floating_point() else value
             for name, value in model.state_dict().items()}
    model.save_pretrained(run.out, state_dict=whole)
    config = json.loads((run.out / "config.json").read_text(encoding="utf-8")) | {"dtype": "bfloat16"}
    (run.out / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def _steps(run: Run) -> int:
    """Steps that earlier starts made."""
    import torch

    path = run.out / "state.pt"
    return int(torch.load(path, map_location="cpu", weights_only=True)["steps"]) if path.exists() else 0


def _resume(run: Run, model: Any, optimizer: Any) -> None:
    """Take over what an earlier start left."""
    import torch

    if (run.out / "state.pt").exists():
        state = torch.load(run.out / "state.pt", map_location="cpu", weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        run.done = state["minutes"]


def main() -> None:
    """Train as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--tokens", type=int, default=6000)
    parser.add_argument("--longest", type=int, default=1400)
    parser.add_argument("--eyes", type=int, default=4000)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--shape", choices=sorted(SHAPES), default="small")
    given = parser.parse_args()
    train(Run(given.data, given.out, given.minutes, tokens=given.tokens, longest=given.longest, eyes=given.eyes,
              workers=given.workers, shape=SHAPES[given.shape]),
          say=lambda text: print(text, flush=True))  # noqa: T201  # a command's progress


if __name__ == "__main__":
    main()
