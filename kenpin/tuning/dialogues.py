"""Makes the conversations of visual instruction tuning: who says what about which picture, and what the teacher does.

    python -m kenpin.tuning.dialogues FOLDER [--most N]

writes `FOLDER/dialogues.jsonl` and `FOLDER/pictures/`. Instructions come from the embedded planner's store (without
the writers that are held out) and from templates; tools are the real ones. Pictures are drawn, or come with Kenpin.
"""

import argparse
import base64
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.random import Generator

from agent.opening import Material, Photo
from kenpin.contracts.verdict import Criteria, Criterion, Op
from kenpin.contracts.view import RgbImage
from kenpin.tuning import eyes, wording
from kenpin.tuning.drawing import KINDS, SHAPE, drawn
from kenpin.tuning.teacher import TOOLS, Message, Teacher, strict_args

ROOT = Path(__file__).parents[2]
STORE = ROOT / "prompts" / "instructions"
SAMPLES = Path(__file__).parents[1] / "samples"
HELD_OUT_WRITERS = frozenset({"en-05", "en-14", "ja-04", "ja-12"})
"""Nothing that they wrote is trained on."""
DRAWN = 48
"""Drawn pictures that conversations with tools are about; the fourth part of them is clean."""
CRITERIA = Criteria(revision="1", limits=(Criterion(of="scratch", quantity="length", op=Op.LE, value=5, unit="mm"),))


@dataclass(frozen=True)
class Plan:
    """One conversation before it is held."""

    source: str
    """`known`, `template`, `held-out template`, or `free` for a writer that is held out."""
    lang: str
    says: tuple[str, ...]
    context: str
    """Letters of the instruction store: f findings, n none, m measured, s scale, r reference, c criteria."""
    picture: int


@cache
def store() -> tuple[dict[str, Any], ...]:
    """The instruction store, both languages."""
    return tuple(json.loads(line) for path in sorted(STORE.glob("*.jsonl"))
                 for line in path.read_text(encoding="utf-8").splitlines())


def plans(rng: Generator, *, pictures: int = DRAWN) -> list[Plan]:
    """Every instruction of the store and of the templates as a conversation, shuffled."""
    openings = {lang: [row["text"] for row in store() if row["language"] == lang and row["context"] == ""
                       and row["intents"] == ["detect"] and row["act"] == "do"
                       and row["writer"] not in HELD_OUT_WRITERS] for lang in ("en", "ja")}
    made = []
    for row in store():
        source = "free" if row["writer"] in HELD_OUT_WRITERS else "known"
        says = (*_before(row, openings[row["language"]], rng), row["text"])
        made.append(Plan(source, row["language"], says, row["context"], _picture(row["context"], rng, pictures)))
    for source, templates in (("template", wording.TRAINED), ("held-out template", wording.HELD_OUT)):
        made += [Plan(source, said.lang, (said.text,), "", _picture("", rng, pictures))
                 for said in wording.filled(templates)]
    return [made[i] for i in rng.permutation(len(made))]


def _before(row: dict[str, Any], openings: Sequence[str], rng: Generator) -> tuple[str, ...]:
    """What was said before an instruction that needs something to have happened."""
    if not set(row["context"]) & set("fnm"):
        return ()
    first = openings[int(rng.integers(len(openings)))]
    longest = {"en": "How long is the largest one?", "ja": "一番大きいものの長さは？"}[row["language"]]
    return (first, longest) if "m" in row["context"] else (first,)


