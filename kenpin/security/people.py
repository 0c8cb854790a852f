"""Who is there and what they may do: sign-in, sessions, and the guard that every action asks."""

import time
from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, Row, select

from kenpin.config import Settings
from kenpin.contracts.errors import NotAllowed, SignInRefused
from kenpin.contracts.people import RIGHTS, Actor, Proof, Right, Role
from kenpin.contracts.ports import AuditLog
from kenpin.database.engine import Database
from kenpin.database.tables import users
from kenpin.security import sessions
from kenpin.security.accounts import Account, Accounts, account_of, any_account, roles_of
from kenpin.security.attempts import Attempts
from kenpin.security.credentials import Hasher, checked_password, normal_name
from kenpin.security.oidc import SignedInElsewhere, account_for

FRESH = 300.0
"""Seconds for which a sign-in at a provider counts as showing oneself again."""
GUEST = Actor(name="guest", roles=frozenset({Role.OPERATOR}), kind="guest")
CONSOLE_ROLES = frozenset({Role.OPERATOR, Role.ADMINISTRATOR})
CONSOLE = "console:"


class People:
    """Implements `Guard`. Ask it before a transaction is opened, never inside one: it writes in its own."""

    def __init__(
        self, database: Database, audit: AuditLog, settings: Settings, hasher: Hasher | None = None, *,
        console: bool = False, clock: Callable[[], float] = time.time,
    ) -> None:
        """Open the accounts of a database.

        Args:
            database: Holds accounts and sessions.
            audit: Notes every event.
            settings: How long sessions last.
            hasher: Of passwords; `Hasher.for_tests()` in tests.
            console: Whether actors of kind `console` are let in: at the command line only, never behind a page.
            clock: Seconds since 1970.
        """
        self._database, self._audit = database, audit
        self._hasher = hasher or Hasher()
        self._lifetime = sessions.Lifetime.of(settings)
        self._console, self._clock = console, clock
        self._attempts = Attempts(database, audit, self._hasher, clock=clock)
        self.accounts = Accounts(
            database, audit, self._hasher, check=self.check, lifetime=self._lifetime, clock=clock
        )

    def any_accounts(self) -> bool:
        """Whether there are accounts; until then visitors are guests."""
        with self._database.read() as connection:
            return any_account(connection)

    def sign_in(self, name: str, password: str) -> Actor:
        """Begin a session.

        Raises:
            SignInRefused: Wrong name or password, disabled, or locked: always in the same words after the same time.
        """
        normal = normal_name(name)
        with self._attempts.passed(normal, password) as (connection, row):
            return self._begin(connection, row, "password", proved=self._clock())

    def sign_in_elsewhere(self, came: SignedInElsewhere) -> Actor:
        """Begin the session of a sign-in at a provider, or go on with it: one sign-in there is one session here.

        Raises:
            SignInRefused: The session of this sign-in has ended, the sign-in is old, or the account is disabled.
        """
        now, token = self._clock(), came.token
        with self._database.read() as connection:
            known = sessions.find(connection, token)
        if known is not None:
            return self.actor(token)
        if now - came.at > FRESH:
            raise SignInRefused("the sign-in at the provider is too old to begin a session; sign in there again")
        with self._database.write() as connection:
            row = account_for(connection, self._audit, came, now=now)
            if sessions.find(connection, token) is not None:
                # Two tabs came from the provider at once, and the other was quicker.
                return Actor(name=row.name, roles=roles_of(row.roles), kind="account", session=token)
            if not row.active:
                raise SignInRefused(f"the account {row.name} is disabled; ask an administrator")
            return self._begin(connection, row, "oidc", proved=min(came.at, now), token=token)

    def actor(self, token: str | None) -> Actor:
        """Who has this session.

        Raises:
            SignInRefused: It has ended or never was.
        """
        row = self._live(token)
        return Actor(name=row.name, roles=roles_of(row.roles), kind="account", session=token)

    def own(self, actor: Actor) -> Account:
        """The actor's own account.

        Raises:
            SignInRefused: As `actor`.
        """
        name = self._session_of(actor).name
        with self._database.read() as connection:
            row = connection.execute(select(users).where(users.c.name == name)).one()
        return account_of(row, now=self._clock())

    def method(self, actor: Actor) -> sessions.Method:
        """How the actor's session began, which is how the person shows itself again to sign.

        Raises:
            SignInRefused: As `actor`.
        """
        method: sessions.Method = self._session_of(actor).method
        return method

    def sign_out(self, token: str | None) -> None:
        """End a session; one that has ended already is left alone."""
        with self._database.write() as connection:
            row = sessions.find(connection, token)
            if row is not None and not row.ended:
                sessions.end(connection, row)
                self._note(connection, row.name, "user.signed_out")

    def change_password(self, actor: Actor, old: str, new: str) -> None:
        """Change one's own password: every other session of the account ends.

        Raises:
            SignInRefused: The old password is wrong, which counts towards the lock-out.
            BadInput: The new one cannot be.
        """
        row = self._session_of(actor)
        hashed = self._hasher.hash(checked_password(new, name=row.name))
        with self._attempts.passed(row.name, old) as (connection, _):
            connection.execute(users.update().where(users.c.name == row.name).values(password=hashed))
            sessions.end_all(connection, row.name, but=actor.session)
            self._note(connection, row.name, "user.password_changed")

    def check(self, actor: Actor, right: Right) -> None:
        """As `Guard.check`. What was refused is on record."""
        roles = self._roles(actor)
        if roles != actor.roles:
            # Others read the rights from an actor that is through here, so no claim of more, or of less, goes further.
            self._not_allowed(actor, right, claimed=sorted(actor.roles - roles))
            raise SignInRefused(f"the roles of {actor.name} are not those that were claimed; sign in again")
        if right in actor.rights:
            return
        self._not_allowed(actor, right)
        able = " or ".join(role.value for role in Role if right in RIGHTS[role])
        raise NotAllowed(f"{actor.name} may not do this ({right.value}); it takes the role {able}")

    def prove(self, actor: Actor, proof: Proof) -> str:
        """As `Guard.prove`. A lock-out by wrong proofs ends the session that they came from."""
        row = self._session_of(actor)
        if proof.method == "oidc":
            return self._prove_elsewhere(row)
        if row.password is None:
            raise SignInRefused(f"{row.name} has no password here; sign in at the provider again and sign within "
                                f"{FRESH / 60:.0f} minutes")
        try:
            with self._attempts.passed(row.name, proof.secret) as (connection, account):
                sessions.proved(connection, row, self._clock())
                self._note(connection, row.name, "user.proved", method="password")
                return str(account.printed_name)
        except SignInRefused:
            with self._database.write() as connection:
                if self._attempts.locked(connection, row.name):
                    sessions.end(connection, row)
            raise

    def _not_allowed(self, actor: Actor, right: Right, **detail: Any) -> None:
        with self._database.write() as connection:
            self._note(connection, actor.name, "user.not_allowed", right=right.value, **detail)

    def _prove_elsewhere(self, row: Row[Any]) -> str:
        age = self._clock() - row.proved
        if row.method != "oidc" or age > FRESH:
            raise SignInRefused(f"the last sign-in at the provider is {max(age, 0) / 60:.0f} minutes old; "
                                f"sign in there again and sign within {FRESH / 60:.0f} minutes")
        with self._database.write() as connection:
            self._note(connection, row.name, "user.proved", method="oidc")
        return str(row.printed_name)

    def _begin(
        self, connection: Connection, row: Row[Any], method: sessions.Method, *, proved: float, token: str | None = None
    ) -> Actor:
        now = self._clock()
        token = sessions.begin(connection, row.name, method, now=now, proved=proved, token=token)
        self._note(connection, row.name, "user.signed_in", method=method)
        return Actor(name=row.name, roles=roles_of(row.roles), kind="account", session=token)

    def _roles(self, actor: Actor) -> frozenset[Role]:
        """The roles by what is stored."""
        if actor.kind == "account":
            return roles_of(self._session_of(actor).roles)
        if actor.kind == "console":
            if self._console and actor.name.startswith(CONSOLE) and actor.name != CONSOLE:
                return CONSOLE_ROLES
            raise SignInRefused("the console is not here; sign in with an account")
        if actor.name != GUEST.name or self.any_accounts():
            raise SignInRefused("there are accounts on this installation; sign in")
        return GUEST.roles

    def _session_of(self, actor: Actor) -> Row[Any]:
        if actor.kind != "account":
            raise SignInRefused("this takes an account of one's own; sign in")
        row = self._live(actor.session)
        if row.name != actor.name:
            raise SignInRefused("the session belongs to another account; sign in again")
        return row

    def _live(self, token: str | None) -> Row[Any]:
        now = self._clock()
        with self._database.read() as connection:
            row = sessions.find(connection, token)
        if row is None or row.ended or not row.active:
            raise sessions.ended()
        if self._lifetime.over(row, now):
            with self._database.write() as connection:
                sessions.end(connection, row)
                self._note(connection, row.name, "user.session_expired")
            raise sessions.ended()
        if now - row.seen > min(sessions.SEEN_EVERY, self._lifetime.idle / 10):
            with self._database.write(durable=False) as connection:
                sessions.touch(connection, row, now)
        return row

    def _note(self, connection: Connection, name: str, action: str, **detail: Any) -> None:
        self._audit.append(connection, actor=name, action=action, subject=f"user:{name}", **detail)
