"""Decides how a model is served on this machine."""

from collections.abc import Sequence
from pathlib import Path

from kenpin.adapters.base import layers_of
from kenpin.adapters.keeping import kept_folder
from kenpin.config import Settings
from kenpin.contracts.errors import BadInput, Unavailable
from kenpin.launch import is_loopback
from kenpin.serving import machine
from kenpin.serving.adapters import Adapter, Room, read_adapter
from kenpin.serving.cards import SHARE, Card, found, free_of_one_kind
from kenpin.serving.command import CONTEXT, EMBED_CONTEXT, EMBED_SIDE, FITTING, Plan

EMBED_CACHE_GIB = 1
"""Of a CPU's memory; each picture or text is read once."""
OF_CARDS = 0.9
"""Of a card's memory that weights may take at most: beside them vLLM needs room for pictures and for what is said."""
ANY_SIZE = frozenset({"qwen3_vl", "qwen3_vl_moe"})
"""Families whose boxes do not depend on a picture's size, so that the server may enlarge small ones."""
ROOM, RANK = 4, 64
"""Adapters, and their rank, that a server keeps room for if it loads them while it runs."""


def made(settings: Settings, model: str, *, name: str | None = None, host: str = "127.0.0.1", port: int = 8000,
         device: str = "auto", cards: int | None = None, context: int | None = None, parser: str | None = None,
         adapters: Sequence[str] = (), behind_proxy: bool = False, embed: bool = False,
         share: float | None = None, while_running: bool = False, room: int = ROOM, rank: int = RANK) -> Plan:
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
        while_running: Whether adapters are loaded and unloaded while it runs.
        room: For how many of them.
        rank: Largest rank of those.
    Raises:
        BadInput: An adapter cannot be served (`read_adapter`), the host is open to others (with a proxy too if adapters
            are loaded while it runs, which moreover takes a key), or the model takes no pictures.
        Unavailable: There is no vLLM, no such model, not the device that was asked for, or too little memory.
    """
    if not is_loopback(host) and not behind_proxy:
        raise BadInput(f"{host} can be reached by others, and vLLM's key leaves /tokenize, /metrics and /invocations "
                       "open; put a proxy before it (deploy/) and add --behind-proxy")
    if embed and (parser or adapters or while_running):
        raise BadInput("--parser, --adapter and --adapters-while-running are for a planner; leave them out with "
                       "--embed")
    if while_running:
        _check_running(settings, host)
    known, home = machine.read_model(model), machine.find_home(settings.vllm_python)
    if context and known.context and context > known.context:
        raise BadInput(f"--context {context}: the model was made for {known.context} tokens")
    if not known.sees:
        better = "an embedding model of pictures and words, such as CLIP or Qwen3-VL-Embedding" if embed else (
            "a vision-language model, such as one of the Qwen3-VL family")
        raise BadInput(f"{model} takes no pictures (its config.json names no part that sees); serve {better}")
    used = _cards(home, device, cards or (1 if embed else None), known.heads, share or SHARE)
    cache = EMBED_CACHE_GIB if embed else machine.cache_gib()
    _check_memory(model, known.weights_gib, used, cache, min(OF_CARDS, share or OF_CARDS))
    least, most = (None, None) if embed else known.pixels
    return Plan(
        model=str(Path(model).expanduser().resolve()) if Path(model).expanduser().is_dir() else model,
        home=home, parser=parser or machine.parser_for(model, known.kind),
        pictures=1 if embed else settings.vllm_pictures, long_side=EMBED_SIDE if embed else settings.vllm_long_side,
        least_pixels=least if known.kind in ANY_SIZE else None, most_pixels=most,
        context=context or _limit(known.context, embed=embed), host=host, port=port, name=name,
        cards=max(len(used), 1), visible=_visible(used), adapters=_adapters(model, adapters),
        room=Room(adapters=room, rank=rank, folder=kept_folder(settings)) if while_running else None,
        cache_gib=cache, threads=machine.threads(),
        embed=embed, sized=not embed or known.kind in machine.PARSERS, share=share,
    )  # fmt: skip


def _check_running(settings: Settings, host: str) -> None:
    """Whoever may load adapters decides what the model says, so nobody else may reach the server.

    Raises:
        BadInput: Others can reach it, or there is no key.
    """
    if not is_loopback(host):
        raise BadInput(f"--adapters-while-running: {host} can be reached by others, who could load adapters; leave "
                       "--host out")
    if settings.vllm_key is None or not settings.vllm_key.get_secret_value():
        raise BadInput("--adapters-while-running needs a key, since other users of this machine reach its ports too; "
                       "set KENPIN_VLLM_KEY for this command and for Kenpin")


def _adapters(model: str, given: Sequence[str]) -> tuple[Adapter, ...]:
    base = layers_of(model) if given else None
    return tuple(read_adapter(text, base) for text in given)


def _limit(known: int | None, *, embed: bool) -> int:
    """Tokens of a prompt, by what the model was made for."""
    if embed:
        return min(known, EMBED_CONTEXT) if known else FITTING
    return min(known or CONTEXT, CONTEXT)


def _cards(home: machine.Home, device: str, wanted: int | None, heads: int | None, share: float) -> tuple[Card, ...]:
    """Cards to serve on; none on a CPU.

    Raises:
        Unavailable: The device or that many cards are not there, or something else has their memory.
        BadInput: The cards cannot share the model.
    """
    if home.device == "cpu":
        if device == "gpu" or (wanted or 1) > 1:
            raise Unavailable(f"{home.python} has vLLM for the CPU; install vLLM for cards elsewhere and name its "
                              "Python with KENPIN_VLLM_PYTHON")
        return ()
    if device == "cpu":
        raise Unavailable(f"{home.python} has vLLM for cards; run make vllm for the one for the CPU")
    there = found()
    if len(there) < (wanted or 1):
        raise Unavailable(f"{wanted or 1} card(s) wanted and {len(there)} found by nvidia-smi; check the driver and "
                          "CUDA_VISIBLE_DEVICES")
    if wanted and heads and heads % wanted:
        raise BadInput(f"--cards {wanted}: the model has {heads} attention heads, which {wanted} cards cannot share "
                       "evenly")
    alike = free_of_one_kind(there, share)
    if len(alike) < (wanted or 1):
        raise Unavailable(f"{wanted or 1} card(s) wanted, free and of one kind, and {len(alike)} found among "
                          f"{', '.join(map(str, there))}; end what uses them, or serve on fewer with --cards")
    return alike[: wanted or machine.shared_by(len(alike), heads)]


def _visible(used: Sequence[Card]) -> tuple[int, ...] | None:
    """The numbers of the cards to use, if not all that the server would see."""
    numbers = tuple(card.index for card in used if card.index is not None)
    return numbers if len(numbers) == len(used) and tuple(used) != found() else None


def _check_memory(model: str, weights: float, used: Sequence[Card], cache: int, share: float) -> None:
    """What certainly does not fit is said before a minute has passed.

    Raises:
        Unavailable: The weights leave no room.
    """
    sizes = [card.total_gib for card in used if card.total_gib is not None and not card.sliced]
    if used:
        if len(sizes) == len(used) and weights > share * sum(sizes):
            raise Unavailable(f"{model}: its weights are {weights:.0f} GiB, and the {len(used)} card(s) to serve it on "
                              f"have {sum(sizes):.0f}; take more cards, a quantized version (FP8), or a smaller model")
    elif (free := machine.free_memory_gib()) < weights + cache:
        raise Unavailable(f"{model}: its weights ({weights:.1f} GiB) and {cache} GiB for what is said do not fit into "
                          f"the {free:.1f} GiB of memory that are free; VLLM_CPU_KVCACHE_SPACE=1 takes less")
