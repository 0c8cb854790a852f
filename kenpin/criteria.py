"""Criteria files: acceptance limits of a product, as YAML."""

import unicodedata
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from kenpin.contracts.errors import FileRefused
from kenpin.contracts.verdict import Criteria, Criterion, DefectType, Op

MAX_BYTES = 2**20
UNITS = {
    "mm": "mm",
    "px": "px",
    "mm2": "mm2",
    "mm²": "mm2",
    "px2": "px2",
    "px²": "px2",
    "deg": "deg",
    "°": "deg",
    "": "",
}
LENGTHS = frozenset({"mm", "px"})
FITTING = {
    **dict.fromkeys(("length", "width", "height", "diameter", "radius", "perimeter", "distance", "pitch", "feret_max",
                     "feret_min", "major_axis", "minor_axis"), LENGTHS),
    "area": frozenset({"mm2", "px2"}),
    "angle": frozenset({"deg"}),
    "count": frozenset({""}),
    "roundness": frozenset({""}),
}
"""Quantities that tools measure, and the units that a limit on them can have."""


def _or_none(value: Any) -> Any:
    return None if value in ("", "~", "null") else value


Number = Annotated[Annotated[float, Field(allow_inf_nan=False)] | None, BeforeValidator(_or_none)]
Word = Annotated[str | None, BeforeValidator(_or_none)]


class _Limit(BaseModel):
    model_config = ConfigDict(extra="forbid")

    defect: Annotated[Word, Field(validation_alias=AliasChoices("defect", "type"))] = None
    of: Word = None
    quantity: str
    max: Annotated[Number, Field(validation_alias=AliasChoices("max", "limit"))] = None
    min: Number = None
    equal: Number = None
    unit: str = ""
    revision: Word = None


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    product: Word = None
    revision: Word = None
    limits: Annotated[list[_Limit], Field(min_length=1)]


def read_criteria(path: Path) -> Criteria:
    """Read a criteria file.

    Its form::

        product: panel A
        revision: "3"
        limits:
          - {defect: scratch, quantity: length, max: 25, unit: mm}
          - {of: hole, quantity: diameter, min: 5.9, max: 6.1, unit: mm}
          - {of: washer, quantity: count, equal: 12}

    `limit` may stand for `max`, `type` for `defect`, and a limit may have a `revision` of its own.

    Raises:
        FileRefused: It cannot be read as such; one line names the place.
    """
    try:
        data: Any = _parsed(path)
        file = _File.model_validate(data)
    except FileNotFoundError:
        raise FileRefused(f"{path}: there is no such criteria file") from None
    except (OSError, UnicodeDecodeError) as exc:
        raise FileRefused(f"{path}: cannot be read ({getattr(exc, 'strerror', None) or exc})") from None
    except (yaml.YAMLError, RecursionError) as exc:
        raise FileRefused(f"{path.name}: is not YAML ({' '.join(str(exc).split())[:160]})") from None
    except ValidationError as exc:
        parts = [f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in exc.errors(include_url=False)]
        raise FileRefused(f"{path.name}: {'; '.join(parts[:4])}; expected product, revision and limits") from None
    limits = tuple(_criterion(limit, file.revision, path.name) for limit in file.limits)
    return Criteria(product=file.product, revision=file.revision, source=path.name, limits=limits)


def _parsed(path: Path) -> Any:
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise FileRefused(f"{path.name}: larger than {MAX_BYTES // 2**20} MiB; this is no criteria file")
    # The base loader keeps every value as it is written: revision 1.10 is not 1.1, and 2026-01-31 stays a name.
    return yaml.load(data.decode("utf-8"), Loader=yaml.BaseLoader)  # noqa: S506 (builds strings, lists, maps only)


def _criterion(limit: _Limit, revision: str | None, origin: str) -> Criterion:
    of, quantity, unit = (
        _subject(limit, origin),
        limit.quantity.strip(),
        unicodedata.normalize("NFC", limit.unit).strip(),
    )
    what = " ".join(filter(None, (of, quantity)))
    if quantity not in FITTING:
        raise FileRefused(f"{origin}: quantity {quantity!r} is not known; use {', '.join(FITTING)}")
    if unit not in UNITS:
        raise FileRefused(f"{origin}: unit {limit.unit!r} is not known; use {', '.join(filter(None, UNITS))}")
    if UNITS[unit] not in FITTING[quantity]:
        fitting = " or ".join(sorted(FITTING[quantity])) or "no unit"
        raise FileRefused(f"{origin}: the limit on {what} has unit {unit!r}; expected {fitting}")
    if not (limit.revision or revision):
        raise FileRefused(f"{origin}: the limit on {what} has no revision; name the revision of the file")
    common = {"of": of, "quantity": quantity, "unit": UNITS[unit], "origin": origin}
    common["revision"] = limit.revision or revision
    match (limit.min, limit.max, limit.equal):
        case (None, None, float(value)):
            return Criterion(op=Op.EQ, value=value, **common)
        case (None, float(high), None):
            return Criterion(op=Op.LE, value=high, **common)
        case (float(low), None, None):
            return Criterion(op=Op.GE, value=low, **common)
        case (float(low), float(high), None) if low <= high:
            return Criterion(op=Op.BETWEEN, value=low, upper=high, **common)
    raise FileRefused(f"{origin}: the limit on {what} needs max, min (not above max) or equal")


def _subject(limit: _Limit, origin: str) -> str | None:
    """What the limit is on; a defect that no tool can report would never be judged."""
    if limit.defect and limit.of:
        raise FileRefused(f"{origin}: a limit names {limit.defect!r} and {limit.of!r}; give defect or of, not both")
    if limit.defect and limit.defect.lower() not in set(DefectType):
        raise FileRefused(f"{origin}: defect {limit.defect!r} is not known; use {', '.join(DefectType)}")
    return limit.defect.lower() if limit.defect else limit.of
