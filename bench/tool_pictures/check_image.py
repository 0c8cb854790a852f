"""`PYTHONPATH=. python bench/tool_pictures/check_image.py` draws docs/pictures/tools/check_image.webp."""

import numpy as np

from bench.quality_drawn import defocus, exposed, glare, looked_at, moved
from bench.tool_pictures.seen import labelled, photograph, save


def draw() -> None:
    """A photograph as it is and spoilt in five ways, with what the tool says of each."""
    pixels = photograph("bottles_two.jpg", 320)
    rng = np.random.default_rng(0)
    copies = [("as it is", pixels)] + [(name, change(pixels, rng)) for name, change in (
        ("defocus sigma 3", defocus(3)), ("moved by 15 px", moved(15)), ("+3 stops", exposed(3)),
        ("-4 stops", exposed(-4)), ("glare over 20 %", glare(0.2)))]
    shown = []
    for name, copy in copies:
        said = looked_at(copy)
        shown.append(labelled(copy, f"{name}: {', '.join(said.problems) or 'passed'}"))
    save(np.vstack([np.hstack(shown[:3]), np.hstack(shown[3:])]), "check_image")


if __name__ == "__main__":
    draw()
