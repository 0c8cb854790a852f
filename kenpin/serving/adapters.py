"""LoRA adapters before they are served: what a server would pass over with a warning is an error here."""

import json
import re
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kenpin.contracts.errors import BadInput, FileRefused

RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
"""What `--max-lora-rank` takes; vLLM 0.32 reserves memory for it."""
ENCODER = re.compile(r"(?:^|\.)(?:visual|vision_tower|vision_model|merger|multi_modal_projector)\.")
"""Layers of the picture encoder. vLLM serves adapters of language layers; weights of others it leaves out."""
LONGEST_HEADER = 64 * 2**20


@dataclass(frozen=True)
class Adapter:
    """One adapter as it is served."""

    name: str
    folder: Path
    rank: int


def read_adapter(text: str) -> Adapter:
    """An adapter given as `NAME=FOLDER`.

    Raises:
        BadInput: It is not given so, or has layers that would be left out.
        FileRefused: The folder holds no adapter that can be read.
    """
    name, _, place = text.partition("=")
    if not name or not place:
        raise BadInput(f"--adapter {text}: give NAME=FOLDER")
    folder = Path(place).expanduser().resolve()
    try:
        rank = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))["r"]
        names = tensor_names(folder / "adapter_model.safetensors")
    except (OSError, ValueError, KeyError, TypeError, struct.error):
        raise FileRefused(f"{place}: holds no LoRA adapter; adapter_config.json with r and adapter_model.safetensors "
                          "are needed") from None
    if not isinstance(rank, int) or not 1 <= rank <= RANKS[-1]:
        raise FileRefused(f"{place}: rank {rank}; 1 to {RANKS[-1]} can be served")
    if left_out := sorted(name for name in names if ENCODER.search(name)):
        raise BadInput(f"{place}: changes {len(left_out)} layers of the picture encoder ({left_out[0]}, …), which the "
                       "server would leave out; train language layers only")
    return Adapter(name=name, folder=folder, rank=rank)


def tensor_names(file: Path) -> list[str]:
    """Names of the tensors of a safetensors file, from its header.

    Raises:
        OSError: It cannot be read.
        ValueError: It is no such file.
    Source: the safetensors format: eight bytes of length, then a JSON object.
    """
    with file.open("rb") as opened:
        length: int = struct.unpack("<Q", opened.read(8))[0]
        if length > LONGEST_HEADER:
            raise ValueError("too long a header")
        header: Any = json.loads(opened.read(length))
    if not isinstance(header, dict):
        raise ValueError("no header")
    return [name for name in header if name != "__metadata__"]


def room(adapters: Iterable[Adapter]) -> int:
    """The rank to reserve for all of them."""
    largest = max(adapter.rank for adapter in adapters)
    return next(rank for rank in RANKS if rank >= largest)
