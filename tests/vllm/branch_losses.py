"""Run by the server's own Python: the loss of drills behind a shared beginning, and of the same tokens without sharing.

    python branch_losses.py MODEL DRILLS

DRILLS is a folder of `kenpin.tuning.drills`. Printed as JSON: the loss as `branches.loss` finds it with one beginning
for all, as the whole model of transformers finds it for each conversation by itself, and what counts how much.
"""

import json
import sys
from pathlib import Path
from typing import Any

import torch
from transformers import Qwen3VLForConditionalGeneration

from kenpin.tuning.branches import Ready, Seen, encoded, features, loss, without_pictures
from kenpin.tuning.encoding import Encoder, read_lines
from kenpin.tuning.refine import Refining, prepared
from kenpin.tuning.train import moved, tensors


def alone(model: Any, encoder: Encoder, messages: list[dict[str, Any]], weights: list[float]) -> tuple[float, float]:
    """Weighted loss of the end of one conversation, computed by the whole model: the sum, and the sum of weights."""
    inputs, _ = tensors([encoder.example(messages, longest=None)], encoder)
    logits = model(**moved(inputs, torch.device("cpu"))).logits[0, :-1]
    each = torch.nn.functional.cross_entropy(logits, inputs["input_ids"][0, 1:], reduction="none")
    counts = torch.zeros(len(each))
    counts[len(counts) - len(weights):] = torch.tensor(weights)
    return float((each * counts).sum()), float(counts.sum())


def main() -> None:
    folder, data = Path(sys.argv[1]), Path(sys.argv[2])
    encoder = Encoder(folder, data, json.loads((data / "tools.json").read_text(encoding="utf-8")))
    model: Any = Qwen3VLForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).eval()
    beginnings, lines = read_lines(data / "beginnings.jsonl"), read_lines(data / "drills.jsonl")
    begun, drills = encoded(model, encoder, beginnings, lines, 4000)
    before = {line["number"]: line["messages"] for line in beginnings}
    told: list[dict[str, Any]] = []
    with torch.no_grad():
        for number, first in begun.items():
            mine = [(drill, line) for drill, line in zip(drills, lines, strict=True) if drill.begins == number]
            keys = {key for piece in (first, *(drill.piece for drill, _ in mine)) for key in piece.pictures}
            # In float32, unlike in training: what is compared is the way, not the rounding.
            seen = Seen({key: features(model, encoder, key, half=False) for key in keys},
                        encoder.tokenizer.pad_token_id, encoder.pad)
            sums = [alone(model, encoder, [*before[number], *line["messages"]], drill.piece.weights)
                    for drill, line in mine]
            dropped = [without_pictures(drill.piece, encoder.pad) for drill, _ in mine]
            told.append({
                "shared": float(loss(model, first, [drill.piece for drill, _ in mine], seen)),
                "alone": sum(total for total, _ in sums) / sum(count for _, count in sums),
                "blind": float(loss(model, without_pictures(first, encoder.pad), dropped, seen)),
                "kept": all([token for token in drill.piece.ids if token != encoder.pad] == piece.ids
                            for (drill, _), piece in zip(mine, dropped, strict=True)),
                "counted": [{"weight": weight, "text": encoder.tokenizer.decode(
                    [token for token, w in zip(drill.piece.ids, drill.piece.weights, strict=True) if w == weight])}
                    for drill, _ in mine for weight in (1.0, 0.3, 0.1)],
                "first": [encoder.tokenizer.decode(drill.piece.ids[:drill.first]) for drill, _ in mine]})
    torch.save(Ready(begun, drills, [], {}, [], encoder.pad, 0), data / "ready.pt")
    again = prepared(Refining(data, folder, 0.0), model)
    told[0]["again"] = [drill.piece.ids for drill in again.drills] == [drill.piece.ids for drill in drills]
    sys.stdout.write("\n" + json.dumps(told))


if __name__ == "__main__":
    main()
