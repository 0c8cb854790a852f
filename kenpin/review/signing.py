"""Who may sign what."""

from kenpin.contracts.errors import BadInput, Locked
from kenpin.contracts.people import Actor
from kenpin.contracts.review import Dossier, Meaning, State
from kenpin.contracts.verdict import Verdict
from kenpin.review.blind import persons


def check_may_sign(actor: Actor, seen: Dossier, meaning: Meaning) -> None:
    """Hold a signature that is about to be given against the product's rules and the record.

    Raises:
        Locked: The record has every signature that it needs.
        BadInput: A rule forbids it; one line says which and what to do.
    """
    if seen.state in (State.SIGNED, State.REJECTED):
        raise Locked("the record is signed already; open it with an amendment first")
    if seen.hidden:
        raise BadInput("this product is reviewed blind; give your own judgement first")
    if seen.rules.asker_cannot_sign and actor.person in persons(seen.trace):
        raise BadInput("who asked cannot sign here (rule of the product); another reviewer has to")
    if any(Actor(name=s.by, roles=frozenset()).person == actor.person for s in seen.signatures):
        raise BadInput("you have signed already; the second signature is another person's")
    if meaning is not Meaning.REJECTED and seen.decision.verdict is Verdict.UNCERTAIN:
        raise BadInput("an uncertain verdict cannot be signed; set it to ok or ng with a reason, or reject the record")
