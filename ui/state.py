"""What one browser session remembers between two runs of the page."""

from dataclasses import dataclass, field
from typing import Literal

import streamlit as st

from agent.wording import language
from kenpin.contracts.verdict import Criteria
from kenpin.security.uploads import Upload
from ui.i18n import Language, Texts, texts_of

Choice = Literal["auto", "en", "ja"]
KEY = "kenpin"


@dataclass
class Draft:
    """An inspection that is being prepared."""

    subject: Upload | None = None
    references: list[Upload] = field(default_factory=list)
    good: list[Upload] = field(default_factory=list)
    mm_per_px: float | None = None
    criteria: Criteria | None = None
    product: str | None = None
    """A registered product, whose samples and limits stand in for those that are not given."""
    lot: str | None = None
    part: str | None = None
    suggestions: dict[str, list[str]] = field(default_factory=dict)
    """What to try on this picture, by language; empty for a picture that is not a sample."""

    @property
    def has_material(self) -> bool:
        """Whether anything beside the picture was given."""
        return bool(self.references or self.good or self.mm_per_px or self.criteria or self.product or self.lot)


@dataclass
class Session:
    """The session's own state. Everything that matters beyond it is in the stores."""

    choice: Choice = "auto"
    spoken: Language | None = None
    """Language of the last instruction."""
    planner: str | None = None
    inspection: str | None = None
    review: str | None = None
    """The inspection that is open in the review."""
    draft: Draft = field(default_factory=Draft)
    given: dict[str, Draft] = field(default_factory=dict)
    """What the inspections of this session were started from, by id."""
    pending: str | None = None
    """An instruction that is to be run now."""
    kept: str | None = None
    """An instruction that could not be run yet; nothing that was typed is lost."""
    running: bool = False
    """A turn was started here and its end has not been seen: go on with it."""
    error: str | None = None
    fresh: bool = True
    """The page has not been drawn yet in this session."""
    nonce: int = 0
    """Part of the upload fields' keys; a new one empties them."""

    @property
    def lang(self) -> Language:
        """As chosen, or that of the last instruction, or the browser's."""
        if self.choice != "auto":
            return self.choice
        return self.spoken or ("ja" if str(st.context.locale or "").lower().startswith("ja") else "en")

    @property
    def texts(self) -> Texts:
        """The words of the screens."""
        return texts_of(self.lang)

    def prepare(self) -> None:
        """Begin a new inspection with nothing in it."""
        self.inspection, self.draft = None, Draft()
        self.pending = self.kept = self.error = None
        self.running = False
        self.nonce += 1

    def open(self, inspection: str) -> None:
        """Look at an inspection that was started before."""
        self.prepare()
        self.inspection = inspection

    def hear(self, instruction: str) -> None:
        """Remember the language of an instruction."""
        self.spoken = "ja" if language("auto", instruction) == "ja" else "en"


def session() -> Session:
    """The state of this browser session."""
    if KEY not in st.session_state:
        st.session_state[KEY] = Session()
    kept: Session = st.session_state[KEY]
    return kept
