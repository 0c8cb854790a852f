"""People, their roles, and what each role may do. No rule means no."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict


class Role(StrEnum):
    """What a person is to Kenpin. One person may hold several roles."""

    OPERATOR = "operator"
    REVIEWER = "reviewer"
    ADMINISTRATOR = "administrator"
    AUDITOR = "auditor"
    """Reads everything, changes nothing."""


class Right(StrEnum):
    """Something that can be done."""

    ASK = "ask"
    """Start an inspection, say something, go on with a turn, run an inspection again."""
    READ = "read"
    """See inspections, reviews, cases and products."""
    REVIEW = "review"
    """Judge, correct, comment."""
    SIGN = "sign"
    """Sign, revoke one's own signature, amend."""
    CASES = "cases"
    """Import and withdraw past cases."""
    PRODUCTS = "products"
    """Register products and set their rules."""
    USERS = "users"
    """Make accounts, change roles, unlock, end sessions."""
    AUDIT = "audit"
    """Read the audit log and export its head."""
    RETENTION = "retention"
    """Delete by rule."""
    KEYS = "keys"
    """Re-wrap data keys under a new master key."""
    ADAPTERS = "adapters"
    """Load adapters into the model server, unload them, and choose the one that is asked."""


RIGHTS: Mapping[Role, frozenset[Right]] = {
    Role.OPERATOR: frozenset({Right.ASK, Right.READ}),
    Role.REVIEWER: frozenset({Right.ASK, Right.READ, Right.REVIEW, Right.SIGN, Right.CASES}),
    Role.ADMINISTRATOR: frozenset(
        {Right.ASK, Right.READ, Right.CASES, Right.PRODUCTS, Right.USERS, Right.AUDIT, Right.RETENTION, Right.KEYS,
         Right.ADAPTERS}
    ),
    Role.AUDITOR: frozenset({Right.READ, Right.AUDIT}),
}
"""An administrator does not sign, so that nobody who sets the rules is alone with the records."""


class Actor(BaseModel):
    """Who does something. A claim, not a proof: `Guard.check` holds it against the stored session and roles."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    """Name of the account; `console:NAME` for a person at the command line, `guest` before there are accounts."""
    roles: frozenset[Role]
    kind: Literal["account", "console", "guest"] = "account"
    session: str | None = None
    """Token of an account's session, a secret."""

    @property
    def rights(self) -> frozenset[Right]:
        """Everything that the roles allow together."""
        return frozenset().union(*(RIGHTS.get(role, frozenset()) for role in self.roles))

    @property
    def person(self) -> str:
        """The name that "not the same person" is decided by: an account and a console user of one name are one."""
        return self.name.removeprefix("console:").casefold()


class Proof(BaseModel):
    """What a person shows again in order to sign."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: Literal["password", "oidc"]
    secret: str = ""
    """The password; empty for OIDC, whose fresh sign-in is on record with the session."""

    def __repr__(self) -> str:
        return f"Proof(method={self.method!r})"

    __str__ = __repr__
