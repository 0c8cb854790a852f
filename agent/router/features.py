"""Features of an instruction for the router: hashed n-grams of the text, of the text with its words of the trade replaced
by their category, and what the slot grammar found. Pure Python, so that start-up needs no learning library."""

import re
import zlib
from collections import Counter
from functools import lru_cache

from agent.language.lexicon import Hit, find
from agent.language.normal import normalise
from agent.language.slots import Slots, slots_of

DIM = 1 << 16
CATEGORIES = ("defect", "object", "region", "pick", "quantity", "op", "aspect", "text")
WORDS = re.compile(r"[a-z']+|\d+(?:\.\d+)?|[^\sa-z\d]")
CONTEXTS = "frscmn"
"""found, reference, scale, criteria, measured, nothing found: what an earlier turn or the set-up left behind."""


@lru_cache(maxsize=1024)
def text_features(text: str) -> dict[int, float]:
    """Hashed features of an instruction without its context, as counts by bucket."""
    plain = re.sub(r"\d+(?:\.\d+)?", "0", normalise(text))
    counts: Counter[str] = Counter()
    for name, shown in (("t", plain), ("d", delexicalised(normalise(text)))):
        counts.update(_ngrams(name, shown))
    counts.update({f"s:{key}": 2 for key in _slot_keys(slots_of(text))})
    counts["length:" + str(min(len(plain) // 12, 8))] = 1
    buckets: Counter[int] = Counter()
    for key, number in counts.items():
        buckets[zlib.crc32(key.encode()) % DIM] += number
    return {bucket: float(number) for bucket, number in buckets.items()}


def context_features(context: str, text: str) -> dict[int, float]:
    """Hashed features of what is already there, alone and together with pointing back."""
    slots = slots_of(text)
    state = "".join(letter for letter in CONTEXTS if letter in context) or "0"
    keys = [f"c:{state}", *(f"c1:{letter}" for letter in context), f"cb:{state}:{slots.back}",
            f"cp:{state}:{bool(slots.pick)}", f"cl:{state}:{min(len(text) // 8, 3)}"]
    return {zlib.crc32(key.encode()) % DIM: 2.0 for key in keys}


def delexicalised(plain: str) -> str:
    """A normalised text with words of the trade replaced by their category."""
    hits: list[Hit] = []
    names = {}
    for category in CATEGORIES:
        for hit in find(category, plain):
            if all(hit.end <= other.start or hit.start >= other.end for other in hits):
                hits.append(hit)
                names[hit] = category
    shown, at = [], 0
    for hit in sorted(hits, key=lambda h: h.start):
        shown += [plain[at:hit.start], f" {names[hit]}_ "]
        at = hit.end
    return re.sub(r"\d+(?:\.\d+)?", "0", "".join([*shown, plain[at:]]))


def _ngrams(name: str, text: str) -> Counter[str]:
    counts: Counter[str] = Counter()
    tokens = WORDS.findall(text.replace("_", ""))
    padded = ["^", *tokens, "$"]
    for n in (1, 2, 3):
        counts.update(f"{name}{n}:" + " ".join(padded[i:i + n]) for i in range(len(padded) - n + 1))
    tight = f"^{text.replace(' ', '_')}$"
    for n in (2, 3, 4):
        counts.update(f"{name}c{n}:{tight[i:i + n]}" for i in range(len(tight) - n + 1))
    return counts


def _slot_keys(slots: Slots) -> list[str]:
    keys = [f"defect:{bool(slots.defects)}", f"object:{bool(slots.objects)}", f"region:{bool(slots.region or slots.box)}",
            f"pick:{bool(slots.pick)}", f"unit:{slots.unit}", f"scale:{slots.scale.kind if slots.scale else None}",
            f"limits:{len(slots.limits)}", f"back:{slots.back}", f"text:{slots.text}", f"k:{slots.k is not None}",
            f"only:{bool(slots.only)}", f"box:{slots.box is not None}"]
    keys += [f"q:{q}" for q in slots.quantities] + [f"op:{op}" for op in slots.ops] + [f"asp:{a}" for a in slots.aspects]
    keys += [f"limit:{limit.quantity}:{limit.op}" for limit in slots.limits]
    keys += [f"have:{bool(slots.quantities)}{bool(slots.ops)}{bool(slots.aspects)}{bool(slots.text)}{bool(slots.defects)}"]
    return keys
