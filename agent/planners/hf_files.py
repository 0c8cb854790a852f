"""What a model's folder says of itself, read without loading it: what is wrong with it is said before torch starts."""

import json
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from kenpin.config import Settings
from kenpin.contracts.errors import FileRefused, MissingExtra, Unavailable

PARTS = ("torch", "transformers", "xgrammar")
"""Of the extra `local`."""
ADAPTER_PARTS = ("peft",)
LONGEST_HEADER = 64 * 2**20
HOW = "set KENPIN_LOCAL_MODEL to the folder of a vision-language model (config.json, *.safetensors, a tokenizer)"


@dataclass(frozen=True)
class Folder:
    """A model as it lies on disk."""

    path: Path
    names: tuple[str, ...]
    """What kind of model it is: `model_type` and `architectures` of config.json."""
    context: int | None
    """Tokens that it was made for."""
    weights: int
    """Bytes of its weights, which are about what it takes of memory."""
    token_bytes: int
    """Bytes of keys and values that each token of a prompt takes; 0 where config.json does not say."""
    stamp: tuple[tuple[str, int, int], ...]
    """Name, size and time of each file: another stamp is another model."""

    @property
    def name(self) -> str:
        """What the trace and the screens call it."""
        return self.path.name


def check_installed(names: Iterable[str] = PARTS) -> None:
    """Raise `MissingExtra` if a part of the extra is not there; nothing is imported."""
    if any(find_spec(name) is None for name in names):
        raise MissingExtra("the planner local", extra="local")


def model_folder(settings: Settings) -> Folder:
    """The model that the settings name.

    Raises:
        Unavailable: None is named, or there is no such folder.
        FileRefused: The folder holds no model with pictures, or one whose weights are not safetensors.
    """
    if settings.local_model is None:
        raise Unavailable(f"the planner local has no model; {HOW}")
    path = settings.local_model.expanduser()
    if not path.is_dir():
        raise Unavailable(f"{path}: no such folder; {HOW}")
    path = path.resolve()
    config = _config(path)
    if not isinstance(config.get("vision_config"), dict):
        raise FileRefused(f"{path}: a model without eyes (config.json has no vision_config); {HOW}")
    text = config["text_config"] if isinstance(config.get("text_config"), dict) else config
    files = sorted(path.iterdir())
    weights = [file for file in files if file.suffix == ".safetensors"]
    if not weights:
        raise FileRefused(f"{path}: holds no *.safetensors; weights of other kinds can run code and are not loaded")
    for file in weights:
        tensor_names(file)
    architectures = config.get("architectures")
    names = [config.get("model_type"), *(architectures if isinstance(architectures, list) else ())]
    return Folder(path=path, names=tuple(str(name) for name in names if name),
                  context=_whole(text, "max_position_embeddings"), token_bytes=_token_bytes(text),
                  weights=sum(file.stat().st_size for file in weights), stamp=_stamp(files))


def adapter_folder(settings: Settings) -> Folder | None:
    """The LoRA adapter that the settings name, if they name one.

    Raises:
        Unavailable: There is no such folder.
        FileRefused: It holds no adapter.
    """
    if settings.local_adapter is None:
        return None
    path = settings.local_adapter.expanduser()
    if not path.is_dir():
        raise Unavailable(f"{path}: no such folder; set KENPIN_LOCAL_ADAPTER to the folder of a LoRA adapter")
    path = path.resolve()
    weights = path / "adapter_model.safetensors"
    if not (path / "adapter_config.json").is_file() or not weights.is_file():
        raise FileRefused(f"{path}: holds no LoRA adapter; adapter_config.json and adapter_model.safetensors are "
                          "needed")
    names = tensor_names(weights)
    return Folder(path=path, names=names, context=None, weights=weights.stat().st_size, token_bytes=0,
                  stamp=_stamp(sorted(path.iterdir())))


def tensor_names(file: Path) -> tuple[str, ...]:
    """Names of the tensors of a safetensors file, from its header.

    Raises:
        FileRefused: It is no such file, or it was cut off.
    Source: the safetensors format: eight bytes of length, a JSON object, and the data at the offsets that it names.
    """
    try:
        with file.open("rb") as opened:
            length: int = struct.unpack("<Q", opened.read(8))[0]
            if length > LONGEST_HEADER:
                raise ValueError("too long a header")
            header = json.loads(opened.read(length))
        names = tuple(name for name in header if name != "__metadata__")
        end = max((int(header[name]["data_offsets"][1]) for name in names), default=0)
    except (OSError, ValueError, KeyError, TypeError, IndexError, struct.error):
        raise FileRefused(f"{file}: cannot be read as safetensors; copy the model again") from None
    if file.stat().st_size != 8 + length + end:
        raise FileRefused(f"{file}: {file.stat().st_size} bytes where its header says {8 + length + end}; "
                          "copy the model again")
    return names


def _config(path: Path) -> dict[str, Any]:
    try:
        config = json.loads((path / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise FileRefused(f"{path}: holds no config.json that can be read; {HOW}") from None
    if not isinstance(config, dict):
        raise FileRefused(f"{path}: config.json is no object; {HOW}")
    return config


def _token_bytes(text: dict[str, Any]) -> int:
    """Keys and values of one token in 16 bits: layers × key/value heads × size of a head × 2 × 2 bytes."""
    layers, heads = _whole(text, "num_hidden_layers"), _whole(text, "num_attention_heads")
    if not layers or not heads:
        return 0
    size = _whole(text, "head_dim") or (_whole(text, "hidden_size") or 0) // heads
    return layers * (_whole(text, "num_key_value_heads") or heads) * size * 2 * 2


def _whole(said: dict[str, Any], name: str) -> int | None:
    value = said.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _stamp(files: Iterable[Path]) -> tuple[tuple[str, int, int], ...]:
    return tuple((file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files if file.is_file())
