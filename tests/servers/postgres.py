"""A PostgreSQL of Debian's package, in a folder and on a port of its own. For tests and benches; started once."""

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, text

PATIENCE = 30.0
"""Seconds until the server answers. It takes half a second."""
MISSING = "PostgreSQL is not installed here (Debian: apt-get install postgresql)"
FAST = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "100",
    "shared_buffers": "64MB",
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "timezone": "UTC",
}
"""Nothing of it has to outlive the tests."""
RISKY = ("fsync", "synchronous_commit", "full_page_writes")


class CannotStart(Exception):
    """PostgreSQL is not there, or there is nobody whom it may run as."""


def programs() -> Path | None:
    """Folder of `initdb` and `postgres`: Debian keeps one for each version, outside the path."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    versions = [place for place in Path("/usr/lib/postgresql").glob("*/bin") if (place / "initdb").exists()]
    return max(versions, key=lambda place: float(place.parent.name), default=None)


@dataclass
class Postgres:
    """One server."""

    folder: Path
    port: int
    password: str
    _bin: Path
    _as: dict[str, Any]
    _process: subprocess.Popen[bytes] | None = None
    _made: int = 0
    _engines: dict[str, Engine] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=lambda: dict(FAST))

    def url(self, name: str) -> str:
        """Address of one of its databases."""
        return f"postgresql://kenpin:{self.password}@127.0.0.1:{self.port}/{name}"

    def create(self, template: str | None = None) -> str:
        """Make a database and return its name; `template` is copied."""
        self._made += 1
        name = f"t{self._made}"
        copied = f" TEMPLATE {template} STRATEGY file_copy" if template else ""
        self._said(f"CREATE DATABASE {name}{copied}")
        return name

    def drop(self, name: str) -> None:
        """Delete a database, whoever is connected to it."""
        if name in self._engines:
            self._engines.pop(name).dispose()
        self._said(f"DROP DATABASE {name} WITH (FORCE)")

    def empty(self, name: str, tables: Iterable[str]) -> None:
        """Delete every row, of the audit log too: a server's owner can, and the chain is there to show it."""
        deleted = " ".join(f"DELETE FROM {table};" for table in tables)
        self._said(f"SET session_replication_role = replica; {deleted}", database=name)

    def start(self) -> None:
        """Start it and wait until it answers."""
        options = [part for name, value in self.settings.items() for part in ("-c", f"{name}={value}")]
        # The server ends even where the tests are killed.
        ends = ["setpriv", "--pdeathsig", "QUIT"] if shutil.which("setpriv") else []
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*ends, self._bin / "postgres", "-D", self.folder / "data", "-p", str(self.port), *options],
                stdout=log, stderr=log, cwd=self.folder, **self._as,
            )  # fmt: skip
        until = time.monotonic() + PATIENCE
        while True:
            if self._process.poll() is not None or time.monotonic() > until:
                raise CannotStart(f"PostgreSQL did not start: {(self.folder / 'log').read_text()[-500:]}")
            with contextlib.suppress(Exception):
                return self._said("SELECT 1")
            time.sleep(0.05)

    def stop(self) -> None:
        """End it at once, as a crash would for those who are connected."""
        for engine in self._engines.values():
            engine.dispose()
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(PATIENCE)
            self._process = None

    def close(self) -> None:
        """End it and delete its folder."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _said(self, statement: str, *, database: str = "postgres") -> None:
        if database not in self._engines:
            url = self.url(database).replace("://", "+pg8000://")
            self._engines[database] = create_engine(url, isolation_level="AUTOCOMMIT")
        with self._engines[database].connect() as connection:
            connection.execute(text(statement))


def start_postgres(*, safe: bool = False) -> Postgres:
    """Make a cluster and start its server.

    Args:
        safe: Wait for the disk as a server does whose data must outlive a power cut.
    Raises:
        CannotStart: One line that says why not.
    """
    if (place := programs()) is None:
        raise CannotStart(MISSING)
    folder = Path(tempfile.mkdtemp(prefix="kenpin-postgres-"))
    runs_as: dict[str, Any] = {}
    if os.geteuid() == 0:
        # PostgreSQL refuses to run as root.
        user = _somebody()
        os.chown(folder, user.pw_uid, user.pw_gid)
        runs_as = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    password = secrets.token_hex(16)
    secret = folder / "password"
    secret.write_text(password)
    secret.chmod(0o644)  # the folder is its user's alone
    made = subprocess.run(
        [place / "initdb", "-D", folder / "data", "-U", "kenpin", "-A", "password", f"--pwfile={secret}",
         "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions"],
        capture_output=True, text=True, cwd=folder, check=False, **runs_as,
    )  # fmt: skip
    secret.unlink()
    if made.returncode:
        shutil.rmtree(folder, ignore_errors=True)
        raise CannotStart(f"initdb failed: {made.stderr.strip()[-300:]}")
    server = Postgres(folder=folder, port=_free_port(), password=password, _bin=place, _as=runs_as)
    if safe:
        server.settings = {name: value for name, value in FAST.items() if name not in RISKY}
    try:
        server.start()
    except CannotStart:
        server.close()
        raise
    return server


def _somebody() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise CannotStart("PostgreSQL refuses to run as root, and there is no user `postgres` or `nobody`")


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])

