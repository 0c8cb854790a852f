"""Who sits before the page."""

from kenpin.contracts.people import Actor, Role

GUEST = Actor(name="guest", roles=frozenset({Role.OPERATOR}), kind="guest")
"""The visitor while there are no accounts."""


def visitor() -> Actor:
    """The person of this browser session, as claimed; every service checks the claim again."""
    return GUEST
