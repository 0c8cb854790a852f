"""One process at a time at a folder: a lock that the operating system takes back from a killed process."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import RLock

from kenpin.contracts.errors import FileRefused, Unavailable

WAIT_S = 60.0
"""What is done under the lock takes milliseconds, or seconds where thousands of cases are added at once."""


class FolderLock:
    """Held by one thread of one process at a time; may be taken again by the thread that holds it.

    An exclusive transaction on an empty SQLite file: it works on every platform, and needs no clean-up.
    """

    def __init__(self, place: Path) -> None:
        self._place = place
        self._thread = RLock()
        self._depth = 0
        self._connection: sqlite3.Connection | None = None

    @contextmanager
    def held(self) -> Iterator[None]:
        """Wait for the lock, and hold it.

        Raises:
            FileRefused: The folder cannot be made or written.
            Unavailable: Another process keeps it for too long.
        """
        with self._thread:
            if self._depth == 0:
                self._take()
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
                if self._depth == 0 and self._connection is not None:
                    self._connection.execute("ROLLBACK")

    def _take(self) -> None:
        try:
            if self._connection is None:
                self._place.parent.mkdir(parents=True, exist_ok=True)
                self._connection = sqlite3.connect(self._place, timeout=WAIT_S, isolation_level=None,
                                                   check_same_thread=False)
        except (sqlite3.Error, OSError) as exc:
            raise FileRefused(f"{self._place.parent} cannot be used ({exc}); it must be a writeable folder") from exc
        try:
            self._connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.Error as exc:
            raise Unavailable(f"{self._place}: another process keeps it ({exc}); try again") from exc

    def close(self) -> None:
        """Let go of the file."""
        with self._thread:
            if self._connection is not None:
                self._connection.close()
                self._connection = None
