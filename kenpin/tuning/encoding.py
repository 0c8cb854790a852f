"""Conversations as a model is trained on them: the tokens that a server would see, and which of them the model said."""

import json
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from kenpin.tuning.drawing import drawn

START, SAID, END, PAD = "<|im_start|>", "assistant\n", "<|im_end|>", "<|image_pad|>"
LONGEST = 1400
"""Tokens of a training example; a longer conversation is cut after the last message of the model that fits."""
KEPT = 1024
"""Pictures kept as patches."""


@dataclass(frozen=True)
class Example:
    """One conversation: token ids, which of them are trained on, and its pictures in order."""

    ids: list[int]
    said: list[bool]
    pictures: list[dict[str, Any]]


class Encoder:
    """Turns lines of `dialogues.jsonl` into examples with the model's own processor."""

    def __init__(self, model: Path, data: Path, tools: Sequence[dict[str, Any]]) -> None:
        from transformers import AutoProcessor

        try:
            self.processor: Any = AutoProcessor.from_pretrained(model)
        except ImportError:  # without torchvision, which only videos need
            from agent.planners.hf_model import processor_of  # of Kenpin's own environment; a trainer's has torchvision

            kind = json.loads((model / "config.json").read_text(encoding="utf-8"))["model_type"]
            self.processor = processor_of(model, kind)
        self.tokenizer = self.processor.tokenizer
        self._data, self._tools = data, list(tools)
        self.orders = {tool["function"]["name"]: list(tool["function"]["parameters"]["properties"]) for tool in tools}
        self._grids: dict[str, tuple[int, int, int]] = {}
        self._patches: OrderedDict[str, tuple[Any, tuple[int, int, int]]] = OrderedDict()
        ids = self.tokenizer.convert_tokens_to_ids
        self._start, self._end, self.pad = ids(START), ids(END), ids(PAD)
        self._head = self.tokenizer(SAID, add_special_tokens=False).input_ids

    def text(self, messages: Sequence[dict[str, Any]], *, ask: bool = False) -> str:
        """The prompt as the chat template writes it; with `ask`, up to where the model begins to answer."""
        return str(self.processor.apply_chat_template(list(messages), tools=self._tools, tokenize=False,
                                                      add_generation_prompt=ask))

    def example(self, messages: Sequence[dict[str, Any]], *, ask: bool = False, longest: int | None = LONGEST,
                ) -> Example:
        """One conversation in tokens, each picture's mark as many as it has patches of 32x32 pixels."""
        found = [part for message in messages if isinstance(message["content"], list)
                 for part in message["content"] if part["type"] == "image"]
        counts = iter([self._tokens(part) for part in found])
        ids: list[int] = []
        for token in self.tokenizer(self.text(messages, ask=ask), add_special_tokens=False).input_ids:
            ids += [token] * next(counts) if token == self.pad else [token]
        said = self._said(ids)
        if not ask and longest is not None and len(ids) > longest:
            last = max((i for i in range(longest) if ids[i] == self._end and said[i]), default=-1)
            ids, said = ids[:last + 1], said[:last + 1]
        shown = sum(ids[i] == self.pad and ids[i - 1] != self.pad for i in range(len(ids)))
        return Example(ids, said, found[:shown])

    def _said(self, ids: list[int]) -> list[bool]:
        """True on what the model said, with the token that ends it."""
        said, inside, i = [False] * len(ids), False, 0
        while i < len(ids):
            if not inside and ids[i] == self._start and ids[i + 1:i + 1 + len(self._head)] == self._head:
                inside, i = True, i + len(self._head)
            elif inside:
                said[i], inside = True, ids[i] != self._end
            i += 1
        return said

    def _tokens(self, part: dict[str, Any]) -> int:
        key = "drawn" if "drawn" in part else part["image"]  # drawn pictures are all of one size
        if key not in self._grids:
            self._grids[key] = self.patches(part)[1]
        grid = self._grids[key]
        return grid[0] * grid[1] * grid[2] // 4

    def patches(self, part: dict[str, Any]) -> tuple[Any, tuple[int, int, int]]:
        """A picture as the vision tower takes it: (patches, 1536) float16, and its grid (frames, rows, columns)."""
        key = json.dumps(part, sort_keys=True)
        if key not in self._patches:
            if len(self._patches) >= KEPT:
                self._patches.popitem(last=False)
            made = self.processor.image_processor(images=[self._pixels(part)], return_tensors="pt")
            t, rows, columns = (int(v) for v in made["image_grid_thw"][0])
            self._patches[key] = (made["pixel_values"].half(), (t, rows, columns))
        return self._patches[key]

    def _pixels(self, part: dict[str, Any]) -> Any:
        from PIL import Image

        if "drawn" in part:
            return Image.fromarray(drawn(np.random.default_rng(part["drawn"]), kind=part["kind"]).pixels)
        pixels = np.asarray(cv2.imread(str(self._data / "pictures" / part["image"])), np.uint8)
        return Image.fromarray(np.ascontiguousarray(pixels[..., ::-1]))


def read_dialogues(data: Path) -> list[dict[str, Any]]:
    """The lines of `dialogues.jsonl`; one that is being written is left out."""
    lines = (data / "dialogues.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n")]


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The lines of a JSONL file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def texts_of(dialogues: Sequence[dict[str, Any]]) -> list[str]:
    """What the tokenizer is learnt from: everything that is said, called and answered."""
    texts = []
    for dialogue in dialogues:
        for message in dialogue["messages"][1:]:
            content = message["content"]
            texts += [content] if isinstance(content, str) else [p["text"] for p in content if p["type"] == "text"]
            texts += [json.dumps(call["function"], ensure_ascii=False) for call in message.get("tool_calls", [])]
    return texts
