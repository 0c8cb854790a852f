"""Opens the database, brings its tables up to date, and hands out transactions."""

import logging
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from kenpin.contracts.errors import FileRefused, MissingExtra, Unavailable

if TYPE_CHECKING:
    from alembic.config import Config

BUSY_MS = 60_000
"""How long a writer waits for another one. Writes take milliseconds; this is for a machine that stands still."""
AUDIT_LOCK = 0x6B656E70
"""PostgreSQL advisory lock that puts writers in line: `kenp` in ASCII."""
IN_LINE = text(
    "SELECT set_config('lock_timeout', :wait, true), set_config('synchronous_commit', :safe, true), "
    "pg_advisory_xact_lock(:key)"
)
OUT_OF_REACH = ("08", "40", "53", "55P03", "57P", "25006", "28", "3D000")
"""How the codes of PostgreSQL's errors begin where nothing is wrong with what was asked: connection lost, stopped by
the server, out of disk, memory or connections, shutting down, read-only, refused or missing."""
BROKEN_FILE = frozenset(
    {
        sqlite3.SQLITE_PERM, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_NOLFS,
    }
)  # fmt: skip
"""The same for SQLite."""
TOGETHER = {"pool_size": 10, "max_overflow": 20}
"""Connections of a process: one a person who does something at this moment, and a second while a key is made."""
VERSION = "0002"
"""The newest migration."""
MIGRATIONS = Path(__file__).parent / "migrations"


