"""Opens the database, brings its tables up to date, and hands out transactions."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError, SQLAlchemyError

from kenpin.contracts.errors import FileRefused, MissingExtra, Unavailable

BUSY_MS = 60_000
"""How long SQLite waits for another writer. Writes take milliseconds; this is for a machine that stands still."""
AUDIT_LOCK = 0x6B656E70
"""PostgreSQL advisory lock that serialises writers of the audit log: `kenp` in ASCII."""
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
        """A connection that sees one state of the database throughout.

        Raises:
            Unavailable: The database does not answer.
        """
        with self._reached(), self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self, *, durable: bool = True) -> Iterator[Connection]:
        """A transaction that has the right to write from its start, so that it never has to be tried again.

        Args:
            durable: Wait until it is on the disk (SQLite). Without, a killed process loses nothing, and a power cut
                loses at most the last moments, in order.
        Raises:
            Unavailable: The database does not answer, is full, or cannot be written.
        """
        with self._reached(), self.engine.connect() as connection:
            if self.sqlite:
                # On the driver's own connection: inside a transaction SQLite refuses it.
                raw: Any = connection.connection.driver_connection
                raw.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
                connection.execution_options(kenpin_write=True)
            with connection.begin():
                yield connection

    @contextmanager
    def _reached(self) -> Iterator[None]:
        try:
            yield
        except (OperationalError, DBAPIError) as exc:
            if isinstance(exc, OperationalError) or exc.connection_invalidated:
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
    if address.get_backend_name() == "sqlite":
        _as_sqlite(engine)
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
        return {"connect_args": {"timeout": BUSY_MS / 1000, "check_same_thread": False}}
    return {"pool_size": 10, "max_overflow": 20, "isolation_level": "READ COMMITTED"}


def _as_sqlite(engine: Engine) -> None:
    """WAL, foreign keys, and transactions that begin where SQLAlchemy says, not where the driver guesses."""

    @event.listens_for(engine, "connect")
    def opened(connection: Any, _: Any) -> None:
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "foreign_keys=ON", f"busy_timeout={BUSY_MS}", "synchronous=FULL"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begun(connection: Connection) -> None:
        # IMMEDIATE takes the right to write at once: one that is taken later can be refused as stale.
        write = connection.get_execution_options().get("kenpin_write", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def _upgrade(database: Database) -> None:
    """Run the migrations that are missing. Two processes that start at once do it one after the other."""
    from alembic import command
    from alembic.config import Config
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    logging.getLogger("alembic").setLevel(logging.WARNING)
    newest = ScriptDirectory.from_config(config).get_current_head()
    try:
        with database.read() as connection:
            if MigrationContext.configure(connection).get_current_revision() == newest:
                return
        with database.write() as connection:
            if not database.sqlite:
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": AUDIT_LOCK})
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except Unavailable:
        raise
    except SQLAlchemyError as exc:
        raise FileRefused(f"the database {database.shown} cannot be used ({_reason(exc)})") from exc


def _reason(exc: SQLAlchemyError) -> str:
    return " ".join(str(getattr(exc, "orig", None) or exc).split())[:200]
