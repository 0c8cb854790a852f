"""The database itself: opened at once by many, refused where it cannot be used, back when its server is back."""

import contextlib
import gc
import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import insert, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from kenpin.contracts.errors import FileRefused, Unavailable
from kenpin.database import engine
from kenpin.database.engine import Database, open_database
from kenpin.database.tables import METADATA, rules

ROOT = Path(__file__).parents[2]
NOBODY = 65534
OPENERS = """
import os, sys, time
from pathlib import Path
import alembic.command, alembic.script, pg8000
from kenpin.database.engine import open_database
from kenpin.database.tables import rules
url, folder = sys.argv[1] or None, Path(sys.argv[2])
at, children = time.time() + 0.1, []
for number in range(8):
    if (child := os.fork()) == 0:
        time.sleep(max(0.0, at - time.time()))
        database = open_database(url, folder=folder)
        with database.write() as connection:
            connection.execute(rules.insert().values(product=str(number), body=""))
        os._exit(0)
    children.append(child)
sys.exit(max(os.waitpid(child, 0)[1] for child in children))
"""
"""Eight processes that open a database for the first time at one moment, each of them writing a row."""


# pg8000 leaves the socket of a connection that it could not make to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    """What a test leaves to the garbage collector is collected within it."""
    yield
    gc.collect()


def put(database: Database, product: str) -> None:
    with database.write() as connection:
        connection.execute(insert(rules).values(product=product, body=""))


def products(database: Database) -> set[str]:
    with database.read() as connection:
        return set(connection.execute(select(rules.c.product)).scalars())


def opened_at_once(url: str, folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", OPENERS, url, folder], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stderr, done.returncode) == ("", 0)


def test_eight_processes_open_sqlite_for_the_first_time(tmp_path: Path) -> None:
    opened_at_once("", tmp_path)

    database = open_database(None, folder=tmp_path)
    assert products(database) == set("01234567")
    database.close()


def test_eight_processes_open_postgresql_for_the_first_time(postgres: Any, tmp_path: Path) -> None:
    name = postgres.create()
    opened_at_once(postgres.url(name), tmp_path)

    database = open_database(postgres.url(name), folder=tmp_path)
    assert products(database) == set("01234567")
    database.close()
    postgres.drop(name)


def test_the_migrations_lead_to_the_tables(database: Database) -> None:
    with database.read() as connection:
        # SQLite writes an empty default in a way that alembic takes for another one.
        options = {"compare_type": True, "compare_server_default": not database.sqlite}
        assert MigrationContext.configure(connection).get_current_revision() == engine.VERSION
        assert compare_metadata(MigrationContext.configure(connection, opts=options), METADATA) == []


def test_a_transaction_is_whole_or_absent(database: Database) -> None:
    put(database, "a")
    with pytest.raises(IntegrityError), database.write() as connection:
        connection.execute(insert(rules).values(product="b", body=""))
        connection.execute(insert(rules).values(product="a", body=""))

    assert products(database) == {"a"}


def test_a_reader_sees_one_state_throughout(database: Database) -> None:
    put(database, "a")
    with database.read() as connection:
        before = connection.execute(select(rules.c.product)).all()
        put(database, "b")
        assert connection.execute(select(rules.c.product)).all() == before

    assert products(database) == {"a", "b"}


def test_a_reader_cannot_write(database: Database) -> None:
    with pytest.raises((Unavailable, DBAPIError), match=r"read-?only"), database.read() as connection:
        connection.execute(insert(rules).values(product="a", body=""))

    put(database, "b")
    assert products(database) == {"b"}


@pytest.mark.parametrize("durable", [True, False])
def test_writers_stand_in_line(database: Database, durable: bool) -> None:
    order: list[str] = []

    def second() -> None:
        with database.write(durable=durable) as connection:
            order.append("second")
            connection.execute(insert(rules).values(product="second", body=str(len(order))))

    with database.write(durable=durable) as connection:
        thread = threading.Thread(target=second)
        thread.start()
        time.sleep(0.15)
        connection.execute(insert(rules).values(product="first", body=""))
        order.append("first")
    thread.join()

    assert order == ["first", "second"] and products(database) == {"first", "second"}


def test_a_writer_that_never_ends_is_said(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "BUSY_MS", 150)
    database = open_database(database_url, folder=tmp_path)

    with database.write(), pytest.raises(Unavailable, match=r"cannot be used \(.*(locked|lock timeout)"):
        put(database, "a")

    put(database, "b")
    assert products(database) == {"b"}
    database.close()


def test_a_full_disk_is_said_and_nothing_is_half_written(tmp_path: Path, empty_sqlite: Path) -> None:
    (tmp_path / "kenpin.sqlite").write_bytes(empty_sqlite.read_bytes())
    database = open_database(None, folder=tmp_path)
    with database.engine.connect() as connection:
        raw: Any = connection.connection.driver_connection
        pages = raw.execute("PRAGMA page_count").fetchone()[0]
        raw.execute(f"PRAGMA max_page_count={pages + 2}")
    with pytest.raises(Unavailable, match="disk is full"), database.write() as connection:
        connection.execute(insert(rules).values(product="a", body=""))
        connection.execute(insert(rules).values(product="b", body="x" * 100_000))

    put(database, "c")
    assert products(database) == {"c"}
    database.close()


@pytest.mark.parametrize("content", [b"hello", b"SQLite format 3\0" + b"\xff" * 5000, os.urandom(9000)])
def test_a_file_that_is_no_database_is_refused_and_kept(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "kenpin.sqlite"
    file.write_bytes(content)

    with pytest.raises((FileRefused, Unavailable), match=r"kenpin.sqlite cannot be used \(.*(not a database|malformed)"):
        open_database(None, folder=tmp_path)

    assert file.read_bytes() == content


def test_a_database_of_a_newer_kenpin_is_refused_and_kept(database_url: str, tmp_path: Path) -> None:
    database = open_database(database_url, folder=tmp_path)
    with database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0999'"))
    try:
        with pytest.raises(FileRefused, match=r"of a newer Kenpin \(version 0999, this one knows 000\d\)"):
            open_database(database_url, folder=tmp_path)
    finally:
        with database.write() as connection:
            known = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one()
            connection.execute(text("UPDATE alembic_version SET version_num = :old"), {"old": engine.VERSION})
        database.close()
    assert known == "0999"


def test_another_programs_tables_are_not_taken_for_ours(tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "kenpin.sqlite")) as connection:
        connection.execute("CREATE TABLE users (id INTEGER)")

    with pytest.raises(FileRefused, match="table users already exists"):
        open_database(None, folder=tmp_path)

    with contextlib.closing(sqlite3.connect(tmp_path / "kenpin.sqlite")) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("users",)]


