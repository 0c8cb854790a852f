"""Criteria files: acceptance limits of a product, as YAML."""

import unicodedata
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kenpin.contracts.errors import FileRefused
from kenpin.contracts.verdict import Criteria, Criterion, Op

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


class _Limit(BaseModel):
    model_config = ConfigDict(extra="forbid")

    defect: str | None = None
    of: str | None = None
    quantity: str
    max: float | None = None
    min: float | None = None
    equal: float | None = None
    unit: str = ""


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    product: str | None = None
    revision: Annotated[str, Field(min_length=1, coerce_numbers_to_str=True)]
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

    Raises:
        FileRefused: It cannot be read as such; one line names the place.
    """
    try:
        text = path.read_text(encoding="utf-8")
        data: Any = yaml.safe_load(text)
        file = _File.model_validate(data)
        limits = tuple(_criterion(limit, file.revision, path.name) for limit in file.limits)
    except FileNotFoundError:
        raise FileRefused(f"{path}: there is no such criteria file") from None
    except (OSError, UnicodeDecodeError) as exc:
        raise FileRefused(f"{path}: cannot be read ({exc})") from None
    except yaml.YAMLError as exc:
        raise FileRefused(f"{path.name}: is not YAML ({' '.join(str(exc).split())[:160]})") from None
    except ValidationError as exc:
        parts = [f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in exc.errors(include_url=False)]
        raise FileRefused(f"{path.name}: {'; '.join(parts[:4])}; expected product, revision and limits") from None
    return Criteria(product=file.product, revision=file.revision, source=path.name, limits=limits)


def _criterion(limit: _Limit, revision: str, origin: str) -> Criterion:
    unit = unicodedata.normalize("NFC", limit.unit).strip()
    if unit not in UNITS:
        raise FileRefused(f"{origin}: unit {limit.unit!r} is not known; use {', '.join(filter(None, UNITS))}")
    common = {
        "of": limit.defect or limit.of,
        "quantity": limit.quantity,
        "unit": UNITS[unit],
        "revision": revision,
        "origin": origin,
    }
    match (limit.min, limit.max, limit.equal):
        case (None, None, float(value)):
            return Criterion(op=Op.EQ, value=value, **common)
        case (None, float(high), None):
            return Criterion(op=Op.LE, value=high, **common)
        case (float(low), None, None):
            return Criterion(op=Op.GE, value=low, **common)
        case (float(low), float(high), None) if low <= high:
            return Criterion(op=Op.BETWEEN, value=low, upper=high, **common)
    raise FileRefused(
        f"{origin}: the limit on {common['of'] or ''} {limit.quantity} needs max, min (not above max) or equal"
    )
