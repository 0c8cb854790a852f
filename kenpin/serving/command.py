"""The command line and the variables of a vLLM server for Kenpin. Each flag says why it is there."""

import json
import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kenpin.serving.adapters import Adapter, Room, rank_for
from kenpin.serving.machine import Home

CPU_PATH = Path(__file__).parent / "cpu"
"""What lets torchvision load on a CPU lies here, on the path of the CPU server alone."""
GUARD_PATH = Path(__file__).parent / "guard"
"""What stands before a server whose adapters change while it runs lies here, on that server's path."""
CONTEXT = 32768
"""Tokens. A dialogue of six turns with six pictures of 1024 px needs less than half."""
EMBED_CONTEXT = 4096
"""Tokens of one picture or text; a picture of 448 px is 196 in Qwen3-VL, a long note some hundred."""
EMBED_SIDE = 448
"""Longest side of a picture as the embedder sends it, px."""
FITTING = -1
"""The server takes what the model was made for, or less if its memory holds less."""
SEQUENCES = 8
"""Dialogues at once on a CPU; a card takes what its memory holds."""
NOWHERE = "none.invalid"
"""The only host that the server may fetch pictures from. There is none of this name (RFC 2606)."""
SMALLEST_PIXELS = 64 * 64


@dataclass(frozen=True)
class Plan:
    """What is to be served, and on what."""

    model: str
    home: Home
    parser: str
    pictures: int
    """A prompt may hold."""
    long_side: int
    """Of a picture, px."""
    least_pixels: int | None = None
    """Of a picture, as the model was trained; None for the least that a picture may have."""
    most_pixels: int | None = None
    """As above; None for what the longer side allows."""
    context: int = CONTEXT
    host: str = "127.0.0.1"
    port: int = 8000
    name: str | None = None
    """What the server calls the model."""
    cards: int = 1
    visible: tuple[int, ...] | None = None
    """Which of them, as `nvidia-smi` counts; None for those that the server sees by itself."""
    adapters: tuple[Adapter, ...] = ()
    """LoRA adapters."""
    room: Room | None = None
    """For adapters that are loaded while the server runs; None if none are."""
    cache_gib: int = 2
    """Of attention keys and values kept on a CPU."""
    threads: int = 1
    """Of a CPU server."""
    embed: bool = False
    """Vectors of pictures and words for past cases, instead of a planner."""
    sized: bool = True
    """The model's processor takes bounds in pixels, as those of the Qwen-VL families do."""
    share: float | None = None
    """Of a card's memory; vLLM takes .9 if it is not told."""


def command(plan: Plan) -> list[str]:
    """The words to start the server with.

    Source: vLLM 0.32. `python -m` because the CPU build's own command looks for a distribution of another name. Without
    both a strict level and a backend that writes no blanks, forced calls broke their schema, and a reply that was cut
    off could hold nothing but blanks.
    """
    words = [
        str(plan.home.python), "-m", "vllm.entrypoints.openai.api_server",
        "--model", plan.model, "--host", plan.host, "--port", str(plan.port),
        "--max-model-len", str(plan.context),
        *(["--runner", "pooling"] if plan.embed else _planning(plan)),
        "--limit-mm-per-prompt", _json({"image": plan.pictures, "video": 0}),
        # A picture's address in a request would make the server fetch it, from the company's network too.
        "--allowed-media-domains", NOWHERE,
    ]  # fmt: skip
    if plan.sized:
        words += ["--mm-processor-kwargs", _json({"size": {"shortest_edge": plan.least_pixels or SMALLEST_PIXELS,
                                                            "longest_edge": _most(plan)}})]  # fmt: skip
    if plan.share and plan.home.device == "gpu":
        words += ["--gpu-memory-utilization", str(plan.share)]
    if plan.name:
        words += ["--served-model-name", plan.name]
    if plan.home.device == "cpu":
        # Compiling takes minutes on a CPU and saves little there.
        words += ["--enforce-eager", "--max-num-seqs", str(SEQUENCES)]
    elif plan.cards > 1:
        # As vLLM's pages have it for this family: each card reads whole pictures with an encoder of its own.
        words += ["--tensor-parallel-size", str(plan.cards), "--mm-encoder-tp-mode", "data"]
    return words + _lora(plan)


def _lora(plan: Plan) -> list[str]:
    """Adapters. Room for them is set at the start: their number in one batch, and the largest rank."""
    if not plan.adapters and not plan.room:
        return []
    ranks = [one.rank for one in plan.adapters] + ([plan.room.rank] if plan.room else [])
    words = ["--enable-lora", "--max-lora-rank", str(rank_for(ranks)),
             "--max-loras", str(len(plan.adapters) + (plan.room.adapters if plan.room else 0))]  # fmt: skip
    if plan.adapters:
        words += ["--lora-modules", *(f"{one.name}={one.folder}" for one in plan.adapters)]
    if plan.room:
        # vLLM's own key leaves a second way to load adapters open, and takes any folder.
        words += ["--middleware", "kenpin_vllm_guard.Guard"]
    return words


def _most(plan: Plan) -> int:
    """Pixels of the largest picture: as many as Kenpin sends, unless the model was trained on fewer."""
    return min(plan.long_side**2, plan.most_pixels or plan.long_side**2)


def _planning(plan: Plan) -> list[str]:
    """What a planner's calls need."""
    return ["--enable-auto-tool-choice", "--tool-call-parser", plan.parser, "--tool-strict-level", "parameter",
            "--structured-outputs-config", _json({"backend": "xgrammar", "disable_any_whitespace": True}),
            "--enable-prefix-caching"]  # fmt: skip


def variables(plan: Plan, key: str | None = None) -> dict[str, str]:
    """Variables to start the server with, added to those of this process; a key goes by them, since any user of the
    machine can read a command line."""
    given = {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
    if Path(plan.model).is_dir():
        given |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    if plan.home.device == "cpu":
        given |= {"PYTHONPATH": str(CPU_PATH), "VLLM_CPU_KVCACHE_SPACE": str(plan.cache_gib),
                  "VLLM_CPU_OMP_THREADS_BIND": "nobind", "OMP_NUM_THREADS": str(plan.threads)}  # fmt: skip
    else:
        # So that a card's number is the one that nvidia-smi shows, and not its place by speed.
        given |= {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
    if plan.visible:
        given |= {"CUDA_VISIBLE_DEVICES": ",".join(map(str, plan.visible))}
    if plan.room:
        path = [given.get("PYTHONPATH") or os.environ.get("PYTHONPATH", ""), str(GUARD_PATH)]
        given |= {"VLLM_ALLOW_RUNTIME_LORA_UPDATING": "True", "KENPIN_GUARD_FOLDER": str(plan.room.folder),
                  "PYTHONPATH": os.pathsep.join(filter(None, path))}  # fmt: skip
    return given | ({"VLLM_API_KEY": key} if key else {})


def shown(words: Sequence[str], given: Mapping[str, str]) -> str:
    """The whole as a line for a shell, without the key."""
    before = [f"{name}={shlex.quote(value)}" for name, value in given.items() if name != "VLLM_API_KEY"]
    return " ".join([*before, *map(shlex.quote, words)])


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
