"""What the files of the command line share."""

import os
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from kenpin.contracts.people import Actor
    from kenpin.services import Services
    from kenpin.wiring import Kenpin

JsonOption = Annotated[bool, typer.Option("--json", help="The result as JSON on stdout, and nothing else there.")]


def installation(**given: object) -> "Kenpin":
    """The installation that the settings describe; arguments that are not None come first."""
    from kenpin.config import read_settings
    from kenpin.wiring import open_kenpin

    return open_kenpin(read_settings(**given), console=True)


def services(**given: object) -> "Services":
    """What can be done in that installation, each action with `console_actor` first."""
    from kenpin.services import Services

    return Services(installation(**given))


def console_actor() -> "Actor":
    """Whoever sits at this machine. Who has the data folder and the key is trusted with them."""
    import getpass

    from kenpin.contracts.people import Actor, Role

    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        # A container may run as a number that has no name.
        name = str(os.getuid())
    return Actor(name=f"console:{name}", roles=frozenset({Role.OPERATOR, Role.ADMINISTRATOR}), kind="console")


def console(*, err: bool = False) -> "Console":
    """The terminal, or standard error."""
    from rich.console import Console

    return Console(stderr=err, highlight=False)
