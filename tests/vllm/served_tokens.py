"""Run by the server's own Python: the tokens of a conversation as training makes them and as vLLM would.

    python served_tokens.py MODEL DATA < {"served": messages of a request, "tools": [...]}

DATA holds the same conversation as `kenpin.tuning.dialogues` writes it. Printed: both lists of ids as JSON, each run of
a picture's marks as one.
"""

import json
import sys
from pathlib import Path

from vllm.config import ModelConfig
from vllm.renderers.chat_utils import parse_chat_messages
from vllm.renderers.hf import _detect_content_format

from kenpin.tuning.encoding import Encoder, read_dialogues


def main() -> None:
    model, data = Path(sys.argv[1]), Path(sys.argv[2])
    asked = json.loads(sys.stdin.read())
    encoder = Encoder(model, data, asked["tools"])
    [dialogue] = read_dialogues(data)
    trained: list[int] = []
    for token in encoder.example(dialogue["messages"]).ids:
        if not (trained and token == encoder.pad == trained[-1]):
            trained.append(token)
    template = (model / "chat_template.jinja").read_text(encoding="utf-8")
    config = ModelConfig(model=str(model), limit_mm_per_prompt={"image": 6})
    conversation, _, _ = parse_chat_messages(asked["served"], config, _detect_content_format(template, default="string"))
    tokenizer = encoder.tokenizer
    served = tokenizer.apply_chat_template(conversation, tools=asked["tools"], chat_template=template, tokenize=True,
                                           return_dict=False, add_generation_prompt=False)
    sys.stdout.write("\n" + json.dumps({"trained": trained, "served": served, "text": tokenizer.decode(served)}))


if __name__ == "__main__":
    main()
