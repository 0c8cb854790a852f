"""Sessions in the database: by the hash of their token, ending when idle, when old, and when told to."""

import hashlib
import secrets
from dataclasses import dataclass
from typing import Any, Literal, cast

from sqlalchemy import Connection, Row, func, select

from kenpin.config import Settings
from kenpin.contracts.errors import SignInRefused
from kenpin.database.tables import sessions, users

Method = Literal["password", "oidc"]
SEEN_EVERY = 30.0
"""Seconds after which a session's last use is written again. Writing it each time would be a write for every read."""
KEPT_DAYS = 30.0
"""How long ended sessions stay on record."""


@dataclass(frozen=True)
class Lifetime:
    """How long a session lasts, in seconds."""

    idle: float
    whole: float

    @classmethod
    def of(cls, settings: Settings) -> "Lifetime":
        """As set."""
        return cls(idle=settings.session_minutes * 60, whole=settings.session_hours * 3600)

    def over(self, row: Row[Any], now: float) -> bool:
        """Whether a session has run out."""
        return bool(now - row.seen > self.idle or now - row.started > self.whole)


def token_sha256(token: str) -> str:
    """What is stored of a token: 256 random bits need no salt and no slow hash."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def begin(
    connection: Connection, name: str, method: Method, *, now: float, proved: float, token: str | None = None
) -> str:
    """Start a session and return its token, a new one unless one is given. Those of long ago are swept away."""
    connection.execute(sessions.delete().where(sessions.c.started < now - KEPT_DAYS * 86400))
    token = token or secrets.token_urlsafe(32)
    connection.execute(
        sessions.insert().values(
            token_sha256=token_sha256(token), name=name, method=method,
            started=now, proved=proved, seen=now, ended=False,
        )
    )
    return token


def find(connection: Connection, token: str | None) -> Row[Any] | None:
    """A session with its account: columns of both."""
    if not token:
        return None
    both = select(
        sessions.c.token_sha256, sessions.c.name, sessions.c.method, sessions.c.started, sessions.c.proved,
        sessions.c.seen, sessions.c.ended, users.c.printed_name, users.c.roles, users.c.active, users.c.password,
    ).join_from(sessions, users, sessions.c.name == users.c.name)
    found: Any = connection.execute(both.where(sessions.c.token_sha256 == token_sha256(token))).one_or_none()
    return cast("Row[Any] | None", found)


def touch(connection: Connection, row: Row[Any], now: float) -> None:
    """Note that a session was used."""
    _set(connection, row, seen=now)


def proved(connection: Connection, row: Row[Any], now: float) -> None:
    """Note that the person has just shown the password again."""
    _set(connection, row, proved=now, seen=now)


def end(connection: Connection, row: Row[Any]) -> None:
    """End one session."""
    _set(connection, row, ended=True)


def end_all(connection: Connection, name: str, *, but: str | None = None) -> int:
    """End every session of an account, except the one whose token is `but`. Returns how many."""
    which = (sessions.c.name == name) & sessions.c.ended.is_(False)
    if but:
        which &= sessions.c.token_sha256 != token_sha256(but)
    return int(connection.execute(sessions.update().where(which).values(ended=True)).rowcount)


def live(connection: Connection, lifetime: Lifetime, now: float) -> dict[str, int]:
    """How many sessions of each account are live."""
    asked = (
        select(sessions.c.name, func.count())
        .where(sessions.c.ended.is_(False), sessions.c.seen >= now - lifetime.idle,
               sessions.c.started >= now - lifetime.whole)
        .group_by(sessions.c.name)
    )
    return {name: int(count) for name, count in connection.execute(asked)}


def ended() -> SignInRefused:
    """What is raised for a session that is not there any more, or never was."""
    return SignInRefused("the session has ended; sign in again")


def _set(connection: Connection, row: Row[Any], **values: object) -> None:
    connection.execute(sessions.update().where(sessions.c.token_sha256 == row.token_sha256).values(**values))
