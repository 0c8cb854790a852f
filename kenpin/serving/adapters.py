"""LoRA adapters that a server is started with, and the room that it keeps for them."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from kenpin.adapters.base import Layers
from kenpin.adapters.checking import MOST_RANK, check
from kenpin.contracts.errors import BadInput

RANKS = (8, 16, 32, 64, 128, 256, 320, MOST_RANK)
"""What `--max-lora-rank` takes; vLLM 0.32 reserves memory for it."""


@dataclass(frozen=True)
class Adapter:
    """One adapter as it is served."""

    name: str
    folder: Path
    rank: int


@dataclass(frozen=True)
class Room:
    """What is kept for adapters that are loaded while the server runs."""

    adapters: int
    """That may be asked within one batch."""
    rank: int
    folder: Path
    """Of copies, the only one that the server loads from."""


def read_adapter(text: str, base: Layers | None) -> Adapter:
    """An adapter given as `NAME=FOLDER`.

    Args:
        text: As given.
        base: Layers of the model, if its files lie here.
    Raises:
        BadInput: It is not given so, or the server would leave something of it out.
        FileRefused: The folder holds no adapter that can be read.
    """
    name, _, place = text.partition("=")
    if not name or not place:
        raise BadInput(f"--adapter {text}: give NAME=FOLDER")
    folder = Path(place).expanduser().resolve()
    return Adapter(name=name, folder=folder, rank=check(folder, place, base))


def rank_for(ranks: Iterable[int]) -> int:
    """The rank to reserve for all of them."""
    largest = max(ranks)
    return next(rank for rank in RANKS if rank >= largest)
