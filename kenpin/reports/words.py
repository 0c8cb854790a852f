"""The words of reports, in English and Japanese."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from functools import lru_cache
from importlib import resources
from typing import Literal

import yaml

from agent.prompting import word
from kenpin.contracts.trace import Measure
from kenpin.contracts.verdict import Criterion, Verdict
from kenpin.reports.blocks import Line, Tone

Lang = Literal["en", "ja"]


@lru_cache(maxsize=2)
def texts(lang: str) -> Mapping[str, str]:
    """Every text of one language by key."""
    place = resources.files("kenpin.reports").joinpath("texts", f"{lang}.yaml")
    found: dict[str, str] = yaml.safe_load(place.read_text(encoding="utf-8"))
    return found


@dataclass(frozen=True)
class Words:
    """Texts and names of one language, and how times are written."""

    lang: Lang
    zone: tzinfo | None

    def __call__(self, key: str, **values: object) -> str:
        """A text, filled in. What is filled in is never read as a format."""
        return texts(self.lang)[key].format(**values) if values else texts(self.lang)[key]

    def name(self, name: str) -> str:
        """A name of the trade (`scratch`, `length`); one that is not in the list as it is."""
        return word(name, self.lang)

    def verdict(self, verdict: Verdict | None) -> str:
        """A verdict as a word."""
        return word(f"v.{verdict}", self.lang) if verdict else self("verdict.none")

    def verdict_line(self, verdict: Verdict | None) -> Line:
        """A verdict with its colour."""
        tones: dict[Verdict | None, Tone] = {
            Verdict.OK: "ok", Verdict.NG: "ng", Verdict.UNCERTAIN: "uncertain", None: "dim",
        }
        return Line(text=self.verdict(verdict), tone=tones[verdict])

    def time(self, at: datetime) -> str:
        """Date and time with the zone, to the second.

        21 CFR 11.50(a)(2) asks for date and time of a signature; without a zone it is not known which hour it was.
        """
        shown = at.astimezone(self.zone)
        offset = shown.strftime("%z")
        return f"{shown:%Y-%m-%d %H:%M:%S} {offset[:3]}:{offset[3:5]}"

    def limit(self, limit: Criterion) -> str:
        """An acceptance limit with its revision."""
        return f"{limit.name} ({self('revision', revision=limit.revision)})" if limit.revision else limit.name

    def amount(self, measure: Measure) -> tuple[str, str]:
        """Value and uncertainty of a measure, with the unit; the uncertainty is empty where there is none.

        Source: GUM (JCGM 100:2008) 7.2.6: uncertainty with two digits, value to the same place.
        """
        unit, margin = self.unit(measure.unit), measure.uncertainty
        if not margin:
            return f"{measure.value:.5g} {unit}".strip(), ""
        places = max(0, 1 - math.floor(math.log10(margin)))
        return f"{measure.value:.{places}f} {unit}".strip(), f"± {margin:.{places}f} {unit}".strip()

    def sized(self, measure: Measure, name: str) -> str:
        """A measure on one line: of what, its name, value and uncertainty."""
        value, margin = self.amount(measure)
        return " ".join(part for part in (measure.of, name, value, margin) if part)

    def unit(self, unit: str) -> str:
        """A unit as it is printed."""
        return {"mm2": "mm²", "px2": "px²", "deg": "°"}.get(unit, unit)
