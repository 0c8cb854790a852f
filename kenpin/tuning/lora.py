"""Trains a LoRA adapter of a Qwen3-VL model on conversations, as `kenpin tune export` writes them of signed work.

    python -m kenpin.tuning.lora DATA MODEL OUT --minutes 30

DATA is a folder of `kenpin tune export` or `kenpin.tuning.dialogues`, MODEL the folder of the model that is served. OUT
gets `adapter_config.json` and `adapter_model.safetensors`, which `kenpin adapters load` takes. Only layers of the
language model are trained: a server leaves those of the picture encoder out. Extra `tune`.

Source: LoRA (Hu et al., 2021) as PEFT does it, on all linear layers of the language model.
"""

import argparse
import json
import random
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kenpin.tuning.encoding import Encoder, Example, read_dialogues
from kenpin.tuning.train import batches, loss_of, moved, tensors

LAYERS = r".*language_model\.layers\.\d+\.(self_attn\.[qkvo]_proj|mlp\.(gate|up|down)_proj)"
RATE = 2e-4
"""Of AdamW; a fixed rate that is usual for LoRA. Not tuned here."""
WARM = 20
"""Steps over which it rises."""


@dataclass(frozen=True)
class Run:
    """One training run."""

    data: Path
    model: Path
    out: Path
    minutes: float
    rank: int = 16
    steps: int | None = None
    """At most, if the time is not over before; the same steps on the same machine give the same adapter."""
    tokens: int = 6000
    """Of a batch, padding included."""
    longest: int = 1400
    """A conversation with more tokens is left out."""
    seed: int = 0


@dataclass(frozen=True)
class Trained:
    """What a run came to."""

    steps: int
    before: float
    """Loss on what the model says, on the first batch, before and after."""
    after: float


def train(run: Run, say: Any = print) -> Trained:
    """Train until the time is over, and write the adapter.

    Raises:
        ValueError: No conversation is short enough, or the loss is no number any more.
    """
    import torch

    torch.manual_seed(run.seed)
    encoder, examples = _examples(run)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    net = _adapted(run, device)
    own = [weight for weight in net.parameters() if weight.requires_grad]
    size = sum(weight.numel() for weight in own) / 1e6
    say(f"{len(examples)} conversations, {size:.2f}M parameters of the adapter on {device}")
    optimizer = torch.optim.AdamW(own, lr=RATE)
    feed = batches(examples, encoder, run.tokens, random.Random(run.seed))  # noqa: S311 - no secret
    first = next(feed)
    with torch.no_grad():
        before = float(_loss(net, first, encoder, device))
    steps, started = 0, time.monotonic()
    while not steps or (time.monotonic() - started < 60 * run.minutes and steps != run.steps):
        for group in optimizer.param_groups:
            group["lr"] = RATE * min((steps + 1) / WARM, 1.0)
        loss = _loss(net, next(feed) if steps else first, encoder, device)
        if not torch.isfinite(loss):
            raise ValueError(f"the loss is no number any more after {steps} steps; nothing was written")
        loss.backward()
        torch.nn.utils.clip_grad_norm_(own, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        steps += 1
        if steps % 20 == 0:
            say(f"step {steps}, loss {float(loss.detach()):.3f}")
    with torch.no_grad():
        after = float(_loss(net, first, encoder, device))
    net.save_pretrained(run.out)
    say(f"done: {steps} steps, loss on the first batch {before:.4f} before and {after:.4f} after")
    return Trained(steps, before, after)


def _adapted(run: Run, device: Any) -> Any:
    """The model with an adapter that changes nothing yet; its own weights stay as they are."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import Qwen3VLForConditionalGeneration

    kind = torch.bfloat16 if device.type == "cuda" else torch.float32
    base = Qwen3VLForConditionalGeneration.from_pretrained(run.model, dtype=kind)
    net = get_peft_model(base, LoraConfig(r=run.rank, lora_alpha=2 * run.rank, target_modules=LAYERS, bias="none",
                                          task_type="CAUSAL_LM", lora_dropout=0.0))
    net.to(device).train()
    return net


def _loss(net: Any, batch: list[Example], encoder: Encoder, device: Any) -> Any:
    import torch

    inputs, labels = tensors(batch, encoder)
    with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
        return loss_of(net.get_base_model(), moved(inputs, device), labels.to(device))


def _examples(run: Run) -> tuple[Encoder, list[Example]]:
    tools = json.loads((run.data / "tools.json").read_text(encoding="utf-8"))
    encoder = Encoder(run.model, run.data, tools)
    # Pictures of conversations by eye are drawn anew in training; they teach seeing, which an adapter does not learn.
    told = [d for d in read_dialogues(run.data) if d["source"] != "by eye"]
    whole = [encoder.example(dialogue["messages"], longest=None) for dialogue in told]
    examples = [example for example in whole if any(example.said) and len(example.ids) <= run.longest]
    if not examples:
        raise ValueError(f"{run.data}: none of {len(whole)} conversations has at most {run.longest} tokens; raise "
                         "--longest")
    return encoder, examples


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Trains a LoRA adapter on conversations.")
    for name in ("data", "model", "out"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--steps", type=int, help="At most, if the time is not over before.")
    parser.add_argument("--tokens", type=int, default=6000, help="Of a batch.")
    parser.add_argument("--longest", type=int, default=1400, help="Tokens; a longer conversation is left out.")
    parser.add_argument("--seed", type=int, default=0)
    train(Run(**vars(parser.parse_args())))


if __name__ == "__main__":
    main()
