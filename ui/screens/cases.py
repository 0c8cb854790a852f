"""Page cases."""

from kenpin.contracts.people import Actor
from ui.frame import framed
from ui.i18n import Texts
from ui.state import Session


@framed
def cases(session: Session, actor: Actor, t: Texts) -> None:
    """cases."""
