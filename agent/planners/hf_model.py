"""A vision-language model in this process: loaded from a folder with transformers, offline, one request at a time."""

import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock, RLock
from typing import Any

from jinja2 import TemplateError
from langchain_core.messages import BaseMessage

from agent.planners.hf_calls import structural_tag
from agent.planners.hf_files import ADAPTER_PARTS, Folder, adapter_folder, check_installed, model_folder
from agent.planners.hf_prompt import conversation, missing, opened
from agent.planners.vllm_chat import SEED
from kenpin.config import Settings
from kenpin.contracts.errors import FileRefused, Unavailable

FAULTS = (OSError, ValueError, TypeError, KeyError, IndexError, AttributeError, ImportError, AssertionError)
"""What the libraries raise on a folder that is no model, or one that they do not know."""
NO_ROOM = ("out of memory", "can't allocate memory", "not enough memory")
OFFLINE = {"local_files_only": True, "trust_remote_code": False}
_LOADING, _USING = Lock(), RLock()
"""A tokenizer is not made for two threads, and a card not for two prompts of unknown length."""
_KEPT: "dict[tuple[Folder, Folder | None], Model]" = {}
"""The model that was loaded last: sessions of the chat page share it."""


@dataclass(frozen=True)
class Model:
    """A loaded model, and what reads and writes for it."""

    folder: Folder
    adapter: Folder | None
    device: str
    """`cuda` or `cpu`."""
    net: Any
    tokenizer: Any
    processor: Any
    compiler: Any
    """xgrammar's, for this model's tokens."""
    ends: tuple[int, ...]
    """Tokens that end a reply."""

    def text(self, messages: Sequence[Mapping[str, Any]], tools: Sequence[Mapping[str, Any]]) -> str:
        """A prompt as the model's own chat template writes it."""
        return str(self.tokenizer.apply_chat_template(
            list(messages), tools=list(tools) or None, tokenize=False, add_generation_prompt=True))

    def inputs(self, messages: Sequence[BaseMessage], tools: Sequence[Mapping[str, Any]]) -> Any:
        """A prompt as tensors, batch of one: `input_ids` (1, tokens), and the pictures as the processor makes them."""
        said, files = conversation(messages)
        with self._guarded():
            text = self.text(said, tools)
            mark = getattr(self.processor, "image_token", None)
            if mark and text.count(mark) != len(files):
                raise ValueError(f"the chat template shows {text.count(mark)} of {len(files)} pictures")
            return self.processor(text=[text], images=[opened(file) for file in files] or None,
                                  return_tensors="pt", add_special_tokens=False)

    def grammar(self, tools: Sequence[Mapping[str, Any]]) -> Any:
        """What one forced call of these tools may look like."""
        with self._guarded():
            return self.compiler.compile_structural_tag(structural_tag(tools))

    def write(self, inputs: Any, grammar: Any, *, most: int) -> tuple[str, int, bool]:
        """Let the model write: greedy, so that the same prompt gives the same reply.

        Args:
            inputs: As `inputs` makes them.
            grammar: As `grammar` makes it.
            most: Tokens at most.
        Returns:
            The text without the token that ends it, the number of tokens, and whether it was cut off.
        """
        import torch
        from xgrammar.contrib.hf import LogitsProcessor

        with self._guarded(), torch.inference_mode(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.manual_seed(SEED)
            out = self.net.generate(
                **inputs.to(self.device), logits_processor=[LogitsProcessor(grammar)], max_new_tokens=most,
                do_sample=False, temperature=None, top_p=None, top_k=None, eos_token_id=list(self.ends),
                pad_token_id=self.ends[0])
            ids = out[0, inputs["input_ids"].shape[1]:].tolist()
        cut = not ids or ids[-1] not in self.ends
        return self.tokenizer.decode(ids if cut else ids[:-1], skip_special_tokens=False), len(ids), cut

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        with _USING, guarded(self.folder, self.device):
            yield


@contextmanager
def guarded(folder: Folder, device: str) -> Iterator[None]:
    """Turn what can go wrong in the libraries into one line.

    Raises:
        Unavailable: Out of memory, or anything else that keeps the model from answering.
    """
    try:
        yield
    except (MemoryError, RuntimeError, TemplateError, *FAULTS) as exc:
        said = " ".join(str(exc).split())[:200]
        if _full(exc):
            raise Unavailable(f"out of memory on {device} with the model in {folder.path}; take a smaller model, lower "
                              "KENPIN_VLLM_PICTURES, KENPIN_VLLM_LONG_SIDE or KENPIN_LOCAL_CONTEXT") from None
        raise Unavailable(f"the model in {folder.path} failed ({type(exc).__name__}: {said}); try another model, or "
                          "serve it with vLLM") from None


def _full(exc: BaseException) -> bool:
    """Whether memory ran out."""
    return isinstance(exc, MemoryError) or any(words in str(exc).lower() for words in NO_ROOM)


def held(settings: Settings) -> Model:
    """The model that the settings name; loaded once.

    Raises:
        MissingExtra: torch, transformers or xgrammar is not installed; peft, if there is an adapter.
        Unavailable: No such folder, or not enough memory.
        FileRefused: The folder holds no model that can be used, or its chat template does not do.
    """
    check_installed()
    folder, adapter = model_folder(settings), adapter_folder(settings)
    if adapter:
        check_installed(ADAPTER_PARTS)
    with _LOADING:
        if (folder, adapter) not in _KEPT:
            _KEPT.clear()  # two may not fit
            _KEPT[folder, adapter] = _load(folder, adapter)
        return _KEPT[folder, adapter]


def _load(folder: Folder, adapter: Folder | None) -> Model:
    # The libraries look at these when they are first imported.
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    import torch
    import transformers
    import xgrammar

    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if folder.weights > (free := memory_free(device)):
        raise Unavailable(f"{folder.path}: {gigabytes(folder.weights)} of weights, and {gigabytes(free)} of memory are "
                          f"free on {device}; take a smaller model or close what else runs there")
    with guarded(folder, device), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            processor = processor_of(folder.path, folder.names[0])
            tokenizer = processor.tokenizer
            tokenizer.chat_template = tokenizer.chat_template or getattr(processor, "chat_template", None)
            net, info = transformers.AutoModelForImageTextToText.from_pretrained(
                folder.path, use_safetensors=True, dtype="auto", output_loading_info=True, **OFFLINE)
        except (RuntimeError, *FAULTS) as exc:
            if _full(exc):
                raise
            said = " ".join(str(exc).split())[:200]
            raise FileRefused(f"{folder.path}: cannot be loaded as a vision-language model ({said})") from None
        if lost := sorted(info["missing_keys"]):
            raise FileRefused(f"{folder.path}: {len(lost)} weights are missing ({lost[0]}, …); copy the model again")
        if adapter:
            net = _adapted(net, adapter)
        net = net.to(device).eval()
        ends = _ends(net, tokenizer)
        info = xgrammar.TokenizerInfo.from_huggingface(
            tokenizer, vocab_size=net.config.get_text_config().vocab_size, stop_token_ids=list(ends))
        made = Model(folder=folder, adapter=adapter, device=device, net=net, tokenizer=tokenizer, processor=processor,
                     compiler=xgrammar.GrammarCompiler(info), ends=ends)
        _check_template(made)
    return made


def processor_of(folder: Path, kind: str) -> Any:
    """The family's own processor, by `model_type`. Pictures are read with PIL and videos are not read at all, so that
    torchvision, which has no CPU build on PyPI, is not needed."""
    import transformers
    from transformers.models.auto.processing_auto import PROCESSOR_MAPPING_NAMES, processor_class_from_name

    base: Any = processor_class_from_name(PROCESSOR_MAPPING_NAMES.get(kind) or "")
    if base is None or base.get_attributes() != ["image_processor", "tokenizer", "video_processor"]:
        return transformers.AutoProcessor.from_pretrained(folder, **OFFLINE)

    class Still(base):  # type: ignore[misc]  # known when it runs
        """Takes no videos."""

        def check_argument_for_proper_class(self, argument_name: str, argument: Any) -> Any:
            return None if argument is None else super().check_argument_for_proper_class(argument_name, argument)

    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **OFFLINE)
    pictures = transformers.AutoImageProcessor.from_pretrained(folder, backend="pil", **OFFLINE)
    return Still(pictures, tokenizer, None, chat_template=tokenizer.chat_template)