@dataclass(frozen=True)
class Database:
    """One database. SQLAlchemy's engine with the transactions that Kenpin uses."""

    engine: Engine

    @property
    def sqlite(self) -> bool:
        """Whether it is a file of this machine."""
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection that sees one state of the database throughout, and cannot write.

        Raises:
            Unavailable: The database does not answer.
        """
        with self._reached(), self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self, *, durable: bool = True) -> Iterator[Connection]:
        """A transaction that has the right to write from its start, so that it never has to be tried again.

        Writers stand in line, on PostgreSQL as well: each transaction takes milliseconds, most of them end with an
        event in the audit log, which is one chain, and whoever stands in line cannot be in a deadlock.

        Args:
            durable: Wait until it is on the disk. Without, a killed process loses nothing, and a power cut loses at
                most the last moments, in order.
        Raises:
            Unavailable: The database does not answer, is full, or cannot be written.
        """
        with self._reached(), self.engine.connect() as connection:
            connection.execution_options(kenpin_write=True)
            if self.sqlite:
                # On the driver's own connection: inside a transaction SQLite refuses it.
                raw: Any = connection.connection.driver_connection
                raw.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
            with connection.begin():
                if not self.sqlite:
                    asked = {"key": AUDIT_LOCK, "wait": str(BUSY_MS), "safe": "on" if durable else "off"}
                    connection.execute(IN_LINE, asked)
                yield connection

    @contextmanager
    def _reached(self) -> Iterator[None]:
        try:
            yield
        except (DBAPIError, PoolTimeout) as exc:
            if _out_of_reach(exc):
                raise Unavailable(f"the database {self.shown} cannot be used ({_reason(exc)})") from exc
            raise

    @property
    def shown(self) -> str:
        """Its address without the password."""
        url = self.engine.url
        return str(url.database) if self.sqlite else url.render_as_string(hide_password=True)

    def close(self) -> None:
        """Let go of every connection."""
        self.engine.dispose()


def open_database(url: str | None, *, folder: Path) -> Database:
    """Open the database and bring its tables up to date.

    Args:
        url: `postgresql://…`; None for `kenpin.sqlite` in `folder`.
        folder: Where the SQLite file lies.
    Raises:
        FileRefused: The address cannot be understood, or the file is no database.
        MissingExtra: The driver of PostgreSQL is not installed.
        Unavailable: The server does not answer.
    """
    address = _address(url, folder)
    try:
        engine = create_engine(address, pool_pre_ping=address.get_backend_name() != "sqlite", **_options(address))
    except ModuleNotFoundError as exc:
        raise MissingExtra("PostgreSQL", extra="scale") from exc
    (_as_sqlite if address.get_backend_name() == "sqlite" else _as_postgresql)(engine)
    database = Database(engine)
    _upgrade(database)
    return database


def _address(url: str | None, folder: Path) -> URL:
    if url is None:
        return URL.create("sqlite", database=str(folder / "kenpin.sqlite"))
    try:
        address = make_url(url)
    except ArgumentError:
        raise FileRefused("KENPIN_DATABASE_URL: expected postgresql://user:password@host/name") from None
    if address.get_backend_name() == "postgresql":
        return address.set(drivername="postgresql+pg8000")
    if address.get_backend_name() == "sqlite":
        return address
    raise FileRefused(f"KENPIN_DATABASE_URL: {address.get_backend_name()} is not known; expected postgresql or sqlite")


def _options(address: URL) -> dict[str, Any]:
    if address.get_backend_name() == "sqlite":
        return {"connect_args": {"timeout": BUSY_MS / 1000, "check_same_thread": False}, **TOGETHER}
    return {"isolation_level": "READ COMMITTED", **TOGETHER}


def _as_sqlite(engine: Engine) -> None:
    """WAL, foreign keys, and transactions that begin where SQLAlchemy says, not where the driver guesses."""

    @event.listens_for(engine, "connect")
    def opened(connection: Any, _: Any) -> None:
        connection.isolation_level = None
        for pragma in (f"busy_timeout={BUSY_MS}", "foreign_keys=ON", "synchronous=FULL"):
            connection.execute(f"PRAGMA {pragma}")
        _wal(connection)

    @event.listens_for(engine, "begin")
    def begun(connection: Connection) -> None:
        write = connection.get_execution_options().get("kenpin_write", False)
        connection.exec_driver_sql(f"PRAGMA query_only={'OFF' if write else 'ON'}")
        # IMMEDIATE takes the right to write at once: one that is taken later can be refused as stale.
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def _wal(connection: Any) -> None:
    """Turn to WAL, once for each file. Of several processes that do it at once SQLite refuses some without waiting."""
    until = time.monotonic() + BUSY_MS / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as exc:
            if "locked" not in str(exc) or time.monotonic() > until:
                raise
            time.sleep(0.02)


def _as_postgresql(engine: Engine) -> None:
    """Readers see one state of the database and cannot write."""

    @event.listens_for(engine, "begin")
    def begun(connection: Connection) -> None:
        if not connection.get_execution_options().get("kenpin_write", False):
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")


def _upgrade(database: Database) -> None:
    """Run the migrations that are missing. Processes that start at once do it one after the other."""
    try:
        with database.read() as connection:
            found = _version(connection)
        if found == VERSION:
            return
        # Imported only where there is something to do: it would double the time that a command takes to start.
        from alembic import command
        from alembic.script import ScriptDirectory

        known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
        if found is not None and found not in known:
            raise FileRefused(
                f"the database {database.shown} is of a newer Kenpin (version {found[:40]}, this one knows {VERSION}); "
                "use that Kenpin, or a backup from before (nothing was changed)"
            )
        with database.write() as connection:
            command.upgrade(_config(connection), "head")
    except SQLAlchemyError as exc:
        raise FileRefused(f"the database {database.shown} cannot be used ({_reason(exc)})") from exc


def _version(connection: Connection) -> str | None:
    """The version of the tables; None while there are none."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()


def _config(connection: Connection | None = None) -> "Config":
    from alembic.config import Config

    logging.getLogger("alembic").setLevel(logging.WARNING)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _out_of_reach(exc: DBAPIError | PoolTimeout) -> bool:
    """Whether the database itself is the matter, and not what was asked of it."""
    if isinstance(exc, PoolTimeout) or exc.connection_invalidated:
        return True
    if (code := getattr(exc.orig, "sqlite_errorcode", None)) is not None:
        return code & 0xFF in BROKEN_FILE
    told = exc.orig.args[0] if exc.orig and exc.orig.args else None
    if isinstance(told, dict):
        return str(told.get("C", "")).startswith(OUT_OF_REACH)
    return isinstance(exc, OperationalError | InterfaceError)


def _reason(exc: SQLAlchemyError) -> str:
    """What the driver said, in one line. pg8000 hands over the server's fields, of which M is the message."""
    orig = getattr(exc, "orig", None)
    told = orig.args[0] if orig is not None and orig.args else None
    said = told.get("M", told) if isinstance(told, dict) else orig or exc
    return " ".join(str(said).split())[:200]
