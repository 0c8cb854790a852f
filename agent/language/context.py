"""Limits said without a quantity or a unit, read in the light of what was measured last."""

from collections.abc import Mapping, Sequence
from typing import Any

from kenpin.contracts.verdict import Criterion, Op


def in_context(limits: Sequence[Criterion], measured: Mapping[str, Any] | None) -> tuple[Criterion, ...]:
    """Complete limits such as "105 ± 2, good?" after a width was measured.

    A range without a unit is never a count: nobody expects 103 to 107 of something. It takes quantity and unit of the last
    measurement; without one it stays as it is and nothing will fit it.
    """
    if measured is None:
        return tuple(limits)
    result = measured["result"]
    return tuple(
        limit.model_copy(update={"quantity": result["quantity"], "unit": result["unit"], "of": None})
        if limit.op is Op.BETWEEN and limit.quantity == "count" and not limit.unit else limit for limit in limits)
