"""What the files of the command line share."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from kenpin.wiring import Kenpin

JsonOption = Annotated[bool, typer.Option("--json", help="The result as JSON on stdout, and nothing else there.")]


def installation(**given: object) -> "Kenpin":
    """The installation that the settings describe; arguments that are not None come first."""
    from kenpin.config import read_settings
    from kenpin.wiring import open_kenpin

    return open_kenpin(read_settings(**given))


def console(*, err: bool = False) -> "Console":
    """The terminal, or standard error."""
    from rich.console import Console

    return Console(stderr=err, highlight=False)
