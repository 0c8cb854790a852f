"""Check digits of article numbers, and what a GS1 code says by its application identifiers."""

import re
from dataclasses import dataclass

GTIN = {"EAN13": 13, "EAN8": 8, "UPCA": 12, "ITF": 14}
"""Formats whose last digit is a check digit when they have this many digits."""

IDENTIFIERS = {
    "00": "container", "01": "article", "02": "contents", "10": "lot", "11": "production date", "12": "due date",
    "13": "packaging date", "15": "best before", "16": "sell by", "17": "expiry date", "20": "variant", "21": "serial",
    "22": "consumer variant", "30": "count", "37": "count of contents", "240": "additional id",
    "241": "customer part number", "250": "secondary serial", "251": "source", "400": "order number",
    "410": "ship to", "414": "location", "420": "postal code", "8005": "price per unit", "8008": "production time"}
"""GS1 General Specifications, section 3: those that stand on parts and packs."""

DATES = frozenset({"11", "12", "13", "15", "16", "17"})
NUMBERED = {"00": 18, "01": 14, "02": 14}
"""Identifiers whose value is a number of this many digits, the last of them a check digit."""


@dataclass(frozen=True)
class Field:
    """One element of a GS1 code."""

    identifier: str
    name: str
    """What the identifier stands for; empty if it is not known here."""
    value: str
    right: bool | None
    """Whether the check digit, or the date, can be; None if the value has neither."""


def modulo10(digits: str) -> bool:
    """Whether the last digit is the check digit of those before it (GS1: weights 3 and 1 from the right)."""
    weighed = sum(int(d) * (3 if i % 2 else 1) for i, d in enumerate(reversed(digits)))
    return weighed % 10 == 0


def check_digit(text: str, kind: str) -> bool | None:
    """Whether the check digit of a code is right; None where its format has none of its own.

    ITF has one only as ITF-14; readers pass codes on without looking at it.
    """
    length = GTIN.get(kind)
    return modulo10(text) if length and len(text) == length and text.isascii() and text.isdigit() else None


def fields(text: str) -> tuple[Field, ...]:
    """The elements of a GS1 text in its readable form, `(01)04012345678901(17)270131(10)L123`."""
    found = []
    for identifier, value in re.findall(r"\((\d{2,4})\)([^(]*)", text):
        right: bool | None = None
        if identifier in NUMBERED:
            right = len(value) == NUMBERED[identifier] and value.isascii() and value.isdigit() and modulo10(value)
        elif identifier in DATES:
            # Day 00 stands for the whole month.
            right = re.fullmatch(r"\d\d(?:0[1-9]|1[0-2])(?:[0-2]\d|3[01])", value) is not None
        # 310n to 369n are measures with n decimals.
        name = IDENTIFIERS.get(identifier, "measure" if re.fullmatch(r"3[1-6]\d\d", identifier) else "")
        found.append(Field(identifier, name, value, right))
    return tuple(found)
