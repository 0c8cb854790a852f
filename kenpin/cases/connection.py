"""A way to Chroma: in this process with its files in a folder, or on a server."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from threading import RLock
from typing import Any, TypeVar
from uuid import uuid4

from kenpin.cases.lock import FolderLock
from kenpin.cases.scrub import UNSAVED, blank_index, shorten_log
from kenpin.contracts.errors import StoreError, Unavailable

Result = TypeVar("Result")

TIMEOUT_S = 20.0
"""A server that is silent for so long is taken as gone."""


class Connection:
    """One client, its collections, and a version that changes with every write of any process.

    In a folder only one process at a time may touch Chroma 1.5: two that write at once bring deleted records back (6 of
    1,200 deletions in a trial of two processes; none under this lock).
    """

    def __init__(self, folder: Path | None, host: str | None, port: int) -> None:
        if folder is None and host is None:
            raise StoreError("the case base needs a folder, or the host of a Chroma server")
        self.folder = folder if host is None else None
        self._host, self._port = host, port
        self._lock = FolderLock(folder / "lock.sqlite") if self.folder is not None and folder is not None else None
        self.mutex = RLock()
        self._blanked: dict[Path, int] = {}

    @cached_property
    def client(self) -> Any:
        """The client; importing chromadb takes longer than everything else at start-up, so it waits for its use."""
        import chromadb
        from chromadb.config import Settings

        quiet = Settings(anonymized_telemetry=False)
        if self.folder is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
            return chromadb.PersistentClient(path=str(self.folder), settings=quiet)
        try:
            client = chromadb.HttpClient(host=self._host, port=self._port, settings=quiet)
        except (ValueError, OSError) as exc:
            raise self._unavailable() from exc
        for session in _sessions(client):
            session.timeout = TIMEOUT_S
        return client

    def found(self, name: str) -> Any | None:
        """A collection, or None."""
        from chromadb.errors import NotFoundError

        try:
            return self.client.get_collection(name, embedding_function=None)
        except NotFoundError:
            return None

    def made(self, name: str, **about: str) -> Any:
        """A collection, made if there is none."""
        return self.found(name) or self.client.create_collection(
            name, embedding_function=None, metadata=about, configuration=UNSAVED if self.folder is not None else None)

    def drop(self, name: str) -> None:
        """Delete a collection, if there is one."""
        if self.found(name) is not None:
            self.client.delete_collection(name)

    def within(self, work: Callable[[], Result]) -> Result:
        """Run `work` with Chroma to itself, and turn a lost server into one line."""
        import httpx

        with self.held():
            try:
                return work()
            except (httpx.HTTPError, ConnectionError) as exc:
                raise self._unavailable() from exc
            finally:
                if self.folder is not None:
                    blank_index(self.folder, self._blanked)

    @contextmanager
    def held(self) -> Iterator[None]:
        """One thread of this process, and in a folder one process, at a time."""
        with self.mutex:
            if self._lock is None:
                yield
                return
            with self._lock.held():
                yield

    @property
    def version_file(self) -> Path | None:
        """Where the version of a folder lies, which is read without touching Chroma."""
        return self.folder / "version" if self.folder is not None else None

    def version(self) -> str:
        """What the version file says; empty before the first write, or on a server."""
        try:
            return self.version_file.read_text(encoding="ascii") if self.version_file else ""
        except (OSError, UnicodeDecodeError):
            return ""

    def changing(self) -> str:
        """A new version, on disk before the change that it stands for: a killed writer leaves others to look again."""
        version = uuid4().hex
        if self.version_file is not None:
            new = self.version_file.with_suffix(".new")
            new.write_text(version, encoding="ascii")
            new.replace(self.version_file)
        return version

    def tidied(self) -> None:
        """After a write: Chroma's log is kept short, in a folder."""
        if self.folder is not None:
            shorten_log(self.folder)

    def close(self) -> None:
        """Let go of files and sockets. One that was never used has none."""
        if "client" in self.__dict__:
            sessions = _sessions(self.client)
            self.client.close()
            for session in sessions:
                session.close()
        if self._lock is not None:
            self._lock.close()

    def _unavailable(self) -> Unavailable:
        return Unavailable(f"no Chroma server answers at {self._host}:{self._port}; start one with "
                           f"`chroma run --path DIR --port {self._port}` or use the case base in a folder")


def _sessions(client: Any) -> list[Any]:
    """The HTTP sessions of a client. Chroma 1.5 waits on them forever, and its own `close` leaves them open."""
    holders = (client, getattr(client, "_admin_client", None))
    found = (getattr(getattr(holder, "_server", None), "_session", None) for holder in holders)
    return [session for session in found if session is not None]
