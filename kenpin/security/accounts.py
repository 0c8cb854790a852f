"""Accounts in the database, and what an administrator does with them."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict
from sqlalchemy import Connection, Row, func, select, text
from sqlalchemy.exc import IntegrityError

from kenpin.contracts.errors import BadInput, Conflict, NotAllowed
from kenpin.contracts.people import Actor, Right, Role
from kenpin.contracts.ports import AuditLog
from kenpin.database.engine import AUDIT_LOCK, Database
from kenpin.database.tables import users
from kenpin.security import sessions
from kenpin.security.credentials import Hasher, checked_name, checked_password, checked_printed_name, normal_name

MOST_OIDC = 400


class Account(BaseModel):
    """One account, without its secrets."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    printed_name: str
    roles: frozenset[Role]
    active: bool
    has_password: bool
    oidc: str | None
    """Issuer and subject at a provider, as `ISSUER|SUBJECT`."""
    failures: int
    """Wrong passwords since the last right one."""
    locked_until: datetime | None
    """None unless the account is locked now."""
    created: datetime
    sessions: int = 0
    """Live ones."""


class Accounts:
    """What an administrator does with accounts. Each act checks the right to do it and is on record."""

    def __init__(
        self, database: Database, audit: AuditLog, hasher: Hasher, *,
        check: Callable[[Actor, Right], None], lifetime: sessions.Lifetime, clock: Callable[[], float],
    ) -> None:
        self._database, self._audit, self._hasher = database, audit, hasher
        self._check, self._lifetime, self._clock = check, lifetime, clock

    def all(self, actor: Actor) -> tuple[Account, ...]:
        """Every account, by name."""
        self._check(actor, Right.USERS)
        now = self._clock()
        with self._database.read() as connection:
            live = sessions.live(connection, self._lifetime, now)
            rows = connection.execute(select(users).order_by(users.c.name)).all()
        return tuple(account_of(row, now=now, live=live.get(row.name, 0)) for row in rows)

    def add(
        self, actor: Actor, name: str, *, roles: Iterable[Role], printed_name: str = "",
        password: str | None = None, oidc: tuple[str, str] | None = None,
    ) -> Account:
        """Make an account that signs in by a password, at a provider, or either way.

        Args:
            actor: Who makes it.
            name: To sign in with; compared in NFKC without regard to case.
            roles: What the person may do; none for one that is to get roles later.
            printed_name: As printed in reports; `name` if empty.
            password: At least 12 characters.
            oidc: Issuer and subject at a provider.
        Raises:
            BadInput: A name or password that cannot be, or neither way to sign in.
            Conflict: There is an account of this name, or of this subject.
        """
        self._check(actor, Right.USERS)
        row = new_row(name, roles=roles, printed_name=printed_name, oidc=oidc, now=self._clock())
        if password is None and oidc is None:
            raise BadInput("an account needs a password or a subject at a provider to sign in by")
        if password is not None:
            row["password"] = self._hasher.hash(checked_password(password, name=row["name"]))
        with self._alone() as connection:
            insert_account(connection, self._audit, row, by=actor.name)
            return account_of(_row(connection, row["name"]), now=self._clock())

    def set_roles(self, actor: Actor, name: str, roles: Iterable[Role]) -> None:
        """Give an account these roles and no others, and end its sessions.

        Raises:
            NotAllowed: Nobody would be left who administers.
        """
        new = frozenset(roles)
        with self._changing(actor, name) as (connection, row):
            old = roles_of(row.roles)
            if Role.ADMINISTRATOR not in new:
                self._keep_one(connection, row)
            self._set(connection, row, roles=written(new))
            sessions.end_all(connection, row.name)
            self._note(connection, actor, row, "user.roles_changed", old=sorted(old), new=sorted(new))

    def set_password(self, actor: Actor, name: str, password: str) -> None:
        """Set the password of an account, unlock it and end its sessions."""
        self._check(actor, Right.USERS)
        hashed = self._hasher.hash(checked_password(password, name=name))
        with self._changing(actor, name) as (connection, row):
            self._set(connection, row, password=hashed, failures=0, locked_until=None)
            sessions.end_all(connection, row.name)
            self._note(connection, actor, row, "user.password_set")

    def link(self, actor: Actor, name: str, oidc: tuple[str, str]) -> None:
        """Let an account sign in as a subject at a provider.

        Raises:
            Conflict: Another account has it.
        """
        subject = subject_of(*oidc)
        with self._changing(actor, name) as (connection, row):
            if connection.execute(select(users.c.name).where(users.c.oidc == subject)).first():
                raise Conflict("another account has this issuer and subject")
            self._set(connection, row, oidc=subject)
            self._note(connection, actor, row, "user.linked")

    def disable(self, actor: Actor, name: str) -> None:
        """Keep an account from signing in and end its sessions. Its name stays with what it did.

        Raises:
            NotAllowed: Nobody would be left who administers.
        """
        with self._changing(actor, name) as (connection, row):
            self._keep_one(connection, row)
            self._set(connection, row, active=False)
            sessions.end_all(connection, row.name)
            self._note(connection, actor, row, "user.disabled")

    def enable(self, actor: Actor, name: str) -> None:
        """Let a disabled account sign in again."""
        with self._changing(actor, name) as (connection, row):
            self._set(connection, row, active=True)
            self._note(connection, actor, row, "user.enabled")

    def unlock(self, actor: Actor, name: str) -> None:
        """End a lock-out before its time."""
        with self._changing(actor, name) as (connection, row):
            self._set(connection, row, failures=0, locked_until=None)
            self._note(connection, actor, row, "user.unlocked")

    def end_sessions(self, actor: Actor, name: str) -> int:
        """Sign an account out everywhere. Returns how many sessions ended."""
        with self._changing(actor, name) as (connection, row):
            count = sessions.end_all(connection, row.name)
            self._note(connection, actor, row, "user.sessions_ended", count=count)
        return count

    @contextmanager
    def _changing(self, actor: Actor, name: str) -> Iterator[tuple[Connection, Row[Any]]]:
        self._check(actor, Right.USERS)
        with self._alone() as connection:
            yield connection, _row(connection, normal_name(name))

    @contextmanager
    def _alone(self) -> Iterator[Connection]:
        """Changes of accounts stand in line, so that two administrators cannot remove each other at once."""
        with self._database.write() as connection:
            if not self._database.sqlite:
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": AUDIT_LOCK})
            yield connection

    def _keep_one(self, connection: Connection, row: Row[Any]) -> None:
        if not row.active or Role.ADMINISTRATOR not in roles_of(row.roles):
            return
        asked = select(users.c.roles).where(users.c.active, users.c.name != row.name)
        if not any(Role.ADMINISTRATOR in roles_of(roles) for roles in connection.execute(asked).scalars()):
            raise NotAllowed(f"{row.name} is the last active administrator; make another one first")

    def _set(self, connection: Connection, row: Row[Any], **values: object) -> None:
        changed = _iso(self._clock())
        connection.execute(users.update().where(users.c.name == row.name).values(changed=changed, **values))

    def _note(self, connection: Connection, actor: Actor, row: Row[Any], action: str, **detail: Any) -> None:
        self._audit.append(connection, actor=actor.name, action=action, subject=f"user:{row.name}", **detail)


