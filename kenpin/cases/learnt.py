"""What tells defect types apart, learnt once on drawn defects and shipped as a file; see `bench/learn_likeness.py`.

Source: whitening by the scatter within classes (Hotelling; as in linear discriminant analysis, Fisher 1936), with a
ridge, then the principal directions of what is left.
"""

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kenpin.contracts.errors import StoreError

FILE = Path(__file__).parent / "weights" / "likeness.npz"
SHA256 = "f2a5b0dc78ff3b1dd39d1aaef315491ccbd951d3e235bf6a9ad4547d0ac5f786"
FORM_SHARE = 0.4
"""Weight of the form of the marks beside each of the network's two descriptions, before whitening."""

RIDGE = 5.0
"""Times the mean within-class variance that is added to every direction. 2 to 10 gave the same P@5 within .003."""

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Learnt:
    """Means to take off and a projection to apply."""

    form_mean: Values
    """(F,)"""
    look_mean: Values
    """(C,)"""
    mean: Values
    """(F + 2 C,)"""
    projection: Values
    """(F + 2 C, D)"""

    def joined(self, form: Values, difference: Values, look: Values) -> Values:
        """(F + 2 C,) unit vector of the three descriptions, or one a row of (N, F), (N, C), (N, C)."""
        return unit(np.concatenate(
            [FORM_SHARE * (form - self.form_mean), unit(difference), unit(look - self.look_mean)], axis=-1))

    def vector(self, form: Values, difference: Values, look: Values) -> NDArray[np.float32]:
        """(D,) float32 unit vector in which defects of one type lie closer."""
        return np.asarray(unit((self.joined(form, difference, look) - self.mean) @ self.projection), dtype=np.float32)


def unit(values: Values) -> Values:
    """Vectors along the last axis brought to length 1; nought stays nought."""
    return np.asarray(values / np.maximum(np.linalg.norm(values, axis=-1, keepdims=True), 1e-9), dtype=np.float64)


@cache
def shipped() -> Learnt:
    """What comes with Kenpin.

    Raises:
        StoreError: The file is missing or another one.
    """
    try:
        data = FILE.read_bytes()
    except OSError:
        raise StoreError(f"{FILE.name} is not there; install Kenpin again") from None
    if hashlib.sha256(data).hexdigest() != SHA256:
        raise StoreError(f"{FILE.name} is not the file that was shipped; install Kenpin again")
    return read_learnt(FILE)


def read_learnt(path: Path) -> Learnt:
    """A file as `bench/learn_likeness.py` writes it."""
    with np.load(path) as kept:
        return Learnt(**{name: kept[name].astype(np.float64) for name in Learnt.__dataclass_fields__})
