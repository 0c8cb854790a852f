"""The audit log: one line an event, each chained to the one before."""

import hashlib
import json
from typing import Any

from pydantic import BaseModel, ConfigDict

START = "0" * 64
"""What the first event is chained to."""


class AuditEvent(BaseModel):
    """Who did what to what, when. Holds ids, names and hashes; free text stays with the record, sealed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seq: int
    """Counts from 1 without a gap."""
    at: str
    """UTC, ISO 8601 with microseconds."""
    actor: str
    action: str
    """`inspection.asked`, `review.ruled`, `record.signed`, `user.locked`, ... : subject.verb."""
    subject: str
    """What it was done to: `inspection:ID`, `user:NAME`, `case:ID`, `product:NAME`, `keys`, ..."""
    detail: dict[str, Any]
    previous: str
    """sha256 of the event before."""
    sha256: str

    def expected(self) -> str:
        """The sha256 that this event must have: over canonical JSON of everything else in it."""
        body = self.model_dump(mode="json", exclude={"sha256"})
        return hashlib.sha256(canonical(body)).hexdigest()


class AuditHead(BaseModel):
    """The last event at some time. Kept elsewhere, it shows later whether the log was cut or written anew."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seq: int
    at: str
    sha256: str


def canonical(value: Any) -> bytes:
    """JSON with sorted keys and no spaces, UTF-8: the bytes that are hashed."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
