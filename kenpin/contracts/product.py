"""Registered products: what good parts of one look like."""

from pydantic import BaseModel, ConfigDict

from kenpin.contracts.verdict import Criteria

MOST_GOOD = 50
"""Good samples of a product."""
MOST_REFERENCES = 20
"""Golden samples of a product."""


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Sample(_Record):
    """One picture of a product."""

    sha256: str
    """Of the upright picture as it stands in the picture store."""
    upload_sha256: str | None = None
    """Of the file as it was given."""
    name: str = ""
    """Last part of its path, for people only."""
    notes: tuple[str, ...] = ()
    """What was done to the file to make it a picture."""


class Product(_Record):
    """A product with its samples and limits."""

    name: str
    good: tuple[Sample, ...] = ()
    """Good samples, in the order in which they were given."""
    references: tuple[Sample, ...] = ()
    """Golden samples."""
    criteria: Criteria | None = None
    updated: str
    """When it was changed last, ISO 8601 with its zone."""
