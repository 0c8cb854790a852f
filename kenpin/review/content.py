"""What exactly a signature signs, and the hashes that chain entries."""

import hashlib
from typing import Any

from kenpin.contracts.audit import canonical
from kenpin.contracts.review import Decision, Entry
from kenpin.contracts.trace import Trace, pictures_of, trace_sha256


def content_of(trace: Trace, decision: Decision) -> dict[str, Any]:
    """Everything that a signature stands for: trace, pictures, criteria and decision.

    Judgements are left out: the second of two people judges after the first has signed the same content.
    """
    return {
        "inspection": trace.id,
        "trace": trace_sha256(trace),
        "pictures": list(pictures_of(trace)),
        "criteria": trace.criteria.model_dump(mode="json", exclude_defaults=True) if trace.criteria else None,
        "decision": decision.model_dump(mode="json", exclude_defaults=True, exclude={"judgements"}),
    }


def content_sha256(trace: Trace, decision: Decision) -> str:
    """sha256 over canonical JSON of `content_of`."""
    return hashlib.sha256(canonical(content_of(trace, decision))).hexdigest()


def entry_sha256(entry: Entry) -> str:
    """The sha256 that an entry must have: over canonical JSON of everything else in it."""
    body = entry.model_dump(mode="json", exclude={"sha256": True, "act": True})
    body["act"] = {"kind": entry.act.kind, **entry.act.model_dump(mode="json", exclude_defaults=True)}
    return hashlib.sha256(canonical(body)).hexdigest()
