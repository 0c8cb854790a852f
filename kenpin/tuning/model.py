"""A small model of the architecture that people run (Qwen3-VL), written as a folder that vLLM and transformers load.

    python -m kenpin.tuning.model FOLDER

writes one with random weights. Everything heavy is imported inside the functions; the extra is `tune`.
"""

import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kenpin.contracts.errors import MissingExtra

TEMPLATE = Path(__file__).parent / "template.jinja"
ROOT = Path(__file__).parents[2]
VOCABULARY = 2048
"""Tokens, the special ones included: byte pairs of both languages, each Japanese character its own."""
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>",
           "<|video_pad|>")
MARKS = ("<tool_call>", "</tool_call>")
"""Whole tokens, and text all the same: the parser of the server reads them."""
APART = r"[\u3000-\u30ff\u3400-\u9fff\uff00-\uffef]|\p{N}"
"""Characters that are never joined with others: Japanese ones, and digits, so that coordinates read alike."""
LONGEST = 8192
"""Positions."""
LEAST_PIXELS, MOST_PIXELS = 256 * 256, 448 * 352
"""What the processor makes of a picture: 64 to 154 tokens of 32x32 pixels."""


@dataclass(frozen=True)
class Shape:
    """How large a model is."""

    width: int = 192
    layers: int = 6
    heads: int = 3
    inner: int = 512
    vision_layers: int = 4
    vision_inner: int = 768
    positions: int = 784
    """Learnt places of the picture's patches: 28 by 28 of 16 pixels, interpolated to others."""


SMALL = Shape()
"""Six million parameters: what half an hour of one core trains."""
MEDIUM = Shape(width=256, layers=8, heads=4, inner=704, vision_layers=6, vision_inner=1024)
"""Thirteen and a half million: for minutes of a GPU."""
SHAPES = {"small": SMALL, "medium": MEDIUM}


def build(folder: Path, *, shape: Shape = SMALL, texts: Iterable[str] | None = None, seed: int = 0) -> None:
    """Write a model with random weights.

    Args:
        folder: Made if it is not there.
        shape: How large.
        texts: What the tokenizer is learnt from; None is the repository's own store.
        seed: Of the weights.
    Raises:
        MissingExtra: torch or transformers is not installed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_tokenizer(folder, texts if texts is not None else store_texts())
    model = fresh(folder, shape, seed=seed)
    model.save_pretrained(folder)


def fresh(folder: Path, shape: Shape, *, seed: int) -> Any:
    """The model with random weights, bfloat16; its tokenizer lies in the folder.

    Source: transformers' Qwen3VLForConditionalGeneration, without deepstack.
    """
    try:
        import torch
        from transformers import Qwen3VLForConditionalGeneration
    except ImportError as exc:
        raise MissingExtra("making a model", extra="tune") from exc
    torch.manual_seed(seed)
    return Qwen3VLForConditionalGeneration(configuration(folder, shape)).to(torch.bfloat16)


def configuration(folder: Path, shape: Shape) -> Any:
    """transformers' configuration of a model whose tokenizer lies in the folder."""
    from transformers import Qwen3VLConfig

    ids = token_ids(folder)
    half = shape.width // shape.heads // 2
    section = [half - 2 * (half // 3), half // 3, half // 3]
    config = Qwen3VLConfig(
        text_config={
            "vocab_size": VOCABULARY, "hidden_size": shape.width, "intermediate_size": shape.inner,
            "num_hidden_layers": shape.layers, "num_attention_heads": shape.heads,
            "num_key_value_heads": shape.heads, "head_dim": shape.width // shape.heads,
            "max_position_embeddings": LONGEST, "tie_word_embeddings": True,
            "bos_token_id": ids["<|endoftext|>"], "eos_token_id": ids["<|im_end|>"],
            "pad_token_id": ids["<|endoftext|>"],
            "rope_parameters": {"rope_type": "default", "rope_theta": 100000.0, "mrope_section": section,
                                "mrope_interleaved": True}},
        vision_config={
            "depth": shape.vision_layers, "hidden_size": shape.width, "intermediate_size": shape.vision_inner,
            "num_heads": shape.heads, "patch_size": 16, "spatial_merge_size": 2, "temporal_patch_size": 2,
            "out_hidden_size": shape.width, "num_position_embeddings": shape.positions,
            "deepstack_visual_indexes": []},
        image_token_id=ids["<|image_pad|>"], video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"], vision_end_token_id=ids["<|vision_end|>"],
        tie_word_embeddings=True)
    config.eos_token_id, config.pad_token_id = ids["<|im_end|>"], ids["<|endoftext|>"]
    config.bos_token_id = ids["<|endoftext|>"]
    return config


def token_ids(folder: Path) -> dict[str, int]:
    """Ids of the special tokens."""
    added = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))["added_tokens"]
    return {token["content"]: token["id"] for token in added}


def write_tokenizer(folder: Path, texts: Iterable[str]) -> None:
    """Learn the tokenizer, and write it with the chat template and what the processor must know of pictures.

    Source: byte pair encoding over bytes (GPT-2's), characters of `APART` kept apart.
    """
    try:
        from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    except ImportError as exc:
        raise MissingExtra("making a tokenizer", extra="tune") from exc
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(APART), behavior="isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY - len(MARKS), special_tokens=list(SPECIAL), show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_tokens([AddedToken(mark, normalized=False, special=False) for mark in MARKS])
    tokenizer.save(str(folder / "tokenizer.json"))
    _write(folder / "tokenizer_config.json", {
        "tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>",
        "model_max_length": LONGEST, "clean_up_tokenization_spaces": False})
    (folder / "chat_template.jinja").write_text(TEMPLATE.read_text(encoding="utf-8"), encoding="utf-8")
    picture = {"patch_size": 16, "temporal_patch_size": 2, "merge_size": 2, "image_mean": [0.5, 0.5, 0.5],
               "image_std": [0.5, 0.5, 0.5], "size": {"shortest_edge": LEAST_PIXELS, "longest_edge": MOST_PIXELS}}
    _write(folder / "preprocessor_config.json", {
        **picture, "image_processor_type": "Qwen2VLImageProcessorFast", "processor_class": "Qwen3VLProcessor"})
    _write(folder / "video_preprocessor_config.json", {
        **picture, "video_processor_type": "Qwen3VLVideoProcessor", "processor_class": "Qwen3VLProcessor"})
    _write(folder / "generation_config.json", {
        "do_sample": False, "eos_token_id": token_ids(folder)["<|im_end|>"],
        "pad_token_id": token_ids(folder)["<|endoftext|>"]})


def store_texts() -> list[str]:
    """The repository's own wording: instructions, answers, words, prompts, and the tools as a request names them."""
    from agent.planners.vllm_schema import strict_tools
    from tools.catalog import OFFERED

    prompts = ROOT / "prompts"
    texts = [json.loads(line)["text"] for path in sorted((prompts / "instructions").glob("*.jsonl"))
             for line in path.read_text(encoding="utf-8").splitlines()]
    texts += [path.read_text(encoding="utf-8") for folder, ending in (("answers", "yaml"), ("lexicon", "yaml"))
              for path in sorted((prompts / folder).glob(f"*.{ending}"))]
    calls = [json.dumps({"name": tool["function"]["name"], "arguments": dict.fromkeys(
        tool["function"]["parameters"]["properties"])}) for tool in strict_tools(OFFERED, "per_mille")]
    return [*texts, *calls * 200]


def _write(path: Path, data: dict[str, Any]) -> None:
    path.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    build(Path(sys.argv[1]))
