"""`kenpin tune`: what visual instruction tuning is fed with."""

from pathlib import Path
from typing import Annotated

import typer

from kenpin.cli_shared import console, console_actor, services

tune_app = typer.Typer(rich_markup_mode=None, help="Material for training a planner on signed work.")


@tune_app.callback()
def tune() -> None:
    """Material for training a planner on signed work."""


@tune_app.command("export")
def export(
    folder: Annotated[Path, typer.Argument(help="A new folder; pictures lie in it unsealed.")],
    product: Annotated[str | None, typer.Option("--product", help="Only inspections of this product.")] = None,
) -> None:
    """Write signed inspections as conversations (JSONL) with their pictures."""
    done = services().tuning.export(console_actor(), folder, product=product)
    for name, reason in done.left_out:
        console().print(f"{name}: left out; {reason}", markup=False)
    console().print(f"{len(done.written)} signed inspections written to {folder}", markup=False)
