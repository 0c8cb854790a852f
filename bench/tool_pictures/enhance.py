"""`PYTHONPATH=. python bench/tool_pictures/enhance.py` draws docs/pictures/tools/enhance.webp."""

import numpy as np

from bench.tool_pictures.seen import labelled, photograph, save
from tools.enhance import CHANGES


def draw() -> None:
    """A photograph under each operation."""
    pixels = photograph("ballscrew_pitted.jpg", 300)
    shown = [labelled(pixels, "as it is")] + [labelled(change(pixels), name) for name, change in CHANGES.items()]
    save(np.vstack([np.hstack(shown[i:i + 3]) for i in (0, 3, 6)]), "enhance")


if __name__ == "__main__":
    draw()
