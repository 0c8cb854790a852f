"""People who sign in at a provider (OpenID Connect): whose claims they are, and which account they belong to."""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict
from sqlalchemy import Connection, Row, select

from kenpin.contracts.errors import BadInput, SignInRefused
from kenpin.contracts.ports import AuditLog
from kenpin.database.tables import users
from kenpin.security.accounts import insert_account, new_row, subject_of


class SignedInElsewhere(BaseModel):
    """A sign-in at a provider, whose id token somebody else has verified (Streamlit, by Authlib)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    issuer: str
    subject: str
    at: float
    """When the person showed themselves there, seconds since 1970."""
    token: str
    """Token of the session that this sign-in begins: the same for the same sign-in, and a secret."""
    name: str = ""
    printed_name: str = ""

    def __repr__(self) -> str:
        return f"SignedInElsewhere({self.issuer!r}, {self.subject!r}, at={self.at})"


def signed_in_elsewhere(claims: Mapping[str, Any], *, key: str) -> SignedInElsewhere:
    """Read verified claims.

    Args:
        claims: Of an id token that was verified.
        key: A secret of the server, so that who knows the claims does not know the session's token.
    Raises:
        SignInRefused: `iss`, `sub`, or the time is missing.
    """
    issuer, subject = str(claims.get("iss") or ""), str(claims.get("sub") or "")
    # `auth_time` is when the person was there in person; `iat` only when the token was made.
    at = claims.get("auth_time") or claims.get("iat")
    if not issuer or not subject or not isinstance(at, int | float) or not key:
        raise SignInRefused("the provider did not say who signed in and when (iss, sub, iat); ask its administrator")
    parts = [issuer, subject, *(str(claims.get(part) or "") for part in ("iat", "auth_time", "nonce", "sid", "jti"))]
    mac = hmac.new(key.encode(), "\0".join(["kenpin session", *parts]).encode(), hashlib.sha256).digest()
    return SignedInElsewhere(
        issuer=issuer, subject=subject, at=float(at), token=base64.urlsafe_b64encode(mac).decode().rstrip("="),
        name=str(claims.get("preferred_username") or claims.get("email") or ""),
        printed_name=str(claims.get("name") or ""),
    )


def account_for(connection: Connection, audit: AuditLog, came: SignedInElsewhere, *, now: float) -> Row[Any]:
    """The account of a subject; a new one without roles at the first sign-in.

    An account is found by issuer and subject only. A name or an address that the provider tells never opens one that is
    there already: it need not be that person's.
    """
    subject = subject_of(came.issuer, came.subject)
    asked = select(users).where(users.c.oidc == subject).with_for_update()
    if (row := connection.execute(asked).one_or_none()) is None:
        insert_account(connection, audit, _new(connection, came, now), by="system")
        row = connection.execute(asked).one()
    return row


def _new(connection: Connection, came: SignedInElsewhere, now: float) -> dict[str, Any]:
    short = hashlib.sha256(subject_of(came.issuer, came.subject).encode()).hexdigest()[:8]
    for name in (came.name, f"oidc-{short}"):
        for printed in (came.printed_name, ""):
            try:
                row = new_row(name, roles=(), printed_name=printed, oidc=(came.issuer, came.subject), now=now)
            except BadInput:
                continue
            if connection.execute(select(users.c.name).where(users.c.name == row["name"])).first() is None:
                return row
    raise SignInRefused("no name is free for this account; ask an administrator to make it")
