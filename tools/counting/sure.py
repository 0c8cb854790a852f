"""How sure a count is: the range that the picture leaves open, and the doubts in words."""

from dataclasses import dataclass

from tools.counting.sets import CountSet

CLEAR = 0.62
"""Edges less clear than this over the texture make a count unsure. On drawn trays 20 of 20 counts between 0.65 and 0.70
were exact (`bench/count_drawn.py`); eight clean textures and cloth, steel and wood reach at most 0.55."""
NEAR = 0.93
"""Another way to see the picture that scores this share of the best one is as good."""

NEAR_POINTED = 0.8
"""The same where one was pointed at: every set then holds that thing, so lower scores still speak of it."""


WORDS = {
    "nothing": "nothing stands out from the background clearly enough to be counted",
    "faint_edges": "their edges are not much clearer than the texture of the surface",
    "single": "only one was found, so nothing shows what belongs to the count",
    "unlike": "no two of them are alike",
    "left_over": "{} other shapes stand out that were not counted",
    "cluttered": "much else stands out as well",
    "spare": "{} more of like size but another shape were not counted",
    "shaky": "{} of the counted ones touch others or differ in shape and may be read otherwise",
    "merged": "some may hide up to {} more that lie close together",
    "cut": "{} more are cut off by the border and were not counted",
    "kinds": "there seem to be two kinds, {}; point at one of those meant",
    "other_ways": "other ways to see the picture give {}",
    "clear": "{} alike things with clear edges, the same at every threshold tried",
}
"""What makes a count sure or unsure, by key; `{}` takes the figure that follows the key."""


@dataclass(frozen=True)
class Doubt:
    """What a count is worth."""

    fewest: int
    most: int | None
    """None: the picture leaves open how many there are."""
    sure: bool
    causes: tuple[str, ...]
    """Keys of `WORDS`, each with its figure behind a colon: `shaky:2`."""

    @property
    def reason(self) -> str:
        """The causes in words."""
        return "; ".join(WORDS[key].format(figure) for key, _, figure in (c.partition(":") for c in self.causes))


def doubts(best: CountSet | None, sets: list[CountSet], *, pointed: bool = False) -> Doubt:
    """Range and causes of the best set, beside the others that were found, which weigh more if one was pointed at."""
    if best is None:
        return Doubt(0, None, False, ("nothing",))
    count = len(best.items)
    open_end = _open_ended(best)
    bounded = _bounded(best)
    near = NEAR_POINTED if pointed else NEAR
    others = {len(other.items) for other in sets[1:] if other.score > near * best.score and len(other.items) != count}
    if others:
        bounded.append(f"other_ways:{', '.join(str(n) for n in sorted(others))}")
    fewest = min([count - best.shaky, *others])
    most = max([count + best.spare + best.merged + best.cut, *others])
    if open_end or bounded:
        return Doubt(fewest, None if open_end else most, False, (*open_end, *bounded))
    return Doubt(count, count, True, (f"clear:{count}",))


def _open_ended(best: CountSet) -> list[str]:
    """Doubts about what is a thing at all, which leave the number open."""
    count = len(best.items)
    found = []
    if best.sharpness < CLEAR:
        found.append("faint_edges")
    if count == 1:
        found.append("single")
    elif max(len(family.items) for family in best.families) < 2:
        found.append("unlike")
    if best.leftover > 0.3 * count and best.leftover > best.spare:
        found.append(f"left_over:{best.leftover}")
    if best.purity < 0.7:
        found.append("cluttered")
    return found


def _bounded(best: CountSet) -> list[str]:
    """Doubts about single shapes, which leave the number within a range."""
    found = [f"{key}:{number}" for key in ("spare", "shaky", "merged", "cut") if (number := getattr(best, key))]
    if best.kinds:
        found.append(f"kinds:{best.kinds[0]} + {best.kinds[1]}")
    return found
