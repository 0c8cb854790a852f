"""Writes a model of the Qwen3-VL architecture with random weights, in the layout that vLLM loads. Run by the server's
own Python: `python random_model.py FOLDER`. It knows nothing; what the server makes of its replies is what is tested.

One leaning is built in, since the grammar of a call lets blanks and strings go on: the first number of every token's
vector is the same, so that the first column of the output layer is a bias, and by it blanks are rare and ends likely.
"""

import json
import sys
from pathlib import Path

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>",
           "<|video_pad|>"]
MARKERS = ["<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>"]
WIDTH, LAYERS, HEADS, HEAD = 192, 6, 3, 64
CONTEXT = 65536
CONSTANT = 8.0
"""The first number of every token's vector, beside others of deviation 1."""
LEANINGS = {'"': 3.5, "null": 7.0, "ask": -8.0, "as": -8.0, "a": -8.0, "answer": -8.0, "an": -8.0, ",": 2.0, "}": 2.0, "]": 2.0, "false": 1.0, "true": 1.0}
NEVER = -16.0
"""Of blanks, control characters and the marks of the template."""
TEMPLATE = """
{%- macro shown(content) -%}
{%- if content is string -%}{{ content }}{%- else -%}
{%- for part in content -%}
{%- if part.type in ('image', 'image_url') or 'image' in part or 'image_url' in part -%}
<|vision_start|><|image_pad|><|vision_end|>
{%- elif 'text' in part -%}{{ part.text }}{%- endif -%}
{%- endfor -%}{%- endif -%}
{%- endmacro -%}
{%- if messages[0].role == 'system' -%}
{{ '<|im_start|>system\n' + shown(messages[0].content) }}
{%- if tools %}{{ '\n\n# Tools\n\nYou may call one or more functions.\n<tools>' }}
{%- for tool in tools %}{{ '\n' + (tool | tojson) }}{% endfor %}{{ '\n</tools>' }}
{%- endif %}{{ '<|im_end|>\n' }}
{%- endif -%}
{%- for message in messages -%}
{%- if message.role == 'user' -%}{{ '<|im_start|>user\n' + shown(message.content) + '<|im_end|>\n' }}
{%- elif message.role == 'assistant' -%}{{ '<|im_start|>assistant\n' + shown(message.content or '') }}
{%- for call in message.tool_calls or [] -%}
{{ '<tool_call>\n{"name": "' + call.function.name + '", "arguments": ' }}
{%- if call.function.arguments is string -%}{{ call.function.arguments }}
{%- else -%}{{ call.function.arguments | tojson }}{%- endif -%}
{{ '}\n</tool_call>' }}
{%- endfor -%}{{ '<|im_end|>\n' }}
{%- elif message.role == 'tool' -%}
{{ '<|im_start|>user\n<tool_response>\n' + shown(message.content) + '\n</tool_response><|im_end|>\n' }}
{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\n' }}{%- endif -%}
"""


