"""Attempts at a password: counted before they are looked at, so that many at once are no more than a few."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Row, select

from kenpin.contracts.errors import SignInRefused
from kenpin.contracts.ports import AuditLog
from kenpin.database.engine import Database
from kenpin.database.tables import users
from kenpin.security.credentials import Hasher

FREE = 5
"""Wrong passwords in a row before the account is locked."""
FIRST_MINUTES, MOST_MINUTES = 1.0, 60.0
"""The lock after the fifth; each further one doubles it. At most 33 guesses on the first day, then 24 a
day."""
REFUSED = "the name or the password is wrong, or the account is locked for a while after wrong ones; try again later"


class Attempts:
    """Counts wrong passwords of each account."""

    def __init__(self, database: Database, audit: AuditLog, hasher: Hasher, *, clock: Callable[[], float]) -> None:
        self._database, self._audit, self._hasher, self._clock = database, audit, hasher, clock

    @contextmanager
    def passed(self, name: str, password: str) -> Iterator[tuple[Connection, Row[Any]]]:
        """A write transaction in which the account has just shown its password.

        Args:
            name: In its normal form.
            password: What was given.
        Raises:
            SignInRefused: Wrong, unknown, disabled or locked, in one and the same text after one and the same work.
        """
        row, counted = self._claim(name)
        fits = self._hasher.fits(row.password if row else None, password)
        if row is None or not counted or not fits:
            self._refuse(row, counted)
        assert row is not None
        renewed = self._hasher.hash(password) if self._hasher.outdated(row.password) else None
        with self._database.write() as connection:
            fresh = self._row(connection, name)
            if fresh is None or not fresh.active or fresh.password != row.password:
                raise SignInRefused(REFUSED)
            values: dict[str, Any] = {"failures": 0, "locked_until": None}
            if renewed:
                values["password"] = renewed
            connection.execute(users.update().where(users.c.name == name).values(**values))
            yield connection, fresh

    def locked(self, connection: Connection, name: str) -> bool:
        """Whether an account is locked now."""
        row = self._row(connection, name)
        return row is not None and row.locked_until is not None and row.locked_until > self._clock()

    def _claim(self, name: str) -> tuple[Row[Any] | None, bool]:
        """Count an attempt as wrong before it is looked at; a right one takes the count back."""
        now = self._clock()
        # Not waited for on the disk: an unknown name would answer sooner. The note that follows carries it along.
        with self._database.write(durable=False) as connection:
            row = self._row(connection, name)
            if row is None or not row.active or (row.locked_until is not None and row.locked_until > now):
                return row, False
            failures = row.failures + 1
            until = now + lock_minutes(failures) * 60 if failures >= FREE else None
            connection.execute(
                users.update().where(users.c.name == name).values(failures=failures, locked_until=until)
            )
        return row, True

    def _refuse(self, row: Row[Any] | None, counted: bool) -> None:
        """Note it and raise. The name of nobody is not noted: people type passwords into the wrong field."""
        name = row.name if row else "unknown"
        with self._database.write() as connection:
            self._audit.append(connection, actor=name, action="user.refused", subject=f"user:{name}")
            if row is not None and counted and row.failures + 1 >= FREE:
                self._audit.append(connection, actor=name, action="user.locked", subject=f"user:{name}",
                                   failures=row.failures + 1, minutes=lock_minutes(row.failures + 1))
        raise SignInRefused(REFUSED)

    @staticmethod
    def _row(connection: Connection, name: str) -> Row[Any] | None:
        return connection.execute(select(users).where(users.c.name == name).with_for_update()).one_or_none()


def lock_minutes(failures: int) -> float:
    """How long the n-th wrong password in a row locks, in minutes; 0 below the fifth."""
    if failures < FREE:
        return 0.0
    return min(FIRST_MINUTES * 2.0 ** min(failures - FREE, 10), MOST_MINUTES)