def _picture(context: str, rng: Generator, pictures: int) -> int:
    """Which drawn picture: a clean one where nothing was found, a faulty one where something was."""
    clean = "n" in context if set(context) & set("fnm") else rng.random() < 0.2
    number = int(rng.integers(max(pictures // 4, 1)))
    return 4 * number if clean else 4 * number + 1 + int(rng.integers(3))


def material(plan: Plan, *, first: int = 0) -> Material:
    """What an inspection starts from.

    Args:
        plan: The conversation.
        first: Of the drawn pictures' seeds, so that a test sees others than training.
    """
    scale = 0.1 if set(plan.context) & set("sc") else None
    criteria = CRITERIA if "c" in plan.context else None
    if "r" in plan.context:
        return Material(subject=_bundled("panel.png"), references=[_bundled("panel_golden.png")], mm_per_px=scale,
                        criteria=criteria)
    return Material(subject=Photo(pixels=_drawn(first + plan.picture)), mm_per_px=scale, criteria=criteria)


@cache
def _drawn(number: int) -> RgbImage:
    kind = None if number % 4 == 0 else KINDS[number % len(KINDS)]
    return drawn(np.random.default_rng([7, number]), kind=kind).pixels


@cache
def _bundled(name: str) -> Photo:
    """A picture that comes with Kenpin, at most as large as a drawn one: tools run a thousand times on it."""
    pixels = np.asarray(cv2.imread(str(SAMPLES / name)), np.uint8)[..., ::-1]
    width = SHAPE[1]
    height = round(pixels.shape[0] * width / pixels.shape[1])
    small = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
    return Photo(pixels=np.ascontiguousarray(small, np.uint8))


def by_eye(teacher: Teacher, rng: Generator, lang: str, seed: int) -> list[Message]:
    """A conversation without a search: the model says which defect it sees where, and zooms in on it."""
    say = wording.BY_EYE[lang][int(rng.integers(len(wording.BY_EYE[lang])))]
    picture = eyes.picture(seed)
    messages = teacher.converse(Material(subject=Photo(pixels=picture.pixels)), (), ask=say)
    for part in messages[1]["content"]:
        if part["type"] == "image_url":
            part.clear()
            part.update({"type": "image", "drawn": [eyes.SEEDS, seed], "kind": picture.kind})
    name, args = eyes.call(picture, lang)
    call = {"type": "function", "id": "call00000", "function": {"name": name, "arguments": strict_args(name, args)}}
    return [*messages, {"role": "assistant", "content": "", "tool_calls": [call]}]


class Writer:
    """Writes conversations as lines and their pictures as files."""

    def __init__(self, folder: Path, *, name: str = "dialogues") -> None:
        (folder / "pictures").mkdir(parents=True, exist_ok=True)
        self._folder = folder
        (folder / "tools.json").write_text(json.dumps(TOOLS, ensure_ascii=False), encoding="utf-8")
        self._lines = (folder / f"{name}.jsonl").open("w", encoding="utf-8")

    def write(self, source: str, lang: str, messages: list[Message], **more: Any) -> None:
        """One conversation; pictures in it that are data URIs become files."""
        kept = [{**message, "content": [self._part(part) for part in message["content"]]}
                if isinstance(message["content"], list) else message for message in messages]
        line = {"source": source, "lang": lang, **more, "messages": kept}
        self._lines.write(json.dumps(line, ensure_ascii=False) + "\n")

    def _part(self, part: dict[str, Any]) -> dict[str, Any]:
        if part["type"] != "image_url":
            return part
        head, _, data = part["image_url"]["url"].partition(",")
        encoded = base64.b64decode(data)
        name = f"{hashlib.sha256(encoded).hexdigest()[:24]}.{'png' if 'png' in head else 'jpg'}"
        path = self._folder / "pictures" / name
        if not path.exists():
            path.write_bytes(encoded)
        return {"type": "image", "image": name}

    def close(self) -> None:
        """No more conversations."""
        self._lines.close()


def generate(folder: Path, *, seed: int = 0, most: int | None = None, by_eyes: int = 4000) -> Iterator[str]:
    """Make conversations and write them; yields the source of each as it is done.

    Args:
        folder: Where to.
        seed: Of everything that is drawn by lot.
        most: Conversations with tools; None is all of them.
        by_eyes: Conversations by eye; training draws their pictures anew.
    """
    rng, teacher, writer = np.random.default_rng(seed), Teacher(), Writer(folder)
    try:
        for number in range(by_eyes):
            lang = ("en", "ja")[number % 2]
            writer.write("by eye", lang, by_eye(teacher, rng, lang, seed=number))
            yield "by eye"
        for plan in plans(rng)[:most]:
            if plan.source in ("known", "template"):
                writer.write(plan.source, plan.lang, teacher.converse(material(plan), plan.says), context=plan.context)
                yield plan.source
    finally:
        writer.close()


def main() -> None:
    """Generate into a folder."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--most", type=int, default=None)
    parser.add_argument("--eyes", type=int, default=4000)
    given = parser.parse_args()
    for number, _ in enumerate(generate(given.folder, most=given.most, by_eyes=given.eyes), 1):
        if number % 500 == 0:
            print(number, "conversations", flush=True)  # noqa: T201  # a command's progress


if __name__ == "__main__":
    main()
