"""Past defect cases."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from kenpin.contracts.view import Box

EXAMPLE = "example-"
"""What the ids of the cases that come with Kenpin begin with."""

SIGNED = "signed-"
"""What the ids of cases from signed inspections begin with."""

Origin = Literal["signed", "imported", "example", "entered"]
"""Where a case comes from: a signed inspection, a list, Kenpin's own examples, or somebody who added it by hand."""

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
    signed_at: str | None = None
    """UTC, ISO 8601, of the last signature."""
    source: str = ""
    """Where the case comes from, with its terms."""
    language: str = "en"
    origin: Origin = "entered"
    inspection: str | None = None
    """The signed inspection that the case stands on."""
    severity: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _known(cls, data: Any) -> Any:
        # Examples that an earlier Kenpin stored do not say what they are.
        if isinstance(data, dict) and "origin" not in data and str(data.get("id", "")).startswith(EXAMPLE):
            return {**data, "origin": "example"}
        return data

    @property
    def signed(self) -> bool:
        """Whether it stands on a signature of an inspection; `signed_by` alone is only what somebody wrote."""
        return self.origin == "signed"

    @property
    def head(self) -> "CaseHead":
        """What lies beside the sealed text."""
        return CaseHead(**{name: getattr(self, name) for name in CaseHead.model_fields})


class CaseHead(BaseModel):
    """What of a case is kept readable, for filters and lists: no text that somebody wrote freely."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    product: str
    defect_type: str
    disposition: str
    part: str | None = None
    date: str | None = None
    origin: Origin = "entered"

    @property
    def signed(self) -> bool:
        """Whether it stands on a signature of an inspection."""
        return self.origin == "signed"


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
