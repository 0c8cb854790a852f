"""Which adapters running turns use, so that none is unloaded under one."""

import fcntl
import hashlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kenpin.contracts.errors import Unavailable


class Turns:
    """Which adapters running turns use: shared locks, so that one is unloaded only when no turn asks for it.

    For threads of this process, and for processes of this machine; a killed process lets go.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        # Entered again where the collector lets go, amid this very code, of a turn that was left without an end.
        self._guard = threading.RLock()
        self._turns: dict[str, int] = {}
        self._leaving: set[str] = set()
        self._descriptor: tuple[int, int] | None = None

    @contextmanager
    def using(self, name: str | None) -> Iterator[None]:
        """While a turn asks for an adapter.

        Raises:
            Unavailable: It is being unloaded at this moment.
        """
        if name is None:
            yield
            return
        self._enter(name)
        try:
            yield
        finally:
            with self._guard:
                self._turns[name] -= 1
                if not self._turns[name]:
                    del self._turns[name]
                    fcntl.lockf(self._open(), fcntl.LOCK_UN, 1, _byte(name))

    @contextmanager
    def alone(self, name: str) -> Iterator[bool]:
        """While an adapter is unloaded; says whether no turn uses it. No turn can begin with it within."""
        with self._guard:
            busy = name in self._turns or name in self._leaving
            if free := not busy and self._locked(name, fcntl.LOCK_EX):
                self._leaving.add(name)
        try:
            yield free
        finally:
            if free:
                with self._guard:
                    self._leaving.discard(name)
                    fcntl.lockf(self._open(), fcntl.LOCK_UN, 1, _byte(name))

    def _enter(self, name: str) -> None:
        with self._guard:
            if name in self._leaving or (name not in self._turns and not self._locked(name, fcntl.LOCK_SH)):
                raise Unavailable(f"the adapter {name} is being unloaded; say it again")
            self._turns[name] = self._turns.get(name, 0) + 1

    def _locked(self, name: str, kind: int) -> bool:
        try:
            fcntl.lockf(self._open(), kind | fcntl.LOCK_NB, 1, _byte(name))
        except OSError:
            return False
        return True

    def _open(self) -> int:
        """The file, opened once a process: closing any other descriptor of it would let go of every lock."""
        if self._descriptor is None or self._descriptor[0] != os.getpid():
            found = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            self._descriptor = (os.getpid(), found)
        return self._descriptor[1]


def _byte(name: str) -> int:
    """Its place in the file."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:7]) >> 1
