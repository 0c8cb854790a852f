"""Blind review: what a reviewer sees before the own judgement is in."""

from kenpin.contracts.people import Actor, Right
from kenpin.contracts.review import Decision, Dossier, State
from kenpin.contracts.trace import Trace, Turn, speakers
from kenpin.contracts.view import ViewKind
from kenpin.review.folding import has_judged


def hides(seen: Dossier, actor: Actor) -> bool:
    """Whether the proposal is hidden from this reader.

    Not from those who asked (they have seen it), nor from those who cannot review, nor once the record is signed.
    """
    if not seen.rules.blind or Right.REVIEW not in actor.rights or seen.state in (State.SIGNED, State.REJECTED):
        return False
    return not has_judged(seen.entries, actor.name) and actor.person not in persons(seen.trace)


def redacted(seen: Dossier, actor: Actor) -> Dossier:
    """The dossier without the proposal and without what others said of it."""
    return seen.model_copy(
        update={
            "trace": _bare(seen.trace),
            "entries": tuple(entry for entry in seen.entries if entry.by == actor.name),
            "decision": Decision(proposed=None, verdict=None),
            "signatures": (),
            "hidden": True,
            "content_sha256": None,
        }
    )


def persons(trace: Trace) -> frozenset[str]:
    """Who asked, as persons (see `Actor.person`)."""
    return frozenset(Actor(name=name, roles=frozenset()).person for name in speakers(trace))


def _bare(trace: Trace) -> Trace:
    """The uploads and the first instruction; what was said later speaks of the answer."""
    first = tuple(Turn(say=turn.say, by=turn.by) for turn in trace.turns[:1])
    uploads = tuple(view for view in trace.views if view.get("kind") == ViewKind.UPLOAD)
    return trace.model_copy(update={"turns": first, "views": uploads})
