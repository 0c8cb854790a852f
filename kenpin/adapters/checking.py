"""Holds an adapter against the model that is to serve it. What vLLM would leave out, take wrongly or choke on is an
error here, before the server hears of it.

Each line of what vLLM 0.32 does with such adapters was tried on a live server (docs/serving.md).
"""

import json
import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from kenpin.adapters.base import Layers
from kenpin.adapters.header import Tensor, tensors
from kenpin.contracts.errors import BadInput, FileRefused

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
MOST_RANK = 512
"""vLLM's own limit of `--max-lora-rank`."""
LONGEST_CONFIG = 2**20
ENCODER = re.compile(r"(?:^|\.)(?:visual|vision_tower|vision_model|merger|multi_modal_projector)\.")
"""Layers of the picture encoder. vLLM serves adapters of language layers; weights of others it leaves out."""
ENDS = re.compile(r"(?:^|\.)(?:embed_tokens|lm_head)(?:\.|$)")
"""Embeddings and output layer. On a CPU an adapter of `lm_head` changed the answers of the model without it."""
PART = re.compile(r"(?:base_model\.model\.)?(?P<layer>.+)\.lora_(?P<part>[AB])\.weight")
KINDS = {"F32": "<f4", "F16": "<f2", "BF16": "<u2"}
BRAIN_EXPONENT = 0x7F80
"""The bits of a BF16 number that are all set where it is no finite one."""
INITS = frozenset({"gaussian", "eva", "orthogonal", "mica", "lora_ga"})
"""Ways of beginning (`init_lora_weights`) that leave the model's own weights as they are; others change them when PEFT
loads the adapter, which a server does not."""
KNOWN = frozenset({
    "auto_mapping", "base_model_name_or_path", "bias", "eva_config", "exclude_modules", "inference_mode",
    "init_lora_weights", "layers_pattern", "layers_to_transform", "lora_alpha", "lora_dropout", "lora_ga_config",
    "megatron_core", "peft_type", "peft_version", "qalora_group_size", "r", "revision", "target_modules", "task_type",
    "use_rslora"})  # fmt: skip
"""Fields of adapter_config.json that a server follows or need not know. Another one that is set (`use_dora`,
`modules_to_save`, `lora_bias`, `rank_pattern`, `trainable_token_indices`, …) makes an adapter of which it would serve
something else: some it refuses itself, others it passes over."""


def check(folder: Path, shown: str, base: Layers | None) -> int:
    """Hold an adapter against a model.

    Args:
        folder: With `adapter_config.json` and `adapter_model.safetensors`.
        shown: What to call it in an error.
        base: Layers of the model; None if its files cannot be read here, and then the adapter's shapes are not known
            to be right.
    Returns:
        Its rank.
    Raises:
        FileRefused: The folder holds no adapter that can be read.
        BadInput: The server would leave something of it out, or serve something else.
    """
    try:
        config = _config(folder / CONFIG)
        found = tensors(folder / WEIGHTS)
        rank = config["r"]
    except (OSError, ValueError, KeyError, TypeError):
        raise FileRefused(f"{shown}: holds no LoRA adapter; adapter_config.json with r and adapter_model.safetensors "
                          "are needed") from None
    if type(rank) is not int or not 1 <= rank <= MOST_RANK:
        raise FileRefused(f"{shown}: rank {rank}; 1 to {MOST_RANK} can be served")
    _check_config(config, shown)
    layers = _layers(found, shown)
    _check_names(layers, shown, base)
    _check_shapes(layers, shown, base, rank)
    _check_numbers(folder / WEIGHTS, layers, shown)
    return rank


def _config(file: Path) -> dict[str, Any]:
    with file.open("rb") as opened:
        text = opened.read(LONGEST_CONFIG + 1)
    try:
        config = json.loads(text) if len(text) <= LONGEST_CONFIG else None
    except RecursionError:
        config = None
    if not isinstance(config, dict):
        raise ValueError("no object")
    return config


