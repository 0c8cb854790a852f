"""What `agent` and `tools` see of the outside: narrow Protocols. Concrete classes meet in `kenpin.wiring`."""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from kenpin.contracts.audit import AuditEvent
from kenpin.contracts.case import Case, CaseHead, CaseHit, CaseQuery
from kenpin.contracts.people import Actor, Proof, Right
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

    @property
    def name(self) -> str:
        """Which embedder it is."""

    @property
    def picture_dim(self) -> int:
        """Numbers of a picture's vector."""

    @property
    def words_dim(self) -> int:
        """Numbers of a text's vector."""

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
        """Every case, by id. Each is unsealed; where ids, types or dates are enough, ask for `heads`."""

    def heads(self) -> Sequence[CaseHead]:
        """What is kept readable of every case, by id."""

    def note(self, what: str) -> None:
        """Keep a note with the store, such as what was loaded into it once."""

    def noted(self, what: str) -> bool:
        """Whether there is this note."""


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


@runtime_checkable
class Sealer(Protocol):
    """Seals bytes at rest: AES-256-GCM with a data key per record, wrapped by the master key."""

    def seal(
        self, record: str, data: bytes, *, about: str, connection: Any = None, in_memory: bool = False
    ) -> bytes:
        """Seal `data` under the key of `record`, made if there is none.

        Args:
            record: Whose key: `inspection:ID`, `picture:SHA256`, `cases`, ...
            data: What to seal.
            about: What it is, bound into the seal, so that one sealed thing cannot stand in for another.
            connection: A write transaction of the database to make the key in; without one it is made in its own.
            in_memory: A key that is in memory will do: no other process deletes it while it is in use.
        Raises:
            KeyRefused: The master key is not the one that sealed the records.
        """

    def open(self, record: str, sealed: bytes, *, about: str, connection: Any = None) -> bytes:
        """What was sealed.

        Args:
            record: As `seal`.
            sealed: What `seal` returned.
            about: As `seal`.
            connection: The transaction that may have made the key and has not ended; None otherwise.
        Raises:
            KeyRefused: As `seal`.
            StoreError: It was changed, or belongs somewhere else, or its key was deleted.
        """

    def holds(self, record: str) -> bool:
        """Whether a record has a key, so that what was sealed under it can be opened."""

    def forget(self, record: str, *, connection: Any = None) -> None:
        """Delete a record's key: what it sealed can never be read again, backups of it included that have no key."""


@runtime_checkable
class AuditLog(Protocol):
    """The append-only log."""

    def append(self, connection: Any, *, actor: str, action: str, subject: str, **detail: Any) -> AuditEvent:
        """Add an event inside the transaction of what it tells of: both are on record, or neither is."""


@runtime_checkable
class Guard(Protocol):
    """Says who may do what, by what is stored, never by what the caller claims."""

    def check(self, actor: Actor, right: Right) -> None:
        """Let `actor` do something.

        Raises:
            SignInRefused: The session has ended, was never there, or belongs to somebody else.
            NotAllowed: The stored roles do not have this right.
        """

    def prove(self, actor: Actor, proof: Proof) -> str:
        """Make sure that the person is there in person, and return the printed name.

        Raises:
            SignInRefused: The password is wrong (which counts towards the lock-out), or the last sign-in at the
                provider is not fresh.
        """