def _ends(net: Any, tokenizer: Any) -> tuple[int, ...]:
    """Tokens that end a reply: those of generation_config.json, and the tokenizer's."""
    said = net.generation_config.eos_token_id
    ends = [*(said if isinstance(said, list) else [said]), tokenizer.eos_token_id]
    return tuple(dict.fromkeys(end for end in ends if isinstance(end, int)))


def _check_template(model: Model) -> None:
    """Raise `FileRefused` if the chat template leaves out what the planner needs."""
    if not model.tokenizer.chat_template:
        raise FileRefused(f"{model.folder.path}: has no chat template; take an Instruct model, or add "
                          "chat_template.jinja")
    try:
        lacks = missing(model.text)
    except (TemplateError, *FAULTS) as exc:
        lacks = f"cannot be rendered ({' '.join(str(exc).split())[:120]})"
    if lacks:
        raise FileRefused(f"{model.folder.path}: its chat template {lacks}; add a chat_template.jinja as Qwen3-VL has "
                          "it, or serve the model with vLLM")
    if not model.ends:
        raise FileRefused(f"{model.folder.path}: names no token that ends a reply (eos_token_id)")


def _adapted(net: Any, adapter: Folder) -> Any:
    """The model with a LoRA adapter. Weights that find no place are an error, not a warning.

    Source: peft.
    """
    import peft

    try:
        made = peft.PeftModel.from_pretrained(net, str(adapter.path), local_files_only=True)
        takes = set(peft.get_peft_model_state_dict(made))
    except (RuntimeError, *FAULTS) as exc:
        said = " ".join(str(exc).split())[:200]
        raise FileRefused(f"{adapter.path}: no adapter for this model ({said})") from None
    if strange := sorted(set(adapter.names) - takes):
        raise FileRefused(f"{adapter.path}: {len(strange)} weights fit no layer of the model ({strange[0]}, …); it was "
                          "made for another one")
    if lost := sorted(takes - set(adapter.names)):
        raise FileRefused(f"{adapter.path}: {len(lost)} weights are missing ({lost[0]}, …); copy the adapter again")
    return made


def memory_free(device: str) -> int:
    """Bytes that a model may still take."""
    if device == "cuda":
        import torch

        return int(torch.cuda.mem_get_info()[0])
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, ValueError, StopIteration):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def gigabytes(number: int) -> str:
    """In words."""
    return f"{number / 1e9:.1f} GB"
