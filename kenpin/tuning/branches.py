"""Drills in tokens, and their loss: what many have in common is computed once, and calls count more than phrases.

Three things make a core learn from ten times as many calls. The beginning that drills share runs through the model
once a batch, and its keys and values are given to every drill. Pictures are left out of most drills, with their
places kept, since few calls depend on what is seen; those that are shown are encoded once, as the part that sees is
not trained here. And of what the model says, the name and the arguments of a call count fully, free wording little.
"""

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kenpin.tuning.encoding import Encoder

LIGHT = {"why": 0.3, "text": 0.1, "question": 0.1}
"""How much a token of these arguments counts: their wording is free, and it was two thirds of all that was learnt."""


@dataclass(frozen=True)
class Piece:
    """Tokens in a row, each with its weight in the loss, its three places (rotary positions), and its pictures."""

    ids: list[int]
    weights: list[float]
    places: Any
    """(3, n) int64."""
    pictures: tuple[str, ...] = ()
    """Keys of the pictures whose marks are among the tokens, in order."""


@dataclass(frozen=True)
class Drill:
    """A piece behind one of the shared beginnings, and where its first call ends."""

    begins: int
    piece: Piece
    first: int
    source: str
    asks: bool
    """Whether it ends without a tool: a question or a refusal."""


@dataclass(frozen=True)
class Ready:
    """What a run learns from, in tokens; it depends on the tokenizer and on the part that sees, which stay."""

    begun: dict[int, Piece]
    drills: list[Drill]
    whole: list[Piece]
    """Whole conversations without their pictures, so that what comes after a first call is not forgotten."""
    seen: dict[str, Any]
    """What the part that sees makes of each picture: (tokens, width) float32."""
    plain: list[int]
    """Beginnings without a turn."""
    pad: int
    fill: int


def pieces(model: Any, encoder: Encoder, before: Sequence[dict[str, Any]], after: Sequence[dict[str, Any]],
           ) -> tuple[Piece, Piece]:
    """Messages as two pieces in a row.

    Raises:
        ValueError: The tokens of the first are not the beginning of the tokens of both.
    """
    import torch

    example = encoder.example([*before, *after], longest=None)
    begun = encoder.example(before, longest=None) if before else None
    ids, cut = example.ids, len(begun.ids) if begun else 0
    if begun and ids[:cut] != begun.ids:
        raise ValueError("tokens across the end of a beginning; expected a message to end there")
    row = torch.tensor([ids])
    grids = torch.tensor([encoder.patches(part)[1] for part in example.pictures]) if example.pictures else None
    places = model.model.get_rope_index(row, (row == encoder.pad).int(), grids)[0][:, 0]
    weights = [float(said) * light for said, light in
               zip(example.said, lightened(encoder, [*before, *after], ids), strict=True)]
    keys = [json.dumps(part, sort_keys=True) for part in example.pictures]
    early = len(begun.pictures) if begun else 0
    return (Piece(ids[:cut], weights[:cut], places[:, :cut], tuple(keys[:early])),
            Piece(ids[cut:], weights[cut:], places[:, cut:], tuple(keys[early:])))


def lightened(encoder: Encoder, messages: Sequence[dict[str, Any]], ids: Sequence[int]) -> list[float]:
    """What each token counts by the argument that it belongs to; 1 outside of free wording."""
    text = encoder.text(messages)
    spans, at = [], 0
    for message in messages:
        for call in message.get("tool_calls", []):
            for name, value in call["function"]["arguments"].items():
                if name in LIGHT and isinstance(value, str):
                    written = f'"{name}": {json.dumps(value, ensure_ascii=False)}'
                    found = text.find(written, at)
                    if found >= 0:
                        at = found + len(written)
                        spans.append((found + len(name) + 4, at, LIGHT[name]))
    tokens = encoder.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    counted: list[float] = []
    for token, (start, end) in zip(tokens.input_ids, tokens.offset_mapping, strict=True):
        while spans and spans[0][1] <= start:
            spans.pop(0)
        light = spans[0][2] if spans and spans[0][0] <= start and end <= spans[0][1] else 1.0
        counted.append(light)
        if token == encoder.pad:  # a picture's mark stands for all its tokens
            run = next((i for i in range(len(counted) - 1, len(ids)) if ids[i] != encoder.pad), len(ids))
            counted += [1.0] * (run - len(counted))
    return (counted + [1.0] * len(ids))[:len(ids)]


def without_pictures(piece: Piece, pad: int) -> Piece:
    """The piece with no picture's tokens in it; every other token stays in its place."""
    kept = [i for i, token in enumerate(piece.ids) if token != pad]
    return Piece([piece.ids[i] for i in kept], [piece.weights[i] for i in kept], piece.places[:, kept])


