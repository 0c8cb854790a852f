"""Golden and good samples that are the very picture that is to be judged: nothing may be held against itself."""

import numpy as np

from kenpin.contracts.view import View
from tools.checking.models import TwinResult
from tools.pixels.same import same_shot
from tools.spec import Workbench


def twins_of(bench: Workbench, view: View) -> tuple[TwinResult, ...]:
    """Those samples that are the same shot as the upload that a view belongs to."""
    own = bench.picture(view.source)
    others = [(p.view.id, p.pixels) for p in bench.references if p.view.id != view.source]
    others += [(f"good {n}", pixels) for n, pixels in enumerate(bench.good, start=1)]
    found = []
    for name, pixels in others:
        exact = pixels.shape == own.pixels.shape and np.array_equal(pixels, own.pixels)
        if exact or same_shot(own.pixels, pixels):
            found.append(TwinResult(name=name, exact=exact))
    return tuple(found)