def tokenizer(texts: list[str]):  # type: ignore[no-untyped-def]
    """Byte BPE of 1,500 pieces, taught on the repository's own prompts."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import Qwen2TokenizerFast

    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    inner.train_from_iterator(texts, trainers.BpeTrainer(
        vocab_size=1500, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    inner.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in SPECIAL])
    inner.add_tokens([AddedToken(text, special=False, normalized=False) for text in MARKERS])
    made = Qwen2TokenizerFast(tokenizer_object=inner, eos_token="<|im_end|>", pad_token="<|endoftext|>",
                              unk_token=None, bos_token=None, model_max_length=CONTEXT)
    made.chat_template = TEMPLATE.strip()
    return made


def lean(model, words) -> None:  # type: ignore[no-untyped-def]
    """Draw the weights anew at a scale at which what was said before counts, and write the bias."""
    import torch

    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "language_model.layers" in name and weight.dim() == 2:
                weight.normal_(0, 0.08)
        inner = model.model.language_model.embed_tokens.weight
        inner.normal_(0, 1)
        inner[:, 0] = CONSTANT
        some = torch.randint(0, inner.shape[0] // 2, (1, 256), generator=torch.Generator().manual_seed(0))
        first = float(model.model.language_model(input_ids=some).last_hidden_state[0, :, 0].mean())
        outer = model.lm_head.weight
        outer.normal_(0, 0.12)
        outer[:, 0] = 0
        for text, number in words.get_vocab().items():
            plain = text if text in SPECIAL else words.convert_tokens_to_string([text])
            never = text in SPECIAL or not plain.strip() or any(ord(letter) < 32 for letter in plain)
            outer[number, 0] = (NEVER if never else LEANINGS.get(plain, 0.0)) / first


def main(folder: Path) -> None:
    """Write everything that a server reads."""
    import torch
    from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration

    texts = [path.read_text() for path in sorted((Path(__file__).parents[2] / "prompts").rglob("*.md"))]
    words = tokenizer(texts)
    ids = {text: words.convert_tokens_to_ids(text) for text in [*SPECIAL, *MARKERS]}
    torch.manual_seed(0)
    config = Qwen3VLConfig(
        text_config={
            "vocab_size": -(-len(words) // 64) * 64, "hidden_size": WIDTH, "intermediate_size": 4 * WIDTH,
            "num_hidden_layers": LAYERS, "num_attention_heads": HEADS, "num_key_value_heads": HEADS,
            "head_dim": HEAD, "max_position_embeddings": CONTEXT, "tie_word_embeddings": False,
            "rope_parameters": {"rope_type": "default", "rope_theta": 100000.0, "mrope_interleaved": True,
                                "mrope_section": [12, 10, 10]},
            "eos_token_id": ids["<|im_end|>"], "bos_token_id": None},
        vision_config={
            "depth": 4, "hidden_size": WIDTH, "intermediate_size": 4 * WIDTH, "num_heads": HEADS,
            "out_hidden_size": WIDTH, "num_position_embeddings": 2304, "deepstack_visual_indexes": []},
        image_token_id=ids["<|image_pad|>"], video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"], vision_end_token_id=ids["<|vision_end|>"],
        tie_word_embeddings=False)
    model = Qwen3VLForConditionalGeneration(config)
    lean(model, words)
    model = model.to(torch.bfloat16)
    model.generation_config.eos_token_id = [ids["<|im_end|>"], ids["<|endoftext|>"]]
    model.generation_config.pad_token_id = ids["<|endoftext|>"]
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    words.save_pretrained(folder)
    sizes = {"size": {"shortest_edge": 4096, "longest_edge": 1048576}, "patch_size": 16, "temporal_patch_size": 2,
             "merge_size": 2, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}
    for name, kind in (("preprocessor_config", "image_processor_type"),
                       ("video_preprocessor_config", "video_processor_type")):
        value = "Qwen2VLImageProcessorFast" if kind.startswith("image") else "Qwen3VLVideoProcessor"
        (folder / f"{name}.json").write_text(json.dumps(
            {kind: value, "processor_class": "Qwen3VLProcessor", **sizes}, indent=2))


def adapter(folder: Path) -> None:
    """Write a LoRA adapter of the language layers with random weights."""
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(1)
    rank, wide = 8, HEADS * HEAD
    tensors = {}
    for layer in range(LAYERS):
        for part in ("q_proj", "v_proj"):
            at = f"base_model.model.model.language_model.layers.{layer}.self_attn.{part}"
            tensors[f"{at}.lora_A.weight"] = torch.randn(rank, WIDTH) * 0.1
            tensors[f"{at}.lora_B.weight"] = torch.randn(wide, rank) * 0.1
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / "adapter_model.safetensors")
    (folder / "adapter_config.json").write_text(json.dumps({
        "peft_type": "LORA", "r": rank, "lora_alpha": 16, "lora_dropout": 0.0, "bias": "none",
        "task_type": "CAUSAL_LM", "target_modules": ["q_proj", "v_proj"], "base_model_name_or_path": ""}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
    adapter(Path(sys.argv[1]).with_name("adapter"))
