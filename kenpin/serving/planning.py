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
from kenpin.serving.command import CONTEXT, Plan

ROOM, RANK = 4, 64
"""Adapters, and their rank, that a server keeps room for if it loads them while it runs."""
CACHE_GIB = (1, 16)
"""Least and most of a CPU's memory for attention keys and values; an eighth of it in between."""


def made(settings: Settings, model: str, *, name: str | None = None, host: str = "127.0.0.1", port: int = 8000,
         device: str = "auto", cards: int | None = None, context: int | None = None, parser: str | None = None,
         adapters: Sequence[str] = (), behind_proxy: bool = False, while_running: bool = False,
         room: int = ROOM, rank: int = RANK) -> Plan:
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
        while_running: Whether adapters are loaded and unloaded while it runs.
        room: For how many of them.
        rank: Largest rank of those.
    Raises:
        BadInput: An adapter cannot be served (`read_adapter`), or the host is open to others, with a proxy too if
            adapters are loaded while it runs, which moreover takes a key.
        Unavailable: There is no vLLM, no such model, or not the device that was asked for.
    """
    if not is_loopback(host) and not behind_proxy:
        raise BadInput(f"{host} can be reached by others, and vLLM's key leaves /tokenize, /metrics and /invocations "
                       "open; put a proxy before it (deploy/) and add --behind-proxy")
    if while_running:
        _check_running(settings, host)
    known, home = machine.read_model(model), machine.find_home(settings.vllm_python)
    limit = known.context or CONTEXT
    if context and known.context and context > known.context:
        raise BadInput(f"--context {context}: the model was made for {known.context} tokens")
    small, large = CACHE_GIB
    return Plan(
        model=str(Path(model).expanduser().resolve()) if Path(model).expanduser().is_dir() else model,
        home=home, parser=parser or machine.parser_for(model, known.kind), pictures=settings.vllm_pictures,
        long_side=settings.vllm_long_side, context=context or min(limit, CONTEXT), host=host, port=port, name=name,
        cards=_cards(home, device, cards, known.heads), adapters=_adapters(model, adapters),
        room=Room(adapters=room, rank=rank, folder=kept_folder(settings)) if while_running else None,
        cache_gib=min(max(int(machine.memory_gib() / 8), small), large), threads=machine.threads(),
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

