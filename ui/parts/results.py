"""What a step did and found out, in words. Values come from the trace and are data: everything here is escaped.

Traces may be older or newer than this page, so a missing field is left out and an unknown one is shown by its name.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from agent.reasons import told
from kenpin.contracts.trace import Measure, Step
from ui.i18n import Texts
from ui.parts.plain import one_line, plain

UNITS = {"px2": "px²", "mm2": "mm²", "deg": "°"}
SHOWN = 5


def number(value: object, *, digits: int = 4) -> str:
    """A number as people write it: no more than `digits` significant ones unless it is whole."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if float(value).is_integer() and abs(value) < 1e9:
        return f"{int(value)}"
    return f"{value:.{digits}g}" if abs(value) < 10**digits else f"{value:.0f}"


def quantity(value: float, unit: str, uncertainty: float | None) -> str:
    """A measured value with its uncertainty, written to the digits that the uncertainty allows."""
    named = UNITS.get(unit, unit)
    gap = "" if named in ("°", "") else " "
    if not uncertainty:
        return f"{number(value)}{gap}{named}"
    digits = max(0, min(4, 1 - _magnitude(uncertainty)))
    return f"{value:.{digits}f} ± {uncertainty:.{digits}f}{gap}{named}"


def box_words(box: Sequence[object]) -> str:
    """A box as it stands in the trace."""
    return "[" + ", ".join(number(v) for v in box) + "]"


def kind_words(name: str, t: Texts) -> str:
    """A defect type or another kind of region."""
    return t.known("kind", name)


def measured(measure: Measure, t: Texts) -> str:
    """Quantity and value of a measure."""
    value = quantity(measure.value, measure.unit, measure.uncertainty)
    return f"{t.known('quantity', measure.quantity)}: {plain(value)}"


def arguments(step_args: Mapping[str, Any], t: Texts) -> str:
    """The arguments that were given, in words; what was left at its default is not repeated."""
    parts = []
    for name, value in step_args.items():
        if value in (None, "", [], (), {}) or (name == "view" and value == "v0"):
            continue
        parts.append(f"{t.known('arg', name)}: {_argument(name, value, t)}")
    return " · ".join(parts)


def outcome(step: Step, t: Texts) -> str:
    """The result of a step in one line."""
    if step.status != "ok":
        return plain(one_line(step.error or "", most=400))
    words = _LINES.get(step.tool)
    try:
        line = words(step.result, t) if words else ""
    except (KeyError, TypeError, ValueError, IndexError):
        # A trace of another version: its fields are shown one by one instead.
        line = ""
    return line or _fields(step.result, t)


def remark(step: Step, t: Texts) -> str:
    """What the tool says about its own result, if anything."""
    said = told(step.result, t.lang) or step.result.get("note") or ""
    return plain(one_line(str(said), most=300))


def _argument(name: str, value: object, t: Texts) -> str:
    if name == "box" and isinstance(value, list | tuple):
        return plain(box_words(value))
    if isinstance(value, list | tuple):
        return ", ".join(_item(v, t) for v in value)
    if isinstance(value, str):
        word = f"{'quantity' if name == 'quantity' else 'choice'}.{value}"
        return t.words.get(word) or plain(one_line(value))
    return plain(number(value))


def _item(value: object, t: Texts) -> str:
    if isinstance(value, str):
        return kind_words(value, t)
    return plain(box_words(value) if isinstance(value, list | tuple) else number(value))


def _fields(result: Mapping[str, Any], t: Texts) -> str:
    simple = [(k, v) for k, v in result.items()
              if isinstance(v, int | float | str) and v != "" and k not in ("reason_code", "reason", "note")]
    return " · ".join(f"{t.known('field', k)}: {plain(one_line(number(v)))}" for k, v in simple[:8])


def _found(result: Mapping[str, Any], t: Texts) -> str:
    found = result["findings"]
    undecided = "" if result.get("decided", True) else " · " + t("outcome.undecided")
    if not found:
        return t("outcome.no_findings") + undecided
    names = [_finding(f, t) for f in found[:SHOWN]]
    more = f" … +{len(found) - SHOWN}" if len(found) > SHOWN else ""
    return t("outcome.findings", n=len(found)) + ": " + ", ".join(names) + plain(more) + undecided


def _finding(found: Mapping[str, Any], t: Texts) -> str:
    change = f", {kind_words(found['change'], t)}" if found.get("change") else ""
    return f"{plain(found['id'])} {kind_words(found['type'], t)} ({found['score']:.2f}{change})"


def _compared(result: Mapping[str, Any], t: Texts) -> str:
    """Differences, and how the golden sample was laid over the picture."""
    if not result.get("aligned", True):
        return t("outcome.not_aligned")
    if "confidence" not in result:
        return _found(result, t)
    x, y = result["shift_px"]
    laid = t("outcome.aligned", sure=f"{result['confidence']:.0%}", x=number(round(x, 1)), y=number(round(y, 1)),
             turn=number(round(result["turn_deg"], 2)), shared=f"{result['shared']:.0%}")
    return f"{_found(result, t)} · {laid}"


