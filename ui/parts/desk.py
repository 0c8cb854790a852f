"""A reviewer's desk for one inspection: what was seen, what is being drawn, and how an act went.

Every act is written against what the person *saw*, not against what is on record by the time of the click: the head
is that of the last view of the page. What was typed stays until it is on record.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import streamlit as st

from kenpin.contracts.errors import KenpinError
from kenpin.contracts.people import Actor
from kenpin.contracts.review import Dossier, Entry, JudgedFinding
from kenpin.contracts.view import Box
from kenpin.review.service import Reviews
from ui.backend import reviews
from ui.parts.uploads import say_error
from ui.state import session

DESK = "kenpin-desk"
SECRETS = frozenset({"sign-password", "revoke-password"})
"""Fields that are emptied whatever comes of them, and never shown."""
NEW = ""
"""What `Desk.editing` is while a missed defect is drawn."""


@dataclass
class Desk:
    """One inspection's desk in one browser session."""

    inspection: str
    actor: Actor
    """Who saw the page. Each act is theirs; the service holds them against the stored session again."""
    head: int = 0
    """Number of the last entry that this person has seen."""
    editing: str | None = None
    """Id of the finding that is being corrected, `NEW` for a missed defect."""
    start: Box | None = None
    """The box that the drawing began with."""
    drawing: int = 0
    """Grows with every box that is begun."""
    error: str | None = None
    place: str = ""
    """Where the error belongs."""
    told: bool = False
    """The error was shown where it belongs in this run of the page."""
    unsaved: tuple[str, ...] = ()
    """What was typed for an act that is not on record: shown where its fields have gone from the page."""
    pending: str | None = None
    """A follow-up that is to be asked now."""
    kept: str | None = None
    """A follow-up that could not be asked."""

    @property
    def token(self) -> str:
        """Names the box that is being drawn."""
        return f"{self.inspection}/{self.drawing}/{self.editing}"

    def key(self, name: str) -> str:
        """Key of a field, so that what is typed for one inspection never stands in another's."""
        return f"{name}-{self.inspection}"

    def text(self, name: str) -> str:
        """What stands in a text field."""
        return str(st.session_state.get(self.key(name)) or "")

    def choice(self, name: str) -> object:
        """What stands in a field of choice; None where nothing was chosen."""
        return st.session_state.get(self.key(name))

    def correct(self, finding: JudgedFinding) -> None:
        """Begin to correct a finding."""
        self.editing, self.start = finding.id, finding.box
        self.drawing += 1
        self.forget()

    def add(self) -> None:
        """Begin to draw a missed defect."""
        self.editing, self.start = NEW, None
        self.drawing += 1
        self.forget()

    def leave(self) -> None:
        """Give up what is being drawn."""
        self.editing = self.start = None
        self.forget()

    def forget(self) -> None:
        """An error that was told has been read."""
        self.error, self.place, self.unsaved = None, "", ()

    def refuse(self, place: str, words: str) -> None:
        """Nothing was tried: something is missing, and the text of key `words` says what."""
        self.error, self.place, self.unsaved = session().texts.raw(words), place, ()

    def act(self, place: str, write: Callable[[Reviews], Entry], *, empties: Sequence[str] = ()) -> bool:
        """Write one entry. `empties` are the fields whose content is then on record.

        Returns:
            Whether it is on record. If not, `error` says why in one line, and the fields keep what they hold.
        """
        self.forget()
        try:
            entry = write(reviews())
        except KenpinError as exc:
            self.error, self.place = str(exc), place
            self.unsaved = tuple(filter(None, (self.text(name) for name in empties if name not in SECRETS)))
            return False
        self.head = entry.n
        for name in empties:
            st.session_state[self.key(name)] = ""
        return True

    def saw(self, seen: Dossier) -> None:
        """The page shows this now."""
        self.head = seen.head
        known = {NEW, *(finding.id for finding in seen.decision.findings)}
        if self.editing is not None and self.editing not in known:
            self.leave()


def told(desk: Desk, place: str) -> None:
    """The error of an act, where the act was tried."""
    if desk.error and desk.place == place:
        say_error(desk.error)
        desk.told = True


def desk_of(inspection: str, actor: Actor) -> Desk:
    """This person's desk for an inspection; only the one that is open is kept."""
    kept: Desk | None = st.session_state.get(DESK)
    if kept is None or kept.inspection != inspection or kept.actor.name != actor.name:
        kept = st.session_state[DESK] = Desk(inspection, actor)
    kept.actor, kept.told = actor, False
    return kept


def look(inspection: str, actor: Actor) -> Dossier:
    """What this person may see of an inspection.

    Raises:
        KenpinError: There is none, or it is not for this person.
    """
    return reviews().dossier(actor, inspection)
