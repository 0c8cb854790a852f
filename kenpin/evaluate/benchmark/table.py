"""The figures of a benchmark as tables, one a task."""

from collections.abc import Sequence

import numpy as np
from rich.table import Table

from kenpin.evaluate.benchmark.metrics import Figure
from kenpin.evaluate.benchmark.rows import Outcome, Row

HEADS = {
    "picture_auroc": "picture AUROC", "picture_ap": "picture AP", "pixel_auroc": "pixel AUROC", "pixel_ap": "pixel AP",
    "pixel_iou": "best-F1 IoU", "overkill_at_95": "overkill, 95 % found", "overkill_at_99": "overkill, 99 % found",
    "overkill": "overkill", "escape": "escape", "decided": "decided", "right_when_decided": "right when decided",
    "false_ok": "false ok", "false_ng": "false ng", "precision": "precision", "recall": "recall", "f1": "F1",
    "precision_typed": "precision with type", "recall_typed": "recall with type", "f1_typed": "F1 with type",
    "aligned": "aligned", "exact": "exact", "mean_error": "mean error", "sure": "sure",
    "wrong_though_sure": "wrong though sure", "median_error": "median error", "error_at_95": "error, 95 %",
    "worst_error": "worst error", "covered": "covered by its uncertainty", "p5_rough_box": "P@5 rough box",
    "p5_label_box": "P@5 label box", "p5_whole_picture": "P@5 whole picture", "chance": "chance", "ms": "ms a picture",
}
TITLES = {
    "inspect": "detect", "pair": "compare, boxes at IoU 0.33", "count": "count", "measure": "measure",
    "retrieval": "recall, own part left out",
}


def shown(name: str, value: Figure) -> str:
    """A figure with its interval below it."""
    if not np.isfinite(value.value):
        return "–"
    digits = 1 if name == "ms" else 4 if "error" in name and name != "mean_error" else 3
    whole = f"{value.value:.{digits}f}"
    return whole if not np.isfinite(value.low) else f"{whole}\n{value.low:.{digits}f}–{value.high:.{digits}f}"


ABREAST = 4
"""Surfaces side by side in one table, so that figures and intervals stay whole at 80 columns."""


def tables(outcome: Outcome) -> list[Table]:
    """A table for each task; surfaces are columns, since there are more figures than surfaces."""
    made = []
    for task in dict.fromkeys(row.task for row in outcome.rows):
        rows = [row for row in outcome.rows if row.task == task]
        made += [_table(task, rows[i:i + ABREAST]) for i in range(0, len(rows), ABREAST)]
    return made


def _table(task: str, rows: Sequence[Row]) -> Table:
    table = Table("", *(f"{row.surface}\n{_counted(row)}" for row in rows), title=TITLES.get(task, task),
                  title_justify="left", caption="95 % bootstrap intervals over parts below each figure",
                  caption_justify="left")
    for name in dict.fromkeys(name for row in rows for name in row.figures):
        cells = (shown(name, row.figures[name]) if name in row.figures else "–" for row in rows)
        table.add_row(HEADS.get(name, name), *cells)
    return table


def _counted(row: Row) -> str:
    return ", ".join(f"{number} {what}" for what, number in row.counts.items())


def remarks(outcome: Outcome) -> list[str]:
    """What a reader must know beside the figures."""
    notes = [f"{row.surface}: {note}" for row in outcome.rows for note in row.notes]
    asked = outcome.settings.get("good", 0)
    short = [f"{row.surface} {row.counts['good']}" for row in outcome.rows
             if row.task == "inspect" and row.counts.get("good", 0) < asked]
    if short:
        notes.append(f"fewer good samples than {asked}, since some must stay to be scored: {', '.join(short)}")
    return notes + [f"not scored: {number} × {reason}" for reason, number in sorted(outcome.skipped.items())]
