"""Tokens of forms: what a request carries that only a page of this server can know (double submit, OWASP)."""

import hashlib
import hmac


def form_token(session: str) -> str:
    """What a form that belongs to a session carries: derived from its token, which no script and no other site sees."""
    return hmac.new(session.encode(), b"kenpin form", hashlib.sha256).hexdigest()


def same(given: str, expected: str) -> bool:
    """Whether a token is the expected one; never for an empty one. Takes as long either way."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode("utf-8", "replace")) and bool(expected)