def _measured(result: Mapping[str, Any], t: Texts) -> str:
    value = quantity(result["value"], result["unit"], result.get("uncertainty"))
    of = f" ({plain(str(result['of']))})" if result.get("of") else ""
    scale = f" · {t('outcome.scale', scale=number(result['mm_per_px']))}" if result.get("mm_per_px") else ""
    return f"{t.known('quantity', result['quantity'])}{of}: **{plain(value)}**{scale}"


def _counted(result: Mapping[str, Any], t: Texts) -> str:
    return f"{kind_words(str(result.get('what') or ''), t)}: **{plain(number(result['count']))}**".lstrip(": ")


def _checked(result: Mapping[str, Any], t: Texts) -> str:
    line = t("outcome.quality_passed" if result["passed"] else "outcome.quality_failed")
    problems = ", ".join(t.known("problem", str(name)) for name in result.get("problems", ()))
    noted = ", ".join(t.known("problem", str(name)) for name in result.get("warnings", ()))
    line += f": {problems}" if problems else ""
    return line + (f" · {t('outcome.noted')}: {noted}" if noted else "")


def _scaled(result: Mapping[str, Any], t: Texts) -> str:
    relative = result.get("relative_uncertainty")
    return t("outcome.scale", scale=number(result["mm_per_px"])) + (plain(f" ± {relative:.1%}") if relative else "")


def _read(result: Mapping[str, Any], t: Texts) -> str:
    everything = [x["text"] for x in (*result["lines"], *result.get("codes", ()))]
    texts = [result["best"]] if result.get("best") else everything
    if not texts:
        return t("outcome.no_text")
    unsure = "" if result.get("sure", True) else f" · {t('outcome.unsure')}"
    return t("outcome.read") + ": " + ", ".join(f"**{plain(one_line(x, most=80))}**" for x in texts[:SHOWN]) + unsure


def _recalled(result: Mapping[str, Any], t: Texts) -> str:
    hits = result["hits"]
    if not hits:
        return t("outcome.no_cases")
    return t("outcome.cases", n=len(hits))


LEVELS = ("very alike", "alike", "somewhat alike", "remotely alike")
"""How the tool says likeness; `remotely alike` only stands in older traces."""


def signed_words(hit: Mapping[str, Any], say: Callable[..., str]) -> str:
    """Who signed a past case, or that it is none that was signed. Traces before `origin` name the signer only.

    `say` is the page's `Texts`, or its `raw` where the words are escaped later.
    """
    by, origin = hit.get("signed_by"), str(hit.get("origin") or ("signed" if hit.get("signed_by") else "entered"))
    if origin == "signed" and by:
        on = hit.get("signed_on")
        return say("case.signed_on", by=str(by), on=str(on)) if on else say("case.signed", by=str(by))
    if origin in ("example", "imported"):
        return say(f"case.{origin}")
    return say("case.said_signed", by=str(by)) if by else say("case.unsigned")


def case_lines(hit: Mapping[str, Any], t: Texts) -> tuple[str, str]:
    """A past case: what it is and how alike, and what is known of it. Its text is data."""
    signed = signed_words(hit, t)
    level = str(hit.get("likeness_words") or "")
    alike = t(f"case.{level.replace(' ', '_')}") if level in LEVELS else level
    name = plain(one_line(str(hit.get("case_id", ""))))
    known = [(field, str(hit.get(field) or "")) for field in ("cause", "disposition", "note", "date")]
    body = [f"{t(f'case.{field}')}: {plain(one_line(value, most=200))}" for field, value in known if value]
    return (f"**{name}** · {kind_words(str(hit.get('defect_type', '')), t)} · {alike}", " · ".join([*body, signed]))


def _viewed(result: Mapping[str, Any], t: Texts) -> str:
    size = t("outcome.view", box=box_words(result["box"]), width=result["width"], height=result["height"])
    return size + (f" · ×{plain(number(result['factor']))}" if "factor" in result else "")


def _enhanced(result: Mapping[str, Any], t: Texts) -> str:
    before, after = result["before"], result["after"]
    pairs = [f"{t.known('field', name)} {plain(number(value, digits=3))} → {plain(number(after[name], digits=3))}"
             for name, value in before.items()]
    return t.known("choice", str(result["operation"])) + ": " + ", ".join(pairs)


def _magnitude(value: float) -> int:
    """Power of ten of the leading digit."""
    return int(f"{value:e}".partition("e")[2])


_LINES: Mapping[str, Callable[[Mapping[str, Any], Texts], str]] = {
    "detect": _found, "compare": _compared, "measure": _measured, "count": _counted, "check_image": _checked,
    "calibrate": _scaled, "read_text": _read, "recall": _recalled, "crop": _viewed, "zoom": _viewed,
    "enhance": _enhanced,
}