def new_row(
    name: str, *, roles: Iterable[Role], printed_name: str, oidc: tuple[str, str] | None, now: float
) -> dict[str, Any]:
    """The row of a new account that has no password yet."""
    stamp = _iso(now)
    normal = checked_name(name)
    return {
        "name": normal, "printed_name": checked_printed_name(printed_name or normal), "roles": written(roles),
        "password": None, "oidc": subject_of(*oidc) if oidc else None, "active": True, "failures": 0,
        "locked_until": None, "created": stamp, "changed": stamp,
    }


def insert_account(connection: Connection, audit: AuditLog, row: dict[str, Any], *, by: str) -> None:
    """Store a new account and note it.

    Raises:
        Conflict: Its name or its subject is taken.
    """
    try:
        connection.execute(users.insert().values(**row))
    except IntegrityError:
        raise Conflict(f"there is an account {row['name']}, or one of this subject at the provider, already") from None
    ways = [way for way, there in (("password", row["password"]), ("oidc", row["oidc"])) if there]
    audit.append(connection, actor=by, action="user.made", subject=f"user:{row['name']}",
                 roles=sorted(roles_of(row["roles"])), ways=ways)


def any_account(connection: Connection) -> bool:
    """Whether there are accounts, disabled ones included."""
    return bool(connection.execute(select(func.count()).select_from(users)).scalar_one())


def account_of(row: Row[Any], *, now: float, live: int = 0) -> Account:
    """A row without its secrets."""
    locked = row.locked_until if row.locked_until and row.locked_until > now else None
    return Account(
        name=row.name, printed_name=row.printed_name, roles=roles_of(row.roles), active=row.active,
        has_password=row.password is not None, oidc=row.oidc, failures=row.failures,
        locked_until=datetime.fromtimestamp(locked, UTC) if locked else None,
        created=datetime.fromisoformat(row.created), sessions=live,
    )


def roles_of(stored: str) -> frozenset[Role]:
    """Roles as stored; one that is not known here gives nothing."""
    known = {role.value: role for role in Role}
    return frozenset(known[word] for word in stored.split() if word in known)


def written(roles: Iterable[Role]) -> str:
    """Roles as they are stored."""
    return " ".join(sorted(Role(role).value for role in set(roles)))


def subject_of(issuer: str, subject: str) -> str:
    """Issuer and subject as one string; an issuer is a URL and holds no bar.

    Raises:
        BadInput: One is empty, or both together are too long.
    """
    issuer, subject = issuer.strip(), subject.strip()
    if not issuer or not subject or "|" in issuer or len(issuer) + len(subject) >= MOST_OIDC:
        raise BadInput(f"expected the issuer's URL and the subject, together under {MOST_OIDC} characters")
    return f"{issuer}|{subject}"


def _row(connection: Connection, name: str) -> Row[Any]:
    row = connection.execute(select(users).where(users.c.name == name).with_for_update()).one_or_none()
    if row is None:
        raise BadInput(f"there is no account {name}; kenpin users list shows them")
    return row


def _iso(now: float) -> str:
    return datetime.fromtimestamp(now, UTC).isoformat(timespec="seconds")
