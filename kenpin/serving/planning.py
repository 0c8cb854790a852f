"""Decides how a model is served on this machine."""

from collections.abc import Sequence
from pathlib import Path

from kenpin.config import Settings
from kenpin.contracts.errors import BadInput, Unavailable
from kenpin.launch import is_loopback
from kenpin.serving import machine
from kenpin.serving.adapters import read_adapter
from kenpin.serving.command import CONTEXT, EMBED_CONTEXT, EMBED_SIDE, FITTING, Plan

CACHE_GIB = (1, 16)
"""Least and most of a CPU's memory for attention keys and values; an eighth of it in between."""


def made(settings: Settings, model: str, *, name: str | None = None, host: str = "127.0.0.1", port: int = 8000,
         device: str = "auto", cards: int | None = None, context: int | None = None, parser: str | None = None,
         adapters: Sequence[str] = (), behind_proxy: bool = False, embed: bool = False,
         share: float | None = None) -> Plan:
    """Plan a server.

    Args:
        settings: How large pictures are sent, how many a request, and which Python has vLLM.
        model: Folder, or a name that vLLM can load.
        name: What the server calls it.
        host: Address to listen on.
        port: TCP port.
        device: `auto`, `cpu` or `gpu`.
        cards: To spread the model over; as many as there are and share its heads evenly if None.
        context: Tokens; what the model was made for, 32,768 at most, if None.
        parser: Of tool calls; the one that fits the model if None.
        adapters: `NAME=FOLDER` each.
        behind_proxy: Whether a host that others reach has a proxy before it.
        embed: For embeddings of past cases; one card unless told otherwise.
        share: Of a card's memory.
    Raises:
        BadInput: An adapter cannot be served (`read_adapter`), or the host is open to others.
        Unavailable: There is no vLLM, no such model, or not the device that was asked for.
    """
    if not is_loopback(host) and not behind_proxy:
        raise BadInput(f"{host} can be reached by others, and vLLM's key leaves /tokenize, /metrics and /invocations "
                       "open; put a proxy before it (deploy/) and add --behind-proxy")
    if embed and (parser or adapters):
        raise BadInput("--parser and --adapter are for a planner; leave them out with --embed")
    known, home = machine.read_model(model), machine.find_home(settings.vllm_python)
    limit = min(known.context or CONTEXT, CONTEXT)
    if embed:
        limit = min(known.context, EMBED_CONTEXT) if known.context else FITTING
    if context and known.context and context > known.context:
        raise BadInput(f"--context {context}: the model was made for {known.context} tokens")
    small, large = CACHE_GIB
    return Plan(
        model=str(Path(model).expanduser().resolve()) if Path(model).expanduser().is_dir() else model,
        home=home, parser=parser or machine.parser_for(model, known.kind),
        pictures=1 if embed else settings.vllm_pictures, long_side=EMBED_SIDE if embed else settings.vllm_long_side,
        context=context or limit, host=host, port=port, name=name,
        cards=_cards(home, device, cards or (1 if embed else None), known.heads),
        adapters=tuple(map(read_adapter, adapters)),
        cache_gib=small if embed else min(max(int(machine.memory_gib() / 8), small), large), threads=machine.threads(),
        embed=embed, sized=not embed or known.kind in machine.PARSERS, share=share,
    )  # fmt: skip


def _cards(home: machine.Home, device: str, wanted: int | None, heads: int | None) -> int:
    """Cards to serve on; 1 on a CPU.

    Raises:
        Unavailable: The device or that many cards are not there.
        BadInput: The cards cannot share the model.
    """
    if home.device == "cpu":
        if device == "gpu" or (wanted or 1) > 1:
            raise Unavailable(f"{home.python} has vLLM for the CPU; install vLLM for cards elsewhere and name its "
                              "Python with KENPIN_VLLM_PYTHON")
        return 1
    if device == "cpu":
        raise Unavailable(f"{home.python} has vLLM for cards; run make vllm for the one for the CPU")
    there = machine.cards()
    if there < (wanted or 1):
        raise Unavailable(f"{wanted or 1} card(s) wanted and {there} found by nvidia-smi; check the driver and "
                          "CUDA_VISIBLE_DEVICES")
    if wanted and heads and heads % wanted:
        raise BadInput(f"--cards {wanted}: the model has {heads} attention heads, which {wanted} cards cannot share "
                       "evenly")
    return wanted or machine.shared_by(there, heads)

