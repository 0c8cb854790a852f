"""What a benchmark hands over: rows of figures, one a surface and task."""

from dataclasses import dataclass, field
from typing import Any

from kenpin.evaluate.benchmark.metrics import Figure


@dataclass(frozen=True)
class Row:
    """Figures of one surface in one task."""

    surface: str
    task: str
    counts: dict[str, int]
    """How many pictures, boxes or queries of which kind they rest on."""
    figures: dict[str, Figure]
    good: tuple[str, ...] = ()
    """Ids of the good samples that `detect` was given; never scored."""
    notes: tuple[str, ...] = ()

    def report(self) -> dict[str, Any]:
        """For JSON."""
        return {"surface": self.surface, "task": self.task, "counts": self.counts, "good": list(self.good),
                "notes": list(self.notes), "figures": {name: f.report() for name, f in self.figures.items()}}


@dataclass
class Outcome:
    """A whole run."""

    rows: list[Row] = field(default_factory=list)
    skipped: dict[str, int] = field(default_factory=dict)
    """Records that were not run, by reason."""
    settings: dict[str, Any] = field(default_factory=dict)

    def skip(self, reason: str, count: int = 1) -> None:
        """Count records that are left out."""
        self.skipped[reason] = self.skipped.get(reason, 0) + count

    def report(self) -> dict[str, Any]:
        """For JSON."""
        return {"settings": self.settings, "rows": [row.report() for row in self.rows], "skipped": self.skipped}