def cut(piece: Piece, length: int) -> Piece:
    """The first tokens of a piece; pictures after them are left out."""
    return Piece(piece.ids[:length], piece.weights[:length], piece.places[:, :length], piece.pictures)


@dataclass(frozen=True)
class Seen:
    """What the part that sees made of pictures, by their keys, and two tokens: a fill-up and a picture's mark."""

    features: dict[str, Any]
    fill: int
    pad: int


def features(model: Any, encoder: Encoder, key: str, *, half: bool = True) -> Any:
    """What the part that sees makes of a picture: (tokens, width) float32, computed in bfloat16 if `half`."""
    import torch

    patches, grid = encoder.patches(json.loads(key))
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=half):
        found = model.model.get_image_features(patches.float(), torch.tensor([grid]))
    return torch.cat(list(found.pooler_output)).float()


def embedded(model: Any, rows: Sequence[Piece], seen: Seen) -> tuple[Any, Any, Any, Any, Any]:
    """Pieces side by side: embeddings, mask, places, ids and weights, filled up on the right."""
    import torch

    width = max(len(row.ids) for row in rows)
    ids = torch.tensor([row.ids + [seen.fill] * (width - len(row.ids)) for row in rows])
    weights = torch.tensor([row.weights + [0.0] * (width - len(row.ids)) for row in rows])
    mask = torch.tensor([[1] * len(row.ids) + [0] * (width - len(row.ids)) for row in rows])
    places = torch.zeros(3, len(rows), width, dtype=torch.long)
    for number, row in enumerate(rows):
        places[:, number, :len(row.ids)] = row.places
    made = model.model.language_model.embed_tokens(ids)
    shown = [seen.features[key] for row in rows for key in row.pictures]
    if shown:
        made = made.masked_scatter((ids == seen.pad)[..., None], torch.cat(shown).to(made.dtype))
    return made, mask, places, ids, weights


def loss(model: Any, beginning: Piece | None, rows: Sequence[Piece], seen: Seen) -> Any:
    """Weighted cross entropy of what the model said in pieces behind one beginning."""
    import torch
    from transformers import DynamicCache

    text, cache, before = model.model.language_model, None, 0
    made, mask, places, ids, weights = embedded(model, rows, seen)
    if beginning is not None and beginning.ids:
        first, first_mask, first_places, *_ = embedded(model, [beginning], seen)
        cache, before = DynamicCache(config=model.config.text_config), len(beginning.ids)
        text(inputs_embeds=first, attention_mask=first_mask, position_ids=first_places, past_key_values=cache,
             use_cache=True)
        for layer in cache.layers:
            layer.keys = layer.keys.expand(len(rows), -1, -1, -1)
            layer.values = layer.values.expand(len(rows), -1, -1, -1)
        mask = torch.cat([torch.ones(len(rows), before, dtype=mask.dtype), mask], 1)
    hidden = text(inputs_embeds=made, attention_mask=mask, position_ids=places, past_key_values=cache,
                  use_cache=cache is not None).last_hidden_state[:, :-1]
    counts = weights[:, 1:]
    kept = counts > 0
    each = torch.nn.functional.cross_entropy(model.lm_head(hidden[kept]).float(), ids[:, 1:][kept], reduction="none")
    return (each * counts[kept]).sum() / counts[kept].sum()


def encoded(model: Any, encoder: Encoder, beginnings: Sequence[dict[str, Any]], drills: Sequence[dict[str, Any]],
            longest: int) -> tuple[dict[int, Piece], list[Drill]]:
    """Lines of `beginnings.jsonl` and `drills.jsonl` as pieces; drills with more tokens are left out."""
    messages = {line["number"]: line["messages"] for line in beginnings}
    begun: dict[int, Piece] = {}
    made = []
    for line in drills:
        before, after = pieces(model, encoder, messages[line["begins"]], line["messages"])
        begun.setdefault(line["begins"], Piece(before.ids, [0.0] * len(before.ids), before.places, before.pictures))
        ends = [i for i in range(len(after.ids) - 1) if after.weights[i] > 0 and after.weights[i + 1] == 0]
        if len(after.ids) <= longest and any(after.weights):
            last = line["messages"][-1]["tool_calls"][0]["function"]["name"]
            made.append(Drill(line["begins"], after, (ends[0] if ends else len(after.ids) - 1) + 1, line["source"],
                              last in ("ask", "answer")))
    return begun, made


def shaken(drill: Drill, pad: int, rng: random.Random, *, shown: float, short: float) -> Piece:
    """A drill as one batch takes it: with its pictures or without, to its end or to its first call."""
    piece = drill.piece
    if drill.first < len(piece.ids) and rng.random() < short:
        piece = cut(piece, drill.first)
    return piece if rng.random() < shown else without_pictures(piece, pad)
