"""Verdicts, and the criteria that they follow from."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field


class Verdict(StrEnum):
    """Outcome of an inspection."""

    OK = "ok"
    NG = "ng"
    UNCERTAIN = "uncertain"


class DefectType(StrEnum):
    """Names of defects, as findings, cases and criteria use them."""

    SCRATCH = "scratch"
    CRACK = "crack"
    PIT = "pit"
    DENT = "dent"
    STAIN = "stain"
    BURR = "burr"
    CHIP = "chip"
    MISSING = "missing"
    FOREIGN = "foreign"
    BUBBLE = "bubble"
    CORROSION = "corrosion"
    WEAR = "wear"
    DEFORM = "deform"
    OTHER = "other-defect"


class Op(StrEnum):
    """How a measured value is held against a limit. The comparison states what is accepted."""

    LE = "<="
    LT = "<"
    GE = ">="
    GT = ">"
    EQ = "=="
    BETWEEN = "between"


class Criterion(BaseModel):
    """One acceptance limit: `of`'s `quantity` must be `op` `value` `unit`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    of: str | None = None
    """A defect type or a noun (`hole`); None means whatever was measured."""
    quantity: str
    """`length`, `width`, `diameter`, `area`, `count`, `angle`, `distance`, ..."""
    op: Op
    value: float
    upper: float | None = None
    """Upper end for `between`; `value` is then the lower end."""
    unit: str = ""
    """`mm`, `px`, `mm2`, `px2`, `deg`, or "" for counts."""
    revision: str | None = None
    """Revision of the criteria file; None when said in the instruction."""
    origin: str = "instruction"
    """`instruction`, or the name of the criteria file."""

    @property
    def name(self) -> str:
        """The rule as the answer names it, for instance `scratch.length<=25mm`."""
        unit = {"mm2": "mm²", "px2": "px²", "deg": "°"}.get(self.unit, self.unit)
        head = f"{self.of}.{self.quantity}" if self.of else self.quantity
        if self.op is Op.BETWEEN:
            return f"{head}={self.value:g}..{self.upper:g}{unit}"
        return f"{head}{self.op.value}{self.value:g}{unit}"


class Criteria(BaseModel):
    """Acceptance limits of one product, as read from a criteria file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    product: str | None = None
    revision: str | None = None
    source: str = "instruction"
    limits: tuple[Criterion, ...] = Field(default=())
