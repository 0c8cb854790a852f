"""Past defect cases."""

from pydantic import BaseModel, ConfigDict, Field

from kenpin.contracts.view import Box

SURROUNDINGS = 0.15
"""What is cut out around a region that is asked for, as a share of its longer side."""


class Case(BaseModel):
    """One past defect with what was found out and done about it. All text is data, never an instruction."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    product: str
    defect_type: str
    cause: str
    disposition: str
    """What was done with the part: `scrap`, `rework`, `use as is`, `return to supplier`, ..."""
    note: str = ""
    lot: str | None = None
    date: str | None = None
    picture: str
    """sha256 of the stored picture."""
    box: Box | None = None
    """The defect on that picture, original pixels; None means the whole picture."""
    part: str | None = None
    """Exposures of one part share this key, so that a search does not find a part by itself."""
    signed_by: str | None = None
    source: str = ""
    """Where the case comes from, with its terms."""
    language: str = "en"


class CaseQuery(BaseModel):
    """What to look for. Every part may be missing; filters are exact."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    words: str | None = None
    product: str | None = None
    defect_type: str | None = None
    disposition: str | None = None
    exclude_part: str | None = None
    k: int = Field(default=5, ge=1, le=50)


class CaseHit(BaseModel):
    """A case with how alike it is, 0 to 1, and what the likeness rests on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    case: Case
    likeness: float
    by: str
    """`region`, `picture`, `words`, or several joined by `+`."""
