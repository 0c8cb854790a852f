"""Drills: one wish and the calls that it leads to, behind a beginning that many drills share.

    python -m kenpin.tuning.drills FOLDER

writes `FOLDER/beginnings.jsonl` (what stands before: the system message, or a whole turn as well),
`FOLDER/drills.jsonl` and `FOLDER/pictures/`. A conversation of a thousand tokens teaches three calls; a drill teaches
the call that matters with a hundred, and the beginning is computed once for a batch. The embedded planner labels
them, and the tools run. Wishes are those of the instruction store (without the writers that are held out), of
templates, and of the store with other kinds and places in them.
"""

import argparse
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.random import Generator

from kenpin.contracts.errors import KenpinError
from kenpin.tuning import wording
from kenpin.tuning.dialogues import HELD_OUT_WRITERS, Plan, Writer, material, store
from kenpin.tuning.teacher import Message, Open, Teacher

PRELIMINARY = frozenset({"check_image", "calibrate"})
"""Calls that are made before what was wished for; a drill goes on to the call after one."""
BEGINNINGS = 8
"""Conversations of a language and context that follow-ups are said in."""
SWAPS = 2
"""Tries to say an instruction of the store with another kind and place in it."""
AFTER = frozenset("fnm")
"""Letters of a context that need a turn before."""
SLOTS = {"en": (("scratch", "crack", "pit", "stain", "dent", "chip", "burr"),
                ("scratches", "cracks", "pits", "stains", "dents", "chips", "burrs"),
                ("upper left", "upper right", "lower left", "lower right", "centre"), ("left half", "right half")),
         "ja": (("クラック", "ピンホール", "シミ", "打痕", "欠け", "キズ", "バリ"),
                ("左上", "右上", "左下", "右下", "中央"), ("左半分", "右半分", "上半分", "下半分"))}
"""Words that can stand for each other."""


@dataclass(frozen=True)
class Wish:
    """An instruction to be drilled."""

    source: str
    lang: str
    text: str
    context: str


def wishes(rng: Generator) -> list[Wish]:
    """Every instruction that may be trained on: the store's, the templates', and those with other kinds and places."""
    made = [Wish("known", row["language"], row["text"], row["context"]) for row in store()
            if row["writer"] not in HELD_OUT_WRITERS]
    made += [Wish("template", said.lang, said.text, "") for said in wording.filled(wording.TRAINED)]
    others = {replace(wish, source="swapped", text=swapped(wish.text, wish.lang, rng))
              for wish in made for _ in range(SWAPS)}
    known = {wish.text for wish in made} | {said.text for said in wording.filled(wording.HELD_OUT)}
    made += sorted((wish for wish in others if wish.text not in known), key=lambda wish: (wish.text, wish.context))
    return [made[i] for i in rng.permutation(len(made))]


def swapped(text: str, lang: str, rng: Generator) -> str:
    """The instruction with other words of the same sort in it; as it is where it holds none."""
    edge = r"\b" if lang == "en" else ""
    for words in SLOTS[lang]:
        parts = re.split(f"{edge}(?:{'|'.join(words)}){edge}", text)
        text = parts[0] + "".join(words[int(rng.integers(len(words)))] + part for part in parts[1:])
    return text


def beginning(teacher: Teacher, plan: Plan) -> Open:
    """An inspection, with the turns of the plan held."""
    return teacher.begun(material(plan), plan.says, such_as={"en": "Look.", "ja": "見て。"}[plan.lang])


def drill(teacher: Teacher, begun: Open, say: str) -> list[Message]:
    """What is said, and the calls up to the one that it is about, with what came of those before."""
    return teacher.drilled(begun, say, PRELIMINARY)


def groups(found: Sequence[Wish]) -> dict[tuple[str, str], list[Wish]]:
    """Wishes by language and context."""
    made: dict[tuple[str, str], list[Wish]] = {}
    for wish in found:
        made.setdefault((wish.lang, wish.context), []).append(wish)
    return dict(sorted(made.items()))


def plans(lang: str, context: str, wish_count: int, rng: Generator) -> list[Plan]:
    """The conversations that wishes of a context are said in: more where there are more wishes."""
    openings = [row["text"] for row in store() if row["language"] == lang and row["context"] == ""
                and row["intents"] == ["detect"] and row["act"] == "do" and row["writer"] not in HELD_OUT_WRITERS]
    longest = {"en": "How long is the largest one?", "ja": "一番大きいものの長さは？"}[lang]
    made = []
    for number in range(min(BEGINNINGS, 1 + wish_count // 10)):
        says: tuple[str, ...] = ()
        if set(context) & AFTER:
            says = (openings[int(rng.integers(len(openings)))], *((longest,) if "m" in context else ()))
        clean = "n" in context or (not set(context) & AFTER and number % 5 == 0)
        picture = 4 * int(rng.integers(12)) + (0 if clean else 1 + int(rng.integers(3)))
        made.append(Plan("drill", lang, says, context, picture))
    return made


def generate(folder: Path, *, seed: int = 0, most: int | None = None) -> Iterator[str]:
    """Make drills and write them; yields the source of each as it is done.

    Args:
        folder: Where to.
        seed: Of everything that is drawn by lot.
        most: Wishes of a language and context; None is all of them.
    """
    rng, teacher = np.random.default_rng(seed), Teacher()
    writer, begin = Writer(folder, name="drills"), Writer(folder, name="beginnings")
    opened: dict[int, Open] = {}
    try:
        for number, plan, wish in dealt(wishes(rng), rng, most):
            if number not in opened:
                opened[number] = beginning(teacher, plan)
                begin.write("beginning", plan.lang, opened[number].messages, context=plan.context, number=number)
            try:
                messages = drill(teacher, opened[number], wish.text)
            except KenpinError:  # what the teacher cannot do is not taught
                continue
            writer.write(wish.source, wish.lang, messages, context=wish.context, begins=number)
            yield wish.source
    finally:
        writer.close()
        begin.close()


def dealt(found: Sequence[Wish], rng: Generator, most: int | None) -> list[tuple[int, Plan, Wish]]:
    """Each wish with the number and the plan of its beginning; contexts are mixed, so that a part holds all of them."""
    made: list[tuple[float, int, Plan, Wish]] = []
    count = 0
    for (lang, context), group in groups(found).items():
        kept = group[:most]
        opened = plans(lang, context, len(kept), rng)
        made += [((at + 0.5) / len(kept), count + at % len(opened), opened[at % len(opened)], wish)
                 for at, wish in enumerate(kept)]
        count += len(opened)
    return [(number, plan, wish) for _, number, plan, wish in sorted(made, key=lambda item: item[:2])]


def main() -> None:
    """Generate into a folder."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--most", type=int, default=None)
    given = parser.parse_args()
    for number, _ in enumerate(generate(given.folder, most=given.most), 1):
        if number % 500 == 0:
            print(number, "drills", flush=True)  # noqa: T201  # a command's progress


if __name__ == "__main__":
    main()
