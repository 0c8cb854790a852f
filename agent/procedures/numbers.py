"""Numbers and units as people write them."""

from typing import Any


def shown(value: Any) -> str:
    """A number with four significant digits at most, as a person would write it."""
    number = float(value)
    if number == 0:
        return "0"
    digits = max(0, 3 - len(str(int(abs(number))))) if abs(number) >= 1 else 3
    text = f"{number:.{digits + (1 if abs(number) >= 100 else 0)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def unit_word(unit: str) -> str:
    """A unit as people write it."""
    return {"px2": "px²", "mm2": "mm²", "deg": "°"}.get(unit, unit)
