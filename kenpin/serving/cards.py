"""NVIDIA cards: which there are, which of them a server may use, and which are of one kind and free."""

import os
import shutil
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kenpin.serving.asking import said

FIELDS = ("index", "uuid", "name", "memory.total", "memory.used", "mig.mode.current")
SHARE = 0.92
"""Of a card's memory that vLLM 0.32 takes unless told otherwise (`--gpu-memory-utilization`); it ends if it cannot."""
MIB = 1024


@dataclass(frozen=True)
class Card:
    """One card, or one slice of a card (MIG)."""

    index: int | None
    """As `nvidia-smi` counts, in the order of the slots."""
    name: str = "card"
    total_gib: float | None = None
    """Memory; None where the driver does not say (cards that share the machine's memory)."""
    used_gib: float = 0.0
    sliced: bool = False
    """Divided by MIG: a process sees one slice of it, so that it cannot share a model with others."""

    def free(self, share: float = SHARE) -> bool:
        """Whether this share of its memory can be had. Of a slice and of shared memory it is not known."""
        return self.total_gib is None or self.sliced or self.used_gib <= (1 - share) * self.total_gib

    def __str__(self) -> str:
        number = "" if self.index is None else f"{self.index} "
        memory = "" if self.total_gib is None else f", {self.used_gib:.0f} of {self.total_gib:.0f} GiB in use"
        return f"{number}({self.name}{memory})"


def found(environ: Mapping[str, str] = os.environ) -> tuple[Card, ...]:
    """The cards of this machine that a server may use: those that `CUDA_VISIBLE_DEVICES` names, in its order, if it is
    set. Like CUDA, what follows a name that is none is not used."""
    there = read(_asked(*FIELDS) or _asked(*FIELDS[:-1]))
    chosen = environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is None:
        return tuple(card for _, card in there)
    cards = []
    for word in chosen.split(","):
        name = word.strip()
        if name in ("", "-1"):
            break
        if name.startswith("MIG-"):
            cards.append(Card(index=None, name="slice of a card", sliced=True))
        elif not there:
            # A container without nvidia-smi: the variable is all that is known.
            cards.append(Card(index=int(name) if name.isdecimal() else None))
        elif (one := _named(name, there)) is not None:
            cards.append(one)
        else:
            break
    return tuple(cards)


def read(text: str) -> list[tuple[str, Card]]:
    """Cards by their UUID, from what `nvidia-smi --query-gpu` printed (CSV without header and units, memory in MiB)."""
    cards = []
    for line in text.splitlines():
        parts = [part.strip() for part in line.split(",")]
        if len(parts) < len(FIELDS) - 1 or not parts[0].isdecimal():
            continue
        total = _number(parts[3])
        cards.append((parts[1], Card(
            index=int(parts[0]), name=parts[2], total_gib=None if total is None else total / MIB,
            used_gib=(_number(parts[4]) or 0.0) / MIB, sliced=parts[5:] == ["Enabled"])))  # fmt: skip
    return cards


def free_of_one_kind(cards: Sequence[Card], share: float = SHARE) -> tuple[Card, ...]:
    """The cards to spread a model over: a model is shared evenly, so they are of one kind, and the kind that has the
    most free memory together. A sliced card is used alone."""
    groups: dict[tuple[str, float | None], list[Card]] = defaultdict(list)
    for card in cards:
        if card.free(share):
            groups[card.name, card.total_gib].append(card)
    if not groups:
        return ()
    most = max(groups.values(), key=lambda group: (sum(card.total_gib or 0.0 for card in group), len(group)))
    return tuple(most[:1] if most[0].sliced else most)


def _named(name: str, there: Sequence[tuple[str, Card]]) -> Card | None:
    """By its number, or by the beginning of its UUID."""
    if name.isdecimal():
        return next((card for _, card in there if card.index == int(name)), None)
    fitting = [card for uuid, card in there if uuid.startswith(name)]
    return fitting[0] if len(fitting) == 1 else None


def _asked(*fields: str) -> str:
    program = shutil.which("nvidia-smi")
    return said([program, f"--query-gpu={','.join(fields)}", "--format=csv,noheader,nounits"]) if program else ""


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None  # "[N/A]", "[Insufficient Permissions]"
