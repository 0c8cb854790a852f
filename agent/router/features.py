"""Features of an instruction for the router: hashed n-grams of the text, of the text with its words of the trade replaced
by their category, cues of the lexicon, and what the slot grammar found. Pure Python, so that start-up needs no learning
library."""

import re
import zlib
from collections import Counter
from functools import lru_cache

from agent.language.lexicon import Hit, find
from agent.language.normal import normalise
from agent.language.scope import negated
from agent.language.slots import Slots, slots_of

DIM = 1 << 17
CATEGORIES = ("defect", "object", "region", "pick", "quantity", "op", "aspect", "text")
WORDS = re.compile(r"[a-z']+|\d+(?:\.\d+)?|[^\sa-z\d]")
CONTEXTS = "frscmn"
"""found, reference, scale, criteria, measured, nothing found: what an earlier turn or the set-up left behind."""


@lru_cache(maxsize=1024)
def text_keys(text: str) -> dict[str, float]:
    """Features of an instruction without its context: n-grams by count."""
    plain = normalise(text)
    shown = re.sub(r"\d+(?:\.\d+)?", "0", plain)
    counts: Counter[str] = Counter()
    for name, view in (("t", shown), ("d", delexicalised(plain))):
        counts.update(_ngrams(name, view))
    return dict(counts)


def form_keys(text: str) -> list[str]:
    """Features of what the grammar and the lexicon found."""
    plain = normalise(text)
    slots = slots_of(text)
    cues = cue_names(plain)
    keys = [f"s:{key}" for key in _slot_keys(slots)]
    keys += [f"cue:{name}" for name in dict.fromkeys(cues)]
    bare = [name for name in dict.fromkeys(cues) if not name.startswith("-")]
    keys += [f"cues:{a}+{b}" for i, a in enumerate(bare) for b in bare[i + 1:]] if len(bare) <= 6 else []
    keys += [f"first:{bare[0]}", f"last:{bare[-1]}"] if bare else ["nocue"]
    keys.append("length:" + str(min(len(plain) // 12, 8)))
    keys.append(f"q:{plain.rstrip()[-1:] in '?？'}")
    return keys


def cue_names(plain: str) -> list[str]:
    """Intents that the lexicon hears, in the order of the text; `-` marks one inside a negation."""
    spans = negated(plain)
    return [("-" if any(a <= h.start and h.end <= b for a, b in spans) else "") + h.name for h in find("cue", plain)]


def context_keys(context: str, text: str) -> list[str]:
    """Features of what is already there, alone and together with what the words need."""
    slots = slots_of(text)
    plain = normalise(text)
    state = "".join(letter for letter in CONTEXTS if letter in context) or "0"
    cues = [name for name in dict.fromkeys(cue_names(plain)) if not name.startswith("-")]
    keys = [f"c:{state}", *(f"c1:{letter}" for letter in context), f"cb:{state}:{slots.back}",
            f"cp:{state}:{bool(slots.pick)}", f"cl:{state}:{min(len(plain) // 8, 3)}"]
    keys += [f"cc:{letter}:{cue}" for letter in (context or "0") for cue in cues]
    keys += [f"ct:{letter}:{bool(slots.defects or slots.objects or slots.nouns)}:{bool(slots.quantities)}" for letter in (context or "0")]
    return keys


def bucket(key: str) -> int:
    """Hashed place of a feature."""
    return zlib.crc32(key.encode()) % DIM


def delexicalised(plain: str) -> str:
    """A normalised text with words of the trade replaced by their category."""
    hits: list[tuple[Hit, str]] = []
    taken: set[int] = set()
    for category in CATEGORIES:
        for hit in find(category, plain):
            if taken.isdisjoint(range(hit.start, hit.end)):
                hits.append((hit, category))
                taken.update(range(hit.start, hit.end))
    shown, at = [], 0
    for hit, category in sorted(hits, key=lambda entry: entry[0].start):
        shown += [plain[at:hit.start], f" {category}_ "]
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
    keys = [f"defect:{bool(slots.defects)}", f"object:{bool(slots.objects)}", f"noun:{bool(slots.nouns)}", f"region:{bool(slots.region or slots.box)}",
            f"pick:{slots.pick}", f"unit:{slots.unit}", f"scale:{slots.scale.kind if slots.scale else None}",
            f"limits:{len(slots.limits)}", f"back:{slots.back}", f"text:{slots.text}", f"k:{slots.k is not None}",
            f"only:{bool(slots.only)}", f"box:{slots.box is not None}"]
    keys += [f"q:{q}" for q in slots.quantities] + [f"op:{op}" for op in slots.ops] + [f"asp:{a}" for a in slots.aspects]
    keys += [f"limit:{'count' if limit.quantity == 'count' else 'size'}:{limit.op}:{bool(limit.of)}" for limit in slots.limits]
    keys += [f"have:{bool(slots.quantities)}{bool(slots.ops)}{bool(slots.aspects)}{bool(slots.text)}{bool(slots.defects)}"]
    return keys


@lru_cache(maxsize=1024)
def text_features(text: str) -> dict[int, float]:
    """Hashed n-grams of an instruction with their counts."""
    counts: Counter[int] = Counter()
    for key, number in text_keys(text).items():
        counts[bucket(key)] += int(number)
    return {place: float(number) for place, number in counts.items()}


@lru_cache(maxsize=1024)
def form_features(text: str) -> tuple[int, ...]:
    """Hashed features of what the grammar and the lexicon found."""
    return tuple(dict.fromkeys(bucket(key) for key in form_keys(text)))


@lru_cache(maxsize=1024)
def context_features(context: str, text: str) -> tuple[int, ...]:
    """Hashed features of the context, alone and together with the words."""
    return tuple(dict.fromkeys(bucket(key) for key in context_keys(context, text)))