@pytest.fixture
def unwritable() -> Iterator[Path]:
    """A folder that this process may read and not write, whoever it runs as."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        open_database(None, folder=folder).close()
        for file in (folder, *folder.iterdir()):
            file.chmod(0o555)
        root = os.geteuid() == 0
        if root:
            os.seteuid(NOBODY)
        try:
            yield folder
        finally:
            if root:
                os.seteuid(0)
            folder.chmod(0o755)


def test_a_folder_that_cannot_be_written_is_said(unwritable: Path) -> None:
    with pytest.raises((Unavailable, FileRefused), match=r"kenpin\.sqlite cannot be used"):
        open_database(None, folder=unwritable)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("nonsense", "expected postgresql://"),
        ("mysql://a:geheim@b/c", "mysql is not known; expected postgresql or sqlite"),
        ("postgresql://kenpin:geheim@127.0.0.1:1/none", r"kenpin:\*\*\*@127.0.0.1:1/none cannot be used"),
    ],
)
def test_an_address_that_leads_nowhere_is_said_without_its_password(tmp_path: Path, url: str, said: str) -> None:
    with pytest.raises((FileRefused, Unavailable), match=said) as raised:
        open_database(url, folder=tmp_path)

    assert "geheim" not in str(raised.value)


def test_a_wrong_password_is_said(postgres: Any, empty_postgres: str, tmp_path: Path) -> None:
    url = postgres.url(empty_postgres).replace(postgres.password, "geheim")

    with pytest.raises(Unavailable, match="password authentication failed") as raised:
        open_database(url, folder=tmp_path)

    assert "geheim" not in str(raised.value)


def test_a_database_that_is_not_there_is_said(postgres: Any, tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match='database "none" does not exist'):
        open_database(postgres.url("none"), folder=tmp_path)


def test_a_server_that_goes_away_is_said_and_used_again_when_it_is_back(
    postgres: Any, empty_postgres: str, tmp_path: Path
) -> None:
    database = open_database(postgres.url(empty_postgres), folder=tmp_path)
    put(database, "before")
    try:
        with pytest.raises(Unavailable, match="cannot be used"), database.write() as connection:
            connection.execute(insert(rules).values(product="lost", body=""))
            postgres.stop()
            connection.execute(insert(rules).values(product="lost too", body=""))
        with pytest.raises(Unavailable, match="cannot be used"):
            products(database)
        with pytest.raises(Unavailable, match="cannot be used"):
            put(database, "no")
    finally:
        postgres.start()

    put(database, "after")
    assert products(database) == {"before", "after"}
    with database.write() as connection:
        connection.execute(rules.delete())
    database.close()
