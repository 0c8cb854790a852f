"""The audit log for people: each question is held against the asker's rights first."""

import json

from pydantic import BaseModel, ConfigDict

from kenpin.contracts.audit import AuditEvent, AuditHead
from kenpin.contracts.errors import FileRefused
from kenpin.contracts.people import Actor, Right
from kenpin.contracts.ports import Guard
from kenpin.security.audit import ChainedAudit

MOST_HEAD = 4096
"""Bytes of the file of an exported head, which holds three short fields."""


class AuditNames(BaseModel):
    """What stands in the log to filter by."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    actors: tuple[str, ...]
    actions: tuple[str, ...]


class AuditFound(BaseModel):
    """What a walk along the chain came to."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    events: int
    """In the log when the walk began."""
    head: AuditHead | None
    broken: tuple[str, ...]
    """What is broken, the first broken link first; empty if nothing is."""


class AuditDesk:
    """The log behind `Right.AUDIT`."""

    def __init__(self, guard: Guard, log: ChainedAudit) -> None:
        self._guard, self._log = guard, log

    def events(
        self, actor: Actor, *, subject: str | None = None, by: str | None = None, action: str | None = None,
        before: int | None = None, limit: int = 50,
    ) -> list[AuditEvent]:
        """Events, newest first, that match every filter; `before` is a seq to page back from.

        Raises:
            NotAllowed: The actor may not read the log.
        """
        self._guard.check(actor, Right.AUDIT)
        return self._log.events(subject=subject, actor=by, action=action, before=before, limit=limit)

    def names(self, actor: Actor) -> AuditNames:
        """Every actor and action of the log.

        Raises:
            NotAllowed: As `events`.
        """
        self._guard.check(actor, Right.AUDIT)
        actors, actions = self._log.names()
        return AuditNames(actors=actors, actions=actions)

    def verify(self, actor: Actor, head: AuditHead | None = None) -> AuditFound:
        """Walk the chain, against a head that was exported earlier if one is given.

        Raises:
            NotAllowed: As `events`.
        """
        self._guard.check(actor, Right.AUDIT)
        events, newest = self._log.count(), self._log.head()
        return AuditFound(events=events, head=newest, broken=tuple(self._log.verify(head)))

    def head(self, actor: Actor) -> AuditHead | None:
        """The last event, to be kept elsewhere; None while there is none.

        Raises:
            NotAllowed: As `events`.
        """
        self._guard.check(actor, Right.AUDIT)
        return self._log.head()

    def count(self, actor: Actor) -> int:
        """How many events there are.

        Raises:
            NotAllowed: As `events`.
        """
        self._guard.check(actor, Right.AUDIT)
        return self._log.count()


def read_head(data: bytes) -> AuditHead:
    """An exported head from its file.

    Raises:
        FileRefused: It is something else.
    """
    try:
        if len(data) > MOST_HEAD:
            raise ValueError(f"{len(data)} bytes")
        return AuditHead.model_validate(json.loads(data.decode("utf-8")))
    except (ValueError, RecursionError):
        raise FileRefused(
            "expected the exported head of an audit log, JSON with seq, at and sha256; choose the file that was "
            "downloaded here or written by the audit command"
        ) from None
