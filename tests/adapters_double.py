"""A small model's files, LoRA adapters for it, and a server on loopback that loads them as vLLM does: whatever it is
given, without a word about what it leaves out. Loaded by tests with `runpy`."""

import hashlib
import json
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from runpy import run_path
from typing import Any

import numpy as np

FAKE = run_path(str(Path(__file__).with_name("fake_openai.py")))
PREFIX = "base_model.model."
AT = "model.language_model.layers.{}.self_attn.{}"
WIDTH, LAYERS, RANK = 32, 2, 4
BASE = "kenpin-base"
KEY = "a-key-of-the-server"


def save(file: Path, tensors: Mapping[str, Any]) -> None:
    """A safetensors file; an array, or (type, shape, bytes)."""
    header: dict[str, Any] = {}
    body = b""
    for name, value in tensors.items():
        kind, shape, data = value if isinstance(value, tuple) else (
            {"float32": "F32", "float16": "F16", "int32": "I32"}[str(value.dtype)], value.shape, value.tobytes())
        header[name] = {"dtype": kind, "shape": list(shape), "data_offsets": [len(body), len(body) + len(data)]}
        body += data
    text = json.dumps(header).encode()
    file.write_bytes(struct.pack("<Q", len(text)) + text + body)


def model(folder: Path, kind: str = "qwen3_vl") -> Path:
    """A model's configuration and weights as far as an adapter is held against them."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"model_type": kind, "num_attention_heads": 4}))
    square = np.zeros((WIDTH, WIDTH), np.float16)
    tensors = {AT.format(n, part) + ".weight": square for n in range(LAYERS) for part in ("q_proj", "v_proj")}
    tensors["model.language_model.layers.0.mlp.up_proj.weight"] = np.zeros((3 * WIDTH, WIDTH), np.float16)
    tensors["model.language_model.layers.0.input_layernorm.weight"] = np.zeros(WIDTH, np.float16)
    tensors["model.visual.blocks.0.attn.qkv.weight"] = np.zeros((3 * WIDTH, WIDTH), np.float16)
    tensors["lm_head.weight"] = np.zeros((64, WIDTH), np.float16)
    save(folder / "model.safetensors", tensors)
    return folder


def layer(name: str, *, seed: int = 1, inputs: int = WIDTH, outputs: int = WIDTH, rank: int = RANK) -> dict[str, Any]:
    """The two parts of one layer."""
    rng = np.random.default_rng(seed)
    return {f"{PREFIX}{name}.lora_A.weight": rng.normal(size=(rank, inputs)).astype(np.float32),
            f"{PREFIX}{name}.lora_B.weight": rng.normal(size=(outputs, rank)).astype(np.float32)}


def adapter(folder: Path, tensors: Mapping[str, Any] | None = None, *, seed: int = 1, **config: Any) -> Path:
    """An adapter as PEFT saves it; of one layer of `model` unless said otherwise."""
    folder.mkdir(parents=True, exist_ok=True)
    save(folder / "adapter_model.safetensors", layer(AT.format(0, "q_proj"), seed=seed) if tensors is None else tensors)
    (folder / "adapter_config.json").write_text(json.dumps({
        "peft_type": "LORA", "r": RANK, "lora_alpha": 8, "lora_dropout": 0.05, "bias": "none", "task_type": "CAUSAL_LM",
        "target_modules": ["q_proj", "v_proj"], "inference_mode": True, "modules_to_save": None, "use_dora": False,
        "rank_pattern": {}, "loftq_config": {}, "megatron_core": "megatron.core", **config}))
    return folder


@dataclass
class Pretend:
    """The server as a test sees it."""

    root: Path
    fake: Any
    loaded: dict[str, str] = field(default_factory=dict)
    """Folder by name."""
    blind: bool = False
    """It leaves every adapter out, and says nothing."""
    fixed: bool = False
    """It changes no adapters while it runs."""
    loads: int = 0

    @property
    def url(self) -> str:
        return str(self.fake.url)

    @property
    def asked(self) -> list[str]:
        """The model of each request of a turn."""
        return [chat.body["model"] for chat in self.fake.chats if len(chat.body.get("tools", ())) > 1]

    def restart(self) -> None:
        """What was loaded is gone."""
        self.loaded.clear()
        self.list()

    def list(self) -> None:
        """Bring `/v1/models` up to date."""
        base = {"id": BASE, "object": "model", "root": str(self.root), "parent": None, "max_model_len": 32768}
        self.fake.models[:] = [base] + [{"id": name, "object": "model", "root": root, "parent": BASE}
                                        for name, root in self.loaded.items()]

    def reply(self, request: Any) -> Any:
        """Answer one request."""
        path = request.path
        if path.endswith("/load_lora_adapter") and not self.fixed:
            return self._load(request.body)
        if path.endswith("/unload_lora_adapter") and not self.fixed:
            return self._unload(request.body["lora_name"])
        if not path.endswith("/chat/completions"):
            return lambda handler, fake: handler.send(404, {"detail": "Not Found"})
        if request.body.get("logprobs"):
            return self._weighed(request.body["model"])
        tools = [tool["function"]["name"] for tool in request.body.get("tools", ())]
        if "name_colour" in tools:
            return FAKE["called"](("name_colour", {"colour": "red"}))
        done = {"why": "Done.", "text": "Seen.", "kind": None, "judged": None, "about": None}
        return FAKE["called"](("answer", done))

    def _load(self, body: Mapping[str, Any]) -> Any:
        name, folder = body["lora_name"], body["lora_path"]
        if name in self.loaded:
            return FAKE["status"](400, f"The lora adapter '{name}' has already been loaded.")
        rank = json.loads((Path(folder) / "adapter_config.json").read_text())["r"]
        if rank > 16:
            return FAKE["status"](500, "Call to add_lora method failed: Worker failed with error 'LoRA rank "
                                       f"{rank} is greater than max_lora_rank 16.', please check the stack trace above")
        self.loads += 1
        self.loaded[name] = folder
        self.list()
        return FAKE["raw"](b"Success", "text/plain")

    def _unload(self, name: str) -> Any:
        if name not in self.loaded:
            return FAKE["status"](404, f"The lora adapter '{name}' cannot be found.")
        del self.loaded[name]
        self.list()
        return FAKE["raw"](b"Success", "text/plain")

    def _weighed(self, name: str) -> Any:
        seen = "" if self.blind else self.loaded.get(name, "")
        number = -int(hashlib.sha256(seen.encode()).hexdigest()[:4], 16) / 65536
        body = {"choices": [{"logprobs": {"content": [{"token": "a", "logprob": number}]}}]}
        return lambda handler, fake: handler.send(200, body)


@contextmanager
def serving(root: Path) -> Iterator[Pretend]:
    """Run such a server over a model's folder."""
    def reply(request: Any) -> Any:
        return pretend.reply(request)

    with FAKE["serving"](reply, models=[]) as fake:
        pretend = Pretend(root=root, fake=fake)
        pretend.list()
        yield pretend
