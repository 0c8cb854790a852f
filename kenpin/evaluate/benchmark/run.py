"""Runs the tools over a manifest, surface by surface."""

from collections.abc import Callable, Sequence
from itertools import groupby

from kenpin.contracts.ports import Embedder
from kenpin.evaluate.benchmark.counting import count_surface
from kenpin.evaluate.benchmark.inspecting import inspect_surface
from kenpin.evaluate.benchmark.manifest import Labelled, Record
from kenpin.evaluate.benchmark.measuring import measure_surface
from kenpin.evaluate.benchmark.pairing import compare_pairs
from kenpin.evaluate.benchmark.predictions import Writer, fixed_threads
from kenpin.evaluate.benchmark.retrieval import labelled, retrieve
from kenpin.evaluate.benchmark.rows import Outcome, Row

TASKS = ("inspect", "pair", "count", "measure", "retrieval")
"""Tasks that are scored. `retrieval` has no records of its own: it takes the labelled boxes of all others."""
MATERIAL = frozenset({"pair_template"})
"""Records that others use, and that are no task by themselves."""


def by_surface(records: Sequence[Record], task: str) -> list[tuple[str, list[Record]]]:
    """Records of one task by surface, both in the manifest's order of first appearance."""
    chosen = [r for r in records if r.task == task]
    order = {name: i for i, name in enumerate(dict.fromkeys(r.surface for r in chosen))}
    ranked = sorted(chosen, key=lambda r: order[r.surface])
    return [(name, list(rows)) for name, rows in groupby(ranked, key=lambda r: r.surface)]


def run_benchmark(data: Labelled, *, embedder: Embedder, writer: Writer, good: int = 0, seed: int = 0,
                  tasks: Sequence[str] = TASKS, progress: Callable[[str], None] = lambda _: None) -> Outcome:
    """Score every record by its task.

    Args:
        data: The manifest.
        embedder: Of past cases, for `retrieval`.
        writer: Takes the predictions.
        good: Good samples a surface that `detect` is given.
        seed: Of the choice of good samples and of the rough boxes.
        tasks: Which of `TASKS` to run.
        progress: Is told what is being scored.
    """
    data.check()
    outcome = Outcome(settings={"good": good, "seed": seed, "tasks": list(tasks)})
    with fixed_threads(1):
        for task, score in _scorers(data, writer, outcome, good=good, seed=seed).items():
            if task not in tasks:
                continue
            for surface, records in by_surface(data.records, task):
                progress(f"{task}: {surface}, {len(records)} pictures")
                if (row := score(surface, records)) is not None:
                    outcome.rows.append(row)
        if "retrieval" in tasks:
            progress("retrieval")
            outcome.rows += retrieval_rows(data, embedder, seed=seed)
    for record in data.records:
        if record.task not in (*TASKS, *MATERIAL):
            outcome.skip(f"task {record.task!r} is not benchmarked")
    return outcome


Score = Callable[[str, list[Record]], Row | None]


def _scorers(data: Labelled, writer: Writer, outcome: Outcome, *, good: int, seed: int) -> dict[str, Score]:
    return {
        "inspect": lambda s, r: inspect_surface(s, data, r, good=good, seed=seed, writer=writer, outcome=outcome),
        "pair": lambda s, r: compare_pairs(s, data, r, writer=writer),
        "count": lambda s, r: count_surface(s, data, r, writer=writer, outcome=outcome),
        "measure": lambda s, r: measure_surface(s, data, r, writer=writer, outcome=outcome),
    }


def retrieval_rows(data: Labelled, embedder: Embedder, *, seed: int) -> list[Row]:
    """One row a surface that has several types, and one over all surfaces where there are several."""
    defects = labelled(data, data.records)
    groups = {name: [d for d in defects if d.surface == name] for name in dict.fromkeys(d.surface for d in defects)}
    if len(groups) > 1:
        groups["all surfaces"] = defects
    rows = (retrieve(name, group, embedder, seed=seed + 1) for name, group in groups.items())
    return [row for row in rows if row is not None]
