"""What transformers makes of pictures and texts with a model's own files, for comparison. Run by the server's own Python:
`python reference_vectors.py MODEL ASKED.npz FOUND.npz`. `ASKED` holds pictures `picture0`, …, and `texts`, and for models
that are told what to do `instruction`.
"""

import sys

import numpy as np


def clip(model, pictures, texts):  # type: ignore[no-untyped-def]
    """Of CLIP: a picture, or a text cut at its longest."""
    import torch
    from transformers import AutoImageProcessor, AutoTokenizer, CLIPModel

    weights = CLIPModel.from_pretrained(model).float().eval()
    shown = AutoImageProcessor.from_pretrained(model)(images=list(pictures), return_tensors="pt")
    words = AutoTokenizer.from_pretrained(model)
    with torch.no_grad():
        seen = weights.get_image_features(pixel_values=shown["pixel_values"].float())
        said = [weights.get_text_features(**words([text], return_tensors="pt", truncation=True)) for text in texts]
    plain = [one if hasattr(one, "shape") else one.pooler_output for one in (seen, *said)]
    return plain[0], torch.cat(plain[1:])


def instructed(model, pictures, texts, instruction):  # type: ignore[no-untyped-def]
    """Of the Qwen3-VL-Embedding class: the last token's state of a chat, once its answer could begin."""
    import torch
    from transformers import AutoProcessor, Qwen3VLModel

    weights = Qwen3VLModel.from_pretrained(model, dtype=torch.float32).eval()
    processor = AutoProcessor.from_pretrained(model)

    def state(part):  # type: ignore[no-untyped-def]
        chat = [{"role": "system", "content": [{"type": "text", "text": instruction}]},
                {"role": "user", "content": [{k: v for k, v in part.items() if k != "pixels"}]}]
        text = processor.apply_chat_template(chat, add_generation_prompt=True, tokenize=False)
        images = {"images": [part["pixels"]]} if "pixels" in part else {}
        with torch.no_grad():
            return weights(**processor(text=[text], return_tensors="pt", **images)).last_hidden_state[:, -1]

    return (torch.cat([state({"type": "image", "pixels": one}) for one in pictures]),
            torch.cat([state({"type": "text", "text": text}) for text in texts]))


def main(model: str, asked: str, found: str) -> None:
    """Read, ask, write unit vectors."""
    from PIL import Image
    from torch.nn.functional import normalize

    given = np.load(asked)
    pictures = [Image.fromarray(given[f"picture{i}"]) for i in range(sum(name.startswith("picture") for name in given))]
    texts = [str(text) for text in given["texts"]]
    seen, said = (instructed(model, pictures, texts, str(given["instruction"])) if "instruction" in given
                  else clip(model, pictures, texts))
    np.savez(found, pictures=normalize(seen.float(), dim=-1).numpy(), texts=normalize(said.float(), dim=-1).numpy())


if __name__ == "__main__":
    main(*sys.argv[1:4])
