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


class Holds:
    """One lock an inspection. Checkpoints lie on one machine, and so does the lock file; a killed process lets go."""

    def __init__(self, file: Path, *, patience: float = PATIENCE) -> None:
        self._file, self._patience = file, patience
        self._locks: dict[str, threading.RLock] = {}
        self._depth: dict[str, int] = {}
        self._guard = threading.Lock()
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
        with self._guard:
            lock = self._locks.setdefault(inspection, threading.RLock())
        if not lock.acquire(blocking=False):
            return False
        depth = self._depth.get(inspection, 0)
        if depth == 0 and not self._locked(inspection):
            lock.release()
            return False
        self._depth[inspection] = depth + 1
        return True

    def _let_go(self, inspection: str) -> None:
        self._depth[inspection] -= 1
        if self._depth[inspection] == 0:
            del self._depth[inspection]
            fcntl.lockf(self._open(), fcntl.LOCK_UN, 1, _byte(inspection))
        self._locks[inspection].release()

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
