"""Writes a model of the CLIP architecture with random weights, in the layout that vLLM loads. Run by the server's own
Python: `python random_clip.py FOLDER [SEED]`. It knows nothing; how it is asked, and that its vectors arrive as they
are, is what is tested.
"""

import json
import sys
from pathlib import Path

START, END = "<|startoftext|>", "<|endoftext|>"
SIDE, PATCH = 64, 16
WIDTH, LAYERS, HEADS = 128, 3, 2
TEXT_WIDTH, OUT = 64, 96
"""vLLM 0.32 ends at the first picture where texts are wider than what comes out; no CLIP that people run is so."""
LONGEST = 77
"""Tokens of a text, as in CLIP itself."""


def tokenizer(texts: list[str]):  # type: ignore[no-untyped-def]
    """Byte BPE. Token 0 is no special one: vLLM puts it where a picture's vectors go."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    inner = Tokenizer(models.BPE())
    inner.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    inner.train_from_iterator(texts, trainers.BpeTrainer(
        vocab_size=1200, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    inner.add_special_tokens([START, END])
    ids = [(word, inner.token_to_id(word)) for word in (START, END)]
    inner.post_processor = processors.TemplateProcessing(single=f"{START} $A {END}", special_tokens=ids)
    return PreTrainedTokenizerFast(tokenizer_object=inner, bos_token=START, eos_token=END, pad_token=END,
                                   model_max_length=LONGEST)


def main(folder: Path, seed: int = 0) -> None:
    """Write everything that a server reads."""
    import torch
    from transformers import CLIPConfig, CLIPModel

    texts = [path.read_text() for path in sorted((Path(__file__).parents[2] / "prompts").rglob("*.md"))]
    words = tokenizer(texts)
    torch.manual_seed(seed)
    model = CLIPModel(CLIPConfig(
        text_config={
            "vocab_size": len(words), "projection_dim": OUT, "hidden_size": TEXT_WIDTH,
            "intermediate_size": 2 * TEXT_WIDTH, "num_hidden_layers": LAYERS, "num_attention_heads": TEXT_WIDTH // 64, "max_position_embeddings": LONGEST,
            "bos_token_id": words.bos_token_id, "eos_token_id": words.eos_token_id,
            "pad_token_id": words.pad_token_id},
        vision_config={
            "projection_dim": OUT, "hidden_size": WIDTH, "intermediate_size": 2 * WIDTH, "num_hidden_layers": LAYERS,
            "num_attention_heads": HEADS, "image_size": SIDE, "patch_size": PATCH},
        projection_dim=OUT))
    with torch.no_grad():
        # As they are drawn, weights are so small that every picture and every text comes out nearly the same.
        for name, weight in model.named_parameters():
            if weight.dim() >= 2 and "position" not in name:
                weight.mul_(6.0)
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    words.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps({
        "image_processor_type": "CLIPImageProcessor", "processor_class": "CLIPProcessor", "do_resize": True,
        "size": {"shortest_edge": SIDE}, "resample": 3, "do_center_crop": True,
        "crop_size": {"height": SIDE, "width": SIDE}, "do_rescale": True, "rescale_factor": 1 / 255,
        "do_normalize": True, "do_convert_rgb": True, "image_mean": [0.48145466, 0.4578275, 0.40821073],
        "image_std": [0.26862954, 0.26130258, 0.27577711]}, indent=2))


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:3]))
