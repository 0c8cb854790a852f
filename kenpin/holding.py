"""Holds an inspection while a turn of it runs: for threads of this process, and for processes of this machine."""

import fcntl
import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from kenpin.contracts.errors import Unavailable

PATIENCE = 300.0
"""Seconds to wait for a turn that runs elsewhere."""
AGAIN = 0.2
"""Seconds between two tries."""


class _Held:
    """Who holds an inspection, and how often."""

    def __init__(self, thread: int) -> None:
        self.thread, self.depth = thread, 1


class Holds:
    """One lock an inspection. Checkpoints lie on one machine, and so does the lock file; a killed process lets go."""

    def __init__(self, file: Path, *, patience: float = PATIENCE) -> None:
        self._file, self._patience = file, patience
        self._held: dict[str, _Held] = {}
        # Entered again where the collector lets go, amid this very code, of a turn that was left without an end.
        self._guard = threading.RLock()
        self._descriptor: tuple[int, int] | None = None

    @contextmanager
    def hold(self, inspection: str, *, waiting: Callable[[], object] = lambda: None) -> Iterator[None]:
        """Hold an inspection; one thread may do so again within.

        Args:
            inspection: Its id.
            waiting: Called now and then while another holds it; what it raises ends the wait.
        Raises:
            Unavailable: It is still held elsewhere after `patience`.
        """
        until = time.monotonic() + self._patience
        while not self._taken(inspection):
            waiting()
            if time.monotonic() > until:
                raise Unavailable("this inspection is running elsewhere; wait for it to end, then try again")
            time.sleep(AGAIN)
        try:
            yield
        finally:
            self._let_go(inspection)

    @contextmanager
    def hold_if_free(self, inspection: str) -> Iterator[bool]:
        """Hold an inspection unless somebody else does; says whether it is held."""
        taken = self._taken(inspection)
        try:
            yield taken
        finally:
            if taken:
                self._let_go(inspection)

    def _taken(self, inspection: str) -> bool:
        me = threading.get_ident()
        with self._guard:
            held = self._held.get(inspection)
            if held is not None and held.thread == me:
                held.depth += 1
                return True
            if held is not None or not self._locked(inspection):
                return False
            self._held[inspection] = _Held(me)
        return True

    def _let_go(self, inspection: str) -> None:
        """Undo one `_taken`. Any thread may: a turn that was left without an end is let go by the collector's."""
        with self._guard:
            held = self._held[inspection]
            held.depth -= 1
            if held.depth == 0:
                del self._held[inspection]
                fcntl.lockf(self._open(), fcntl.LOCK_UN, 1, _byte(inspection))

    def _locked(self, inspection: str) -> bool:
        """Lock one byte of the file, which stands for the inspection."""
        try:
            fcntl.lockf(self._open(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _byte(inspection))
        except OSError:
            return False
        return True

    def _open(self) -> int:
        """The file, opened once a process: closing any other descriptor of it would let go of every lock."""
        with self._guard:
            if self._descriptor is None or self._descriptor[0] != os.getpid():
                descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
                self._descriptor = (os.getpid(), descriptor)
            return self._descriptor[1]


def _byte(inspection: str) -> int:
    """Its place in the file. Two inspections of one place would only wait for each other."""
    return int.from_bytes(hashlib.sha256(inspection.encode()).digest()[:7]) >> 1
