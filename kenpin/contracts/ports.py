"""What `agent` and `tools` see of the outside: narrow Protocols. Concrete classes meet in `kenpin.wiring`."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from kenpin.contracts.case import Case, CaseHit, CaseQuery
from kenpin.contracts.product import Product
from kenpin.contracts.trace import Trace
from kenpin.contracts.view import RgbImage


@runtime_checkable
class PictureStore(Protocol):
    """Pictures by the sha256 of their file. Writing the same picture twice stores it once."""

    def put(self, pixels: RgbImage, *, lossless: bool = True) -> str:
        """Store a picture and return the sha256 of its file."""

    def get(self, sha256: str) -> RgbImage:
        """Read a picture back, not writeable.

        Raises:
            StoreError: It is missing, or the file is not the one that was stored.
        """

    def read_file(self, sha256: str) -> bytes:
        """The stored file as it is (PNG or JPEG).

        Raises:
            StoreError: As `get`.
        """


@runtime_checkable
class TraceStore(Protocol):
    """Finished and unfinished traces by id."""

    def save(self, trace: Trace) -> None:
        """Store a trace under its id, replacing an earlier state of the same inspection."""

    def load(self, trace_id: str) -> Trace:
        """Read one trace.

        Raises:
            StoreError: There is none of this id.
        """

    def ids(self) -> Sequence[str]:
        """All ids, newest first."""


@runtime_checkable
class Embedder(Protocol):
    """Turns pictures and words into vectors. `name` goes into the store, which refuses to mix embedders."""

    name: str
    picture_dim: int
    words_dim: int

    def picture(self, pixels: RgbImage) -> NDArray[np.float32]:
        """(D,) unit vector of a picture or of a region cut from one."""

    def words(self, text: str) -> NDArray[np.float32]:
        """(D,) unit vector of a text."""


@runtime_checkable
class CaseSearch(Protocol):
    """Search in past cases."""

    def search(
        self, query: CaseQuery, *, region: RgbImage | None = None, picture: RgbImage | None = None
    ) -> Sequence[CaseHit]:
        """Best cases first. `region` is the cut-out of a defect, `picture` the whole picture."""


@runtime_checkable
class CaseStore(CaseSearch, Protocol):
    """The case base."""

    def add(self, case: Case, *, pixels: RgbImage) -> None:
        """Add or replace a case by its id; `pixels` is the whole picture."""

    def remove(self, case_id: str) -> None:
        """Withdraw a case."""

    def get(self, case_id: str) -> Case:
        """One case.

        Raises:
            StoreError: There is none of this id.
        """

    def all(self) -> Sequence[Case]:
        """Every case, by id."""


@runtime_checkable
class ProductStore(Protocol):
    """Registered products. Names are compared without regard to upper and lower case."""

    def get(self, name: str) -> Product:
        """One product.

        Raises:
            BadInput: There is none of this name, or it cannot be a name.
            StoreError: Its record cannot be read.
        """

    def find(self, name: str) -> Product | None:
        """One product, or None.

        Raises:
            BadInput: It cannot be a name.
            StoreError: As `get`.
        """

    def all(self) -> Sequence[Product]:
        """Every product, by name."""

    def remove(self, name: str) -> None:
        """Withdraw a product.

        Raises:
            BadInput: As `get`.
        """
