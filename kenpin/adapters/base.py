"""The layers of a served model, read from its own files, so that an adapter can be held against them."""

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kenpin.adapters.header import tensors

QWEN3 = (("model.visual.", "visual."), ("lm_head.", "language_model.lm_head."),
         ("model.language_model.", "language_model.model."))
QWEN2 = (*QWEN3, ("model.", "language_model.model."))
PREFIXES: Mapping[str, tuple[tuple[str, str], ...]] = {
    "qwen2_vl": QWEN2, "qwen2_5_vl": QWEN2, "qwen3_vl": QWEN3, "qwen3_vl_moe": QWEN3, "qwen3_5": QWEN3,
    "qwen3_5_moe": QWEN3}
"""How vLLM 0.32 renames the layers of a family (`hf_to_vllm_mapper`), by `model_type`. A layer of an adapter whose new
name the model does not have is left out without a word; names of other families are taken as they are."""
REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")


class Layers:
    """The linear layers of one model: what a LoRA adapter can change."""

    def __init__(self, kind: str | None, shapes: Mapping[str, tuple[int, int]]) -> None:
        self._prefixes = PREFIXES.get(kind or "", ())
        self._shapes = {self._named(name): shape for name, shape in shapes.items()}

    def shape(self, layer: str) -> tuple[int, int] | None:
        """Outputs and inputs of a layer by the name that an adapter gives it; None if there is no such layer."""
        return self._shapes.get(self._named(layer))

    def _named(self, name: str) -> str:
        """The name that the server gives a layer."""
        for old, new in self._prefixes:
            if name.startswith(old):
                return new + name.removeprefix(old)
        return name


def layers_of(root: str) -> Layers | None:
    """The layers of the model that lies in a folder, or that the cache of Hugging Face on this machine holds.

    Returns:
        None if its files cannot be read here.
    """
    folder = _folder(root)
    try:
        config: Any = json.loads((folder / "config.json").read_text(encoding="utf-8")) if folder else None
        files = sorted(folder.glob("*.safetensors")) if folder else []
        if not files or not isinstance(config, dict):
            return None
        kind = config.get("model_type")
        shapes = {name.removesuffix(".weight"): (tensor.shape[0], tensor.shape[1])
                  for file in files for name, tensor in tensors(file).items()
                  if name.endswith(".weight") and len(tensor.shape) == 2}
    except (OSError, ValueError):
        return None
    return Layers(kind if isinstance(kind, str) else None, shapes) if shapes else None


def _folder(root: str) -> Path | None:
    """Where a model's files lie: the folder itself, or what the cache has of a repository's main branch."""
    given = Path(root).expanduser()
    if given.is_dir():
        return given
    if not REPOSITORY.fullmatch(root):
        return None
    home = Path(os.environ.get("HF_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface")
    cache = Path(os.environ.get("HF_HUB_CACHE") or home / "hub").expanduser()
    there = cache / f"models--{root.replace('/', '--')}"
    try:
        version = (there / "refs" / "main").read_text(encoding="utf-8").strip()
    except OSError:
        return None
    return there / "snapshots" / version if re.fullmatch(r"\w+", version) else None