def _check_config(config: Mapping[str, Any], shown: str) -> None:
    kind = str(config.get("peft_type"))[:40]
    if kind != "LORA":
        raise BadInput(f"{shown}: is of the kind {kind}, and the server would take it for LORA; train a LoRA adapter")
    alpha = config.get("lora_alpha")
    if isinstance(alpha, bool) or not isinstance(alpha, int | float) or not math.isfinite(alpha) or not alpha:
        raise BadInput(f"{shown}: lora_alpha must be a number in adapter_config.json")
    unknown = [name for name, value in config.items() if value and name not in KNOWN]
    if config.get("bias", "none") != "none":
        unknown.append("bias")
    begun = config.get("init_lora_weights")
    if not (begun is None or isinstance(begun, bool) or (isinstance(begun, str) and begun.lower() in INITS)):
        unknown.append("init_lora_weights")
    if unknown:
        raise BadInput(f"{shown}: adapter_config.json sets {str(sorted(unknown)[0])[:60]}, which the server does not "
                       "serve; train without it")


def _layers(found: Mapping[str, Tensor], shown: str) -> dict[str, dict[str, Tensor]]:
    """The two parts of each layer, by its name without PEFT's prefix."""
    layers: dict[str, dict[str, Tensor]] = {}
    for name, tensor in found.items():
        if ENDS.search(name):
            raise BadInput(f"{shown}: changes {name[:120]}; an adapter of embeddings or of the output layer can change "
                           "the answers without it too, so train attention and MLP layers only")
        part = PART.fullmatch(name)
        if not part or part["part"] in layers.get(part["layer"], {}):
            raise BadInput(f"{shown}: {name[:120]} is no lora_A or lora_B of a linear layer, which is all that the "
                           "server takes")
        if tensor.kind not in KINDS:
            raise BadInput(f"{shown}: {name[:120]} is of the type {tensor.kind[:20]}; F32, F16 and BF16 are served")
        layers.setdefault(part["layer"], {})[part["part"]] = tensor
    if not layers:
        raise BadInput(f"{shown}: holds no layer; train it first")
    if half := [layer for layer, parts in layers.items() if len(parts) != 2]:
        raise BadInput(f"{shown}: {half[0][:120]} has only one of lora_A and lora_B; save the adapter again")
    return layers


def _check_names(layers: Iterable[str], shown: str, base: Layers | None) -> None:
    if left := sorted(layer for layer in layers if ENCODER.search(layer)):
        raise BadInput(f"{shown}: changes {len(left)} layers of the picture encoder ({left[0][:120]}, …), which the "
                       "server would leave out; train language layers only")
    if base and (left := sorted(layer for layer in layers if base.shape(layer) is None)):
        raise BadInput(f"{shown}: changes {len(left)} layers that the served model does not have ({left[0][:120]}, …), "
                       "which the server would leave out; it was trained on another model")


def _check_shapes(layers: Mapping[str, Mapping[str, Tensor]], shown: str, base: Layers | None, rank: int) -> None:
    for layer, parts in layers.items():
        a, b = parts["A"].shape, parts["B"].shape
        whole = base.shape(layer) if base else None
        outputs, inputs = whole or (b[0] if b else 0, a[-1] if a else 0)
        for name, shape, wanted in (("lora_A", a, (rank, inputs)), ("lora_B", b, (outputs, rank))):
            if shape != wanted:
                raise BadInput(f"{shown}: {name} of {layer[:120]} has the shape {_by(shape)}; {_by(wanted)} fits the "
                               "model and the rank")


def _check_numbers(file: Path, layers: Mapping[str, Mapping[str, Tensor]], shown: str) -> None:
    """Numbers that are not finite spoil the answers of others that share the server's memory; zeros change nothing."""
    changes = False
    for layer, parts in layers.items():
        for part, tensor in parts.items():
            numbers = np.fromfile(file, KINDS[tensor.kind], count=math.prod(tensor.shape), offset=tensor.begin)
            if tensor.kind == "BF16":
                finite = bool(np.all((numbers & BRAIN_EXPONENT) != BRAIN_EXPONENT))
            else:
                finite = bool(np.isfinite(numbers).all())
            if not finite:
                raise BadInput(f"{shown}: lora_{part} of {layer[:120]} holds numbers that are not finite; the training "
                               "went wrong")
            # The sign of a BF16 zero is its highest bit.
            changes |= part == "B" and bool(np.any(numbers & 0x7FFF if tensor.kind == "BF16" else numbers))
    if not changes:
        raise BadInput(f"{shown}: changes nothing, since every lora_B is zero; train it first")


def _by(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape)) or "()"
